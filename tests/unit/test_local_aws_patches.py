"""The patches of MiniStack fit the version that is installed."""

import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from fanfold.local_aws import patches


def test_the_patches_are_written_for_the_version_that_is_pinned() -> None:
    """After an update of MiniStack, check every patch, then change WRITTEN_FOR."""
    assert version("ministack") == patches.WRITTEN_FOR


def test_every_patch_has_a_reason_and_replaces_something() -> None:
    assert all(hasattr(patch.owner, patch.name) and patch.reason for patch in patches.PATCHES)


def test_no_file_of_a_zip_is_unpacked_outside_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    packed, folder = tmp_path / "layer.zip", tmp_path / "process" / "layer"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("../../outside", str(tmp_path / "absolute"), "python/module.py"):
            archive.writestr(name, "")
    folder.mkdir(parents=True)
    with patches.SharedZipFile(str(packed)) as layer:
        layer.extractall(str(folder))
    assert (folder / "python" / "module.py").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"process", "temporary"}
    assert {path.name for path in (tmp_path / "temporary").iterdir()} == {"unpacked"}
