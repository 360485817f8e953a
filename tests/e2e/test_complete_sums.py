"""A run that keeps everything: what its reducers stored under IAM, as commands and Python read it."""

import csv
import json
from pathlib import Path

import pytest

from fanfold.cli import app as commands
from fanfold.runs.run import Run
from lambda_src.store.keys import results_of
from tests import oracle
from tests.deployed import Stack

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_everything_that_was_counted_is_stored_and_read_back(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = " ".join(f"w{'abcdefghij'[n % 10] * (n % 7)} naïve größte" for n in range(300)).encode()
    file, found = tmp_path / "text.txt", tmp_path / "words.csv"
    file.write_bytes(text)
    counts = oracle.count_words(text)
    expected = sorted((len(word), word.encode(), count) for word, count in counts.items() if len(word) <= 20)

    def read(path: Path) -> list[tuple[int, bytes, int]]:
        with path.open(newline="") as lines:
            header, *rows = csv.reader(lines)
        assert header == ["length", "word", "words"]
        return [(int(length), word.encode(), int(count)) for length, word, count in rows]

    ask = ["run", str(file), "--all", "--run-id", "everything", "--block-bytes", "2000"]
    assert commands.main([*ask, "-o", str(found)]) == 0
    assert read(found) == expected
    found.unlink()
    assert commands.main(["results", "everything", "--all", "-o", str(found)]) == 0
    assert read(found) == expected
    capsys.readouterr()
    assert commands.main(["runs", "--json"]) == 0
    listed = {run["run_id"]: run for run in json.loads(capsys.readouterr().out)}
    assert listed["everything"]["all_results"]["keys"] == len(expected)

    run = Run(stack.aws, stack.deployment, "everything")
    rows = [(int(row.part), row.key.encode(), row.counts["words"]) for row in run.all_rows()]
    assert rows == expected
    assert run.record().used["s3_puts"] > run.record().blocks  # the bill has what was stored
    client, bucket = stack.aws.client("s3"), stack.deployment.bucket
    stored = client.list_objects_v2(Bucket=bucket, Prefix=results_of("everything"))["Contents"]
    client.delete_object(Bucket=bucket, Key=stored[0]["Key"])
    assert commands.main(["results", "everything", "--all", "-o", str(found)]) == 1
    assert "is missing: the complete sums of the run were deleted" in capsys.readouterr().err
    assert read(found) == expected  # a file is replaced as a whole, or not at all

    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n2,3\n")
    assert commands.main(["run", str(table), "--all", "--job", "column_permutations"]) == 1
    assert "has no complete sums to keep" in capsys.readouterr().err
