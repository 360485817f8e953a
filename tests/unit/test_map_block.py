"""What a block that is too large is refused with."""

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from fanfold.here.blobs import FolderBlobs
from lambda_src import job
from lambda_src.errors import FanfoldError, JobContractViolated, OutOfMemory, TooManyDistinct
from lambda_src.input.addresses import Placed, Portion
from lambda_src.input.formats import Format
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Job, Span
from lambda_src.jobs.access_log import JOB
from lambda_src.run.map_block import find_report, map_block
from lambda_src.store.digests import digest_of
from lambda_src.store.keys import piece_key, variant
from lambda_src.wire.requests import ParseBlockRequest
from lambda_src.wire.source import Source
from tests.contexts import sent_context


def refused(error: FanfoldError, *formats: Format | None, listing: Span | None = None) -> str:
    def refuse(*_: Any) -> Any:
        raise error

    refusing: Job = msgspec.structs.replace(JOB, map=refuse)
    objects = tuple(Placed(number, f"input/{number}", 1, "e", how) for number, how in enumerate(formats))
    request = ParseBlockRequest(
        "run", Source("b", "k", "e", 9), 0, 0, 9, Portion(objects, listing), JOB.rules, sent_context(JOB)
    )
    with pytest.raises(type(error)) as raised:
        map_block(refusing, request, input_of_bytes([b""]), cast(Any, None))
    return str(raised.value)


@pytest.mark.parametrize("error", [TooManyDistinct, OutOfMemory])
@pytest.mark.parametrize(
    ("formats", "advice"),
    [
        (("plain",), "Choose a smaller block_bytes."),
        (("plain", "plain"), "Choose a smaller block_bytes."),
        (("gzip",), "input/0 is gzip, which is always one block: upload it unpacked"),
        (("zstd",), "input/0 is zstd, which is always one block: upload it unpacked"),
        (("bzip2", "plain"), "Choose a smaller block_bytes."),
        (("gzip", "plain"), "Choose a smaller block_bytes; gzip"),
        ((None,), "Choose a smaller block_bytes; gzip"),
        ((), "Choose a smaller block_bytes; gzip"),
    ],
)
def test_a_block_that_is_too_large_gets_advice_that_helps(
    error: type[FanfoldError], formats: tuple[Format | None, ...], advice: str
) -> None:
    """A smaller block size does not make smaller blocks of an archive that one function must unpack."""
    message = refused(error("Too much."), *formats, listing=None if formats else Span(0, 9))
    assert message.startswith(f"Too much. {advice}")


def test_pieces_are_stored_and_reported_where_the_job_says_so(tmp_path: Path) -> None:
    def storing(block: Span, source: Any, context: Context) -> Any:
        for piece in (b"one", b"two and"):
            context.store(piece)
        return JOB.map(block, source, context)

    given = ("run", Source("b", "k", "e", 9), 3, 0, 9, Portion((), None), JOB.rules, sent_context(JOB))
    request = ParseBlockRequest(*given, [Span(2, 3)])
    blobs, source = FolderBlobs(tmp_path, "run"), input_of_bytes([b"nine byte"])
    saying = msgspec.structs.replace(JOB, map=storing, stores_pieces=True)
    pieces = map_block(saying, request, source, blobs).pieces
    assert [(piece.size, piece.digest) for piece in pieces] == [
        (len(text), digest_of(text)) for text in (b"one", b"two and")
    ]
    left_out = variant(request.left_out)
    stored = [blobs.get_piece(piece_key("run", 3, number, left_out)) for number in range(2)]
    assert stored == [b"one", b"two and"]
    found = find_report(saying, request, blobs, check_lines=True)
    assert found is not None
    assert found.pieces == pieces  # for a run that is resumed
    with pytest.raises(JobContractViolated, match="stores_pieces=True"):
        map_block(msgspec.structs.replace(saying, stores_pieces=False), request, source, blobs)


def test_a_line_that_no_reducer_could_read_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not the job looked at its lines itself."""
    monkeypatch.setattr(job, "MAX_LINE_BYTES", 5)
    text = b"one line"
    objects = (Placed(0, "input/0", len(text), "e", "plain"),)
    source = Source("b", "k", "e", len(text))
    request = ParseBlockRequest(
        "run", source, 0, 0, len(text), Portion(objects, None), JOB.rules, sent_context(JOB)
    )
    with pytest.raises(TooManyDistinct, match=r"5 bytes in one shard, .*\. Choose a smaller block_bytes\.$"):
        map_block(JOB, request, input_of_bytes([text]), cast(Any, None))
