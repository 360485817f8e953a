"""The kernel in C against the one in Python: the same bytes and sums for any input, or an error by name."""

import itertools
import json
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

from lambda_src import job
from lambda_src.counts import library
from lambda_src.counts.library import find_library
from lambda_src.errors import BlobDamaged, TooManyDistinct
from lambda_src.input.findings import invalid_utf8
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Span
from lambda_src.jobs import top_words
from lambda_src.jobs.top_words import c_kernel, python_kernel, words
from lambda_src.jobs.top_words.kernel import LIBRARY, CountedLines, Kernel, Summed
from stacks.native_library import library_name, sources_of_job
from tests.contexts import context_for
from tests.texts import ANY_BYTES

ROOT = Path(__file__).parents[2]

PLENTY = 1_000_000
C, PYTHON = c_kernel.KERNEL, python_kernel.KERNEL

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


def counted(kernel: Kernel, chunks: Sequence[bytes]) -> CountedLines:
    counting = kernel.counting()
    for chunk in chunks:
        counting.add(chunk)
    return counting.lines()


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=3), st.integers(0, 1000))
def test_both_find_the_same_bytes_that_are_not_utf8(data: bytes, cuts: list[int], seed: int) -> None:
    kernels = C.counting(), PYTHON.counting()
    for chunk in [*cut(data, cuts), data, random_text(seed)]:
        one, other = (counting.add(chunk) for counting in kernels)
        assert one == other == invalid_utf8(chunk)


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@given(ANY_BYTES | EDGES, st.lists(st.integers(0, 1000), max_size=3))
@example(b"", [])
@example(
    "foo foo—bar bar é É".encode(), []
)  # words of stretches that are not ASCII, before and after ASCII stretches
@example("bar—foo foo é".encode(), [])
@example("\u212a k \u212a\u212a".encode(), [])  # the lower case of a Kelvin sign is ASCII
@example(b"\xe4\xb8 \xe4\xb8\n\xff", [])
@example(("a" + "\u0301" * 79 + " " + "a" + "\u0301" * 80).encode(), [])
@settings(max_examples=2000)
def test_c_counts_what_python_counts(data: bytes, cuts: list[int]) -> None:
    chunks = cut(data, cuts)
    assert counted(C, chunks) == counted(PYTHON, chunks)


@pytest.mark.parametrize("seed", range(40))
def test_c_counts_big_texts_as_python_does(seed: int) -> None:
    data = random_text(seed)
    chunks = cut(data, random.Random(seed).choices(range(len(data)), k=seed % 4))
    assert counted(C, chunks) == counted(PYTHON, chunks)


def test_tables_that_grow_lose_nothing() -> None:
    """To 64 times what they begin with. Keys of up to 16 bytes lie elsewhere than longer ones."""
    generator = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyzé"
    vocabulary = ["".join(generator.choices(letters, k=generator.randint(1, 19))) for _ in range(100_000)]
    blocks = [" ".join(generator.choices(vocabulary, k=150_000)).encode() for _ in range(2)]
    blobs = [counted(C, [block]) for block in blocks]
    assert blobs == [counted(PYTHON, [block]) for block in blocks]
    for lines in zip(*(blob.lines for blob in blobs), strict=True):
        assert summed(C, lines) == summed(PYTHON, lines)
    everything = (
        b"{"
        + b",".join(b'"%s":%d' % (word.encode(), i) for i, word in enumerate(dict.fromkeys(vocabulary), 1))
        + b"}"
    )
    assert summed(C, [everything] * 2) == summed(PYTHON, [everything] * 2)


def test_memory_that_is_used_again_has_forgotten() -> None:
    texts = [random_text(seed) for seed in range(6)]
    interrupted = C.counting()
    interrupted.add(texts[0])
    del interrupted
    for text in (*texts, *texts):
        assert counted(C, [text]) == counted(PYTHON, [text])


def test_two_blocks_at_once_share_nothing() -> None:
    one, other = C.counting(), C.counting()
    one.add(b"one")
    other.add(b"other")
    assert (one.lines().lines[2], other.lines().lines[2]) == (b'{"one":1}', b"{}")


