"""Write the skeleton of a new job: ``python -m fanfold.new_job NAME``."""

import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fanfold.checkout import ROOT
from fanfold.safe_text import visible

TEMPLATES = Path(__file__).parent

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class JobNotWritten(Exception):
    """The name is not valid or already used; the text is one sentence."""


def write_job(root: Path, name: str) -> list[Path]:
    """Write the job ``name`` and its test below ``root``, and return both paths. Raises JobNotWritten,
    OSError."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise JobNotWritten(
            f"NAME: {name!r} cannot name a job: use up to 40 lower-case letters, digits and underscores, "
            "beginning with a letter, and not a Python keyword."
        )
    jobs, test = root / "lambda_src" / "jobs", root / "tests" / "unit" / f"test_{name}.py"
    job = jobs / f"{name}.py"
    for path in (job, jobs / name, test):
        if path.exists():
            raise JobNotWritten(f"NAME: {path.relative_to(root)} already exists: choose another name.")
    for path, template in ((job, "job.py.txt"), (test, "test_job.py.txt")):
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        path.write_text(text.replace("NAME", name), encoding="utf-8")
    return [job, test]


def main(arguments: Sequence[str]) -> int:
    """Write the named job. Returns the exit status."""
    try:
        job, test = write_job(ROOT, " ".join(arguments))
    except (JobNotWritten, OSError) as error:
        print(visible(f"Error: {error}"), file=sys.stderr)
        return 1
    print(f"Written: {job.relative_to(ROOT)} and {test.relative_to(ROOT)}. Next steps: docs/jobs.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
