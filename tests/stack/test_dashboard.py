"""An idle stack costs nothing beyond what it stores, and what a dashboard adds to that is said here."""

import json
from collections import Counter
from typing import Any

import pytest

from lambda_src.job import names
from lambda_src.run.metrics import DIMENSION, NAMESPACE, UNITS
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    LOG_RESULTS_TIMEOUT_S,
    PARSE_BLOCK_TIMEOUT_S,
)

from .conftest import EMAIL, Synthesize
from .synthesized import FUNCTIONS, Synthesized

FREE_WHILE_IDLE = {
    "AWS::DynamoDB::GlobalTable",  # by requests and what is stored
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",  # by requests and time
    "AWS::Lambda::LayerVersion",
    "AWS::Logs::LogGroup",  # by what is written and stored
    "AWS::S3::Bucket",  # by requests and what is stored
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",  # by requests
    "AWS::SQS::QueuePolicy",
}
COSTS_WHILE_IDLE = (
    "ProvisionedConcurrencyConfig",
    "ProvisionedThroughput",
    "WriteProvisionedThroughputSettings",
    "SnapStart",
    "KMSMasterKeyID",
    "KMSMasterKeyId",
    "KmsKeyArn",
    "KmsKeyId",
    "InventoryConfigurations",
    "MetricsConfigurations",
    "ContributorInsightsSpecification",
    "ReplicationConfiguration",
)
"""Properties of those types that are paid for by the hour, the month or the object."""

FREE_METRICS_OF_A_DASHBOARD = 50


def types(stack: Synthesized) -> Counter[str]:
    return Counter(item["Type"] for item in stack.resources().values())


def properties(value: object) -> set[str]:
    """The names of all properties, however deep."""
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in properties(item)}
    if isinstance(value, list):
        return {name for item in value for name in properties(item)}
    return set()


