"""A schedule, a start on arrival, and an event at the end of each run: off by default; what each may do."""

import json
from typing import Any

import pytest

from lambda_src.aws.events import AT_ONCE
from lambda_src.errors import InvalidRequest
from lambda_src.settings import PARSE_FILE_TIMEOUT_S
from lambda_src.wire.starts import started_by
from stacks.context import InvalidContext
from stacks.requests import check_again
from stacks.unattended import DEDUPLICATED_S, ONE_RUN_S

from .conftest import EXISTING_BUCKET, UNATTENDED, Synthesize
from .synthesized import FUNCTIONS, Synthesized
from .test_grants import GRANTS, OWN_LOG, RESOURCE_TYPES

ONLY_RUN_EVENTS = {"run_events": "ours"}


def queue(synthesized: Synthesized, name: str) -> dict[str, Any]:
    (properties,) = (
        item["Properties"]
        for logical_id, item in synthesized.resources("AWS::SQS::Queue").items()
        if synthesized.reference({"Ref": logical_id}) == name
    )
    assert isinstance(properties, dict)
    return properties


def only(synthesized: Synthesized, kind: str) -> dict[str, Any]:
    properties = synthesized.the_only(kind)["Properties"]
    assert isinstance(properties, dict)
    return properties


def mapping_of(synthesized: Synthesized, function: str) -> dict[str, Any]:
    (found,) = (
        item["Properties"]
        for item in synthesized.resources("AWS::Lambda::EventSourceMapping").values()
        if synthesized.reference(item["Properties"]["FunctionName"]) == function
    )
    assert isinstance(found, dict)
    return found


MORE_GRANTS: dict[str, dict[str, set[str]]] = {
    "ParseFile": {"Arrivals": {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_five_functions_may_do_no_more_but_for_reading_arrivals(
    unattended: Synthesized, name: str
) -> None:
    assert unattended.grants(name) == GRANTS[name] | MORE_GRANTS.get(name, {})


def test_the_schedule_may_start_runs_and_keep_what_it_could_not_start(unattended: Synthesized) -> None:
    assert unattended.grants("Schedule") == {
        "ParseFile": {"lambda:InvokeFunction"},
        "DroppedEvents": {"sqs:SendMessage"},
    }
    trust = unattended.role("Schedule")["AssumeRolePolicyDocument"]["Statement"]
    ((group, _),) = unattended.resources("AWS::Scheduler::ScheduleGroup").items()
    assert trust == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
                "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [group, "Arn"]}},
            },
        }
    ]


def test_what_announces_runs_may_put_events_of_one_source_on_one_bus(synthesize: Synthesize) -> None:
    announcing = synthesize(**ONLY_RUN_EVENTS)
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/ours"
    assert announcing.grants("AnnounceRuns") == {
        f"{bus} where events:source is fanfold": {"events:PutEvents"},
        "Table/stream": {
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        },
        "DroppedEvents": {"sqs:SendMessage"},
        "AnnounceRunsLog": OWN_LOG,
    }


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (
            {name: UNATTENDED[name] for name in ("schedule", "schedule_request")},
            {"AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"},
        ),
        (
            {"on_arrival": UNATTENDED["on_arrival"]},
            {"AWS::Events::Rule", "AWS::Lambda::EventSourceMapping"},
        ),
        (ONLY_RUN_EVENTS, {"AWS::Lambda::EventSourceMapping"}),
    ],
    ids=["schedule", "on_arrival", "run_events"],
)
def test_each_is_there_alone_and_adds_nothing_else(
    synthesize: Synthesize, settings: dict[str, str], more: set[str]
) -> None:
    found = {item["Type"] for item in synthesize(**settings).resources().values()}
    assert found == RESOURCE_TYPES | more


def test_the_schedule_sends_the_request_and_retries_for_an_hour(unattended: Synthesized) -> None:
    schedule = only(unattended, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 day)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = schedule["Target"]
    assert unattended.arn(target["Arn"]) == "ParseFile"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600}
    assert unattended.arn(target["DeadLetterConfig"]["Arn"]) == "DroppedEvents"
    fired = target["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-28T06:00:00Z")
    assert started_by(json.loads(fired)) == {
        **json.loads(UNATTENDED["schedule_request"]),
        "run_id": "scheduled-20261128T060000Z",
        "must_be_new": True,
    }


