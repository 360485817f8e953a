"""The kernel in C against the one in Python: the same bytes for any input, or an error by name."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES
from lambda_src import job
from lambda_src.counts import library
from lambda_src.counts.compiled import library_name
from lambda_src.counts.library import find_library
from lambda_src.errors import TooManyDistinct
from lambda_src.input.findings import invalid_utf8
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Shards, Span
from lambda_src.jobs import top_words
from lambda_src.jobs.top_words import c_kernel, python_kernel, words
from lambda_src.jobs.top_words.kernel import LIBRARY, LONGEST, CountedWords, Kernel, Spelling
from stacks.native_library import sources_of_jobs
from tests.contexts import context_for

ROOT = Path(__file__).parents[2]

C, PYTHON = c_kernel.KERNEL, python_kernel.KERNEL

BY_LENGTH = Shards("part", LONGEST, "run")
SHARDS = st.sampled_from([BY_LENGTH, Shards("key", 1, "run"), Shards("key", 7, "another")])

# Around the sizes at which C does something else: 16 bytes of a key, 64 of a mask, 16 KiB of a piece.
EDGES = st.builds(
    lambda before, size, after: before + b"Ab" * (size // 2) + after,
    st.binary(max_size=3),
    st.sampled_from([14, 16, 18, 32, 62, 64, 66, 16_382, 16_384, 16_386, 40_000]),
    st.binary(max_size=20),
)


def random_text(seed: int) -> bytes:
    """Some 100 KB, of few words or of many, of one script or of several, with noise."""
    generator = random.Random(seed)
    letters = generator.choice(["abcdeFGHIJ", "абвгДЕЖЗИйÉèß", "कखगघिीुूे्ंİΣσς", "ab\u0301\u0323é日本語ſK—。"])
    words_ = ["".join(generator.choices(letters, k=generator.randint(1, 24))) for _ in range(3000)]
    separators = generator.choice([[" "], [" ", "\n", ", "], ["—", " ", ".", "\u00a0"]])
    text = "".join(
        generator.choice(words_) + generator.choice(separators) for _ in range(generator.choice([2000, 9000]))
    ).encode()
    noise = bytearray(text)
    for _ in range(generator.choice([0, 0, 50])):
        noise[generator.randrange(len(noise))] = generator.randrange(256)
    return bytes(noise)


def counted(kernel: Kernel, chunks: Sequence[bytes], shards: Shards = BY_LENGTH) -> CountedWords:
    counting = kernel.counting(shards)
    for chunk in chunks:
        counting.add(chunk)
    return counting.lines()


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=3), st.integers(0, 1000))
def test_both_find_the_same_bytes_that_are_not_utf8(data: bytes, cuts: list[int], seed: int) -> None:
    kernels = C.counting(BY_LENGTH), PYTHON.counting(BY_LENGTH)
    for chunk in [*cut(data, cuts), data, random_text(seed)]:
        one, other = (counting.add(chunk) for counting in kernels)
        assert one == other
        assert one.invalid == invalid_utf8(chunk)


PIECES = [
    *(piece.encode() for piece in "aمé \u200c\u200d\u00ad\u2060\u200b👩❤!\ufeff"),
    b"\xc3",
    b"\xe2\x80",
    b"co\xc2\xadop ",
]


@given(st.lists(st.sampled_from(PIECES)).map(b"".join))
@example("می\u200cخواهم co\u00adop 👩\u200d❤ a\u200b\u200ca".encode())
def test_both_note_the_same_joined_words(data: bytes) -> None:
    kernels = C.counting(BY_LENGTH), PYTHON.counting(BY_LENGTH)
    for chunk in (data, data * 300):
        one, other = (counting.add(chunk).joined for counting in kernels)
        assert one == other
        places = beside_letters(readable(chunk))
        assert one.found == len(places)


def beside_letters(text: str) -> list[int]:
    """Where joiners are next to letters, of those that PIECES have."""
    letters, joiners = "acopéمیخ", "\u200c\u200d\u00ad\u2060"
    return [
        at
        for at, one in enumerate(text)
        if one in joiners and ({text[at - 1 : at], text[at + 1 : at + 2]} - {""}) & set(letters)
    ]


def readable(chunk: bytes) -> str:
    """The text; a byte that is no character, but may be the first one of a letter, is one."""
    return chunk.decode(errors="surrogateescape").replace("\udcc3", "a")


def test_words_of_unicode_are_never_divided_at_joiners() -> None:
    for kernel in (C, PYTHON):
        assert (
            kernel.counting(BY_LENGTH, Spelling(is_unicode=True)).add("co\u00adop".encode()).joined.found == 0
        )


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=3), SHARDS)
@example(b"", [], BY_LENGTH)
@example(
    "foo foo—bar bar é É".encode(), [], BY_LENGTH
)  # words of stretches that are not ASCII, before and after ASCII stretches
@example("bar—foo foo é".encode(), [], BY_LENGTH)
@example("\u212a k \u212a\u212a".encode(), [], BY_LENGTH)  # the lower case of a Kelvin sign is ASCII
@example(b"\xe4\xb8 \xe4\xb8\n\xff", [], BY_LENGTH)
@example(("a" + "\u0301" * 79 + " " + "a" + "\u0301" * 80).encode(), [], BY_LENGTH)
@settings(max_examples=2000)
def test_c_counts_what_python_counts(data: bytes, cuts: list[int], shards: Shards) -> None:
    chunks = cut(data, cuts)
    assert counted(C, chunks, shards) == counted(PYTHON, chunks, shards)


@pytest.mark.parametrize("seed", range(40))
def test_c_counts_big_texts_as_python_does(seed: int) -> None:
    data = random_text(seed)
    chunks = cut(data, random.Random(seed).choices(range(len(data)), k=seed % 4))
    shards = Shards("key", seed + 1, "run") if seed % 2 else BY_LENGTH
    assert counted(C, chunks, shards) == counted(PYTHON, chunks, shards)


def test_tables_that_grow_lose_nothing() -> None:
    """To 64 times what they begin with. Keys of up to 16 bytes lie elsewhere than longer ones."""
    generator = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyzé"
    vocabulary = ["".join(generator.choices(letters, k=generator.randint(1, 19))) for _ in range(100_000)]
    blocks = [" ".join(generator.choices(vocabulary, k=150_000)).encode() for _ in range(2)]
    for block in blocks:
        assert counted(C, [block]) == counted(PYTHON, [block])


def test_memory_that_is_used_again_has_forgotten() -> None:
    texts = [random_text(seed) for seed in range(6)]
    interrupted = C.counting(BY_LENGTH)
    interrupted.add(texts[0])
    del interrupted
    for number, text in enumerate((*texts, *texts)):
        shards = Shards("key", number // 2 + 1, "run")
        assert counted(C, [text], shards) == counted(PYTHON, [text], shards)


def test_two_blocks_at_once_share_nothing() -> None:
    one, other = C.counting(BY_LENGTH), C.counting(BY_LENGTH)
    one.add(b"one")
    other.add(b"other")
    assert (one.lines().lines[2].data, other.lines().lines[2].data) == (b'{"one":1}', b"")


def test_what_is_stored_does_not_depend_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_text(3)
    stored = set()
    for secret in (bytes(32), b"\xff" * 32, os.urandom(32)):
        monkeypatch.setattr(library, "SECRET", secret)
        monkeypatch.setattr(c_kernel, "_kept", [])
        stored.add(tuple(line.data for line in counted(C, [data], Shards("key", 3, "run")).lines))
    assert len(stored) == 1


@contextmanager
def limits(**values: int) -> Iterator[None]:
    """Those of words.py, for so long."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(words, name, value)
        yield