@pytest.mark.parametrize("job", names())
def test_an_idle_stack_costs_nothing_beyond_what_it_stores(synthesize: Synthesize, job: str) -> None:
    stack = synthesize(job=job)
    assert set(types(stack)) <= FREE_WHILE_IDLE
    assert not properties(stack.template["Resources"]) & set(COSTS_WHILE_IDLE)
    table = stack.the_only("AWS::DynamoDB::GlobalTable")["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert len(table["Replicas"]) == 1
    variables = stack.function("ParseFile")["Environment"]["Variables"]
    assert variables["FANFOLD_METRICS"] == "off"


def test_a_dashboard_is_all_that_is_added(default: Synthesized, dashboard: Synthesized) -> None:
    assert types(dashboard) - types(default) == {"AWS::CloudWatch::Dashboard": 1}


def test_an_address_adds_alarms(dashboard: Synthesized, alarms: Synthesized) -> None:
    assert types(alarms) - types(dashboard) == {
        "AWS::CloudWatch::Alarm": 7,
        "AWS::SNS::Subscription": 1,
        "AWS::SNS::Topic": 1,
        "AWS::SNS::TopicPolicy": 1,
    }


def test_what_was_there_stays_as_it_was_but_for_the_setting(
    default: Synthesized, alarms: Synthesized
) -> None:
    with_alarms = alarms.resources()
    changed = {
        logical_id: item
        for logical_id, item in default.resources().items()
        if with_alarms[logical_id] != item
    }
    ((logical_id, parse_file),) = changed.items()
    variables = parse_file["Properties"]["Environment"]["Variables"]
    assert variables["FANFOLD_METRICS"] == "off"
    variables["FANFOLD_METRICS"] = "on"
    try:
        assert parse_file == with_alarms[logical_id]
    finally:
        variables["FANFOLD_METRICS"] = "off"  # the template is every test's


def widgets(stack: Synthesized) -> list[dict[str, Any]]:
    """What the dashboard shows, with readable names for references."""
    body = stack.the_only("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]
    text = "".join(part if isinstance(part, str) else stack.reference(part) for part in body["Fn::Join"][1])
    found: list[dict[str, Any]] = json.loads(text)["widgets"]
    return found


def shown(stack: Synthesized) -> list[tuple[str, ...]]:
    """Namespace, name, dimension and its value, and the statistic, of everything shown."""
    return [
        (*metric[:4], metric[4].get("stat", "Average") if len(metric) > 4 else "Average")
        for widget in widgets(stack)
        if widget["type"] == "metric"
        for metric in widget["properties"]["metrics"]
    ]


def test_every_metric_that_is_paid_for_is_shown_and_no_other(dashboard: Synthesized) -> None:
    ours = {(name, *where) for namespace, name, *where, _ in shown(dashboard) if namespace == NAMESPACE}
    assert ours == {(name, DIMENSION, "Fanfold") for name in UNITS}


def test_the_metrics_are_those_of_the_stack(synthesize: Synthesize) -> None:
    stack = synthesize(dashboard="true", job="access_log")
    assert {where for namespace, _, _, where, _ in shown(stack) if namespace == NAMESPACE} == {
        "Fanfold-access-log"
    }


def test_every_function_is_shown_with_what_aws_keeps_of_it(dashboard: Synthesized) -> None:
    kept = [
        *(("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum")),
        *(("Duration", "p50"), ("Duration", "p99"), ("ConcurrentExecutions", "Maximum")),
    ]
    theirs = [row for row in shown(dashboard) if row[0] != NAMESPACE]
    assert sorted(theirs) == sorted(
        ("AWS/Lambda", name, "FunctionName", function, statistic)
        for name, statistic in kept
        for function in FUNCTIONS
    )


def test_the_dashboard_is_one_that_the_free_tier_holds(dashboard: Synthesized) -> None:
    assert len(shown(dashboard)) <= FREE_METRICS_OF_A_DASHBOARD


def test_the_last_runs_are_read_from_the_lines_of_parse_file(dashboard: Synthesized) -> None:
    (query,) = (widget["properties"]["query"] for widget in widgets(dashboard) if widget["type"] == "log")
    assert query.startswith("SOURCE 'ParseFileLog' | filter event = \"run_ended\"\n")
    (fields,) = (line for line in query.split("| ") if line.startswith("display "))
    named = set(fields.removeprefix("display ").strip().split(", "))
    assert named <= {"@timestamp", "run_id", "job", "status", "input", *UNITS}


def test_the_dashboard_is_named_to_the_person(dashboard: Synthesized, default: Synthesized) -> None:
    (logical_id,) = dashboard.resources("AWS::CloudWatch::Dashboard")
    assert dashboard.template["Outputs"]["DashboardName"] == {"Value": {"Ref": logical_id}}
    assert "DashboardName" not in default.template["Outputs"]


def test_alarms_are_these(alarms: Synthesized) -> None:
    rings = {
        (
            item["Properties"]["Namespace"],
            item["Properties"]["MetricName"],
            item["Properties"]["Statistic"],
            alarms.reference(item["Properties"]["Dimensions"][0]["Value"]),
            item["Properties"]["Threshold"],
        )
        for item in alarms.resources("AWS::CloudWatch::Alarm").values()
    }
    share_ms = 0.8 * 1000
    assert rings == {
        ("AWS/Lambda", "Errors", "Sum", "ParseFile", 1),
        ("AWS/Lambda", "AsyncEventsDropped", "Sum", "ParseFile", 1),
        (NAMESPACE, "Throttles", "Sum", "Fanfold", 1),
        ("AWS/Lambda", "Duration", "Maximum", "ParseBlock", share_ms * PARSE_BLOCK_TIMEOUT_S),
        ("AWS/Lambda", "Duration", "Maximum", "GetAllOccurrences", share_ms * GET_ALL_OCCURRENCES_TIMEOUT_S),
        ("AWS/Lambda", "Duration", "Maximum", "GetOccurrences", share_ms * GET_OCCURRENCES_TIMEOUT_S),
        ("AWS/Lambda", "Duration", "Maximum", "LogResults", share_ms * LOG_RESULTS_TIMEOUT_S),
    }


def test_an_alarm_rings_by_e_mail_and_not_because_data_is_missing(alarms: Synthesized) -> None:
    (topic,) = alarms.resources("AWS::SNS::Topic")
    for alarm in alarms.resources("AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"
        assert alarm["Properties"]["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": topic}]
    subscription = alarms.the_only("AWS::SNS::Subscription")["Properties"]
    assert subscription == {"Endpoint": EMAIL, "Protocol": "email", "TopicArn": {"Ref": topic}}


def test_only_the_alarms_may_publish_and_only_over_tls(alarms: Synthesized) -> None:
    (topic,) = alarms.resources("AWS::SNS::Topic")
    policy = alarms.the_only("AWS::SNS::TopicPolicy")["Properties"]
    assert policy["Topics"] == [{"Ref": topic}]
    refused, allowed = policy["PolicyDocument"]["Statement"]
    assert refused["Effect"] == "Deny"
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (refused["Principal"], refused["Action"]) == ("*", "sns:Publish")
    assert allowed["Effect"] == "Allow"
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", {"Ref": topic})
    of_alarms = [{"Fn::GetAtt": [alarm, "Arn"]} for alarm in alarms.resources("AWS::CloudWatch::Alarm")]
    assert allowed["Condition"] == {"ArnLike": {"aws:SourceArn": of_alarms}}