def test_what_is_stored_does_not_depend_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_text(3)
    stored = set()
    for secret in (bytes(32), b"\xff" * 32, os.urandom(32)):
        monkeypatch.setattr(library, "SECRET", secret)
        monkeypatch.setattr(c_kernel, "_kept", [])
        stored.add(tuple(counted(C, [data]).lines))
    assert len(stored) == 1


@contextmanager
def limits(**values: int) -> Iterator[None]:
    """Those of words.py, for so long."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(words, name, value)
        yield


def merged(lines: Sequence[bytes]) -> list[Counter[str]]:
    """What lines count, whose objects each count a word once."""
    counts = [
        [msgspec.json.decode(counts, type=dict[str, int]) for counts in line.split(b"\t")] for line in lines
    ]
    return [sum(map(Counter, objects), Counter()) for objects in counts]


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
    assert spilled[1:] == at_once[1:]
    assert merged(spilled.lines) == merged(at_once.lines)
    for kernel in (C, PYTHON):
        for before, after in zip(at_once.lines, spilled.lines, strict=True):
            assert summed(kernel, [after, before]) == summed(kernel, [before, before])


@pytest.mark.parametrize("seed", range(10))
def test_big_texts_are_spilled_as_python_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_kernel, "_SLICE_BYTES", 1000)
    data = random_text(seed)
    chunks = cut(data, random.Random(seed).choices(range(len(data)), k=9))
    at_once = counted(PYTHON, chunks)
    with limits(SETTLE_BYTES=20_000, SETTLE_STRETCHES=1000, SPILL_BYTES=5_000):
        spilled = counted(C, chunks)
        assert spilled == counted(PYTHON, chunks)
    assert merged(spilled.lines) == merged(at_once.lines)
    assert any(b"\t" in line for line in spilled.lines)


@pytest.mark.parametrize("limit", [{"MAX_LINE_BYTES": 8}, {"MAX_LINES_BYTES": 8 + 19 * 2}])
def test_lines_that_nobody_could_read_are_refused_by_name(limit: dict[str, int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limit.items():
            patch.setattr(job, name, value)
        for kernel in (C, PYTHON):
            assert counted(kernel, [b"ab"]).lines[1] == b'{"ab":1}'
            with pytest.raises(TooManyDistinct, match="One block has too many distinct things to count"):
                counted(kernel, [b"abc"])


def test_a_text_without_ascii_separators_takes_bounded_memory() -> None:
    """Every sentence of it is a stretch that occurs once."""
    code = """
import random
from pathlib import Path
from lambda_src.jobs.top_words import words
from lambda_src.jobs.top_words.c_kernel import Counting
def peak_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
words.SETTLE_BYTES = words.SPILL_BYTES = 1 << 20
text = "".join(map(chr, random.Random(1).choices(range(0x4e00, 0x9000), k=300_000)))
counting = Counting()
counting.add(text.encode())
before = peak_kib()
for start in range(1, 25):
    counting.add("\\n".join(text[at : at + 59] for at in range(start, 300_000, 60)).encode())
