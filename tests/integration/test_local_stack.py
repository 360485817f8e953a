"""A local AWS that stays: found, kept, ended, and told of when it has died."""

import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fanfold.account.connection import Aws, Stopped, account_of
from fanfold.checkout import ROOT
from fanfold.errors import DeploymentError, LocalStackError
from fanfold.local_aws import state as local_stack
from fanfold.local_aws.state import Folder, LocalStack, down, find_running, liveness
from tests.processes import processes_of
from tests.standing import deployment, nothing_deployed

UP = "Starting a local AWS"
UP_AGAIN = "Starting the local AWS, with its data"
DEPLOYING = "Deploying the stack Fanfold into it"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Where one can be; in the end there is none."""
    folder = tmp_path / "state"
    yield folder
    down(delete_data=True, state=folder)
    assert processes_of(folder) == []


def up(state: Path, own: str | None = None) -> tuple[LocalStack, list[str]]:
    """It, and what was told."""
    told: list[str] = []
    with nothing_deployed():
        return local_stack.up(own, told.append, state=state), told


def up_elsewhere(state: Path, *interruption: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.standing", str(state), *map(str, interruption)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def aws_of(stack: LocalStack) -> Aws:
    return account_of(stack.aws.environment)


def wait_until_gone(state: Path) -> None:
    """A process that ends gives up its memory, by which it is found, before its files and their locks."""
    deadline = time.monotonic() + 20
    while processes_of(state) or Folder(state).is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_where_nobody_started_one_there_is_none(state: Path) -> None:
    assert find_running(state=state) is None
    assert not down(delete_data=False, state=state)
    assert not state.exists()


def test_what_is_up_is_found_and_left_alone(state: Path) -> None:
    started, told = up(state)
    assert told == [UP, DEPLOYING]
    assert started.deployments == {"Fanfold": deployment()}
    assert aws_of(started).client("sts").get_caller_identity()["Account"] == "000000000000"
    assert find_running(state=state) == started
    assert up(state) == (started, [])
    assert liveness(started.aws.process_id, state=state) is None
    assert down(delete_data=False, state=state)
    assert processes_of(state) == []
    assert find_running(state=state) is None
    stopped = Stopped("The local AWS was stopped by `fanfold down`.", data_kept=True)
    assert liveness(started.aws.process_id, state=state) == stopped


def test_another_job_is_deployed_beside_the_first(state: Path) -> None:
    first, _ = up(state)
    both, told = up(state, "access_log")
    assert told == ["Deploying the stack Fanfold-access-log into it"]
    assert both == LocalStack(
        first.aws, {"Fanfold": deployment(), "Fanfold-access-log": deployment("access_log")}
    )


def test_only_what_has_changed_is_deployed_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up(state)
    up(state, "access_log")
    monkeypatch.setattr(local_stack, "identity", {None: "other", "access_log": "same"}.get)
    assert up(state)[1] == [DEPLOYING]
    assert up(state)[1] == []


def test_a_deployment_that_failed_is_none(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up(state)
    up(state, "access_log")
    with nothing_deployed() as deploying, monkeypatch.context() as changed:
        changed.setattr(local_stack, "identity", lambda *_: "other")
        deploying.side_effect = DeploymentError
        with pytest.raises(DeploymentError):
            local_stack.up(None, print, state=state)
    found = find_running(state=state)
    assert found
    assert set(found.deployments) == {"Fanfold-access-log"}
    assert up(state)[1] == [DEPLOYING]


def test_what_is_stored_is_there_again(state: Path) -> None:
    first, _ = up(state)
    s3, table = aws_of(first).client("s3"), aws_of(first).client("dynamodb")
    key = {"AttributeName": "id", "KeyType": "HASH"}
    table.create_table(
        TableName="table",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put_item(TableName="table", Item={"id": {"S": "ΟΔΟΣ"}})
    s3.create_bucket(Bucket="bucket")
    etag = s3.put_object(Bucket="bucket", Key="a/ü", Body=bytes(range(256)) * 100)["ETag"]
    assert s3.get_object(Bucket="bucket", Key="a/ü", Range="bytes=255-257")["Body"].read() == b"\xff\x00\x01"
    down(delete_data=False, state=state)

    again, told = up(state)
    assert told == [UP_AGAIN]
    assert (first.was_saved, again.was_saved, up(state)[0].was_saved) == (False, True, False)
    assert again.deployments == first.deployments
    assert again.aws.environment["AWS_SECRET_ACCESS_KEY"] != first.aws.environment["AWS_SECRET_ACCESS_KEY"]
    s3, table = aws_of(again).client("s3"), aws_of(again).client("dynamodb")
    assert table.scan(TableName="table")["Items"] == [{"id": {"S": "ΟΔΟΣ"}}]
    read = s3.get_object(Bucket="bucket", Key="a/ü", IfMatch=etag)
    assert read["Body"].read() == bytes(range(256)) * 100
    s3.put_object(Bucket="bucket", Key="empty", Body=b"")
    assert s3.get_object(Bucket="bucket", Key="empty")["Body"].read() == b""

    down(delete_data=True, state=state)
    assert sorted(path.name for path in state.iterdir()) == ["alive", "local-aws.log", "lock"]
    assert up(state)[1] == [UP, DEPLOYING]


@pytest.mark.hostile
def test_one_that_was_killed_is_reported_and_started_again(state: Path) -> None:
    started, _ = up(state)
    os.killpg(started.aws.process_id, signal.SIGKILL)
    wait_until_gone(state)
    with pytest.raises(LocalStackError, match=r"has died, and its data are lost; .* `fanfold up`"):
        find_running(state=state)
    gone = liveness(started.aws.process_id, state=state)
    assert gone
    assert not gone.data_kept
    _, told = up(state)
    assert told == [
        f"{UP}, without the data of the last one, which died before it could save them",
        DEPLOYING,
    ]


@pytest.mark.hostile
def test_when_the_server_alone_is_killed_nothing_of_it_stays(state: Path) -> None:
    started, _ = up(state)
    children = Path(f"/proc/{started.aws.process_id}/task/{started.aws.process_id}/children").read_text()
    os.kill(int(children), signal.SIGKILL)
    wait_until_gone(state)
    with pytest.raises(LocalStackError, match="has died"):
        find_running(state=state)
    assert not down(delete_data=False, state=state)
    assert find_running(state=state) is None


@pytest.mark.hostile
def test_where_down_was_killed_the_next_up_completes_it(state: Path) -> None:
    started, _ = up(state)
    record = state / "record.json"
    changed = json.loads(record.read_text())
    changed["running"]["ending"] = True
    record.write_text(json.dumps(changed))
    gone = liveness(started.aws.process_id, state=state)
    assert gone == Stopped("The local AWS was stopped by `fanfold down`.", data_kept=True)
    again, told = up(state)
    assert told == [UP_AGAIN]
    assert liveness(started.aws.process_id, state=state) == gone
    assert liveness(again.aws.process_id, state=state) is None


@pytest.mark.hostile
def test_as_the_machine_shuts_down_the_data_are_kept(state: Path) -> None:
    """It then asks all processes to end, and nobody says `fanfold down`."""
    started, _ = up(state)
    os.killpg(started.aws.process_id, signal.SIGTERM)
    wait_until_gone(state)
    with pytest.raises(LocalStackError, match="has died, and its data are kept"):
        find_running(state=state)
    assert up(state)[1] == [UP_AGAIN]


@pytest.mark.hostile
def test_who_has_its_port_or_its_process_id_now_is_not_taken_for_it(state: Path) -> None:
    started, _ = up(state)
    os.killpg(started.aws.process_id, signal.SIGKILL)
    wait_until_gone(state)
    record = state / "record.json"
    changed = json.loads(record.read_text())
    with socket.socket() as listener, subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):  # then somebody else has it already
                listener.bind(
                    ("127.0.0.1", int(started.aws.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]))
                )
                listener.listen()
            changed["running"]["process_id"] = stranger.pid
            record.write_text(json.dumps(changed))
            with pytest.raises(LocalStackError, match="has died"):
                find_running(state=state)
            down(delete_data=True, state=state)
            assert stranger.poll() is None
        finally:
            stranger.kill()


@pytest.mark.hostile
def test_its_terminal_may_be_closed(state: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "tests.standing", str(state)])  # noqa: S606
    output = b""
    while DEPLOYING.encode() not in output:
        output += os.read(terminal, 1024)
    os.waitpid(child, 0)
    os.close(terminal)
    found = find_running(state=state)
    assert found
    assert aws_of(found).client("sts").get_caller_identity()["Account"] == "000000000000"


ANY = (signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
FIRST, KILLED = ANY[:2], ANY[2:]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("moment", "numbers", "is_up"),
    [
        ("server.Certificates", ANY, False),
        ("server._wait_until_ready", ANY, False),
        ("state.Folder.write", FIRST, True),  # it is held back until all is done
        ("state.Folder.write", KILLED, False),
        ("processes.Group.detach", KILLED, False),
        ("state.deploy_locally", ANY, True),
    ],
)
def test_interrupted_it_is_up_or_gone(
    state: Path, moment: str, numbers: tuple[signal.Signals, ...], is_up: bool
) -> None:
    for number in numbers:
        with up_elsewhere(state, int(number), moment) as process:
            _, errors = process.communicate(timeout=60)
        assert process.returncode, errors
        if is_up:
            found = find_running(state=state)
            assert found
            assert found.deployments == {}
            assert up(state)[1] == [DEPLOYING]
        else:
            wait_until_gone(state)
            assert up(state)[1][0] in (UP, UP_AGAIN)
        down(delete_data=True, state=state)


def test_asked_for_twice_at_the_same_time_it_is_started_once(state: Path) -> None:
    with up_elsewhere(state) as one, up_elsewhere(state) as other:
        outputs = [process.communicate(timeout=60) for process in (one, other)]
    assert sorted(output for output, _ in outputs) == ["", f"{UP}\n{DEPLOYING}\n"], outputs


def test_two_checkouts_have_one_each(state: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    try:
        one, other = up(state)[0], up(elsewhere)[0]
        aws_of(one).client("s3").create_bucket(Bucket="one")
        assert aws_of(other).client("s3").list_buckets()["Buckets"] == []
    finally:
        down(delete_data=True, state=elsewhere)
    assert processes_of(elsewhere) == []
    assert find_running(state=state) == one


@pytest.mark.hostile
def test_only_its_user_can_read_its_keys(state: Path) -> None:
    up(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "record.json").stat().st_mode) == 0o600
    down(delete_data=False, state=state)
    state.chmod(0o750)
    with pytest.raises(LocalStackError, match="must be yours alone"):
        up(state)
    state.chmod(0o700)


def test_a_record_that_is_damaged_is_reported(state: Path) -> None:
    up(state)
    down(delete_data=False, state=state)
    (state / "record.json").write_text('{"server": 1}')
    with pytest.raises(LocalStackError, match=r"record\.json cannot be read \(Expected `str`"):
        find_running(state=state)
    down(delete_data=True, state=state)


@pytest.mark.parametrize("record", ["{", "\udcff"])
@pytest.mark.parametrize("delete_data", [True, False])
def test_a_damaged_record_does_not_keep_it_up(tmp_path: Path, record: str, delete_data: bool) -> None:
    """Here something simpler than a server holds the lock."""
    folder = Folder(tmp_path / "state")
    folder.path.mkdir(mode=0o700)
    (folder.path / "record.json").write_text(record, errors="surrogateescape")
    with folder.alive() as alive:
        server = subprocess.Popen(["sleep", "600"], pass_fds=[alive], start_new_session=True)
    try:
        if delete_data:
            assert down(delete_data=True, state=folder.path)
        else:
            with pytest.raises(LocalStackError, match=r"record\.json cannot be read .* down --delete-data"):
                down(delete_data=False, state=folder.path)
        assert server.wait(timeout=20) == -signal.SIGTERM
    finally:
        server.kill()
