"""Lambdas of one code asset and one layer of dependencies."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct
from msgspec import Struct

from fanfold.checkout import ROOT
from lambda_src.settings import ONE_VCPU_MB, THREADS, to_environment
from stacks.assets import code_of
from stacks.dependency_layer import LOCK, RUNTIME_PYTHON, build_layer, host_architecture
from stacks.function_code import build_code
from stacks.native_library import build_libraries

ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


class Functions(Construct):
    """The code, the layer, and a method that makes the function of a handler. The code also has the
    ``own_jobs`` of other authors, and the layer the libraries of ``sources``. With ``tracing``, X-Ray shows a
    share of the calls."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        architecture: str,
        sources: Sequence[Path],
        own_jobs: Sequence[str],
        tracing: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-L1",
                reason="python3.13 on purpose: it starts in 82 ms at the median, python3.14 in 104 ms.",
            )
        )
        self._architecture = ARCHITECTURES[host_architecture() if architecture == "host" else architecture]
        self._runtime = lambda_.Runtime(f"python{RUNTIME_PYTHON}", lambda_.RuntimeFamily.PYTHON)
        self._code = code_of(build_code(architecture, own_jobs))
        self._tracing = tracing
        self._wheels_for = architecture
        self._dependencies = self.layer("Dependencies", [LOCK], sources)

    def layer(self, name: str, locks: Sequence[Path], sources: Sequence[Path] = ()) -> lambda_.LayerVersion:
        """The packages of ``locks`` as a layer, with the libraries of ``sources``."""
        libraries = build_libraries(self._wheels_for, sources) if sources else None
        return lambda_.LayerVersion(
            self,
            name,
            code=code_of(build_layer(self._wheels_for, locks, libraries)),
            compatible_architectures=[self._architecture],
            compatible_runtimes=[self._runtime],
            description=f"The packages of {', '.join(map(_name_of, locks))}"[:256],
        )

    def function(
        self,
        handler: str,
        environment: Struct,
        *,
        memory_mb: int,
        timeout_s: int,
        layers: Sequence[lambda_.ILayerVersion] = (),
        invokes_itself: bool = False,
        reserved_concurrency: int | None = None,
    ) -> lambda_.Function:
        """The function of ``lambda_src/handlers/<handler>.py``, with a role that may only write its own log.
        Lambda would stop a function that ``invokes_itself`` after 16 times, as a runaway recursion."""
        name = "".join(word.capitalize() for word in handler.split("_"))
        log_group = logs.LogGroup(
            self, f"{name}Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = iam.Role(self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
            )
        )
        if self._tracing:
            _allow_tracing(role)
        return lambda_.Function(
            self,
            name,
            runtime=self._runtime,
            architecture=self._architecture,
            handler=f"lambda_src.handlers.{handler}.handler",
            code=self._code,
            layers=[self._dependencies, *layers],
            environment={**to_environment(environment), THREADS: str(max(1, memory_mb // ONE_VCPU_MB))},
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_s),
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if invokes_itself else lambda_.RecursiveLoop.TERMINATE,
            tracing=lambda_.Tracing.ACTIVE if self._tracing else None,
            reserved_concurrent_executions=reserved_concurrency,
        )


def _name_of(lock: Path) -> str:
    """A lock without the place of an author's folder on their machine."""
    return str(lock.relative_to(ROOT) if lock.is_relative_to(ROOT) else Path(lock.parent.name, lock.name))


def _allow_tracing(role: iam.Role) -> None:
    role.add_to_policy(
        iam.PolicyStatement(actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"])
    )
    Validations.of(role).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            reason="X-Ray has no resources that these two actions could be limited to.",
        )
    )