def merged(counted_words: CountedWords) -> list[Counter[str]]:
    """What the lines by length count, whose objects each count a word once."""
    objects = [
        [msgspec.json.decode(piece, type=dict[str, int]) for piece in line.data.split(b"\t") if piece]
        for line in counted_words.lines
    ]
    return [sum(map(Counter, of_length), Counter()) for of_length in objects]


NEVER = 1 << 40
SETTLED = {"SETTLE_BYTES": 1, "SETTLE_STRETCHES": NEVER, "SPILL_WORDS": NEVER, "SPILL_BYTES": NEVER}


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=3))
@example("foo é bar".encode(), [4])
@example("foo—foo".encode(), [6])
@settings(max_examples=300)
def test_words_settled_early_are_the_same_lines(data: bytes, cuts: list[int]) -> None:
    chunks = cut(data, cuts)
    at_once = counted(C, chunks)
    with limits(**SETTLED):
        assert [counted(kernel, chunks) for kernel in (C, PYTHON)] == [at_once] * 2


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=5), st.integers(0, 5), st.integers(1, 5))
@example(b"a b a", [1, 2], 0, 1)
@settings(max_examples=300)
def test_more_words_than_are_held_go_to_lines_piece_by_piece(
    data: bytes, cuts: list[int], spill_words: int, settle_stretches: int
) -> None:
    chunks = cut(data, cuts)
    at_once = counted(PYTHON, chunks)
    with limits(SETTLE_STRETCHES=settle_stretches, SPILL_WORDS=spill_words):
        spilled = counted(C, chunks)
        assert spilled == counted(PYTHON, chunks)
    assert spilled.longer_words == at_once.longer_words
    assert [line.observed for line in spilled.lines] == [line.observed for line in at_once.lines]
    assert merged(spilled) == merged(at_once)


