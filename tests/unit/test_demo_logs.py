"""The generated logs: the stated answer is that of their text, which has what real logs have."""

import gzip
from pathlib import Path

import pytest

from fanfold.demo.logs import ExpectedLogs, write_logs
from tests import access_log_oracle as oracle


def texts(folder: Path) -> list[bytes]:
    """The text of each file, in the order of names."""
    return [
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in sorted(folder.iterdir())
    ]


@pytest.mark.parametrize(("logs_bytes", "seed", "files"), [(0, 0, 1), (3_000_000, 1, 12), (500_000, 2, 40)])
def test_the_answer_is_that_of_the_text(tmp_path: Path, logs_bytes: int, seed: int, files: int) -> None:
    folder = tmp_path / "logs"
    expected = write_logs(folder, logs_bytes, seed, files=files)
    found = oracle.answer(*texts(folder))
    assert (expected.lines, expected.malformed_lines) == (found["lines"], found["malformed_lines"])
    assert expected.hours == found["hours"]
    assert expected.objects == files == len(list(folder.iterdir()))
    assert expected.bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert logs_bytes <= sum(map(len, texts(folder))) <= logs_bytes + 3_000 * files


def test_same_seed_same_text(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    expected = write_logs(first, 100_000, seed=1)
    assert write_logs(again, 100_000, seed=1) == expected
    assert write_logs(other, 100_000, seed=2) != expected
    assert texts(again) == texts(first)
    assert texts(other) != texts(first)


def test_it_has_what_logs_have(tmp_path: Path) -> None:
    expected = write_logs(tmp_path / "logs", 4_000_000, seed=3)
    files = texts(tmp_path / "logs")
    text = b"".join(files)
    assert {file.suffix for file in (tmp_path / "logs").iterdir()} == {".log", ".gz"}
    assert len({len(file) for file in files}) == 12
    assert any(not file.endswith(b"\n") for file in files)
    wanted = (
        b"\r\n",
        b" +0530]",
        b" -0330]",
        b" +1400]",
        b"\xff",
        b"\x1b[",
        b'\\"',
        b" -1 0.000 503 - ",
        b"\n\n",
    )
    assert [piece for piece in wanted if piece not in text] == []
    assert text.count(b"https 20") > 1_000 < text.count(b" - - [")
    assert 0.005 < expected.malformed_lines / expected.lines < 0.02
    assert all(hour["requests"] > 10 for hour in expected.hours.values())
    assert all(len(hour["top_paths"]) == 10 for hour in expected.hours.values())


def test_progress_rises_to_the_size(tmp_path: Path) -> None:
    told: list[int] = []
    write_logs(tmp_path / "logs", 3_000_000, seed=1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == sum(map(len, texts(tmp_path / "logs")))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, interruption: type[BaseException]) -> None:
    def interrupt(_written_bytes: int) -> None:
        raise interruption

    with pytest.raises(interruption):
        write_logs(tmp_path / "logs", 100_000, seed=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        write_logs(tmp_path / "logs", 1, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_the_answer_has_a_type() -> None:
    assert ExpectedLogs._fields == ("objects", "bytes", "lines", "malformed_lines", "hours", "top_paths")
