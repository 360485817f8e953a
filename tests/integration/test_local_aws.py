"""What the local AWS adds to MiniStack, beside the gate: it can be up for weeks, and functions start soon."""

import io
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fanfold.account.connection import Aws, account_of
from fanfold.local_aws.server import LocalAws, local_aws

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("local-aws")) as running:
        yield running


@pytest.fixture(scope="module")
def aws(local: LocalAws) -> Aws:
    return account_of(local.environment)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def code(answer: str) -> bytes:
    """Of a function that answers so, with the file that it is imported from, and whether it has botocore."""
    source = f"import sys\ndef handler(*_):\n    return [{answer!r}, __cached__, 'botocore' in sys.modules]\n"
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in (("package/__init__.py", ""), ("package/module.py", source)):
            archive.writestr(zipfile.ZipInfo(name), content)  # the same bytes whenever it is written
    return written.getvalue()


def unpacked(local: LocalAws) -> list[Path]:
    return list((Path(local.environment["AWS_CA_BUNDLE"]).parent / "unpacked").iterdir())


def test_code_is_unpacked_once_and_old_code_goes(local: LocalAws, aws: Aws) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = aws.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = aws.client("lambda")

    def answer(name: str) -> list[Any]:
        answered: list[Any] = json.load(functions.invoke(FunctionName=name)["Payload"])
        return answered

    for name in ("one", "two"):
        functions.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="package.module.handler",
            Code={"ZipFile": code("old")},
        )
        said, _, has_botocore = answer(name)
        assert (said, has_botocore) == ("old", False)  # to import it would take longer than all else
    (old,) = unpacked(local)
    # What one has compiled, the other finds.
    assert [Path(answer(name)[1]).resolve().is_relative_to(old) for name in ("one", "two")] == [True, True]
    assert list(old.glob("package/__pycache__/module.*.pyc"))
    # A zip of 20 MB for each process would fill the disk.
    assert not list(old.parents[1].rglob("*.zip"))

    for name in ("one", "two"):
        functions.update_function_code(FunctionName=name, ZipFile=code("new"))
        assert answer(name)[0] == "new"
    functions.update_function_code(FunctionName="one", ZipFile=code("newer"))
    assert answer("one")[0] == "newer"
    assert old not in unpacked(local)
    assert len(unpacked(local)) == 2
    assert answer("two")[0] == "new"


def test_copies_that_start_at_once_share_one_unpacking(aws: Aws) -> None:
    """None removes what another is unpacking."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = aws.client("iam").create_role(RoleName="crowd", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("package/module.py", "def handler(*_):\n    return 'here'\n")
        for number in range(1000):  # for the unpacking to take a while
            archive.writestr(f"package/more/{number}.py", "")
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="crowd",
        Role=role,
        Runtime="python3.13",
        Handler="package.module.handler",
        Code={"ZipFile": written.getvalue()},
    )
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: functions.invoke(FunctionName="crowd"), range(8)))
    assert [json.load(answer["Payload"]) for answer in answers] == ["here"] * 8


HUNGRY = """
import mmap
kept = []
def handler(event, context):
    if event["how"] == "raises":
        raise ValueError("RequestId: 1 Error: Runtime exited with error: signal: killed")
    needed = mmap.mmap(-1, event["mib"] << 20)
    for page in range(0, len(needed), mmap.PAGESIZE):
        needed[page] = 1
    if event["how"] == "briefly":
        needed.close()
    elif event["how"] == "for ever":
        while True:
            pass
    else:
        kept.append(needed)
    return "here"
"""


@pytest.fixture(scope="module")
def hungry(aws: Aws) -> Callable[[str, int], tuple[str, str]]:
    """Has a function of 160 MB take so many MiB in some way: its answer, or its error's type and text."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = aws.client("iam").create_role(RoleName="hungry", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("hungry.py", HUNGRY)
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="hungry",
        Role=role,
        Runtime="python3.13",
        Handler="hungry.handler",
        MemorySize=160,
        Code={"ZipFile": written.getvalue()},
    )

    def invoke(how: str, mib: int) -> tuple[str, str]:
        answer = functions.invoke(FunctionName="hungry", Payload=json.dumps({"how": how, "mib": mib}))
        payload = json.load(answer["Payload"])
        if "FunctionError" not in answer:
            return "", payload
        return payload["errorType"], payload["errorMessage"]

    return invoke


@pytest.mark.parametrize("how", ["briefly", "for good", "for ever"])
def test_a_function_that_takes_more_memory_than_it_has_is_killed(
    hungry: Callable[[str, int], tuple[str, str]], how: str
) -> None:
    """A peak that is over before anybody looks is one, too; what never ends by itself is killed at once."""
    kind, message = hungry(how, 161)
    assert kind == "Runtime.OutOfMemory"
    assert re.fullmatch(r"RequestId: \S+ Error: Runtime exited with error: signal: killed", message)
    assert hungry("briefly", 10) == ("", "here")  # by another process


def test_what_a_warm_function_keeps_counts_too(hungry: Callable[[str, int], tuple[str, str]]) -> None:
    answers = [hungry("for good", 25)[0] for _ in range(7)]
    assert answers[0] == ""
    assert "Runtime.OutOfMemory" in answers


def test_an_error_of_the_code_is_no_lack_of_memory(hungry: Callable[[str, int], tuple[str, str]]) -> None:
    assert hungry("raises", 0)[0] == "Runtime.HandlerError"


def test_the_log_does_not_grow_for_ever(local: LocalAws) -> None:
    os.truncate(local.log, 11 << 20)
    until(lambda: local.log.stat().st_size < 1 << 20)


def test_a_queue_drops_copies_of_events(aws: Aws) -> None:
    """As in AWS, where all arrivals of five minutes are one message."""
    queues, events, s3 = aws.client("sqs"), aws.client("events"), aws.client("s3")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = queues.create_queue(QueueName="arrivals.fifo", Attributes=attributes)["QueueUrl"]
    (arn,) = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"].values()
    pattern = {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "logs/"}]}}}
    events.put_rule(Name="arrivals", EventPattern=json.dumps(pattern))
    target = {"Id": "1", "Arn": arn, "Input": "{}", "SqsParameters": {"MessageGroupId": "one"}}
    events.put_targets(Rule="arrivals", Targets=[target])
    s3.create_bucket(Bucket="arrivals")
    s3.put_bucket_notification_configuration(
        Bucket="arrivals", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    for key in ("logs/1", "results/1", "logs/2"):
        s3.put_object(Bucket="arrivals", Key=key, Body=b"x")
    received: list[str] = []

    def has_come() -> bool:
        found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        received.extend(message["Body"] for message in found)
        return bool(received)

    until(has_come)
    has_come()
    assert received == ["{}"]
