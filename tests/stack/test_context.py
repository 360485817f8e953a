"""The context settings of the command line, and the outputs that a person needs afterwards."""

from typing import Any

import pytest

from lambda_src.job import names
from lambda_src.settings import SETTINGS
from stacks.context import InvalidContext
from stacks.dependency_layer import host_architecture

from .conftest import EMAIL, EXISTING_BUCKET, KEY_ARN, Synthesize
from .synthesized import FUNCTIONS, Synthesized

OUTPUTS = {
    "RequesterPays": "off",
    "BucketName": "Bucket",
    "SourceBucketName": "Bucket",
    "TableName": "Table",
    "ParseFileFunction": "ParseFile",
    "ParseBlockFunction": "ParseBlock",
    "GetAllOccurrencesFunction": "GetAllOccurrences",
    "GetOccurrencesFunction": "GetOccurrences",
    "LogResultsFunction": "LogResults",
    "LogResultsLogGroup": "LogResultsLog",
    "DroppedEventsQueue": "DroppedEvents",
}


def outputs(synthesized: Synthesized) -> dict[str, str]:
    return {
        name: synthesized.reference(output["Value"])
        for name, output in synthesized.template["Outputs"].items()
    }


def test_outputs_name_all_that_a_person_needs(default: Synthesized) -> None:
    named = outputs(default)
    assert {name: named.get(name) for name in OUTPUTS} == OUTPUTS


def test_an_existing_source_bucket_is_named_to_parse_file_and_to_the_person(
    existing_source: Synthesized,
) -> None:
    variables = existing_source.function("ParseFile")["Environment"]["Variables"]
    assert variables["FANFOLD_SOURCE_BUCKET"] == EXISTING_BUCKET
    # Intermediates stay in the stack's own bucket.
    assert existing_source.reference(variables["FANFOLD_BUCKET"]) == "Bucket"
    named = outputs(existing_source)
    assert named == {**OUTPUTS, "SourceBucketName": EXISTING_BUCKET, "Jobs": named["Jobs"]}


def test_who_pays_for_requests_is_told_to_those_who_read_and_to_the_person(synthesize: Synthesize) -> None:
    paying = synthesize(source_bucket=EXISTING_BUCKET, requester_pays="true")
    assert outputs(paying)["RequesterPays"] == "on"
    for name in ("ParseFile", "ParseBlock"):
        assert paying.function(name)["Environment"]["Variables"]["FANFOLD_REQUESTER_PAYS"] == "on"


@pytest.mark.parametrize("name", ["*", "a*b", "s3://my-bucket", "arn:aws:s3:::my-bucket"])
def test_what_is_no_bucket_name_is_refused(synthesize: Synthesize, name: str) -> None:
    """A wildcard in the name would let the functions read every bucket."""
    with pytest.raises(RuntimeError, match="Invalid S3 bucket name"):
        synthesize(source_bucket=name)


def test_host_is_the_architecture_of_this_machine(synthesize: Synthesize) -> None:
    host = synthesize(architecture="host")
    for name in FUNCTIONS:
        assert host.function(name)["Architectures"] == [host_architecture()]


@pytest.mark.parametrize("context", [{"retain_data": "False"}, {"retain_data": False}], ids=str)
def test_retain_data_may_be_written_as_a_person_writes_it(
    synthesize: Synthesize, disposable: Synthesized, context: dict[str, Any]
) -> None:
    """``"retain_data": false`` in cdk.json is no string."""
    assert synthesize(**context).template == disposable.template


