"""What is deployed can be read by Lambda, and what cannot is never taken for it."""

import stat
from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from stacks import assets
from stacks.assets import code_of


def files(folder: Path) -> dict[str, int]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found[path.name] = stat.S_IMODE(path.stat().st_mode)
    return found


def staged(folder: Path, out: Path) -> Path:
    """The folder that the CDK puts into the zip."""
    stack = aws_cdk.Stack(aws_cdk.App(outdir=str(out)), "Stack")
    lambda_.LayerVersion(stack, "Layer", code=code_of(folder))
    (asset,) = out.glob("asset.*")
    return asset


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """What a build with umask 077 has left."""
    folder = tmp_path / "built"
    (folder / "python" / "__pycache__").mkdir(parents=True)
    for name, mode in {"m.py": 0o600, "__pycache__/m.pyc": 0o640, "m.so": 0o700, "tool": 0o711}.items():
        (folder / "python" / name).write_text(name)
        (folder / "python" / name).chmod(mode)
    return folder


def test_what_nobody_else_could_read_is_made_readable(unreadable: Path, tmp_path: Path) -> None:
    readable = {"m.py": 0o644, "m.pyc": 0o644, "m.so": 0o755, "tool": 0o755}
    assert files(staged(unreadable, tmp_path / "out")) == readable


def test_an_unreadable_zip_is_never_reused(
    unreadable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays in the bootstrap bucket, and in cdk.out, under its hash."""
    with monkeypatch.context() as patch:
        patch.setattr(assets, "_set_mode", lambda path: stat.S_IMODE(path.stat().st_mode))
        bad = staged(unreadable, tmp_path / "bad")
    assert files(bad)["m.py"] == 0o600
    plain = tmp_path / "plain"
    stack = aws_cdk.Stack(aws_cdk.App(outdir=str(plain)), "Stack")
    lambda_.LayerVersion(stack, "Layer", code=lambda_.Code.from_asset(str(unreadable)))
    good = staged(unreadable, tmp_path / "good")
    assert len({good.name, bad.name, next(plain.glob("asset.*")).name}) == 3
