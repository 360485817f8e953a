"""A group of processes that was let stay outlives who started it, and ends as a whole."""

import os
import shutil
import time
from pathlib import Path

import pytest

from fanfold.local_aws.processes import end_group, started
from tests.processes import processes_of


def begin(folder: Path, command: str) -> int:
    """Three processes that stay: ``command``, one beside it that does not end by itself, and their leader."""
    sleep = str(shutil.copy("/bin/sleep", folder))  # its path tells in the list of processes whose it is
    script = f"trap '' TERM; {sleep} 600 & exec {command.replace('sleep', sleep)}"
    with (
        (folder / "log").open("wb") as log_file,
        started(["bash", "-c", script], os.environ, log_file) as group,
    ):
        until(folder, 3)
        group.detach()
        return group.leader.pid


def until(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(processes_of(folder)) != count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_ends_when_its_command_does(tmp_path: Path) -> None:
    begin(tmp_path, "sleep 1")
    until(tmp_path, 0)


@pytest.mark.parametrize("timeout_s", [0, 0.2])
def test_it_ends_when_somebody_says_so(tmp_path: Path, timeout_s: float) -> None:
    """Also what does not listen."""
    leader = begin(tmp_path, "sleep 600")
    end_group(leader, lambda: False, timeout_s)
    until(tmp_path, 0)
    end_group(leader, lambda: False, timeout_s)  # and who is gone already is no problem
