"""Options whose list is in a file or an object: read once, by the command line."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanfold.cli import app as commands
from fanfold.errors import OptionError
from fanfold.format import options_text
from fanfold.runs.option_lists import MOST_BYTES
from fanfold.runs.options import from_texts
from lambda_src.errors import InvalidRequest
from lambda_src.job import load
from lambda_src.jobs.top_words.options import MOST_STOP_WORDS

JOB = load("top_words")


class Account:
    """An account of one bucket."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects

    def client(self, _: str) -> "Account":
        return self

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has them
        if Bucket != "bucket":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        if Key not in self._objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self._objects[Key])}


def stop_words(text: str, objects: dict[str, bytes] | None = None) -> list[str]:
    connect: Callable[[], Any] | None = None if objects is None else lambda: Account(objects)
    found: list[str] = (from_texts(JOB, [f"stop_words={text}"], connect) or {})["stop_words"]
    return found


@pytest.mark.parametrize(
    "data",
    [
        b"the\nof\nand\n",
        b"the of\tand",
        b"\xef\xbb\xbfthe\r\nof\r\nand\r\n",
        b"\n the\n\nof the\n and \xe2\x80\xa9of",
    ],
)
def test_white_space_separates_words_each_of_which_counts_once(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_bytes(data)
    assert stop_words(f"@{tmp_path / 'stop.txt'}") == ["the", "of", "and"]
    for where in ("@s3://bucket/lists/stop.txt", "s3://bucket/lists/stop.txt"):
        assert stop_words(where, {"lists/stop.txt": data}) == ["the", "of", "and"]


def test_files_and_words_go_together(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("the of")
    texts = [f"stop_words=@{tmp_path / 'stop.txt'}", "stop_words=and,in", "top=3"]
    assert from_texts(JOB, texts) == {"stop_words": ["the", "of", "and", "in"], "top": 3}


HOSTILE = [
    (b"the\xff", "its byte 3 is not UTF-8: convert it to UTF-8."),
    (b"x " * MOST_BYTES, "it has more than 1,048,576 bytes, so it is not a list of words."),
    (b" \n", "there is no word in it."),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_what_is_no_list_is_refused_in_one_sentence(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_bytes(data)
    for where, objects in ((f"@{tmp_path / 'stop.txt'}", None), ("@s3://bucket/key", {"key": data})):
        with pytest.raises(OptionError) as refused:
            stop_words(where, objects)
        assert str(refused.value) == f"--set stop_words={where}: {message}"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("@", "it cannot be read: Is a directory."),
        ("@absent", "it cannot be read: No such file or directory."),
        ("@s3://bucket/absent", "there is no such object."),
        ("@s3://bucket", "write s3://bucket/key."),
    ],
)
def test_what_is_not_there_is_refused(where: str, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        stop_words(where, {})
    assert str(refused.value) == f"--set stop_words={where}: {message}"
    with pytest.raises(OptionError, match=r"it cannot be read: .*AccessDenied"):
        stop_words("@s3://another/key", {})


def test_a_long_list_is_refused_as_a_list_is_and_an_event_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text(" ".join(f"w{number}" for number in range(MOST_STOP_WORDS + 1)))
    with pytest.raises(OptionError, match="stop_words: there are more than 5,000"):
        stop_words(f"@{tmp_path / 'stop.txt'}")
    with pytest.raises(
        InvalidRequest, match=r"stop_words: '@stop.txt' is not a word; only --set of the command"
    ):
        JOB.read_options({"stop_words": ["@stop.txt"]})


def test_other_options_may_begin_with_that_sign() -> None:
    options = from_texts(load("grep"), ["pattern=@x"])
    assert options
    assert options["pattern"] == "@x"


def test_try_reads_it_and_a_person_sees_how_many_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stop.txt").write_text(
        "THE\n" + "\n".join(f"unlikely{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    )
    (tmp_path / "text.txt").write_text("the cat and the dog\n")
    command = ["try", "top_words", str(tmp_path / "text.txt"), "--processes", "1", "--set"]
    assert commands.main([*command, f"stop_words=@{tmp_path / 'stop.txt'}", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [top["word"] for top in answer["top_words"]["3"]] == ["and", "cat", "dog"]
    assert len(answer["options"]["stop_words"]) == 27
    assert options_text(answer["options"]) == "stop_words=THE,unlikelya,unlikelyb,... (27)"
    assert commands.main([*command, "stop_words=@s3://bucket/key"]) == 1
    assert "this command reads files of this machine only" in capsys.readouterr().err
