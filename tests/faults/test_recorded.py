"""What is stored and sent has the names and the shapes that an older version gave it."""

import base64
import json
from typing import Any

import msgspec

from tests.faults.faulty import Faulty, of_jobs
from tests.faults.proxy import Call, Fault, Tamper
from tests.recorded import JOBS, Recorded, recorded

each_recording = of_jobs(*JOBS)

OLD_UNITS = "column_permutations"
"""The job whose blocks were choices once, and are bytes now: its blobs and answers have other names, and its
runs have other blocks."""


def shape(value: Any) -> Any:
    """A JSON value without what numbers and texts say."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return "number" if type(value) in (int, float) else type(value).__name__


def extends(new: Any, old: Any) -> bool:
    """Whether a shape has all that the ``old`` one has, and at most more fields."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and extends(new[name], inner) for name, inner in old.items()
        )
    if isinstance(old, list):
        return (
            isinstance(new, list)
            and len(new) >= len(old)
            and all(extends(*inner) for inner in zip(new, old, strict=False))
        )
    return bool(new == old)


def check(new: Any, old: Any, what: str) -> None:
    assert extends(shape(new), shape(old)), f"{what}\nis:  {shape(new)}\nwas: {shape(old)}"


def comparable(value: Any, *, by_part: bool) -> Any:
    """Without how many requests a function sent; and if parts are no shards any more, as they once were
    everywhere, without what there is for each shard."""
    left_out = {"requests"} if by_part else {"requests", "line_bytes", "calls"}
    if isinstance(value, dict):
        return {
            name: comparable(inner, by_part=by_part) for name, inner in value.items() if name not in left_out
        }
    return [comparable(inner, by_part=by_part) for inner in value] if isinstance(value, list) else value


def meaning(line: str) -> Any:
    """What a line of a blob says. Once, nothing had bytes, and access_log named its fields in each piece:
    its requests and the counts of its paths are comparable, and malformed lines had no path."""
    pieces = [json.loads(piece) for piece in line.split("\t") if piece]
    if "paths" in line:
        return sum(piece["requests"] for piece in pieces), pieces[0]["paths"]
    counts = {key: found for piece in pieces if isinstance(piece, dict) for key, found in piece.items()}
    if all(isinstance(found, list) for found in counts.values()):
        return sum(found[0] for found in counts.values()), {key: counts[key] for key in counts if key}
    return line


def given(faulty: Faulty) -> Recorded:
    """The recording for the deployed job, whose input is stored."""
    recording = recorded(faulty.stack.job, faulty.stack.deployment.bucket)
    for key, body in recording.input.items():
        faulty.stack.put(key, base64.b64decode(body))
    return recording


