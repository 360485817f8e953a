"""What was synthesized is used again for as long as nothing that it is made of has changed."""

import os
import sys
from pathlib import Path

import pytest

from fanfold.job_code import job_named
from fanfold.local_aws import assembly
from fanfold.local_aws.assembly import assembled, identity
from fanfold.new_job import write_job

SYNTH = """
import sys
from pathlib import Path

print(*sys.argv[1:])
if Path("fails").exists():
    sys.exit(1)
if Path("changes").exists():
    Path("stacks/stack.py").write_text("changed meanwhile")
out = Path(sys.argv[sys.argv.index("--output") + 1])
out.mkdir()
(out / "manifest.json").write_text(Path("stacks/stack.py").read_text())
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a CDK that copies one of its sources."""
    root = tmp_path / "checkout"
    for name in assembly.MADE_OF:
        path = root / name
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        else:
            path.mkdir(parents=True)
            (path / "__init__.py").write_text("")
    (root / "stacks" / "stack.py").write_text("one")
    (root / "synth.py").write_text(SYNTH)
    monkeypatch.setattr(assembly, "ROOT", root)
    monkeypatch.setattr(assembly, "ASSEMBLIES", root / "assemblies")
    monkeypatch.setattr(assembly, "CDK", (sys.executable, str(root / "synth.py")))
    return root


def written(checkout: Path, own: str | None = None) -> tuple[str | None, bool]:
    """What the assembly holds, and whether it was written now."""
    log = checkout / "cdk-synth.log"
    log.unlink(missing_ok=True)
    with assembled(os.environ, checkout, own) as wait:
        folder = wait()
        return (folder / "manifest.json").read_text() if folder else None, log.exists()


def test_it_is_written_once(checkout: Path) -> None:
    assert written(checkout) == ("one", True)
    assert written(checkout) == ("one", False)
    assert written(checkout, "access_log") == ("one", True)
    (checkout / "stacks" / "stack.py").write_text("two")
    assert written(checkout) == ("two", True)
    (checkout / "stacks" / "stack.py").write_text("one")
    assert written(checkout) == ("one", False)


@pytest.mark.parametrize("name", assembly.MADE_OF)
def test_it_is_known_by_all_that_it_is_made_of(checkout: Path, name: str) -> None:
    before = identity()
    path = checkout / name if (checkout / name).is_file() else checkout / name / "__init__.py"
    path.write_text(f"# {path.read_text()}")
    changed = identity()
    assert changed != before
    path.rename(path.with_stem("renamed")) if path.parent != checkout else path.write_text("")
    assert identity() not in (before, changed)


def test_what_tools_leave_beside_it_changes_nothing(checkout: Path) -> None:
    before = identity()
    cache = checkout / "lambda_src" / "__pycache__"
    cache.mkdir()
    (cache / "module.pyc").write_text("")
    (checkout / "lambda_src" / ".swap").write_text("")
    assert identity() == before


def test_own_jobs_are_part_of_it(checkout: Path, tmp_path: Path) -> None:
    file = write_job(tmp_path, "my_job")[0]
    job = job_named(file)
    before = identity(added=[job])
    assert before != identity()
    with assembled(os.environ, checkout, None, [job]) as wait:
        assert wait() == checkout / "assemblies" / before
    assert f"--context=job_files={file}" in (checkout / "cdk-synth.log").read_text()
    file.write_text(f"{file.read_text()}\n")
    assert identity(added=[job]) != before


def test_what_could_not_be_written_is_not_kept(checkout: Path) -> None:
    (checkout / "fails").touch()
    assert written(checkout) == (None, True)
    (checkout / "fails").unlink()
    assert written(checkout) == ("one", True)


def test_of_sources_that_changed_meanwhile_nothing_is_kept(checkout: Path) -> None:
    (checkout / "changes").touch()
    assert written(checkout) == ("changed meanwhile", True)
    assert list((checkout / "assemblies").iterdir()) == []


def test_the_last_ones_are_kept(checkout: Path) -> None:
    written(checkout, "access_log")
    for source in ("one", "two", "three", "four", "five", "six"):
        (checkout / "stacks" / "stack.py").write_text(source)
        assert written(checkout) == (source, True)
    kept = [path.name for path in (checkout / "assemblies").iterdir()]
    own = sum(name.startswith("Fanfold-access-log-") for name in kept)
    assert (len(kept) - own, own) == (assembly.KEPT, 1)
