"""The one stack: composes storage and functions, and holds every grant."""

import re
from typing import Any, NamedTuple

from aws_cdk import Acknowledgment, CfnOutput, Duration, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambda_src.settings import (
    BLOBS_PREFIX,
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    INPUT_PREFIX,
    LOG_RESULTS_TIMEOUT_S,
    PARSE_BLOCK_TIMEOUT_S,
    PARSE_FILE_TIMEOUT_S,
    RUNS_PREFIX,
    GetAllOccurrencesSettings,
    GetOccurrencesSettings,
    LogResultsSettings,
    ParseBlockSettings,
    ParseFileSettings,
)
from stacks.functions import ARCHITECTURES, ONE_VCPU_MB, Functions
from stacks.storage import Storage

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")


class InvalidContext(Exception):
    """A ``-c name=value`` of the command line has no such value."""


class FanfoldStack(Stack):
    """Context: ``architecture`` (arm64, x86_64, or host for a local AWS), ``source_bucket`` (an existing
    bucket to read inputs from), ``source_bucket_key`` (the ARN of the KMS key of its objects, if they have
    one of the customer's), ``retain_data`` (true or false)."""

    def __init__(self, scope: Construct, construct_id: str, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        retain_data = self._choice("retain_data", ("true", "false")) == "true"
        storage = Storage(self, "Storage", retain_data=retain_data)
        bucket, table = storage.bucket, storage.table

        source_bucket_name: str | None = self.node.try_get_context("source_bucket")
        if source_bucket_name:
            source = s3.Bucket.from_bucket_name(self, "SourceBucket", source_bucket_name)
            inputs = Objects(source, "", f"arn:<AWS::Partition>:s3:::{source_bucket_name}")
        else:
            source, inputs = bucket, Objects(bucket, INPUT_PREFIX, storage.bucket_in_findings)
        blobs = Objects(bucket, BLOBS_PREFIX, storage.bucket_in_findings)
        runs = Objects(bucket, RUNS_PREFIX, storage.bucket_in_findings)

        functions = Functions(
            self, "Functions", architecture=self._choice("architecture", (*ARCHITECTURES, "host"))
        )
        parse_block = functions.function(
            "parse_block",
            ParseBlockSettings(url_suffix=self.url_suffix, bucket=bucket.bucket_name),
            memory_mb=ONE_VCPU_MB,
            timeout_s=PARSE_BLOCK_TIMEOUT_S,
        )
        _allow_objects(parse_block, "s3:GetObject", inputs)
        _allow_objects(parse_block, "s3:PutObject", blobs)

        get_occurrences = functions.function(
            "get_occurrences",
            GetOccurrencesSettings(
                url_suffix=self.url_suffix, bucket=bucket.bucket_name, table=table.table_name
            ),
            memory_mb=ONE_VCPU_MB,
            timeout_s=GET_OCCURRENCES_TIMEOUT_S,
        )
        _allow_objects(get_occurrences, "s3:GetObject", blobs)
        _allow_objects(get_occurrences, "s3:GetObject", runs)
        _allow(get_occurrences, ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"], [table.table_arn])

        get_all_occurrences = functions.function(
            "get_all_occurrences",
            GetAllOccurrencesSettings(get_occurrences_function=get_occurrences.function_name),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=GET_ALL_OCCURRENCES_TIMEOUT_S,
        )
        _allow(get_all_occurrences, ["lambda:InvokeFunction"], [get_occurrences.function_arn])

        log_results = functions.function(
            "log_results",
            LogResultsSettings(table=table.table_name),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=LOG_RESULTS_TIMEOUT_S,
        )
        _allow(log_results, ["dynamodb:GetItem", "dynamodb:Query"], [table.table_arn])

        parse_file = functions.function(
            "parse_file",
            ParseFileSettings(
                url_suffix=self.url_suffix,
                bucket=bucket.bucket_name,
                source_bucket=source.bucket_name,
                table=table.table_name,
                parse_block_function=parse_block.function_name,
                get_all_occurrences_function=get_all_occurrences.function_name,
                get_occurrences_function=get_occurrences.function_name,
                log_results_function=log_results.function_name,
            ),
            memory_mb=ONE_VCPU_MB,
            timeout_s=PARSE_FILE_TIMEOUT_S,
            invokes_itself=True,
        )
        _allow_objects(parse_file, "s3:GetObject", inputs)
        if source_key := self._source_bucket_key(source_bucket_name):
            for reader in (parse_file, parse_block):
                _allow(reader, ["kms:Decrypt"], [source_key])
        _allow_objects(parse_file, "s3:PutObject", runs)
        _allow_objects(parse_file, "s3:GetObject", blobs)
        _allow(
            parse_file,
            [
                f"dynamodb:{action}"
                for action in ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query")
            ],
            [table.table_arn],
        )
        _allow(
            parse_file,
            ["lambda:InvokeFunction"],
            [
                callee.function_arn
                for callee in (parse_block, get_all_occurrences, get_occurrences, log_results)
            ],
        )

        # Apart from the role, for a function cannot be made after a policy that names it.
        iam.Policy(
            self,
            "ParseFileHandsOver",
            roles=[_role(parse_file)],
            statements=[
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[parse_file.function_arn])
            ],
        )
        # A run that failed is resumed by a person; Lambda would try twice more by itself. And where an
        # account has no room, it would keep a hand-over for six hours: a person resumes the run sooner.
        parse_file.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(5))

        for name, value in {
            "BucketName": bucket.bucket_name,
            "SourceBucketName": source.bucket_name,
            "TableName": table.table_name,
            "ParseFileFunction": parse_file.function_name,
            "ParseBlockFunction": parse_block.function_name,
            "GetAllOccurrencesFunction": get_all_occurrences.function_name,
            "GetOccurrencesFunction": get_occurrences.function_name,
            "LogResultsFunction": log_results.function_name,
            "LogResultsLogGroup": log_results.log_group.log_group_name,
        }.items():
            CfnOutput(self, name, value=value)

    def _source_bucket_key(self, source_bucket: str | None) -> str | None:
        """The context setting ``source_bucket_key``: the ARN of one key."""
        arn: str | None = self.node.try_get_context("source_bucket_key")
        if not arn:
            return None
        if not source_bucket:
            raise InvalidContext("-c source_bucket_key is for a -c source_bucket=NAME, which is not given.")
        if not _KEY_ARN.fullmatch(arn):
            raise InvalidContext(
                f"-c source_bucket_key={arn}: give the key's ARN, as in "
                "arn:aws:kms:REGION:ACCOUNT:key/ID; an alias cannot be granted."
            )
        return arn

    def _choice(self, name: str, choices: tuple[str, ...]) -> str:
        """The context setting ``name``: one of ``choices``, by default the first."""
        given = self.node.try_get_context(name)
        # Not just "or": a false in cdk.json is a value, only nothing and "" stand for the default.
        value = str(choices[0] if given in (None, "") else given).lower()
        if value not in choices:
            raise InvalidContext(f"-c {name}={value}: choose one of {', '.join(choices)}.")
        return value


class Objects(NamedTuple):
    """The objects of ``bucket`` whose keys begin with ``prefix``; ``finding`` is how cdk-nag writes the
    bucket's ARN."""

    bucket: s3.IBucket
    prefix: str
    finding: str


def _allow(function: lambda_.Function, actions: list[str], resources: list[str]) -> None:
    function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))


def _allow_objects(function: lambda_.Function, action: str, objects: Objects) -> None:
    _allow(function, [action], [objects.bucket.arn_for_objects(f"{objects.prefix}*")])
    Validations.of(_role(function)).acknowledge(
        Acknowledgment(
            id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{objects.finding}/{objects.prefix}*]",
            reason="The wildcard stands for objects only, and for no other prefix than the function's own.",
        )
    )


def _role(function: lambda_.Function) -> iam.IRole:
    assert function.role is not None, "Functions gives every function a role of its own"
    return function.role
