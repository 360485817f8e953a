"""Five functions, each with what it needs and nothing else."""

import importlib
from pathlib import Path
from typing import NamedTuple

import pytest
from aws_cdk.assertions import Template
from msgspec import Struct

from fanfold.checkout import ROOT
from lambda_src.settings import (
    GET_ALL_OCCURRENCES_TIMEOUT_S,
    GET_OCCURRENCES_TIMEOUT_S,
    LOG_RESULTS_TIMEOUT_S,
    PARSE_BLOCK_TIMEOUT_S,
    PARSE_FILE_TIMEOUT_S,
    GetAllOccurrencesSettings,
    GetOccurrencesSettings,
    LogResultsSettings,
    ParseBlockSettings,
    ParseFileSettings,
    from_environment,
    to_environment,
)

from .conftest import Synthesize
from .synthesized import FUNCTIONS, Synthesized

LONGEST_TIMEOUT_OF_LAMBDA_S = 900


JOBS = ("top_words", "access_log", "column_permutations", "grep")
"""First the one of a request that names none."""


class Expected(NamedTuple):
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Struct


EXPECTED = {
    "ParseFile": Expected(
        "lambda_src.handlers.parse_file.handler",
        PARSE_FILE_TIMEOUT_S,
        1769,
        ParseFileSettings(
            jobs=JOBS,
            stack="Fanfold",
            url_suffix="AWS::URLSuffix",
            bucket="Bucket",
            source_bucket="Bucket",
            table="Table",
            parse_block_function="ParseBlock",
            get_all_occurrences_function="GetAllOccurrences",
            get_occurrences_function="GetOccurrences",
            log_results_function="LogResults",
            metrics="off",
        ),
    ),
    "ParseBlock": Expected(
        "lambda_src.handlers.parse_block.handler",
        PARSE_BLOCK_TIMEOUT_S,
        1769,
        ParseBlockSettings(jobs=JOBS, url_suffix="AWS::URLSuffix", bucket="Bucket"),
    ),
    "GetAllOccurrences": Expected(
        "lambda_src.handlers.get_all_occurrences.handler",
        GET_ALL_OCCURRENCES_TIMEOUT_S,
        884,
        GetAllOccurrencesSettings(
            jobs=JOBS,
            url_suffix="AWS::URLSuffix",
            table="Table",
            get_occurrences_function="GetOccurrences",
        ),
    ),
    "GetOccurrences": Expected(
        "lambda_src.handlers.get_occurrences.handler",
        GET_OCCURRENCES_TIMEOUT_S,
        1769,
        GetOccurrencesSettings(jobs=JOBS, url_suffix="AWS::URLSuffix", bucket="Bucket", table="Table"),
    ),
    "LogResults": Expected(
        "lambda_src.handlers.log_results.handler",
        LOG_RESULTS_TIMEOUT_S,
        884,
        LogResultsSettings(jobs=JOBS, url_suffix="AWS::URLSuffix", table="Table"),
    ),
}

each_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_there_are_exactly_five(default: Synthesized) -> None:
    Template.from_json(default.template).resource_count_is("AWS::Lambda::Function", 5)
    assert set(EXPECTED) == set(FUNCTIONS)


@each_function
def test_handler_exists(default: Synthesized, name: str) -> None:
    handler = default.function(name)["Handler"]
    assert handler == EXPECTED[name].handler
    module, _, function = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


@each_function
def test_runs_python_3_13_on_arm64_by_default(default: Synthesized, name: str) -> None:
    assert default.function(name)["Runtime"] == "python3.13"
    assert default.function(name)["Architectures"] == ["arm64"]


@each_function
def test_runs_on_x86_64_if_asked_to(x86_64: Synthesized, name: str) -> None:
    assert x86_64.function(name)["Runtime"] == "python3.13"
    assert x86_64.function(name)["Architectures"] == ["x86_64"]


@each_function
def test_timeout_and_memory_fit_the_role(default: Synthesized, name: str) -> None:
    assert default.function(name)["Timeout"] == EXPECTED[name].timeout_s
    assert default.function(name)["MemorySize"] == EXPECTED[name].memory_mb


def test_a_caller_outlives_whom_it_waits_for() -> None:
    assert GET_OCCURRENCES_TIMEOUT_S < GET_ALL_OCCURRENCES_TIMEOUT_S < PARSE_FILE_TIMEOUT_S
    assert max(PARSE_BLOCK_TIMEOUT_S, LOG_RESULTS_TIMEOUT_S) < PARSE_FILE_TIMEOUT_S
    assert PARSE_FILE_TIMEOUT_S <= LONGEST_TIMEOUT_OF_LAMBDA_S