def test_only_arrivals_under_the_prefix_are_queued_and_all_as_the_same_message(
    unattended: Synthesized,
) -> None:
    rule = only(unattended, "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert unattended.reference(pattern["detail"]["bucket"]["name"][0]) == "Bucket"
    assert pattern["detail"]["object"] == {"key": [{"prefix": "input/text/"}]}
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    (target,) = rule["Targets"]
    assert unattended.arn(target["Arn"]) == "Arrivals"
    assert json.loads(target["Input"]) == {"prefix": "input/text/"}  # and nothing of the event
    assert target["SqsParameters"] == {"MessageGroupId": "arrivals"}
    bucket = only(unattended, "AWS::S3::Bucket")
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_no_function_may_write_where_arrivals_start_a_run(unattended: Synthesized) -> None:
    """Or a run could start the next one, for ever."""
    for name in (*FUNCTIONS, "AnnounceRuns"):
        for resource, actions in unattended.grants(name).items():
            assert not (resource.startswith("Bucket/input") and actions & {"s3:PutObject", "s3:*"})


def test_a_message_waits_longer_than_its_copies_are_dropped(unattended: Synthesized) -> None:
    """Else an object whose message was dropped could miss the run."""
    arrivals = queue(unattended, "Arrivals")
    assert (arrivals["FifoQueue"], arrivals["ContentBasedDeduplication"]) == (True, True)
    assert DEDUPLICATED_S + ONE_RUN_S < arrivals["DelaySeconds"] <= 900
    assert "DeduplicationScope" not in arrivals  # of the queue, not of a group


def test_arrivals_start_one_run_at_a_time(unattended: Synthesized) -> None:
    arrivals = queue(unattended, "Arrivals")
    assert arrivals["VisibilityTimeout"] > PARSE_FILE_TIMEOUT_S
    assert arrivals["RedrivePolicy"]["maxReceiveCount"] == 5
    assert unattended.arn(arrivals["RedrivePolicy"]["deadLetterTargetArn"]) == "ArrivalsDeadLetters"
    mapping = mapping_of(unattended, "ParseFile")
    assert unattended.arn(mapping["EventSourceArn"]) == "Arrivals"
    assert mapping["BatchSize"] == 10


def test_only_the_rule_may_queue_arrivals(unattended: Synthesized) -> None:
    ((rule, _),) = unattended.resources("AWS::Events::Rule").items()
    allowed = [
        statement
        for policy in unattended.resources("AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    (statement,) = allowed
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert unattended.arn(statement["Resource"]) == "Arrivals"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


def test_the_end_of_a_run_is_read_from_the_table_until_it_is_announced(unattended: Synthesized) -> None:
    table = only(unattended, "AWS::DynamoDB::GlobalTable")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    mapping = mapping_of(unattended, "AnnounceRuns")
    assert unattended.arn(mapping["EventSourceArn"]) == "Table/stream"
    (one,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {
        "dynamodb": {
            "NewImage": {"item": {"S": ["run"]}, "status": {"S": ["SUCCEEDED", "FAILED", "CANCELLED"]}}
        }
    }
    assert mapping["BatchSize"] <= AT_ONCE
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["MaximumRecordAgeInSeconds"] == 12 * 3600
    assert "MaximumRetryAttempts" not in mapping
    assert unattended.arn(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == "DroppedEvents"


def test_hardened_it_is_encrypted_and_stays_in_the_network(hardened_unattended: Synthesized) -> None:
    schedule = only(hardened_unattended, "AWS::Scheduler::Schedule")
    assert hardened_unattended.arn(schedule["KmsKeyArn"]) == "Key"
    assert hardened_unattended.grants("Schedule")["Key"] == {"kms:Decrypt", "kms:GenerateDataKey"}
    for name in ("Arrivals", "ArrivalsDeadLetters", "DroppedEvents"):
        assert hardened_unattended.arn(queue(hardened_unattended, name)["KmsMasterKeyId"]) == "Key"
    policy = only(hardened_unattended, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    (events,) = (one for one in policy if one.get("Sid") == "ArrivalsOfThisAccount")
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert events["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert hardened_unattended.function("AnnounceRuns")["VpcConfig"]
    endpoints = [
        item["Properties"]
        for item in hardened_unattended.resources("AWS::EC2::VPCEndpoint").values()
        if "events" in json.dumps(item["Properties"]["ServiceName"])
    ]
    (endpoint,) = endpoints
    (statement,) = endpoint["PolicyDocument"]["Statement"]
    assert statement["Action"] == "events:PutEvents"


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        (
            {"schedule": "rate(1 day)"},
            "-c schedule is for -c schedule_request=REQUEST, which is not given.",
        ),
        (
            {"schedule_request": '{"prefix": "input/"}'},
            "-c schedule_request is for -c schedule=EXPRESSION, which is not given.",
        ),
        *(
            (
                {**UNATTENDED, "schedule": expression},
                f"-c schedule={expression}: give rate(1 day) or, in UTC, cron(0 6 * * ? *), as EventBridge "
                "Scheduler writes them.",
            )
            for expression in ("daily", "rate(1 days)", "rate(0 days)", "cron(0 6 * * *)", "0 6 * * *")
        ),
        *(
            (
                {"on_arrival": request},
                f"-c on_arrival={request}: give a JSON object, as in "
                'on_arrival=\'{"prefix": "input/logs/"}\'.',
            )
            for request in ("input/logs/", "[]", "{'prefix': 'input/logs/'}")
        ),
        (
            {"on_arrival": '{"prefix": "logs/"}'},
            "-c on_arrival: prefix: the inputs begin with input/, 'logs/' does not.",
        ),
        (
            {"on_arrival": '{"key": "input/a"}'},
            "-c on_arrival: prefix: a start on arrival needs the prefix under which objects arrive.",
        ),
        (
            {
                "on_arrival": '{"prefix": "logs/"}',
                "source_bucket": EXISTING_BUCKET,
                "source_bucket_account": "444455556666",
            },
            "-c on_arrival: A start on arrival needs a bucket of this account, whose events come here.",
        ),
        (
            {"run_events": "arn:aws:events:us-east-1:111122223333:event-bus/ours"},
            "-c run_events=arn:aws:events:us-east-1:111122223333:event-bus/ours: give the name of an event "
            "bus, such as default.",
        ),
    ],
    ids=str,
)
def test_what_could_not_run_is_refused_in_one_sentence(
    synthesize: Synthesize, context: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidContext) as refused:
        synthesize(**context)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"prefix": "input/", "run_id": "x"}, "run_id: leave it out, each start is a run of its own."),
        ({"prefix": "input/", "must_be_new": True}, "must_be_new: leave it out, each start is a run of its"),
        ({"key": "input/a", "etag": '"e"'}, "etag: leave it out, each start is a run of its own."),
        ({"prefix": "input/", "job": "acess_log"}, "job: this stack has no job 'acess_log': did you mean"),
        ({"prefix": "input/", "options": {"x": 1}}, "options: this job has no option 'x'"),
        ({"key": "input/a", "reuse_days": 7}, "reuse_days: it is for all objects under a prefix"),
        ({"prefix": "input/", "shard_by": "part", "shards": 3}, "shards: there are always 20 here"),
        ({"prefix": "input/", "max_dollars": -1}, "The request is not valid: "),
        ({"prefix": "input/", "key": "input/a"}, "key, prefix: name one of them"),
        ({}, "key, prefix: name one of them"),
        ({"prefix": "inp"}, "prefix: the inputs begin with input/, 'inp' does not."),
        ({"key": "runs/a"}, "key: the inputs begin with input/, 'runs/a' does not."),
    ],
    ids=str,
)
def test_a_request_that_would_be_refused_is_refused_when_it_is_deployed(
    request_: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_again(request_, ("top_words", "access_log"), "input/")
    assert str(refused.value).startswith(sentence)


def test_the_template_notes_them_for_the_doctor(unattended: Synthesized, synthesize: Synthesize) -> None:
    noted = unattended.template["Metadata"]["fanfold:settings"]
    assert noted == UNATTENDED
    assert synthesize(**noted).template == unattended.template


def test_a_request_may_be_written_as_json_in_cdk_json(
    unattended: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from .synthesized import synthesize_app

    written = {**UNATTENDED, "on_arrival": json.loads(UNATTENDED["on_arrival"])}
    folder = tmp_path_factory.mktemp("cdk.out")
    assert synthesize_app(folder, written).template == unattended.template
