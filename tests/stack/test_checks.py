"""cdk-nag's AwsSolutions rules: on at every synth, and every exception explained."""

import json
from pathlib import Path

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

import stacks.fanfold_stack
from stacks.fanfold_stack import FanfoldStack

from .synthesized import Synthesized, synthesize_app

ACKNOWLEDGED = {
    "AwsSolutions-S1",
    "AwsSolutions-L1",
    "AwsSolutions-SQS3",
    "AwsSolutions-IAM5[Resource::Bucket/input/*]",
    "AwsSolutions-IAM5[Resource::Bucket/blobs/*]",
    "AwsSolutions-IAM5[Resource::Bucket/pieces/*]",
    "AwsSolutions-IAM5[Resource::Bucket/results/*]",
    "AwsSolutions-IAM5[Resource::Bucket/runs/*]",
    "AwsSolutions-IAM5[Resource::Bucket/reused/*]",
    "AwsSolutions-IAM5[Resource::Bucket/families/*]",
}


@pytest.mark.parametrize(
    "configuration",
    [
        *("default", "x86_64", "existing_source", "disposable", "dashboard", "alarms", "traced"),
        *("hardened", "hardened_alarms", "unattended", "hardened_unattended"),
    ],
)
def test_synth_finds_nothing(request: pytest.FixtureRequest, configuration: str) -> None:
    synthesized: Synthesized = request.getfixturevalue(configuration)
    assert synthesized.aws_solutions()["conclusion"] == "success"
    # CDK's own check of the template reports here too, as warnings.
    for report in synthesized.validation["pluginReports"]:
        assert report["violations"] == []


def test_exceptions_are_exactly_these(default: Synthesized) -> None:
    suppressed = default.aws_solutions()["suppressedViolations"]
    found = {default.finding(finding["ruleName"]) for finding in suppressed}
    assert found == ACKNOWLEDGED


@pytest.mark.parametrize(
    "configuration", ["default", "existing_source", "alarms", "traced", "hardened", "unattended"]
)
def test_every_acknowledgement_is_explained_and_needed(
    request: pytest.FixtureRequest, configuration: str
) -> None:
    synthesized: Synthesized = request.getfixturevalue(configuration)
    metadata = json.loads((synthesized.folder / "Fanfold.metadata.json").read_text("utf-8"))
    reasons = {
        (path.removeprefix("/"), rule): reason
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for rule, reason in entry["data"].items()
        if rule.startswith("AwsSolutions::")  # and not by the CDK for a construct of its own
    }
    # A sentence, not a word that only fills the field.
    assert all(len(reason.split()) > 5 for reason in reasons.values()), reasons

    needed = {
        (finding["acknowledgedAt"], finding["acknowledgedId"])
        for finding in synthesized.aws_solutions()["suppressedViolations"]
    }
    # In a hardened stack another function has that queue, too, and the rule does not look any further.
    not_needed = {where for where in reasons if configuration == "hardened" and "SQS3" in where[1]}
    assert set(reasons) - not_needed == needed


def with_a_bucket_without_tls(stack: Construct) -> None:
    s3.Bucket(stack, "Careless", server_access_logs_prefix="logs/")


def with_a_role_that_may_read_everything(stack: Construct) -> None:
    role = iam.Role(stack, "Careless", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))


def with_a_role_of_a_managed_policy(stack: Construct) -> None:
    iam.Role(
        stack,
        "Careless",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("AmazonS3FullAccess")],
    )


@pytest.mark.parametrize(
    ("carelessness", "rule"),
    [
        (with_a_bucket_without_tls, "AwsSolutions-S10"),
        (with_a_role_that_may_read_everything, "AwsSolutions-IAM5"),
        (with_a_role_of_a_managed_policy, "AwsSolutions-IAM4"),
    ],
)
def test_synth_fails_when_the_stack_gets_careless(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    carelessness: object,
    rule: str,
) -> None:
    class Careless(FanfoldStack):
        def __init__(self, scope: Construct, *, description: str) -> None:
            super().__init__(scope, description=description)
            assert callable(carelessness)
            carelessness(self)

    monkeypatch.setattr(stacks.fanfold_stack, "FanfoldStack", Careless)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        synthesize_app(tmp_path, {})
    report = json.loads((tmp_path / "validation-report.json").read_text("utf-8"))
    violations = report["pluginReports"][0]["violations"]
    assert {violation["ruleName"].partition("[")[0] for violation in violations} == {rule}