@each_function
def test_environment_is_exactly_its_settings(default: Synthesized, name: str) -> None:
    variables = default.function(name)["Environment"]["Variables"]
    readable = {variable: default.reference(value) for variable, value in variables.items()}
    assert readable == {**to_environment(EXPECTED[name].environment), "OMP_NUM_THREADS": "1"}
    assert from_environment(type(EXPECTED[name].environment), readable) == EXPECTED[name].environment


@each_function
def test_logs_json_into_its_own_group_with_retention(default: Synthesized, name: str) -> None:
    logging = default.function(name)["LoggingConfig"]
    # A group that two functions share has the name of one of them only.
    assert default.reference(logging["LogGroup"]) == f"{name}Log"
    assert logging["LogFormat"] == "JSON"
    assert default.resources()[logging["LogGroup"]["Ref"]]["Properties"] == {"RetentionInDays": 30}


@each_function
def test_reserves_no_concurrency(default: Synthesized, name: str) -> None:
    """Reserving fails on small accounts."""
    assert "ReservedConcurrentExecutions" not in default.function(name)


def test_a_hand_over_is_delivered_soon_or_never(default: Synthesized) -> None:
    """A person resumes what failed, or was not taken over."""
    config = default.the_only("AWS::Lambda::EventInvokeConfig")["Properties"]
    assert default.reference(config["FunctionName"]) == "ParseFile"
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 300)
    assert default.arn(config["DestinationConfig"]["OnFailure"]["Destination"]) == "DroppedEvents"


def test_what_was_dropped_is_kept_encrypted_and_over_tls_only(default: Synthesized) -> None:
    queue = default.the_only("AWS::SQS::Queue")["Properties"]
    assert queue == {"MessageRetentionPeriod": 14 * 86400, "SqsManagedSseEnabled": True}
    policy = default.the_only("AWS::SQS::QueuePolicy")["Properties"]["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert default.reference(default.template["Outputs"]["DroppedEventsQueue"]["Value"]) == "DroppedEvents"


@each_function
def test_a_chain_of_hand_overs_is_no_runaway_recursion(default: Synthesized, name: str) -> None:
    """Lambda stops the chain after 16 of them, unless it is told; no other function invokes itself."""
    assert default.function(name)["RecursiveLoop"] == ("Allow" if name == "ParseFile" else "Terminate")


@each_function
def test_is_traced_only_if_asked_to(default: Synthesized, synthesize: Synthesize, name: str) -> None:
    assert "TracingConfig" not in default.function(name)
    assert synthesize(tracing="active").function(name)["TracingConfig"] == {"Mode": "Active"}


@each_function
def test_reserves_for_parse_block_if_asked_to(synthesize: Synthesize, name: str) -> None:
    reserved = synthesize(reserved_concurrency="50").function(name).get("ReservedConcurrentExecutions")
    assert reserved == (50 if name == "ParseBlock" else None)


@each_function
def test_has_the_layer_attached(default: Synthesized, name: str) -> None:
    layers = ["Layer", "LayerOfJobs"] if name in ("ParseFile", "ParseBlock", "GetOccurrences") else ["Layer"]
    assert [default.reference(layer) for layer in default.function(name)["Layers"]] == layers


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_layer_says_what_it_fits(request: pytest.FixtureRequest, architecture: str) -> None:
    synthesized: Synthesized = request.getfixturevalue("default" if architecture == "arm64" else architecture)
    for layer in synthesized.resources("AWS::Lambda::LayerVersion").values():
        assert layer["Properties"]["CompatibleArchitectures"] == [architecture]
        assert layer["Properties"]["CompatibleRuntimes"] == ["python3.13"]


def test_code_is_the_sources_with_their_bytecode_and_the_authorities(default: Synthesized) -> None:
    (key,) = {default.function(name)["Code"]["S3Key"] for name in FUNCTIONS}
    code = default.asset(key)
    published = {path.relative_to(code) for path in code.rglob("*") if path.is_file()}
    sources = {path.relative_to(ROOT) for path in (ROOT / "lambda_src").rglob("*.py")}
    assert published == {
        *sources,
        Path("lambda_src/aws/amazon_roots.pem"),
        *(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources),
    }