@pytest.mark.parametrize(
    "context",
    [
        {"retain_data": "true"},
        {"retain_data": True},
        {"retain_data": ""},
        {"architecture": "arm64"},
        {"dashboard": "false"},
        {"dashboard": False},
        {"alarm_email": ""},
        {"keep_intermediates_days": 1},
        {"keep_intermediates_days": "1"},
        {"tracing": "off"},
        {"hardened": "false"},
        {"reserved_concurrency": ""},
    ],
    ids=str,
)
def test_the_defaults_may_be_written_out(
    synthesize: Synthesize, default: Synthesized, context: dict[str, Any]
) -> None:
    assert synthesize(**context).template == default.template


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"retain_data": "no"}, "-c retain_data=no: choose one of true, false."),
        ({"retain_data": 0}, "-c retain_data=0: choose one of true, false."),
        (
            {"source_bucket_key": KEY_ARN},
            "-c source_bucket_key is for -c source_bucket=NAME, which is not given.",
        ),
        (
            {"requester_pays": "true"},
            "-c requester_pays is for -c source_bucket=NAME, which is not given.",
        ),
        (
            {
                "source_bucket": EXISTING_BUCKET,
                "source_bucket_key": "arn:aws:kms:us-east-1:111122223333:alias/a",
            },
            "-c source_bucket_key=arn:aws:kms:us-east-1:111122223333:alias/a: give the key's ARN, as in "
            "arn:aws:kms:REGION:ACCOUNT:key/ID; an alias cannot be granted.",
        ),
        (
            {"job": "word_count"},
            f"-c job=word_count: choose one of {', '.join(names())}.",
        ),
        ({"job": "../x"}, f"-c job=../x: choose one of {', '.join(names())}."),
        ({"jobs": "access_log,x"}, f"-c jobs=access_log,x: choose from {', '.join(names())}."),
        ({"jobs": "access_log,"}, f"-c jobs=access_log,: choose from {', '.join(names())}."),
        (
            {"jobs": "access_log", "job": "top_words"},
            "-c job is for a stack of one job, -c jobs for the stack of several: give only one of them.",
        ),
        ({"dashboard": "on"}, "-c dashboard=on: choose one of false, true."),
        (
            {"alarm_email": EMAIL},
            "-c alarm_email is for -c dashboard=true, which is not given.",
        ),
        *(
            (
                {"dashboard": "true", "alarm_email": email},
                f"-c alarm_email={email}: give one e-mail address, as in me@example.com.",
            )
            for email in ("me", "me@", "@example.com", "me@example", "a@b.c,d@e.f", "me@example.com\n", True)
        ),
        *(
            (
                {"keep_intermediates_days": days},
                f"-c keep_intermediates_days={days}: give a whole number from 1 to 3,650.",
            )
            for days in (0, "0", "-1", "1.5", "7d", 3651, True)
        ),
        (
            {"source_bucket_account": "444455556666"},
            "-c source_bucket_account is for -c source_bucket=NAME, which is not given.",
        ),
        (
            {"source_bucket": EXISTING_BUCKET, "source_bucket_account": "4444-5555-6666"},
            "-c source_bucket_account=4444-5555-6666: give the 12 digits of the account that owns the "
            "bucket, or any for a public one.",
        ),
        (
            {"permissions_boundary": "policy/Boundary"},
            "-c permissions_boundary=policy/Boundary: give the name of a managed policy.",
        ),
        ({"hardened": "yes"}, "-c hardened=yes: choose one of false, true."),
        ({"tracing": "on"}, "-c tracing=on: choose one of off, active."),
        (
            {"reserved_concurrency": 0},
            "-c reserved_concurrency=0: give a whole number from 1 to 100,000.",
        ),
        ({"architecture": "amd64"}, "-c architecture=amd64: choose one of arm64, x86_64, host."),
    ],
    ids=str,
)
def test_a_value_that_is_no_choice_is_refused_with_the_choices(
    synthesize: Synthesize, context: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidContext) as refused:
        synthesize(**context)
    assert str(refused.value) == sentence


def test_the_template_notes_the_settings_that_are_not_the_default(
    default: Synthesized, alarms: Synthesized, synthesize: Synthesize
) -> None:
    """The doctor synthesizes with them again to compare."""
    assert default.template["Metadata"] == {SETTINGS: {}}
    assert alarms.template["Metadata"] == {SETTINGS: {"dashboard": "true", "alarm_email": EMAIL}}
    given = {
        "source_bucket": EXISTING_BUCKET,
        "source_bucket_key": KEY_ARN,
        "source_bucket_account": "444455556666",
        "permissions_boundary": "Boundary",
        "retain_data": "false",
        "architecture": "x86_64",
        "tracing": "active",
        "reserved_concurrency": "7",
        "keep_intermediates_days": "2",
    }
    assert synthesize(**given).template["Metadata"] == {SETTINGS: given}


def test_every_role_has_the_permissions_boundary(synthesize: Synthesize) -> None:
    for role in synthesize(permissions_boundary="Boundary").resources("AWS::IAM::Role").values():
        (_, parts) = role["Properties"]["PermissionsBoundary"]["Fn::Join"]
        assert parts[-1].endswith(":policy/Boundary")
