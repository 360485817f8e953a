"""Jobs as five functions, with their grants and their logs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fanfold.job_code import is_own
from lambda_src.fields import FUNCTIONS, Function
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    LOG_RESULTS_TIMEOUT_S,
    ONE_VCPU_MB,
    PARSE_BLOCK_TIMEOUT_S,
    PARSE_FILE_TIMEOUT_S,
    GetAllOccurrencesSettings,
    GetOccurrencesSettings,
    LogResultsSettings,
    ParseBlockSettings,
    ParseFileSettings,
    on_or_off,
)
from stacks.dependency_layer import locks_of_jobs
from stacks.dropped_events import DroppedEvents
from stacks.functions import Functions
from stacks.native_library import sources_of_jobs

ANY_ACCOUNT = "any"
"""Stands for any account: the owner of a public bucket may be unknown."""


class Objects(NamedTuple):
    """The objects of ``bucket`` whose keys begin with ``prefix``. ``finding`` is the bucket's ARN as cdk-nag
    writes it. The bucket must belong to ``account``, by default the stack's own: a bucket of the same name in
    another account is neither read nor written. With ``requester_pays`` the reader pays."""

    bucket: s3.IBucket
    prefix: str
    finding: str
    account: str | None = None
    requester_pays: bool = False


class MapReduceJob(Construct):
    """The functions of ``jobs``, modules of ``lambda_src.jobs``. A request that names none is for the first.

    They read ``inputs``, keep intermediates in ``blobs`` and ``runs``, what later runs may use in ``reused``
    and ``families``, results in ``table``, pieces of blocks in ``pieces``, and complete sums in ``results``.
    ``inputs_key`` is the ARN of the customer's KMS key of the inputs, if they have one. The packages of the
    jobs' own locks go to the two functions that map, their compiled C goes to all. ``metrics`` of each run
    cost money. ``reserved_concurrency`` is the concurrency of ``parse_block``: it can use no more, and other
    functions of the account cannot take it away.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        jobs: Sequence[str],
        architecture: str,
        inputs: Objects,
        inputs_key: str | None,
        blobs: Objects,
        runs: Objects,
        reused: Objects,
        families: Objects,
        pieces: Objects,
        results: Objects,
        table: dynamodb.TableV2,
        metrics: bool,
        keep_intermediates_days: int,
        tracing: bool,
        reserved_concurrency: int | None,
        map_memory_mb: int = ONE_VCPU_MB,
        map_timeout_s: int = PARSE_BLOCK_TIMEOUT_S,
        reduce_memory_mb: int = ONE_VCPU_MB,
    ) -> None:
        super().__init__(scope, construct_id)
        self._jobs, self._url_suffix = tuple(jobs), Stack.of(self).url_suffix
        self._inputs, self._blobs, self._runs, self._table = inputs, blobs, runs, table
        self._reused, self._families = reused, families
        self._pieces, self._results = pieces, results
        self._bucket = blobs.bucket.bucket_name
        self._requester_pays = on_or_off(inputs.requester_pays)
        self._functions = Functions(
            self,
            "Functions",
            architecture=architecture,
            sources=sources_of_jobs(jobs),
            own_jobs=[job for job in jobs if is_own(job)],
            tracing=tracing,
        )
        locks = locks_of_jobs(jobs)
        self._map_layers = [self._functions.layer("DependenciesOfJobs", locks)] if locks else []

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
            layers=self._map_layers,
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
            layers=self._map_layers,
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
            id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{objects.finding}/{objects.prefix}*]",
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
