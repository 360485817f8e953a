"""docs/examples/other_app.py, deployed: the stack of another app reads a bucket that was there before, starts
runs by itself, and announces their end."""

import json
import runpy
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk
import pytest

from fanfold.account.connection import Aws, account_of
from fanfold.account.deployment import _cdk
from fanfold.cdk import MapReduceJob
from fanfold.checkout import ROOT
from fanfold.local_aws.server import LocalAws
from tests.deployed import Stack

LINE = b'192.0.2.1 - - [28/Nov/2026:06:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'
OBJECTS = 25
"""More than Lambda takes from a FIFO queue at once."""

SCHEDULED = "scheduled-20261128T060000Z"


class Website(NamedTuple):
    """The deployed stack of the example."""

    aws: Aws
    resources: list[dict[str, Any]]

    def id_of(self, kind: str, part: str) -> str:
        """The id of the only resource of a kind with this in its name."""
        (found,) = (
            str(one["PhysicalResourceId"])
            for one in self.resources
            if one["ResourceType"] == kind and part in one["LogicalResourceId"]
        )
        return found

    @property
    def parse_file(self) -> str:
        """The name of the function."""
        return self.id_of("AWS::Lambda::Function", "ParseFile")

    def invoke(self, event: str) -> dict[str, Any]:
        """What parse_file answers."""
        response = self.aws.client("lambda").invoke(FunctionName=self.parse_file, Payload=event.encode())
        answer: dict[str, Any] = json.load(response["Payload"])
        return answer

    def runs(self, status: str) -> dict[str, dict[str, Any]]:
        """The records of the runs that ended so, by their ids."""
        items = self.aws.client("dynamodb").scan(
            TableName=self.id_of("AWS::DynamoDB::GlobalTable", "Results")
        )["Items"]
        records = {item["run_id"]["S"]: item for item in items if item["item"]["S"] == "run"}
        return {run: record for run, record in records.items() if record["status"]["S"] == status}


def until(found: Callable[[], Any]) -> Any:
    """What is found at last."""
    deadline = time.monotonic() + 60
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result


@pytest.fixture(scope="module")
def website(local: LocalAws, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Website:
    """``stack`` is there so that its deployment has bootstrapped the CDK."""
    aws, folder = stack.aws, tmp_path_factory.mktemp("other-app")
    aws.client("s3").create_bucket(Bucket="their-logs")
    aws.client("s3").put_bucket_notification_configuration(
        Bucket="their-logs", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    _synthesize_for_this_machine(folder / "cdk.out")
    _cdk(
        local,
        folder,
        *("deploy", "Website", "--app", str(folder / "cdk.out"), "--require-approval", "never"),
        *("--method", "direct"),
    )
    described = aws.client("cloudformation").describe_stack_resources(StackName="Website")
    return Website(account_of(local.environment), described["StackResources"])


def _synthesize_for_this_machine(folder: Path) -> None:
    app = partial(aws_cdk.App, outdir=str(folder), context={"logs": "their-logs"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_cdk, "App", app)
        defaults = {**(MapReduceJob.__init__.__kwdefaults__ or {}), "architecture": "host"}
        patch.setattr(MapReduceJob.__init__, "__kwdefaults__", defaults)
        runpy.run_path(str(ROOT / "docs" / "examples" / "other_app.py"))


def test_it_runs_unattended(website: Website) -> None:
    inbox = listen(website.aws)
    arrived, record = let_objects_arrive(website)
    assert arrived.startswith("arrived-")
    assert record["objects"]["N"] == str(OBJECTS)
    assert record["job"]["S"] == "access_log"

    # The schedule fires, and its event comes twice.
    fired = schedule_of(website).replace("<aws.scheduler.scheduled-time>", "2026-11-28T06:00:00Z")
    for _ in range(2):
        answer = website.invoke(fired)
        assert (answer["run_id"], answer["status"]) == (SCHEDULED, "SUCCEEDED")
    assert website.runs("SUCCEEDED").keys() == {arrived, SCHEDULED}

    # A run that is refused has ended, too.
    assert "none" in website.invoke('{"prefix": "logs/", "job": "none"}')["errorMessage"]
    (refused,) = website.runs("FAILED")

    told: dict[str, dict[str, Any]] = {}

    def is_told() -> bool:
        received = website.aws.client("sqs").receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
        details = [json.loads(message["Body"])["detail"] for message in received.get("Messages", [])]
        told.update({detail["run_id"]: detail for detail in details})
        return len(told) == 3

    until(is_told)
    assert {run: detail["status"] for run, detail in told.items()} == {
        arrived: "SUCCEEDED",
        SCHEDULED: "SUCCEEDED",
        refused: "FAILED",
    }
    assert (told[arrived]["stack"], told[arrived]["job"]) == ("Website", "access_log")
    assert told[arrived]["dollars"] > 0
    assert told[refused]["error_code"] == "InvalidRequest"


def listen(aws: Aws) -> str:
    """Have a queue get the events of ends of runs; its URL."""
    queues, events = aws.client("sqs"), aws.client("events")
    inbox: str = queues.create_queue(QueueName="inbox")["QueueUrl"]
    (arn,) = queues.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"].values()
    events.put_rule(Name="inbox", EventPattern='{"source": ["fanfold"], "detail-type": ["Run Ended"]}')
    events.put_targets(Rule="inbox", Targets=[{"Id": "1", "Arn": arn}])
    return inbox


def let_objects_arrive(website: Website) -> tuple[str, dict[str, Any]]:
    """The only run that they start. The queue's wait until all are there is done by hand."""
    lambdas, s3 = website.aws.client("lambda"), website.aws.client("s3")
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=website.parse_file)["EventSourceMappings"]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    website.aws.client("sqs").set_queue_attributes(
        QueueUrl=website.id_of("AWS::SQS::Queue", "ArrivalsQueue"), Attributes={"DelaySeconds": "0"}
    )
    for key in (*(f"logs/{number}" for number in range(OBJECTS)), "results/1"):
        s3.put_object(Bucket="their-logs", Key=key, Body=LINE)
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    ((run, record),) = until(lambda: website.runs("SUCCEEDED")).items()
    return run, record


def schedule_of(website: Website) -> str:
    """What the schedule sends."""
    schedules, group = website.aws.client("scheduler"), website.id_of("AWS::Scheduler::ScheduleGroup", "")
    (schedule,) = schedules.list_schedules(GroupName=group)["Schedules"]
    return str(schedules.get_schedule(Name=schedule["Name"], GroupName=group)["Target"]["Input"])