@pytest.mark.parametrize("seed", range(10))
def test_big_texts_are_spilled_as_python_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_kernel, "_SLICE_BYTES", 1000)
    data = random_text(seed)
    chunks = cut(data, random.Random(seed).choices(range(len(data)), k=9))
    at_once = counted(PYTHON, chunks)
    with limits(SETTLE_BYTES=20_000, SETTLE_STRETCHES=1000, SPILL_BYTES=5_000):
        spilled = counted(C, chunks)
        assert spilled == counted(PYTHON, chunks)
    assert merged(spilled) == merged(at_once)
    assert any(b"\t" in line.data for line in spilled.lines)


@pytest.mark.parametrize("limit", [{"MAX_LINE_BYTES": 8}, {"MAX_LINES_BYTES": 8}])
def test_lines_that_nobody_could_read_are_refused_by_name(limit: dict[str, int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limit.items():
            patch.setattr(job, name, value)
        for kernel in (C, PYTHON):
            assert counted(kernel, [b"ab"]).lines[1].data == b'{"ab":1}'
            with pytest.raises(TooManyDistinct, match="One block has too many distinct things to count"):
                counted(kernel, [b"abc"])


def test_a_text_without_ascii_separators_takes_bounded_memory() -> None:
    """Every sentence of it is a stretch that occurs once."""
    code = """
import random
from pathlib import Path
from lambda_src.job import Shards
from lambda_src.jobs.top_words import words
from lambda_src.jobs.top_words.c_kernel import Counting
def peak_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
words.SETTLE_BYTES = words.SPILL_BYTES = 1 << 20
text = "".join(map(chr, random.Random(1).choices(range(0x4e00, 0x9000), k=300_000)))
counting = Counting(Shards("part", 20, "run"))
counting.add(text.encode())
before = peak_kib()
for start in range(1, 25):
    counting.add("\\n".join(text[at : at + 59] for at in range(start, 300_000, 60)).encode())
counting.lines()
print((peak_kib() - before) >> 10)
"""
    assert int(in_a_process(code, library_folder())) < 60


def in_a_process(code: str, *paths: Path, **environment: str) -> str:
    """What ``code`` prints, with ``paths`` on ``sys.path``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths))), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def library_folder() -> Path:
    """What these tests have on ``sys.path``."""
    found = find_library(LIBRARY)
    assert found
    return found.parent.parent


def test_without_the_library_or_if_asked_to_python_counts() -> None:
    code = """
import sys
from lambda_src.jobs.top_words import KERNEL
print(KERNEL.is_native, "ctypes" in sys.modules)
"""
    assert in_a_process(code, library_folder()) == "True True"
    assert in_a_process(code) == "False False"
    assert in_a_process(code, library_folder(), FANFOLD_KERNEL="python") == "False False"
    assert top_words.choose_kernel() is C  # in the other tests


def test_the_library_is_of_the_source_that_is_here() -> None:
    """After a change of kernel.c, its new name goes into kernel.py."""
    assert LIBRARY in map(library_name, sources_of_jobs(["top_words"]))


@pytest.mark.parametrize("kernel", [C, PYTHON])
def test_a_run_tells_how_many_blocks_c_has_counted(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the answer does not."""
    monkeypatch.setattr(top_words, "KERNEL", kernel)
    mapped = top_words.JOB.map(Span(0, 5), input_of_bytes([b"a b c"]), context_for(top_words.JOB))
    assert mapped.extras == {"longer_words": 0, "native_blocks": int(kernel.is_native)}
    assert list(top_words.summarize(context_for(top_words.JOB), mapped.extras, {})) == [
        "words",
        "longer_words",
        "top_words",
    ]


def test_too_little_memory_has_a_name() -> None:
    """The limit leaves too little for counting a block of distinct words, and enough for saying so."""
    code = """
import itertools, resource
from lambda_src.errors import OutOfMemory
from lambda_src.job import Shards
from lambda_src.jobs.top_words.c_kernel import Counting
text = b" ".join(map(bytes, itertools.product(b"abcdefghijklmnopqrst", repeat=5)))[:10_000_000]
counting = Counting(Shards("part", 20, "run"))
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 4_000_000, resource.RLIM_INFINITY))
try:
    counting.add(text)
except OutOfMemory as error:
    print(type(error).__name__)
"""
    assert in_a_process(code, library_folder()) == "OutOfMemory"