def stored(faulty: Faulty, run_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The items of a run by their names, and by their keys all objects that its functions have put, of which
    a run that has succeeded deletes some."""
    items = faulty.stack.aws.client("dynamodb").query(
        TableName=faulty.stack.deployment.table,
        KeyConditionExpression="run_id = :run",
        ExpressionAttributeValues={":run": {"S": run_id}},
        ConsistentRead=True,
    )["Items"]
    puts = [call for call in faulty.proxy.calls if (call.service, call.method) == ("s3", "PUT")]
    return by_name(items), {put.target: put.body.decode() for put in puts}


def by_name(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["item"]["S"]: item for item in items}


class Messages:
    """What passes between the functions of a run."""

    def __init__(self, faulty: Faulty) -> None:
        functions = ("parse_block", "get_all_occurrences", "get_occurrences", "log_results")
        self._names = {getattr(faulty.stack.deployment, name): name for name in functions}
        self.found: dict[str, list[dict[str, Any]]] = {name: [] for name in functions}

    def decide(self, call: Call) -> Fault | None:
        """Change nothing, and note what the function answers."""
        if call.service != "lambda" or b'"warm"' in call.body:
            return None

        def note(answer: bytes) -> bytes:
            message = {"request": json.loads(call.body), "answer": json.loads(answer)}
            self.found[self._names[call.target]].append(message)
            return answer

        return Tamper(note)


def calls_of(trace: str | bytes) -> dict[tuple[str, str], Any]:
    """By function and task; what is warmed depends on time."""
    calls = json.loads(trace)["calls"]
    return {(call[0], call[1]): call for call in calls if call[1] != "warming"}


@of_jobs(*(job for job in JOBS if job != OLD_UNITS))
def test_names_and_shapes_are_those_of_the_recording(faulty: Faulty) -> None:
    recording = given(faulty)
    messages = Messages(faulty)
    faulty.proxy.decide = messages.decide
    by_part = faulty.shards.by == "part"
    answer = faulty.stack.run(**recording.request, **({"shard_by": "part"} if by_part else {}))

    what_varies = {"seconds", "dollars"}
    for name in recording.answer.keys() - what_varies:
        assert answer[name] == recording.answer[name]
    check(answer, recording.answer, "the answer")
    for function, expected in recording.messages.items():
        if function == "warm" or (function == "get_occurrences" and not by_part):
            continue
        for one in expected:
            task = {name: one["request"][name] for name in ("block", "part") if name in one["request"]}
            (same, *_) = (
                found for found in messages.found[function] if task.items() <= found["request"].items()
            )
            check(same, comparable(one, by_part=by_part), f"{function} {task}")
    items, objects = stored(faulty, recording.request["run_id"])
    then = by_name(recording.items)
    assert items.keys() == then.keys()
    for name, item in then.items():
        check(items[name], item, name)
        now, old = items[name].get("result", {"M": {}})["M"], item.get("result", {"M": {}})["M"]
        assert {field: now.get(field) for field in old} == old  # with at most more fields
    assert objects.keys() == recording.objects.keys()
    for key, body in recording.objects.items():
        if key.endswith("/trace.json"):
            whole = msgspec.json.encode(faulty.stack.trace(recording.request["run_id"]))
            calls, calls_then = calls_of(whole), calls_of(body)
            same_then = (
                calls_then if by_part else {task: calls_then[task] for task in calls_then.keys() & calls}
            )
            then = comparable([*same_then.values()], by_part=by_part)
            check([calls[task] for task in same_then], then, key)
        elif key.endswith(".json"):
            then = json.loads(body)
            check(json.loads(objects[key]), comparable(then, by_part=by_part), key)
        else:
            (head, lines), (head_then, lines_then) = (text.split("\n", 1) for text in (objects[key], body))
            assert [*map(meaning, lines.split("\n"))] == [*map(meaning, lines_then.split("\n"))]
            header = json.loads(head_then[8:])
            check(json.loads(head[8:]), comparable(header, by_part=by_part), key)


@each_recording
def test_an_unfinished_run_of_an_older_version_is_resumed_by_mapping_it_again(faulty: Faulty) -> None:
    """Its blobs are without digests, so nobody could see whether they are as they were."""
    recording = given(faulty)
    aws, deployment, unfinished = faulty.stack.aws, faulty.stack.deployment, recording.unfinished
    for item in unfinished["items"]:
        if item["item"] == {"S": "run"}:  # it names no job, because its stack had only one; this one has all
            item["job"] = {"S": faulty.stack.job}
        aws.client("dynamodb").put_item(TableName=deployment.table, Item=item)
    for key, body in unfinished["objects"].items():
        faulty.stack.put(key, body.encode())
    answer = faulty.stack.run(**unfinished["request"])
    own = recording.answer.keys() - {"run_id", "seconds", "dollars"}
    if faulty.stack.job == OLD_UNITS:
        own -= {"blocks"}
    assert {name: answer[name] for name in own} == {name: recording.answer[name] for name in own}
    record, _ = faulty.stack.results(answer["run_id"])
    assert record
    assert (record.blocks_kept, record.blocks_done) == (0, answer["blocks"])
