"""What Lambda will run, run: python3.13 for arm64 on the arm64 layers, against the local AWS over TLS. It
must store the same bytes as this machine's Python does for the same requests."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from fanfold.account.connection import Aws, account_of
from fanfold.checkout import ROOT
from fanfold.jobs import client_job
from fanfold.local_aws.server import LocalAws
from lambda_src import job
from lambda_src.aws import source
from lambda_src.aws.listing import pin_prefix
from lambda_src.aws.s3 import open_bucket
from lambda_src.input.blocks import split
from lambda_src.job import Job, Measured, Span
from lambda_src.run.proof import check_mapped, check_parts, check_shards
from lambda_src.run.reduce_shards import finish_shards
from lambda_src.run.summary import summarize
from lambda_src.store.blobs import BlobStore
from lambda_src.store.keys import BLOBS_PREFIX
from lambda_src.store.results import ResultsTable
from lambda_src.wire.codec import encode, to_plain
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import (
    REDUCED,
    BlobHeader,
    BlockReport,
    Manifest,
    PartReport,
    ShardReport,
    without_usage,
)
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    ParseBlockRequest,
    RunContext,
)
from lambda_src.wire.source import Source
from stacks.dependency_layer import RUNTIME_PYTHON
from tests.arm64.conftest import INVOKE, URL_SUFFIX, Machine, Report

pytestmark = pytest.mark.arm64

SAMPLE_BYTES = 400_000
BLOCKS = 3
INPUTS = "fanfold-inputs"
OWNER = "owner"
HANDLERS = sorted(path.stem for path in (ROOT / "lambda_src" / "handlers").glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def aws(local: LocalAws, arm64: Machine, host: Machine) -> Iterator[Aws]:
    """The local AWS, which this process's own clients ask too, with a bucket of inputs, and each machine's
    bucket and table."""
    aws = account_of(local.environment)
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    s3.create_bucket(Bucket=INPUTS)
    for machine in (arm64, host):
        s3.create_bucket(Bucket=machine.bucket)
        dynamodb.create_table(
            TableName=machine.table,
            KeySchema=[
                {"AttributeName": "run_id", "KeyType": "HASH"},
                {"AttributeName": "item", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("run_id", "item")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in arm64.environment.items():
            patch.setenv(variable, value)
        yield aws


class Run(NamedTuple):
    """The requests of a run of the job ``job``."""

    job: str
    run_id: str
    deployed: Job
    pinned: Source
    measured: Measured
    blocks: list[ParseBlockRequest]
    context: RunContext


class Blob(NamedTuple):
    """The header without the rules, which name the version of Unicode: that of this machine's Python may be
    another. The lines as they are."""

    header_bytes: int
    header: BlobHeader
    lines: bytes


class Done(NamedTuple):
    """What a machine stored and answered, and its reports of either stage."""

    blobs: dict[str, Blob]
    blocks: list[BlockReport]
    parts: list[PartReport]
    parsed: Report
    reduced: Report


@pytest.mark.parametrize("name", job.names())
def test_arm64_stores_what_this_machine_stores(
    aws: Aws, arm64: Machine, host: Machine, tmp_path: Path, name: str
) -> None:
    generate = client_job(name).sample
    assert generate
    sample = generate(tmp_path, SAMPLE_BYTES, 7, lambda _: None)
    run = prepare(aws, name, sample.path)
    there, here = do(aws, arm64, run), do(aws, host, run)

    assert there.blobs == here.blobs
    assert len(there.blobs) == BLOCKS
    assert there.blocks == here.blocks
    assert there.parts == here.parts
    extras = Counter[str]()
    for block in there.blocks:
        extras.update(block.extras)
    record = RunRecord(run_id=name, started_at=0.0, facts=dict(run.measured.facts), extras=dict(extras))
    assert sample.wrong(summarize(run.deployed, record, there.parts)) == []

    for function, on_arm64, on_host in (
        ("parse_block", there.parsed, here.parsed),
        ("get_occurrences", there.reduced, here.reduced),
    ):
        check_is_lambdas(on_arm64, arm64, function, name)
        compiled = compiled_packages(on_arm64, arm64, function, name)
        assert compiled == compiled_packages(on_host, host, function, name)
        assert compiled >= {"python/msgspec", "python/obstore"}


def test_arm64_removes_markup_and_finds_unicodes_words_as_this_machine_does(
    aws: Aws, arm64: Machine, host: Machine
) -> None:
    options = {"markup": "mediawiki", "words": "unicode", "longest": 30, "stop_words": ["the"]}
    run = prepare(aws, "top_words", ROOT / "tests" / "wikipedia" / "articles.xml", options)
    there, here = do(aws, arm64, run), do(aws, host, run)
    assert there.blobs == here.blobs
    assert there.blocks == here.blocks
    assert there.parts == here.parts
    assert sum(block.extras["articles"] for block in there.blocks)
    assert sum(block.extras["native_blocks"] for block in there.blocks) == BLOCKS
    assert any(part.observations for part in there.parts)


@pytest.mark.parametrize("function", HANDLERS)
def test_every_handler_starts_on_arm64(arm64: Machine, function: str) -> None:
    check_is_lambdas(arm64.invoke(function, "top_words"), arm64, function, "top_words")


def prepare(aws: Aws, name: str, sample: Path, options: Mapping[str, Any] = {}) -> Run:
    """Store the sample, and pin, measure and cut it as ``parse_file`` does."""
    deployed, run_id = job.load(name).with_options(options), f"{name}{'-options' if options else ''}"
    for file in [sample] if sample.is_file() else sample.iterdir():
        aws.client("s3").put_object(Bucket=INPUTS, Key=f"{run_id}/{file.name}", Body=file.read_bytes())
    pinned, listing, *_ = pin_prefix(aws.client("s3"), INPUTS, f"{run_id}/")
    objects = open_bucket(INPUTS, URL_SUFFIX)
    measured = deployed.measure(source.input_of(objects, pinned, listing.addresses))
    context = RunContext(name, deployed.shards("run"), dict(options), dict(measured.facts))
    blocks = [
        ParseBlockRequest(
            run_id, pinned, *block, listing.portion(Span(block.start, block.end)), deployed.rules, context
        )
        for block in split(measured.units, -(-measured.units // BLOCKS))
    ]
    return Run(name, run_id, deployed, pinned, measured, blocks, context)


def do(aws: Aws, machine: Machine, run: Run) -> Done:
    """Do ``run`` on ``machine``, whose workers must pass the engine's checks."""
    rules = machine.invoke("parse_block", run.job).rules
    blocks_to_parse = [msgspec.structs.replace(block, rules=rules) for block in run.blocks]
    parsed = machine.invoke("parse_block", run.job, *map(to_plain, blocks_to_parse))
    blocks = [without_usage(report) for report in msgspec.convert(parsed.answers, list[BlockReport])]
    context = run.context
    manifest = Manifest(run.run_id, run.pinned, run.measured.units, blocks, context.shards)
    check_mapped(run.deployed, manifest)
    BlobStore(open_bucket(machine.bucket, URL_SUFFIX), machine.bucket, run.run_id).put_manifest(
        encode(manifest)
    )

    results = ResultsTable(aws.table(machine.table), run.run_id, run.deployed)
    results.claim(RunRecord(run_id=run.run_id, owner=OWNER, started_at=0.0), None)
    tasks = [
        GetOccurrencesRequest(run.run_id, OWNER, shard, rules, context)
        for shard in range(context.shards.count)
    ]
    reduced = machine.invoke("get_occurrences", run.job, *map(to_plain, tasks))
    reports = [without_usage(report) for report in msgspec.convert(reduced.answers, list[REDUCED])]
    parts = [report for report in reports if isinstance(report, PartReport)]
    if shards := [report for report in reports if isinstance(report, ShardReport)]:
        check_shards(shards, run.deployed, manifest)
        request = GetAllOccurrencesRequest(run.run_id, OWNER, 1, rules, context)
        parts = finish_shards(run.deployed, request, shards)
        results.put_parts(parts, OWNER)
    check_parts(parts, run.deployed, manifest)
    assert results.get_parts() == parts
    return Done(blobs_of(aws, machine, run), blocks, parts, parsed, reduced)


