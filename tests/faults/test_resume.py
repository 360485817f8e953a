"""Runs that are handed over, cancelled or asked for again in the middle, where they are held until then."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

import pytest

from fanfold.errors import RunError
from fanfold.runs.run import Run
from lambda_src.run.lease import HANDOVER_S
from lambda_src.wire.record import RunRecord
from tests.e2e.roles import Role
from tests.faults.faulty import FIRST_HELD, Faulty


@contextmanager
def parse_file_has(faulty: Faulty, timeout_s: int) -> Iterator[None]:
    """With another time-out of parse_file."""
    client, function = faulty.stack.aws.client("lambda"), faulty.stack.deployment.parse_file
    before = client.get_function_configuration(FunctionName=function)["Timeout"]
    client.update_function_configuration(FunctionName=function, Timeout=timeout_s)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, Timeout=before)


@contextmanager
def other_rules_in(faulty: Faulty, function: str) -> Iterator[None]:
    """A deployment: ``function`` has the code of another version, whose job has other rules."""
    client, deployed = faulty.stack.aws.client("lambda"), code_of(faulty)
    client.update_function_code(FunctionName=function, ZipFile=with_other_rules(deployed))
    try:
        yield
    finally:
        client.update_function_code(FunctionName=function, ZipFile=deployed)


def code_of(faulty: Faulty) -> bytes:
    """The asset that all functions of the stack are deployed from."""
    aws = faulty.stack.aws
    stack = faulty.stack.deployment.stack
    template = aws.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    resources = (template if isinstance(template, dict) else json.loads(template))["Resources"].values()
    (key,) = {
        resource["Properties"]["Code"]["S3Key"]
        for resource in resources
        if resource["Type"] == "AWS::Lambda::Function"
    }
    (bucket,) = (
        found["Name"] for found in aws.client("s3").list_buckets()["Buckets"] if "-assets-" in found["Name"]
    )
    code: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return code


def with_other_rules(code: bytes) -> bytes:
    """``code``, a zip, with other rules of the default job."""
    changed, module = io.BytesIO(), "lambda_src/jobs/top_words/__init__.py"
    with zipfile.ZipFile(io.BytesIO(code)) as before, zipfile.ZipFile(changed, "w") as after:
        for entry in before.infolist():
            data = before.read(entry)
            if entry.filename == module:
                assert b"rules=RULES," in data
                data = data.replace(b"rules=RULES,", b'rules="other",')
            after.writestr(entry, data)
    return changed.getvalue()


def wait_for(faulty: Faulty, run_id: str, condition: Callable[[RunRecord], bool]) -> RunRecord:
    """The record as soon as it meets the condition."""
    found: list[RunRecord] = []

    def met() -> bool:
        record, _ = faulty.stack.results(run_id)
        if record is None or not condition(record):
            return False
        found.append(record)
        return True

    faulty.proxy.wait_for(met)
    return found[0]


def test_a_run_outlasts_its_invocation(faulty: Faulty) -> None:
    """parse_file hands over to a fresh invocation of itself, which keeps the blocks that are parsed."""
    event, parse_file = faulty.event(), faulty.stack.deployment.parse_file
    # The template says so, but the local AWS reads it only from here.
    faulty.stack.aws.client("lambda").put_function_recursion_config(
        FunctionName=parse_file, RecursiveLoop="Allow"
    )
    with faulty.holding(faulty.is_function("parse_file")), parse_file_has(faulty, int(HANDOVER_S) + 8):
        answer, failed = faulty.stack.invoke(event)
        assert not failed, answer
        assert answer["status"] == "RUNNING"
        assert "top_words" not in answer
        record = wait_for(faulty, event["run_id"], lambda record: record.status != "RUNNING")
    assert record.blocks_kept >= FIRST_HELD
    if record.status == "FAILED":  # a busy machine does not reduce in 8 s, however often
        assert record.error.startswith("NoProgress: In stage reduce"), record.error
    faulty.must_be_exact("Handed over in the middle", event)


def test_handing_over_needs_its_grant(faulty: Faulty) -> None:
    with (
        faulty.holding(),
        parse_file_has(faulty, int(HANDOVER_S) + 4),
        Role(faulty.stack, "ParseFile").without("lambda:InvokeFunction", "ParseFile"),
    ):
        message, _ = faulty.stack.fail(faulty.event())
    assert "AccessDenied" in message


def test_of_two_invocations_at_once_one_is_told_so(faulty: Faulty) -> None:
    event = faulty.event()
    with ThreadPoolExecutor(2) as executor, faulty.holding() as released:
        answers = as_completed([executor.submit(faulty.stack.invoke, event) for _ in range(2)], 60)
        refused, failed = next(answers).result()
        released.set()
        assert failed
        assert "another invocation works on the run" in refused["errorMessage"]
        faulty.check_exact("Asked for twice at once", *next(answers).result())


@pytest.mark.parametrize("function", ["parse_block", "get_occurrences"])
def test_a_deployment_in_the_middle_mixes_no_rules(faulty: Faulty, function: str) -> None:
    event = faulty.event()
    stack, run_id = faulty.stack, event["run_id"]
    with ThreadPoolExecutor(1) as executor, faulty.holding() as released:
        running = executor.submit(stack.invoke, event)
        wait_for(faulty, run_id, lambda record: record.blocks_done == FIRST_HELD)
        with other_rules_in(faulty, getattr(stack.deployment, function)):
            released.set()
            answer, failed = running.result()
    assert failed, answer
    assert "the stack was deployed while the run was going on" in answer["errorMessage"]
    record, parts = stack.results(run_id)
    assert record is not None
    assert (record.status, record.error.partition(":")[0], parts) == ("FAILED", "RulesChanged", [])
    faulty.proxy.wait_until_idle()
    faulty.must_be_exact(f"{function} deployed in the middle, then resumed", event)


def cancel_in_the_middle(faulty: Faulty, event: dict[str, Any]) -> None:
    """Begin the run, and cancel it when ``FIRST_HELD`` blocks are done."""
    stack, run_id = faulty.stack, event["run_id"]
    with ThreadPoolExecutor(1) as executor, faulty.holding():
        running = executor.submit(stack.invoke, event)
        wait_for(faulty, run_id, lambda record: record.blocks_done == FIRST_HELD)
        Run(stack.aws, stack.deployment, run_id).cancel()
        answer, failed = running.result()
    assert failed
    assert "The run was cancelled." in answer["errorMessage"]


def test_a_cancelled_run_stops_and_can_be_resumed(faulty: Faulty) -> None:
    event = faulty.event()
    stack, run_id = faulty.stack, event["run_id"]
    cancel_in_the_middle(faulty, event)
    record, parts = stack.results(run_id)
    assert record is not None
    assert (record.status, record.blocks_done) == ("CANCELLED", FIRST_HELD)
    assert parts == []
    with pytest.raises(RunError, match=r"has already ended: "):
        Run(stack.aws, stack.deployment, run_id).cancel()

    faulty.must_be_exact("Cancelled in the middle, then resumed", event)


def test_a_blob_that_is_changed_before_the_run_is_resumed_is_mapped_again(faulty: Faulty) -> None:
    """One letter of a word: no count tells."""
    event = faulty.event()
    cancel_in_the_middle(faulty, event)
    bucket, s3 = faulty.stack.deployment.bucket, faulty.stack.aws.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="blobs/")["Contents"]
    key = next(found["Key"] for found in listed if f"/{event['run_id']}/" in found["Key"])
    header, _, lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().partition(b"\n")
    changed = re.sub(rb'"([a-z]+)[a-y]":', rb'"\1z":', lines, count=1)
    assert changed != lines
    s3.put_object(Bucket=bucket, Key=key, Body=header + b"\n" + changed)
    fault = "A blob changed between cancel and resume"
    faulty.must_fail(fault, event, "BlobDamaged", f"{key} was changed")
    faulty.must_be_exact(f"{fault}, resumed once more", event)
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    assert record.blocks_kept == record.blocks - 1