counting.lines()
print((peak_kib() - before) >> 10)
"""
    assert int(in_a_process(code, library_folder())) < 60


def test_two_sums_at_once_share_nothing() -> None:
    sums = [C.sums(PLENTY, 0, 1) for _ in range(2)]
    for word, one in zip((b"one", b"other"), sums, strict=True):
        one.add(b'{"%s":2}' % word)
    assert [one.summed() for one in sums] == [Summed([("one", 2)], 2), Summed([("other", 2)], 2)]


def test_memory_that_has_summed_more_than_is_kept_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_kernel, "_kept_sums", kept := list[int]())
    monkeypatch.setattr(c_kernel, "_KEPT_BYTES", 7)
    summed(C, [b'{"ab":1}'])
    assert not kept
    summed(C, [b'{"a":1}'])
    assert len(kept) == 1
    summed(C, [b'{"a":1}'])
    assert len(kept) == 1


WORDS = st.text(st.characters(categories=["L", "M"]), min_size=1, max_size=8)
COUNTS = st.dictionaries(WORDS, st.integers(1, 1 << 40), max_size=60)


def summed(kernel: Kernel, lines: Sequence[bytes], part: int = 0, parts: int = 1) -> Summed:
    sums = kernel.sums(PLENTY, part, parts)
    for line in lines:
        sums.add(line)
    return sums.summed()


@given(st.lists(COUNTS, max_size=5), st.booleans())
def test_c_sums_what_python_sums(counts: list[dict[str, int]], has_newlines: bool) -> None:
    lines = [msgspec.json.encode(line) + b"\n" * has_newlines for line in counts]
    assert summed(C, lines) == summed(PYTHON, lines)


@pytest.mark.parametrize("seed", range(10))
def test_c_sums_big_lines_as_python_does(seed: int) -> None:
    blobs = [counted(C, [random_text(10 * seed + i)]).lines for i in range(3)]
    for lines in zip(*blobs, strict=True):
        assert summed(C, lines) == summed(PYTHON, lines)


@given(st.lists(COUNTS, max_size=3), st.integers(1, 64))
def test_every_word_belongs_to_one_part(counts: list[dict[str, int]], parts: int) -> None:
    lines = [msgspec.json.encode(line) for line in counts]
    sums = [summed(C, lines, part, parts) for part in range(parts)]
    whole = summed(PYTHON, lines)
    best = sorted((entry for part in sums for entry in part.top), key=lambda entry: (-entry[1], entry[0]))
    assert (best[:10], sum(part.words for part in sums)) == whole


HOSTILE = st.one_of(
    st.binary(max_size=40),
    # Damaged: bytes put in the place of some of a whole line's.
    st.builds(
        lambda line, at, noise, gone: (
            line[: at % (len(line) + 1)] + noise + line[at % (len(line) + 1) + gone :]
        ),
        COUNTS.map(msgspec.json.encode),
        st.integers(0, 10_000),
        st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"{", b"}", b",", b":", b"0", b"-", b"9" * 20]),
        st.integers(0, 4),
    ),
    # JSON that we do not write: escapes, halves of surrogate pairs, spaces, other types.
    st.dictionaries(
        st.text(max_size=3), st.integers() | st.none() | st.floats() | st.booleans(), max_size=4
    ).map(lambda counts: json.dumps(counts).encode()),
    st.lists(st.tuples(WORDS, st.integers(0, 1 << 66)), max_size=4).map(
        lambda pairs: b"{" + b",".join(b'"%s":%d' % (word.encode(), count) for word, count in pairs) + b"}"
    ),
)


@given(st.lists(HOSTILE, min_size=1, max_size=3))
@example([b""])
@example([b"{"])
@example([b"{}"])
@example([b"}\n"])
@example([b'{"a":1,}'])
@example([b'{,"a":1}'])
@example([b'{"a":1}}'])
@example([b'{"a":1}\n\n'])
@example([b'{"a":01}'])
@example([b'{"a":0}'])
@example([b'{"\\u0061":1}'])
@example([b'{"\\ud800":1}'])
@example([b'{"\xed\xa0\x80":1}'])
@example([b'{"\xff":1}'])
@example([b'{"a":1,"a":2}'])
@example([b'{"a":18446744073709551616}'])
@example([b'{"a":9223372036854775807}', b'{"b":1}'])
@settings(max_examples=1000)
def test_a_line_is_summed_as_python_does_or_refused_by_name(lines: list[bytes]) -> None:
    """C takes only what it writes: what Python refuses, and JSON that nobody writes, it refuses by name."""
    try:
        ours = summed(C, lines)
    except BlobDamaged as error:
        assert str(error).endswith("start the run again.")  # noqa: PT017
        return
    assert ours == summed(PYTHON, lines)


def test_c_takes_the_utf_8_that_python_takes() -> None:
    """Around every bound of every byte: no other matters."""
    bounds = b"A\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff"
    for bytes_ in range(1, 5):
        for word in map(bytes, itertools.product(bounds, repeat=bytes_)):
            try:
                found = summed(C, [b'{"%s":1}' % word]).top
            except BlobDamaged:
                found = []
            try:
                assert found == [(word.decode(), 1)]
            except UnicodeDecodeError:
                assert found == []


@pytest.mark.parametrize("byte", [b"\0", b"\x1f", b" ", b'"', b"\\", b"\x7f", b"\xc3\xa9", b"\xff"])
def test_c_ends_a_word_where_python_does(byte: bytes) -> None:
    """At each place of the eight bytes that are looked at together."""
    for place in range(20):
        line = b'{"%s":1}' % (b"a" * place + byte + b"a" * (20 - place))
        outcomes = []
        for kernel in (C, PYTHON):
            try:
                outcomes.append(summed(kernel, [line]).top)
            except BlobDamaged:
                outcomes.append([])
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kernel", [C, PYTHON])
@pytest.mark.parametrize(
    "line", [b"", b"{", b"{]", b'{"a":0}', b'{"a":-1}', b'{"a":1.5}', b'{"a":"1"}', b'{"\xff":1}', b'{"a":1']
)
def test_both_refuse_damaged_lines_by_name(kernel: Kernel, line: bytes) -> None:
    with pytest.raises(BlobDamaged, match="start the run again"):
        summed(kernel, [line])


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([b'{"a":1,"b":x}'], "is not as it was written, at byte 7"),
        ([b'{"a":1,"b":2,"a":3}'], "counts a key twice, at byte 13"),
        ([b'{"a":9223372036854775807}', b'{"b":1}'], "counts more than 64 bits hold, at byte 1"),
    ],
)
def test_an_error_says_where_a_line_is_damaged(lines: list[bytes], fault: str) -> None:
    with pytest.raises(BlobDamaged, match=fault):
        summed(C, lines)


@pytest.mark.parametrize("kernel", [C, PYTHON])
def test_more_words_than_a_sum_may_have_are_refused(kernel: Kernel) -> None:
    sums = kernel.sums(2, 0, 1)
    sums.add(b'{"a":1,"b":1}')
    sums.add(b'{"b":1}')
    with pytest.raises(TooManyDistinct, match="More than 2 distinct words"):
        sums.add(b'{"c":1}')


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
    assert LIBRARY in map(library_name, sources_of_job("top_words"))


@pytest.mark.parametrize("kernel", [C, PYTHON])
def test_a_run_tells_how_many_blocks_c_has_counted(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the answer does not."""
    monkeypatch.setattr(top_words, "KERNEL", kernel)
    mapped = top_words.map_block(Span(0, 5), input_of_bytes([b"a b c"]), context_for(top_words.JOB))
    assert mapped.extras == {"longer_words": 0, "native_blocks": int(kernel.is_native)}
    assert list(top_words.summarize(context_for(top_words.JOB), mapped.extras, {})) == [
        "words",
        "longer_words",
        "top_words",
    ]


