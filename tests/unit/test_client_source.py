"""What is named is what is read, or it is refused with how to write it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.source import Local, Object, Objects, SourceError, parse

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
        ("empty.txt", "is empty: there is nothing to count"),
        ("none", "contains no files"),
        ("hollow", "is empty: there is nothing to count"),
        ("pipe", "is neither a file nor a folder"),
    ],
)
def test_a_mistake_is_one_sentence(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_bytes(b"words")
    Path("empty.txt").touch()
    Path("none").mkdir()
    Path("hollow").mkdir()
    Path("hollow/empty.txt").touch()
    os.mkfifo("pipe")
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
    assert parse("a") == Local(Path("a"), 8) == parse("a/")
    assert parse("a/s3:x") == Local(Path("a/s3:x"), 5)
    monkeypatch.chdir("a")
    assert parse("s3:x") == Local(Path("s3:x"), 5)
    assert parse("*") == Local(Path("*"), 3)
