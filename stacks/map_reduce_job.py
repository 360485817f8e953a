"""Jobs as five functions, with their grants and their logs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aws_cdk import Acknowledgment, CfnOutput, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fanfold.job_code import digest_of, is_own, job_named
from lambda_src.errors import InvalidRequest
from lambda_src.fields import FUNCTIONS, Function
from lambda_src.input.compression import RESERVE_S
from lambda_src.job import names
from lambda_src.settings import (
    DEFAULT_JOB,
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    LOG_RESULTS_TIMEOUT_S,
    ONE_VCPU_MB,
    PARSE_BLOCK_TIMEOUT_S,
    PARSE_FILE_TIMEOUT_S,
    GetAllOccurrencesSettings,
    GetOccurrencesSettings,
    LogResultsSettings,
    Outputs,
    ParseBlockSettings,
    ParseFileSettings,
    on_or_off,
    to_texts,
)
from lambda_src.store.keys import (
    BLOBS_PREFIX,
    FAMILIES_PREFIX,
    INPUT_PREFIX,
    PIECES_PREFIX,
    RESULTS_PREFIX,
    REUSED_PREFIX,
    RUNS_PREFIX,
)
from stacks.dependency_layer import locks_of_jobs
from stacks.dropped_events import DroppedEvents
from stacks.findings import arn_in_findings
from stacks.functions import Functions
from stacks.native_library import sources_of_jobs
from stacks.requests import check_again
from stacks.storage import Storage, removal_of
from stacks.unattended import Announcements, Arrivals, Schedule

PREFIXES = (BLOBS_PREFIX, RUNS_PREFIX, REUSED_PREFIX, FAMILIES_PREFIX, PIECES_PREFIX, RESULTS_PREFIX)

JOBS = tuple(sorted(names(), key=lambda name: name != DEFAULT_JOB))
"""All of them, first the one of a request that names none."""

ANY_ACCOUNT = "any"
"""Stands for any account: the owner of a public bucket may be unknown."""


class Objects(NamedTuple):
    """The objects of ``bucket`` whose keys begin with ``prefix``. The bucket must belong to ``account``, by
    default the stack's own: a bucket of the same name in another account is neither read nor written. With
    ``requester_pays`` the reader pays."""

    bucket: s3.IBucket
    prefix: str = ""
    account: str | None = None
    requester_pays: bool = False


class MapReduceJob(Construct):
    """``jobs`` as functions that read ``inputs``: Fanfold's by their names, jobs of your own by the paths of
    their files. A request that names none is for the first; by default, all of Fanfold's are there.

    Intermediates and results are kept in ``storage``; without it, the construct has a bucket and a table of
    its own, which stay when it is removed. Blobs are stored for ``keep_intermediates_days``, as the storage's
    lifecycle rules must say. ``architecture`` is ``arm64``, ``x86_64``, or ``host`` for the local AWS.
    ``inputs_key`` is the ARN of the customer's KMS key of the inputs, if they have one. The packages of the
    jobs' own locks go to the functions that measure, map and reduce, their compiled C goes to all.
    ``metrics`` of each run cost money. ``reserved_concurrency`` is the concurrency of ``parse_block``: it can
    use no more, and other functions of the account cannot take it away.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        inputs: Objects,
        jobs: Sequence[str] = JOBS,
        storage: Storage | None = None,
        keep_intermediates_days: int = 1,
        architecture: str = "arm64",
        inputs_key: str | None = None,
        metrics: bool = False,
        tracing: bool = False,
        reserved_concurrency: int | None = None,
        map_memory_mb: int = ONE_VCPU_MB,
        map_timeout_s: int = PARSE_BLOCK_TIMEOUT_S,
        reduce_memory_mb: int = ONE_VCPU_MB,
    ) -> None:
        super().__init__(scope, construct_id)
        if map_timeout_s <= RESERVE_S:
            raise InvalidRequest(
                f"map_timeout_s: give more than {RESERVE_S:.0f} seconds, not {map_timeout_s}. A block fails "
                f"when less than {RESERVE_S:.0f} of them are left, so every block would."
            )
        self._jobs = tuple(map(job_named, jobs))
        self._url_suffix = Stack.of(self).url_suffix
        self.storage = storage or Storage(
            self,
            "Storage",
            removal=removal_of(retain_data=True),
            keep_intermediates_days=keep_intermediates_days,
            access_logs=False,
        )
        self._inputs, self._table = inputs, self.storage.table
        self._blobs, self._runs, self._reused, self._families, self._pieces, self._results = (
            Objects(self.storage.bucket, prefix) for prefix in PREFIXES
        )
        self._bucket = self.storage.bucket.bucket_name
        self._requester_pays = on_or_off(inputs.requester_pays)
        self._functions = Functions(
            self,
            "Functions",
            architecture=architecture,
            sources=sources_of_jobs(self._jobs),
            own_jobs=[job for job in self._jobs if is_own(job)],
            tracing=tracing,
        )
        locks = locks_of_jobs(self._jobs)
        self._job_layers = [self._functions.layer("DependenciesOfJobs", locks)] if locks else []

        self.parse_block = self._make_parse_block(map_memory_mb, map_timeout_s, reserved_concurrency)
        self.get_occurrences = self._make_get_occurrences(reduce_memory_mb)
        self.get_all_occurrences = self._make_get_all_occurrences()
        self.log_results = self._make_log_results()
        self.parse_file = self._make_parse_file(metrics, keep_intermediates_days)
        if inputs_key:
            for reader in (self.parse_file, self.parse_block):
                _allow(reader, ["kms:Decrypt"], [inputs_key])
        self.dropped_events = DroppedEvents(self, "DroppedEvents", self.parse_file).queue
        self.reserves = reserved_concurrency is not None
        self.by_name: dict[Function, lambda_.Function] = {name: getattr(self, name) for name in FUNCTIONS}
        self.unattended: list[Schedule | Arrivals | Announcements] = []

    def schedule(self, expression: str, request: Mapping[str, Any]) -> None:
        """Start ``request`` at the times of ``expression``, as EventBridge Scheduler writes them:
        ``rate(1 day)`` or, in UTC, ``cron(0 6 * * ? *)``."""
        self._check(request)
        self.unattended.append(
            Schedule(
                self,
                "Schedule",
                expression=expression,
                request=request,
                parse_file=self.parse_file,
                dead_letters=self.dropped_events,
            )
        )

    def start_on_arrival(self, request: Mapping[str, Any]) -> None:
        """Start ``request`` when objects have arrived under its prefix. A bucket of your own must have
        ``event_bridge_enabled=True``."""
        self._check(request)
        if "prefix" not in request:
            raise InvalidRequest("prefix: a start on arrival needs the prefix under which objects arrive.")
        if self._inputs.account:
            raise InvalidRequest("A start on arrival needs a bucket of this account, whose events come here.")
        if self._inputs.bucket is self.storage.bucket:
            self.storage.send_events()
        self.unattended.append(
            Arrivals(
                self,
                "Arrivals",
                bucket=self._inputs.bucket.bucket_name,
                request=request,
                parse_file=self.parse_file,
            )
        )

    def announce_runs(self, bus: str = "default") -> None:
        """Put an event on ``bus``, an event bus of this account and region, when a run has ended."""
        self.unattended.append(
            Announcements(
                self,
                "Announcements",
                bus=bus,
                table=self.storage.table,
                functions=self._functions,
                dead_letters=self.dropped_events,
            )
        )

    def put_out(self) -> None:
        """Add the outputs that `fanfold` reads. A stack can have them once."""
        outputs = Outputs(
            jobs=self._jobs,
            own_jobs=tuple(f"{job}={digest_of(job)}" for job in self._jobs if is_own(job)),
            requester_pays=self._requester_pays,
            bucket=self._bucket,
            source_bucket=self._inputs.bucket.bucket_name,
            table=self._table.table_name,
            parse_file=self.parse_file.function_name,
            parse_block=self.parse_block.function_name,
            get_all_occurrences=self.get_all_occurrences.function_name,
            get_occurrences=self.get_occurrences.function_name,
            log_results=self.log_results.function_name,
            log_results_log_group=self.log_results.log_group.log_group_name,
        )
        for name, value in to_texts(outputs).items():
            if value:
                CfnOutput(Stack.of(self), name, value=value)
        CfnOutput(Stack.of(self), "DroppedEventsQueue", value=self.dropped_events.queue_url)

    def _check(self, request: Mapping[str, Any]) -> None:
        """Raise InvalidRequest if ``request`` would be refused, or cannot be sent again and again."""
        own = self._inputs.bucket is self.storage.bucket
        check_again(request, self._jobs, INPUT_PREFIX if own else self._inputs.prefix)

    def _make_parse_block(
        self, memory_mb: int, timeout_s: int, reserved_concurrency: int | None
    ) -> lambda_.Function:
        function = self._functions.function(
            "parse_block",
            ParseBlockSettings(
                jobs=self._jobs,
                url_suffix=self._url_suffix,
                bucket=self._bucket,
                requester_pays=self._requester_pays,
            ),
            memory_mb=memory_mb,
            timeout_s=timeout_s,
            layers=self._job_layers,
            reserved_concurrency=reserved_concurrency,
        )
        _allow_objects(function, "s3:GetObject", self._inputs)
        _allow_objects(function, "s3:GetObjectVersion", self._inputs)
        _allow_objects(function, "s3:PutObject", self._blobs)
        _allow_objects(function, "s3:PutObject", self._reused)
        _allow_objects(function, "s3:PutObject", self._pieces)
        _allow_objects(function, "s3:GetObject", self._runs)
        return function

    def _make_get_occurrences(self, memory_mb: int) -> lambda_.Function:
        function = self._functions.function(
            "get_occurrences",
            GetOccurrencesSettings(
                jobs=self._jobs,
                url_suffix=self._url_suffix,
                bucket=self._bucket,
                table=self._table.table_name,
            ),
            memory_mb=memory_mb,
            timeout_s=GET_OCCURRENCES_TIMEOUT_S,
            layers=self._job_layers,
        )
        _allow_objects(function, "s3:GetObject", self._blobs)
        _allow_objects(function, "s3:GetObject", self._reused)
        _allow_objects(function, "s3:GetObject", self._runs)
        _allow_objects(function, "s3:PutObject", self._results)
        _allow(function, ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"], [self._table.table_arn])
        return function

    def _make_get_all_occurrences(self) -> lambda_.Function:
        function = self._functions.function(
            "get_all_occurrences",
            GetAllOccurrencesSettings(
                jobs=self._jobs,
                url_suffix=self._url_suffix,
                table=self._table.table_name,
                get_occurrences_function=self.get_occurrences.function_name,
            ),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=GET_ALL_OCCURRENCES_TIMEOUT_S,
        )
        _allow(function, ["lambda:InvokeFunction"], [self.get_occurrences.function_arn])
        _allow(function, ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"], [self._table.table_arn])
        return function

    def _make_log_results(self) -> lambda_.Function:
        function = self._functions.function(
            "log_results",
            LogResultsSettings(jobs=self._jobs, url_suffix=self._url_suffix, table=self._table.table_name),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=LOG_RESULTS_TIMEOUT_S,
        )
        _allow(function, ["dynamodb:Query"], [self._table.table_arn])
        return function

    def _make_parse_file(self, metrics: bool, keep_intermediates_days: int) -> lambda_.Function:
        function = self._functions.function(
            "parse_file",
            ParseFileSettings(
                jobs=self._jobs,
                stack=Stack.of(self).stack_name,
                url_suffix=self._url_suffix,
                bucket=self._bucket,
                source_bucket=self._inputs.bucket.bucket_name,
                table=self._table.table_name,
                parse_block_function=self.parse_block.function_name,
                get_all_occurrences_function=self.get_all_occurrences.function_name,
                get_occurrences_function=self.get_occurrences.function_name,
                log_results_function=self.log_results.function_name,
                metrics=on_or_off(metrics),
                requester_pays=self._requester_pays,
                keep_intermediates_days=keep_intermediates_days,
            ),
            memory_mb=ONE_VCPU_MB,
            timeout_s=PARSE_FILE_TIMEOUT_S,
            layers=self._job_layers,
            invokes_itself=True,
        )
        self._grant_parse_file(function)
        return function

    def _grant_parse_file(self, function: lambda_.Function) -> None:
        _allow_objects(function, "s3:GetObject", self._inputs)
        _allow_objects(function, "s3:GetObjectVersion", self._inputs)
        _allow_listing(function, self._inputs)
        _allow_objects(function, "s3:PutObject", self._runs)
        _allow_objects(function, "s3:GetObject", self._runs)
        _allow_objects(function, "s3:GetObject", self._blobs)
        _allow_objects(function, "s3:DeleteObject", self._blobs)
        _allow_objects(function, "s3:GetObject", self._reused)
        _allow_objects(function, "s3:GetObject", self._families)
        _allow_objects(function, "s3:PutObject", self._families)
        table_actions = ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query")
        _allow(function, [f"dynamodb:{action}" for action in table_actions], [self._table.table_arn])
        callees = (self.parse_block, self.get_all_occurrences, self.get_occurrences, self.log_results)
        _allow(function, ["lambda:InvokeFunction"], [callee.function_arn for callee in callees])
        # Separate from the role: a policy of the role would have to exist before the function that it names.
        iam.Policy(
            self,
            "ParseFileHandsOver",
            roles=[role_of(function)],
            statements=[
                iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])
            ],
        )


