"""The stack of one job: its storage, its functions, and what the command line says of them."""

import re
from typing import Any, TypeVar

import msgspec
from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambda_src.job import names
from lambda_src.settings import BLOBS_PREFIX, DEFAULT_JOB, INPUT_PREFIX, RUNS_PREFIX, Outputs
from stacks.dashboard import Dashboard
from stacks.functions import ARCHITECTURES
from stacks.map_reduce_job import MapReduceJob, Objects
from stacks.storage import Storage

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
LONGEST_KEPT_DAYS = 3650
MOST_RESERVED = 100_000
N = TypeVar("N", int, None)

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")


class InvalidContext(Exception):
    """A ``-c name=value`` of the command line has no such value."""


def job_of(app: App) -> str:
    """The context setting ``job``. Raises InvalidContext."""
    given: str = app.node.try_get_context("job") or DEFAULT_JOB
    if given not in names():
        raise InvalidContext(f"-c job={given}: choose one of {', '.join(names())}.")
    return given


class FanfoldStack(Stack):
    """``job`` is a module of ``lambda_src.jobs``. Context: ``architecture`` (arm64, x86_64, or host for a
    local AWS), ``source_bucket`` (an existing bucket to read inputs from), ``source_bucket_key`` (the ARN of
    the KMS key of its objects, if they have one of the customer's), ``retain_data`` (true or false),
    ``dashboard`` (false or true: CloudWatch's, with metrics), ``alarm_email`` (where its alarms go),
    ``keep_intermediates_days`` (how long blobs are stored, by default 1),
    ``tracing`` (off, or active: by X-Ray), ``reserved_concurrency`` (of ``parse_block``, by default none)."""

    def __init__(self, scope: Construct, construct_id: str, *, job: str, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        retain_data = self._choice("retain_data", ("true", "false")) == "true"
        keep_intermediates_days = self._number(
            "keep_intermediates_days", default=1, highest=LONGEST_KEPT_DAYS
        )
        storage = Storage(
            self,
            "Storage",
            retain_data=retain_data,
            keep_intermediates_days=keep_intermediates_days,
        )
        bucket, table = storage.bucket, storage.table

        source_bucket_name: str | None = self.node.try_get_context("source_bucket")
        if source_bucket_name:
            source = s3.Bucket.from_bucket_name(self, "SourceBucket", source_bucket_name)
            inputs = Objects(source, "", f"arn:<AWS::Partition>:s3:::{source_bucket_name}")
        else:
            source, inputs = bucket, Objects(bucket, INPUT_PREFIX, storage.bucket_in_findings)

        dashboard = self._choice("dashboard", ("false", "true")) == "true"
        alarm_email = self._alarm_email(dashboard=dashboard)
        functions = MapReduceJob(
            self,
            "Job",
            job=job,
            architecture=self._choice("architecture", (*ARCHITECTURES, "host")),
            inputs=inputs,
            inputs_key=self._source_bucket_key(source_bucket_name),
            blobs=Objects(bucket, BLOBS_PREFIX, storage.bucket_in_findings),
            runs=Objects(bucket, RUNS_PREFIX, storage.bucket_in_findings),
            table=table,
            metrics=dashboard,
            keep_intermediates_days=keep_intermediates_days,
            tracing=self._choice("tracing", ("off", "active")) == "active",
            reserved_concurrency=self._number("reserved_concurrency", default=None, highest=MOST_RESERVED),
        )
        outputs = Outputs(
            bucket=bucket.bucket_name,
            source_bucket=source.bucket_name,
            table=table.table_name,
            parse_file=functions.parse_file.function_name,
            parse_block=functions.parse_block.function_name,
            get_all_occurrences=functions.get_all_occurrences.function_name,
            get_occurrences=functions.get_occurrences.function_name,
            log_results=functions.log_results.function_name,
            log_results_log_group=functions.log_results.log_group.log_group_name,
        )
        for name, value in msgspec.to_builtins(outputs).items():
            CfnOutput(self, name, value=value)
        if dashboard:
            Dashboard(self, "Dashboard", job=job, functions=functions.by_name, alarm_email=alarm_email)

    def _alarm_email(self, *, dashboard: bool) -> str | None:
        """The context setting ``alarm_email``."""
        email: str | None = self.node.try_get_context("alarm_email")
        if not email:
            return None
        if not dashboard:
            raise InvalidContext("-c alarm_email is for the alarms of -c dashboard=true, which is not given.")
        if not _EMAIL.fullmatch(str(email)):
            raise InvalidContext(f"-c alarm_email={email}: give one e-mail address, as in me@example.com.")
        return email

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

    def _number(self, name: str, *, default: N, highest: int) -> int | N:
        """The context setting ``name``: a whole number from 1 on."""
        given = self.node.try_get_context(name)
        if given in (None, ""):
            return default
        if not re.fullmatch(r"[1-9][0-9]{0,8}", str(given)) or int(given) > highest:
            raise InvalidContext(f"-c {name}={given}: give a whole number from 1 to {highest:,}.")
        return int(given)
