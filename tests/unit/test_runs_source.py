"""What is named is what is read, or it is refused with how to write it."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.errors import SourceError
from fanfold.runs import source
from fanfold.runs.source import Local, Object, Objects, parse

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(KEYS)
def test_a_key_is_just_characters(key: str) -> None:
    """Whatever is in it: only a slash or an asterisk at its end says that more is meant."""
    meant = parse(f"s3://bucket/{key}")
    if key.endswith("*"):
        assert meant == Objects("bucket", key[:-1])
    elif key.endswith("/"):
        assert meant == Objects("bucket", key)
    else:
        assert meant == Object("bucket", key)


def test_a_whole_bucket_is_written_with_a_slash() -> None:
    assert parse("s3://bucket/") == Objects("bucket", "") == parse("s3://bucket/*")
    with pytest.raises(SourceError, match="is a bucket: write s3://bucket/key for an object"):
        parse("s3://bucket")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no file or folder \\(nothing\\)"),
        ("nowhere.txt", "There is no file or folder nowhere.txt: check the spelling"),
        ("s3:/bucket/key", "lacks a slash: write s3://bucket/key"),
        ("s3:///key", "names no bucket"),
        ("s3://", "names no bucket"),
        ("https://bucket/key", "https is not supported"),
        ("file.txt/", "is a file, not a folder: leave out the slash"),
        ("none", r"none contains no files\.$"),
        ("pipe", "is neither a file nor a folder"),
        ("broken", "broken is a broken link, to nowhere: remove it"),
        ("looped", "looped is a broken link, to looped: remove it"),
        ("with_pipe", "with_pipe/in/pipe is neither a file nor a folder"),
        ("with_broken", "with_broken/in/link is a broken link, to nowhere: remove it"),
        ("with_loop", "with_loop/in/up is a link to a folder that it lies in: remove the link"),
        ("stray", "contains no files but what is skipped: .DS_Store, _SUCCESS. .* --include-hidden$"),
    ],
)
def test_a_mistake_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_bytes(b"words")
    for folder in ("none", "stray", "with_pipe/in", "with_broken/in", "with_loop/in"):
        Path(folder).mkdir(parents=True)
    for name in ("pipe", "with_pipe/in/pipe"):
        os.mkfifo(name)
    for name, to in (("broken", "nowhere"), ("looped", "looped"), ("with_broken/in/link", "nowhere")):
        Path(name).symlink_to(to)
    Path("with_loop/in/up").symlink_to("..")
    for name in (".DS_Store", "_SUCCESS"):
        Path("stray", name).write_bytes(b"words")
    with pytest.raises(SourceError, match=sentence):
        parse(text)


def test_a_file_and_a_folder_have_the_bytes_of_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may be called as one likes."""
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("a/s3:x").write_bytes(b"12345")
    Path("a/*").write_bytes(b"123")
    assert parse("a") == Local(Path("a"), 8, ("*", "s3:x")) == parse("a/")
    assert parse("a/s3:x") == Local(Path("a/s3:x"), 5)
    monkeypatch.chdir("a")
    assert parse("s3:x") == Local(Path("s3:x"), 5)
    assert parse("*") == Local(Path("*"), 3)


def test_an_empty_file_is_an_input(tmp_path: Path) -> None:
    """A scheduled run must survive a quiet day."""
    (tmp_path / "quiet").touch()
    assert parse(str(tmp_path / "quiet")).bytes == 0  # type: ignore[union-attr]
    assert parse(str(tmp_path)) == Local(tmp_path, 0, ("quiet",))


def test_links_are_followed(tmp_path: Path) -> None:
    """Also to one folder by two ways: that is no loop."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep/a").write_bytes(b"123")
    inside.mkdir()
    for name, to in (("x", outside), ("y", outside), ("file", outside / "deep/a")):
        (inside / name).symlink_to(to)
    assert parse(str(inside)) == Local(inside, 9, ("file", "x/deep/a", "y/deep/a"))


@pytest.mark.parametrize(
    ("where", "function", "sentence"),
    [
        (Path, "iterdir", r"The folder .*/logs/deep cannot be read: Permission denied\."),
        (Path, "stat", r"logs/deep cannot be read: Permission denied\."),
        (os, "access", "Permission denied: .*/logs/deep/a. Make it readable"),
    ],
)
def test_what_may_not_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, function: str, sentence: str
) -> None:
    """Whoever runs this test may read everything if it is root."""
    (tmp_path / "logs/deep").mkdir(parents=True)
    (tmp_path / "logs/deep/a").touch()
    real = getattr(where, function)

    def denied(path: Any, *arguments: Any, **more: Any) -> Any:
        if "deep" not in str(path):
            return real(path, *arguments, **more)
        if function == "access":
            return False
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(where, function, denied)
    with pytest.raises(SourceError, match=sentence):
        parse(str(tmp_path / "logs"))


def test_stray_names_are_skipped_and_told(tmp_path: Path) -> None:
    for name in ("a.log", "in/b.log", "_SUCCESS", ".DS_Store", "in/.b.log.swp", "_tmp/c.log", "in/Icon\r"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"" if name.endswith("\r") else b"123")
    (tmp_path / ".#lock").symlink_to("nowhere")
    meant = parse(str(tmp_path))
    assert isinstance(meant, Local)
    assert (meant.bytes, meant.files) == (6, ("a.log", "in/b.log"))
    assert meant.skipped == (".#lock", ".DS_Store", "_SUCCESS", "_tmp", "in/.b.log.swp", "in/Icon\r")
    [warning] = meant.warnings()
    assert (warning.code, warning.count, warning.key) == ("skipped_names", 6, ".#lock")
    assert "skipped .#lock, .DS_Store, _SUCCESS and 3 more" in warning.message
    (tmp_path / ".#lock").unlink()
    (tmp_path / "in/Icon\r").unlink()
    everything = parse(str(tmp_path), include_hidden=True)
    assert isinstance(everything, Local)
    assert (everything.bytes, len(everything.files), everything.warnings()) == (18, 6, [])


def test_a_file_or_folder_that_is_named_is_read(tmp_path: Path) -> None:
    (tmp_path / "_logs").mkdir()
    (tmp_path / "_logs/a").write_bytes(b"123")
    (tmp_path / ".hidden").write_bytes(b"12")
    assert parse(str(tmp_path / "_logs")) == Local(tmp_path / "_logs", 3, ("a",))
    assert parse(str(tmp_path / ".hidden")) == Local(tmp_path / ".hidden", 2)


def test_more_files_than_a_run_reads_are_refused_before_they_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_OBJECTS", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match="holds more than 2 files or folders: no run reads more"):
        parse(str(tmp_path))


def test_a_name_that_no_key_can_have_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "b\udcff").touch()
    with pytest.raises(SourceError, match=r"b\\xff' is not UTF-8: rename the file"):
        parse(str(tmp_path))
