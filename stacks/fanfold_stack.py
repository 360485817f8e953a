"""The stack: its storage, its functions, and the settings of the command line."""

from typing import Any

from aws_cdk import CfnOutput, PermissionsBoundary, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fanfold.errors import JobNotUsable
from fanfold.job_code import FILES, digest_of, is_own, jobs_in_setting
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB, SETTINGS, Outputs, on_or_off, stack_name, to_texts
from lambda_src.store.keys import (
    BLOBS_PREFIX,
    FAMILIES_PREFIX,
    INPUT_PREFIX,
    PIECES_PREFIX,
    RESULTS_PREFIX,
    REUSED_PREFIX,
    RUNS_PREFIX,
)
from stacks.context import Context, InvalidContext
from stacks.dashboard import Dashboard
from stacks.functions import ARCHITECTURES
from stacks.hardening import Hardening
from stacks.map_reduce_job import ANY_ACCOUNT, MapReduceJob, Objects
from stacks.storage import Storage, removal_of

LONGEST_KEPT_DAYS = 3650
MOST_RESERVED = 100_000

_EMAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
_KEY_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+"
_POLICY_NAME = r"[A-Za-z0-9+=,.@_-]{1,128}"


def jobs_of(context: Context) -> tuple[str | None, tuple[str, ...]]:
    """The job that has the stack for itself, by the setting ``job``, if there is one; and all jobs of the
    stack, first the one of a request that names none. Raises InvalidContext."""
    known = [*names(), *_own_jobs(context)]
    one, listed = "|".join(known), ", ".join(known)
    own = context.text("job", one, f"choose one of {listed}")
    given = context.text("jobs", rf"({one})(,({one}))*", f"choose from {listed}")
    if own and given:
        raise InvalidContext(
            "-c job is for a stack of one job, -c jobs for the stack of several: give only one of them."
        )
    jobs = dict.fromkeys(given.split(",") if given else [own] if own else known)
    return own, tuple(sorted(jobs, key=lambda job: job != DEFAULT_JOB))


def _own_jobs(context: Context) -> list[str]:
    """The jobs of the setting ``job_files``. Raises InvalidContext."""
    given = context.unnoted(FILES)
    try:
        return jobs_in_setting(given) if given else []
    except JobNotUsable as error:
        raise InvalidContext(f"-c {FILES}={given}: {error}") from error


class FanfoldStack(Stack):
    """The stack of all jobs, of some, or of one alone: docs/operating.md explains the settings of the
    context. The template records those that are not the default, so that ``fanfold doctor`` can compare it
    with a checkout."""

    def __init__(self, scope: Construct, **kwargs: Any) -> None:
        context = Context(scope.node)
        own, jobs = jobs_of(context)
        boundary = context.text("permissions_boundary", _POLICY_NAME, "give the name of a managed policy")
        if boundary:
            kwargs["permissions_boundary"] = PermissionsBoundary.from_name(boundary)
        super().__init__(scope, stack_name(own), **kwargs)

        keep_intermediates_days = context.number(
            "keep_intermediates_days", default=1, highest=LONGEST_KEPT_DAYS
        )
        removal = removal_of(retain_data=context.choice("retain_data", ("true", "false")) == "true")
        hardened = context.is_on("hardened")
        storage = Storage(
            self,
            "Storage",
            removal=removal,
            keep_intermediates_days=keep_intermediates_days,
            access_logs=hardened,
        )
        inputs = self._inputs(context, storage)
        dashboard = context.is_on("dashboard")
        alarm_email = context.text(
            "alarm_email",
            _EMAIL,
            "give one e-mail address, as in me@example.com",
            only_with="dashboard=true",
        )
        functions = MapReduceJob(
            self,
            "Job",
            jobs=jobs,
            architecture=context.choice("architecture", (*ARCHITECTURES, "host")),
            inputs=inputs,
            inputs_key=_inputs_key(context),
            blobs=Objects(storage.bucket, BLOBS_PREFIX, storage.bucket_in_findings),
            runs=Objects(storage.bucket, RUNS_PREFIX, storage.bucket_in_findings),
            reused=Objects(storage.bucket, REUSED_PREFIX, storage.bucket_in_findings),
            families=Objects(storage.bucket, FAMILIES_PREFIX, storage.bucket_in_findings),
            pieces=Objects(storage.bucket, PIECES_PREFIX, storage.bucket_in_findings),
            results=Objects(storage.bucket, RESULTS_PREFIX, storage.bucket_in_findings),
            table=storage.table,
            metrics=dashboard,
            keep_intermediates_days=keep_intermediates_days,
            tracing=context.choice("tracing", ("off", "active")) == "active" or hardened,
            reserved_concurrency=context.number("reserved_concurrency", default=None, highest=MOST_RESERVED),
        )
        self._put_out(jobs, storage, inputs, functions)
        if dashboard:
            Dashboard(self, "Dashboard", functions=functions.by_name, alarm_email=alarm_email)
        if hardened:
            Hardening(self, "Hardening", storage=storage, job=functions, inputs=inputs, removal=removal)
        self.template_options.metadata = {SETTINGS: context.noted}

    def _inputs(self, context: Context, storage: Storage) -> Objects:
        """The objects that may be read: of the stack's own bucket, or of the setting ``source_bucket``."""
        # The CDK rejects an invalid bucket name.
        name = context.text("source_bucket", r"(?s).*", "")
        account = context.text(
            "source_bucket_account",
            rf"[0-9]{{12}}|{ANY_ACCOUNT}",
            f"give the 12 digits of the account that owns the bucket, or {ANY_ACCOUNT} for a public one",
            only_with="source_bucket=NAME",
        )
        requester_pays = context.is_on("requester_pays", only_with="source_bucket=NAME")
        if name is None:
            return Objects(storage.bucket, INPUT_PREFIX, storage.bucket_in_findings)
        bucket = s3.Bucket.from_bucket_name(self, "SourceBucket", name)
        return Objects(bucket, "", f"arn:<AWS::Partition>:s3:::{name}", account, requester_pays)

    def _put_out(
        self, jobs: tuple[str, ...], storage: Storage, inputs: Objects, functions: MapReduceJob
    ) -> None:
        outputs = Outputs(
            jobs=jobs,
            own_jobs=tuple(f"{job}={digest_of(job)}" for job in jobs if is_own(job)),
            requester_pays=on_or_off(inputs.requester_pays),
            bucket=storage.bucket.bucket_name,
            source_bucket=inputs.bucket.bucket_name,
            table=storage.table.table_name,
            parse_file=functions.parse_file.function_name,
            parse_block=functions.parse_block.function_name,
            get_all_occurrences=functions.get_all_occurrences.function_name,
            get_occurrences=functions.get_occurrences.function_name,
            log_results=functions.log_results.function_name,
            log_results_log_group=functions.log_results.log_group.log_group_name,
        )
        for name, value in to_texts(outputs).items():
            if value:
                CfnOutput(self, name, value=value)


def _inputs_key(context: Context) -> str | None:
    return context.text(
        "source_bucket_key",
        _KEY_ARN,
        "give the key's ARN, as in arn:aws:kms:REGION:ACCOUNT:key/ID; an alias cannot be granted",
        only_with="source_bucket=NAME",
    )