def _allow(function: lambda_.Function, actions: list[str], resources: list[str]) -> None:
    function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))


def _allow_objects(function: lambda_.Function, action: str, objects: Objects) -> None:
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=[action],
            resources=[objects.bucket.arn_for_objects(f"{objects.prefix}*")],
            conditions=_of_account(function, objects),
        )
    )
    Validations.of(role_of(function)).acknowledge(
        Acknowledgment(
            id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn_in_findings(function, objects.bucket)}/"
            f"{objects.prefix}*]",
            reason="The wildcard stands for objects only, and for no other prefix than the function's own.",
        )
    )


def _allow_listing(function: lambda_.Function, objects: Objects) -> None:
    conditions = _of_account(function, objects)
    if objects.prefix:
        conditions["StringLike"] = {"s3:prefix": f"{objects.prefix}*"}
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["s3:ListBucket"], resources=[objects.bucket.bucket_arn], conditions=conditions
        )
    )


def _of_account(function: lambda_.Function, objects: Objects) -> dict[str, Any]:
    if objects.account == ANY_ACCOUNT:
        return {}
    return {"StringEquals": {"aws:ResourceAccount": objects.account or Stack.of(function).account}}


def role_of(function: lambda_.Function) -> iam.IRole:
    """The function's own role."""
    assert function.role is not None, "Functions gives every function a role of its own"
    return function.role
