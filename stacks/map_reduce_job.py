"""One job as five functions, with their grants and their logs."""

from typing import Any, NamedTuple

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

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
)
from stacks.dependency_layer import lock_of_job
from stacks.dropped_events import DroppedEvents
from stacks.functions import Functions
from stacks.native_library import source_of_job


class Objects(NamedTuple):
    """The objects of ``bucket`` whose keys begin with ``prefix``; ``finding`` is how cdk-nag writes the
    bucket's ARN. The bucket belongs to ``account``, if not to the stack's own: no other is read or written,
    should the name come to belong to somebody else. With ``requester_pays`` the reader pays."""

    bucket: s3.IBucket
    prefix: str
    finding: str
    account: str | None = None
    requester_pays: bool = False


class MapReduceJob(Construct):
    """``job`` is a module of ``lambda_src.jobs``. It reads ``inputs``, keeps intermediates in ``blobs`` and
    ``runs``, and results in ``table``. ``inputs_key`` is the ARN of the KMS key of its inputs, if they have
    one of the customer's. The packages of its own lock go to the two functions that map, what it has in C to
    all. With ``metrics``, which cost money, it publishes what became of each run. At most
    ``reserved_concurrency`` calls of ``parse_block`` run at once, and no other function of the account can
    take that from it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        job: str,
        architecture: str,
        inputs: Objects,
        inputs_key: str | None,
        blobs: Objects,
        runs: Objects,
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
        functions = Functions(
            self, "Functions", architecture=architecture, source=source_of_job(job), tracing=tracing
        )
        lock = lock_of_job(job)
        layers = [functions.layer("DependenciesOfJob", lock)] if lock else []
        url_suffix, bucket = Stack.of(self).url_suffix, blobs.bucket.bucket_name

        self.parse_block = functions.function(
            "parse_block",
            ParseBlockSettings(
                job=job,
                url_suffix=url_suffix,
                bucket=bucket,
                requester_pays="on" if inputs.requester_pays else "off",
            ),
            memory_mb=map_memory_mb,
            timeout_s=map_timeout_s,
            layers=layers,
            reserved_concurrency=reserved_concurrency,
        )
        _allow_objects(self.parse_block, "s3:GetObject", inputs)
        _allow_objects(self.parse_block, "s3:GetObjectVersion", inputs)
        _allow_objects(self.parse_block, "s3:PutObject", blobs)
        _allow_objects(self.parse_block, "s3:GetObject", runs)

        self.get_occurrences = functions.function(
            "get_occurrences",
            GetOccurrencesSettings(job=job, url_suffix=url_suffix, bucket=bucket, table=table.table_name),
            memory_mb=reduce_memory_mb,
            timeout_s=GET_OCCURRENCES_TIMEOUT_S,
        )
        _allow_objects(self.get_occurrences, "s3:GetObject", blobs)
        _allow_objects(self.get_occurrences, "s3:GetObject", runs)
        _allow(self.get_occurrences, ["dynamodb:ConditionCheckItem", "dynamodb:PutItem"], [table.table_arn])

        self.get_all_occurrences = functions.function(
            "get_all_occurrences",
            GetAllOccurrencesSettings(
                job=job,
                url_suffix=url_suffix,
                get_occurrences_function=self.get_occurrences.function_name,
            ),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=GET_ALL_OCCURRENCES_TIMEOUT_S,
        )
        _allow(self.get_all_occurrences, ["lambda:InvokeFunction"], [self.get_occurrences.function_arn])

        self.log_results = functions.function(
            "log_results",
            LogResultsSettings(job=job, url_suffix=url_suffix, table=table.table_name),
            memory_mb=ONE_VCPU_MB // 2,
            timeout_s=LOG_RESULTS_TIMEOUT_S,
        )
        _allow(self.log_results, ["dynamodb:Query"], [table.table_arn])

        self.parse_file = functions.function(
            "parse_file",
            ParseFileSettings(
                job=job,
                url_suffix=url_suffix,
                bucket=bucket,
                source_bucket=inputs.bucket.bucket_name,
                table=table.table_name,
                parse_block_function=self.parse_block.function_name,
                get_all_occurrences_function=self.get_all_occurrences.function_name,
                get_occurrences_function=self.get_occurrences.function_name,
                log_results_function=self.log_results.function_name,
                metrics="on" if metrics else "off",
                requester_pays="on" if inputs.requester_pays else "off",
                keep_intermediates_days=keep_intermediates_days,
            ),
            memory_mb=ONE_VCPU_MB,
            timeout_s=PARSE_FILE_TIMEOUT_S,
            layers=layers,
            invokes_itself=True,
        )
        _allow_objects(self.parse_file, "s3:GetObject", inputs)
        _allow_objects(self.parse_file, "s3:GetObjectVersion", inputs)
        _allow_listing(self.parse_file, inputs)
        _allow_objects(self.parse_file, "s3:PutObject", runs)
        _allow_objects(self.parse_file, "s3:GetObject", runs)
        _allow_objects(self.parse_file, "s3:GetObject", blobs)
        _allow_objects(self.parse_file, "s3:DeleteObject", blobs)
        _allow(
            self.parse_file,
            [
                f"dynamodb:{action}"
                for action in ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query")
            ],
            [table.table_arn],
        )
        callees = (self.parse_block, self.get_all_occurrences, self.get_occurrences, self.log_results)
        _allow(self.parse_file, ["lambda:InvokeFunction"], [callee.function_arn for callee in callees])
        if inputs_key:
            for reader in (self.parse_file, self.parse_block):
                _allow(reader, ["kms:Decrypt"], [inputs_key])

        # Apart from the role, for a function cannot be made after a policy that names it.
        iam.Policy(
            self,
            "ParseFileHandsOver",
            roles=[_role(self.parse_file)],
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[self.parse_file.function_arn]
                )
            ],
        )
        self.dropped_events = DroppedEvents(self, "DroppedEvents", self.parse_file).queue
        self.reserves = reserved_concurrency is not None
        self.by_name = {
            "parse_file": self.parse_file,
            "parse_block": self.parse_block,
            "get_all_occurrences": self.get_all_occurrences,
            "get_occurrences": self.get_occurrences,
            "log_results": self.log_results,
        }


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
    Validations.of(_role(function)).acknowledge(
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
    return {"StringEquals": {"aws:ResourceAccount": objects.account or Stack.of(function).account}}


def _role(function: lambda_.Function) -> iam.IRole:
    assert function.role is not None, "Functions gives every function a role of its own"
    return function.role
