"""The bucket and the results table: private, encrypted, over TLS only, and kept unless told otherwise."""

from typing import Any

import pytest
from aws_cdk.assertions import Template

from lambda_src.fields import MOST_REUSE_DAYS
from lambda_src.store.keys import RUNS_INDEX, family_key, reused_key
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport

from .conftest import Synthesize
from .synthesized import Synthesized

BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::GlobalTable"
FOR_LATER_RUNS = {
    f"{kind}/{days}/": days + 1 for kind in ("reused", "families") for days in (7, 35, 100, 400)
}
KEPT = (BUCKET, "AWS::S3::BucketPolicy", TABLE)


@pytest.fixture(scope="module")
def bucket(default: Synthesized) -> dict[str, Any]:
    properties: dict[str, Any] = default.the_only(BUCKET)["Properties"]
    return properties


@pytest.fixture(scope="module")
def table(default: Synthesized) -> dict[str, Any]:
    properties: dict[str, Any] = default.the_only(TABLE)["Properties"]
    return properties


def test_public_access_is_blocked_in_all_four_ways(bucket: dict[str, Any]) -> None:
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


def test_bucket_is_encrypted(bucket: dict[str, Any]) -> None:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_access_lists_are_off(bucket: dict[str, Any]) -> None:
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "AccessControl" not in bucket


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param({"Bool": {"aws:SecureTransport": "false"}}, id="no TLS"),
        pytest.param({"NumericLessThan": {"s3:TlsVersion": 1.2}}, id="TLS before 1.2"),
    ],
)
def test_bucket_refuses_a_weak_connection(default: Synthesized, condition: dict[str, Any]) -> None:
    policy = default.the_only("AWS::S3::BucketPolicy")["Properties"]
    assert default.reference(policy["Bucket"]) == "Bucket"
    (statement,) = (item for item in policy["PolicyDocument"]["Statement"] if item["Condition"] == condition)
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == {"AWS": "*"}
    assert statement["Action"] == "s3:*"
    assert {default.arn(resource) for resource in statement["Resource"]} == {"Bucket", "Bucket/*"}


def test_bucket_policy_lets_nobody_in(default: Synthesized) -> None:
    policy = default.the_only("AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}


def test_intermediates_and_unfinished_uploads_expire_and_inputs_do_not(bucket: dict[str, Any]) -> None:
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    expiring = {rule.get("Prefix"): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"blobs/": 1, "pieces/": 7, "runs/": 7, **FOR_LATER_RUNS}
    (aborting,) = (rule for rule in rules if "AbortIncompleteMultipartUpload" in rule)
    assert aborting["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert "Prefix" not in aborting


@pytest.mark.parametrize(
    ("days", "expiring"),
    [(3, {"blobs/": 3, "pieces/": 7, "runs/": 7}), ("30", {"blobs/": 30, "pieces/": 30, "runs/": 30})],
)
def test_intermediates_may_be_kept_longer_and_what_resuming_needs_with_them(
    synthesize: Synthesize, days: object, expiring: dict[str, int]
) -> None:
    stack = synthesize(keep_intermediates_days=days)
    rules = stack.the_only(BUCKET)["Properties"]["LifecycleConfiguration"]["Rules"]
    found = {r["Prefix"]: r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r}
    assert found == {**expiring, **FOR_LATER_RUNS}
    variables = stack.function("ParseFile")["Environment"]["Variables"]
    assert variables["FANFOLD_KEEP_INTERMEDIATES_DAYS"] == str(days)


def test_no_old_version_is_stored_for_ever(bucket: dict[str, Any]) -> None:
    """Where somebody turns versioning on, objects that expire or are deleted become old versions."""
    kept = {
        rule.get("Prefix"): rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    }
    for_later: dict[str | None, int] = dict.fromkeys(FOR_LATER_RUNS, 1)
    assert kept == {"blobs/": 1, "pieces/": 1, "runs/": 1, **for_later, None: 30}


def test_what_later_runs_may_use_is_kept_longer_than_they_may_use_it() -> None:
    """For as many days as a request can ask for, and each in a folder that nothing expires earlier."""
    for days in range(1, MOST_REUSE_DAYS + 1):
        for key in (reused_key(days, "0a1b", []), family_key(days, "0a1b")):
            expiring = {**FOR_LATER_RUNS, "blobs/": 1, "runs/": 7}
            (kept_days,) = (kept for prefix, kept in expiring.items() if key.startswith(prefix))
            assert kept_days > days


def test_table_is_on_demand_and_keyed_by_run_and_item(table: dict[str, Any]) -> None:
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [
        {"AttributeName": "run_id", "KeyType": "HASH"},
        {"AttributeName": "item", "KeyType": "RANGE"},
    ]
    assert {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]} == {
        "run_id": "S",
        "item": "S",
        "started_at": "N",
    }


def test_runs_are_found_by_time_and_nothing_else_is_indexed(table: dict[str, Any]) -> None:
    """Whatever else an index held would be written again with each write of a record."""
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == RUNS_INDEX
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["item", "started_at"]
    times = [kind for kind in (RunRecord, PartReport) if "started_at" in kind.__struct_fields__]
    assert times == [RunRecord]


def test_table_is_encrypted_with_a_key_that_audits_see(table: dict[str, Any]) -> None:
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}


def test_table_can_be_restored_to_a_point_in_time(table: dict[str, Any]) -> None:
    (replica,) = table["Replicas"]
    assert replica["Region"] == {"Ref": "AWS::Region"}
    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_data_are_kept_by_default(default: Synthesized) -> None:
    template = Template.from_json(default.template)
    for kind in KEPT:
        template.has_resource(
            kind, {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
        )


def test_nothing_stands_in_the_way_of_rolling_a_first_deployment_back(default: Synthesized) -> None:
    """Nor of a second one after a destroy: what stays keeps a name that no other will get."""
    for item in default.resources().values():
        assert item.get("DeletionPolicy") in (None, "Delete", "RetainExceptOnCreate"), item
        names = {"BucketName", "TableName", "FunctionName", "RoleName", "LogGroupName", "LayerName"}
        given = {name for name, value in item.get("Properties", {}).items() if isinstance(value, str)}
        assert not names & given, item
    (replica,) = default.the_only(TABLE)["Properties"]["Replicas"]
    assert not replica.get("DeletionProtectionEnabled")


def test_data_go_with_the_stack_if_asked_to(disposable: Synthesized) -> None:
    template = Template.from_json(disposable.template)
    for kind in KEPT:
        template.has_resource(kind, {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"})


def test_nothing_else_changes_when_data_are_not_kept(default: Synthesized, disposable: Synthesized) -> None:
    for kind in KEPT:
        assert disposable.the_only(kind)["Properties"] == default.the_only(kind)["Properties"]


def test_logs_do_not_outlive_the_stack(default: Synthesized) -> None:
    """They hold no data that the table does not hold, and a kept group would stand in a new stack's way."""
    for group in default.resources("AWS::Logs::LogGroup").values():
        assert group["DeletionPolicy"] == "Delete"
