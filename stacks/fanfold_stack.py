"""The stack: its storage, its functions, and the settings of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from aws_cdk import PermissionsBoundary, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fanfold.errors import JobNotUsable
from fanfold.job_code import FILES, jobs_in_setting
from lambda_src.errors import InvalidRequest
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB, SETTINGS, stack_name
from lambda_src.store.keys import INPUT_PREFIX
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
_SCHEDULE = (
    r"rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]{1,3}) (minutes|hours|days))\)"
    r"|cron\([^()\s]+( [^()\s]+){5}\)"
)
_BUS = r"[A-Za-z0-9._/-]{1,256}"
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
        unattended = _unattended(context)
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
            storage=storage,
            metrics=dashboard,
            keep_intermediates_days=keep_intermediates_days,
            tracing=context.choice("tracing", ("off", "active")) == "active" or hardened,
            reserved_concurrency=context.number("reserved_concurrency", default=None, highest=MOST_RESERVED),
        )
        functions.put_out()
        unattended.apply(functions)
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
            return Objects(storage.bucket, INPUT_PREFIX)
        bucket = s3.Bucket.from_bucket_name(self, "SourceBucket", name)
        return Objects(bucket, "", account, requester_pays)


class _Unattended(NamedTuple):
    """What the settings say of runs without a person."""

    expression: str | None
    scheduled: dict[str, Any] | None
    arriving: dict[str, Any] | None
    bus: str | None

    def apply(self, functions: MapReduceJob) -> None:
        """Add what is on to ``functions``. Raises InvalidContext."""
        if self.expression and self.scheduled:
            with _refusing("schedule_request"):
                functions.schedule(self.expression, self.scheduled)
        if self.arriving:
            with _refusing("on_arrival"):
                functions.start_on_arrival(self.arriving)
        if self.bus:
            functions.announce_runs(self.bus)


def _unattended(context: Context) -> _Unattended:
    return _Unattended(
        context.text(
            "schedule",
            _SCHEDULE,
            "give rate(1 day) or, in UTC, cron(0 6 * * ? *), as EventBridge Scheduler writes them",
            only_with="schedule_request=REQUEST",
        ),
        context.request("schedule_request", only_with="schedule=EXPRESSION"),
        context.request("on_arrival"),
        context.text("run_events", _BUS, "give the name of an event bus, such as default"),
    )


@contextmanager
def _refusing(setting: str) -> Iterator[None]:
    try:
        yield
    except InvalidRequest as error:
        raise InvalidContext(f"-c {setting}: {error}") from None


def _inputs_key(context: Context) -> str | None:
    return context.text(
        "source_bucket_key",
        _KEY_ARN,
        "give the key's ARN, as in arn:aws:kms:REGION:ACCOUNT:key/ID; an alias cannot be granted",
        only_with="source_bucket=NAME",
    )