def test_a_sum_takes_little_more_memory_than_its_words() -> None:
    """Where it takes most for each: slots have just become four times as many. An entry has 32 bytes, which
    makes 53 with its slots."""
    code = """
from pathlib import Path
from lambda_src.jobs.top_words.c_kernel import Sums
def peak_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
WORDS, LINES = 800_000, 16
lines = [
    b"{%s}" % b",".join(b'"%012d":1' % word for word in range(line, WORDS, LINES)) for line in range(LINES)
]
before = peak_kib()
sums = Sums(WORDS, 0, 1)
for line in lines:
    sums.add(line)
assert sums.summed().words == WORDS
print((peak_kib() - before) * 1024 // WORDS)
"""
    assert 40 < int(in_a_process(code, library_folder())) < 60


def test_too_little_memory_has_a_name() -> None:
    """The limit leaves too little for counting a block of distinct words, and enough for saying so."""
    code = """
import itertools, resource
from lambda_src.errors import OutOfMemory
from lambda_src.jobs.top_words.c_kernel import Counting, Sums
text = b" ".join(map(bytes, itertools.product(b"abcdefghijklmnopqrst", repeat=5)))[:10_000_000]
line = b"{" + b",".join(b'"%s":1' % word for word in text[:1_000_000].split(b" ")[:-1]) + b"}"
counting, sums = Counting(), Sums(1_000_000, 0, 1)
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 4_000_000, resource.RLIM_INFINITY))
for work in (lambda: counting.add(text), lambda: sums.add(line)):
    try:
        work()
    except OutOfMemory as error:
        print(type(error).__name__)
"""
    assert in_a_process(code, library_folder()).split() == ["OutOfMemory"] * 2