def blobs_of(aws: Aws, machine: Machine, run: Run) -> dict[str, Blob]:
    """The blobs of ``run``, by their keys."""
    s3 = aws.client("s3")
    listed = s3.list_objects_v2(Bucket=machine.bucket, Prefix=BLOBS_PREFIX)["Contents"]
    blobs = {}
    for key in (found["Key"] for found in listed if f"/{run.run_id}/" in found["Key"]):
        first, _, lines = s3.get_object(Bucket=machine.bucket, Key=key)["Body"].read().partition(b"\n")
        header = msgspec.json.decode(first.partition(b" ")[2], type=BlobHeader)
        blobs[key] = Blob(len(first), msgspec.structs.replace(header, rules=""), lines)
    return blobs


def check_is_lambdas(report: Report, arm64: Machine, function: str, job: str) -> None:
    """Nothing took part but the emulated Python, the code, the function's layers and the runtime's packages;
    of these only Python and layers with machine code. Of code and layers nothing was compiled: the bytecode
    that they bring is good."""
    assert (report.machine, report.python) == ("aarch64", RUNTIME_PYTHON)
    compiled = [arm64.python, *arm64.layers(function, job)]
    assert outside(report.modules, [*compiled, arm64.code, arm64.runtime, INVOKE]) == []
    assert outside(report.libraries, compiled) == []
    shipped = [arm64.code, *arm64.layers(function, job)]
    assert outside(report.compiled, shipped) == report.compiled
    assert report.compiled, "Debian compiles the standard library only when it installs it"


def outside(files: list[str], folders: list[Path]) -> list[str]:
    return [file for file in files if not any(Path(file).is_relative_to(folder) for folder in folders)]


def compiled_packages(report: Report, machine: Machine, function: str, job: str) -> set[str]:
    """The packages of the function's layers of which machine code was loaded, by ``ctypes`` too."""
    return {
        "/".join(Path(file).relative_to(layer).parts[:2])
        for file in report.libraries
        for layer in machine.layers(function, job)
        if Path(file).is_relative_to(layer)
    }
