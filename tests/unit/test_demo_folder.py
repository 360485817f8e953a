"""What local runs leave in the checkout."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from fanfold.checkout import ROOT
from fanfold.demo.folder import KEPT, run_folder


def fill(folder: Path) -> None:
    """What a run puts there, in small."""
    (folder / "cdk.out" / "asset").mkdir(parents=True)
    (folder / "cdk.out" / "asset" / "index").touch()
    for name in ("corpus.xml", "corpus.xml.7.partial", "cdk-deploy.log", "local-aws.log"):
        (folder / name).touch()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fail(runs: Path, run_id: str) -> None:
    with suppress(ValueError), run_folder(runs, run_id) as folder:
        fill(folder)
        raise ValueError("failed")


def test_of_a_run_that_ends_well_nothing_stays(tmp_path: Path) -> None:
    with run_folder(tmp_path / "runs", "1") as folder:
        fill(folder)
    assert names(tmp_path / "runs") == set()


def test_of_a_run_that_fails_the_logs_stay(tmp_path: Path) -> None:
    fail(tmp_path, "1")
    assert names(tmp_path / "1") == {"cdk-deploy.log", "local-aws.log"}


def test_of_a_run_that_fails_without_logs_nothing_stays(tmp_path: Path) -> None:
    with suppress(ValueError), run_folder(tmp_path, "1") as folder:
        (folder / "corpus.xml").touch()
        raise ValueError("failed")
    assert names(tmp_path) == set()


def test_of_an_interrupted_run_nothing_stays(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), run_folder(tmp_path, "1") as folder:
        fill(folder)
        raise KeyboardInterrupt
    assert names(tmp_path) == set()


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        fail(tmp_path, str(number))
    assert names(tmp_path) == {str(number) for number in range(2, KEPT + 3)}
    with run_folder(tmp_path, "9"):
        assert names(tmp_path) == {"3", "4", "5", "9"}


def test_what_a_killed_run_has_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    fill(tmp_path / "1")
    with run_folder(tmp_path, "2"):
        assert names(tmp_path / "1") == {"cdk-deploy.log", "local-aws.log"}


def test_a_run_at_work_is_left_alone_however_old(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fanfold.demo.folder import run_folder\n"
        "from tests.unit.test_demo_folder import fill\n"
        f"with run_folder(Path({str(tmp_path)!r}), '0') as folder:\n"
        "    fill(folder); print(flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        before = names(tmp_path / "0")
        for number in range(1, KEPT + 3):
            fail(tmp_path, str(number))
        assert names(tmp_path / "0") == before
        other.communicate()
    assert "0" not in names(tmp_path)
