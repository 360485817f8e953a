"""Who imports whom (docs/decisions/0002). The first name of a path below its package is its room."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENGINE = {
    "errors": set(),
    "fan_out": {"errors"},
    "fields": set(),
    "records": {"errors"},
    "figures": set(),
    "options": set(),
    "sorted_rows": set(),
    "job": {"errors", "fields", "figures", "options", "records", "sorted_rows"},
    "counts": {"errors", "figures", "input", "job", "records", "sorted_rows"},
    "folds": {"errors", "input", "job", "records"},
    "settings": {"errors"},
    "telemetry": {"errors", "fan_out", "fields"},
    "input": {"errors", "job", "records", "telemetry"},
    "wire": {"errors", "fields", "input", "job", "telemetry"},
    "aws": {"errors", "fan_out", "fields", "input", "telemetry", "wire"},
    "store": {"aws", "errors", "fields", "job", "settings", "sorted_rows", "telemetry", "wire"},
    "run": {"errors", "fan_out", "fields", "figures", "input", "job", "settings", "store"}
    | {"telemetry", "wire"},
    "jobs": {"counts", "errors", "figures", "input", "job", "records"},
    "handlers": {"aws", "errors", "fan_out", "fields", "input", "job", "run", "settings", "store"}
    | {"telemetry", "wire"},
}
"""Rooms of ``lambda_src``, and the rooms that each may import, lower floors first."""

MESSAGES = {"msgspec"}
LIBRARIES = {
    "errors": set(),
    "figures": set(),
    "records": set(),
    "sorted_rows": set(),
    "fan_out": set(),
    "aws": {"boto3", "botocore", "msgspec", "obstore"},
    "handlers": {"msgspec", "obstore"},
    "store": {"msgspec", "obstore"},
    "input": MESSAGES | {"isal"},
    "jobs": {"msgspec", "numpy", "re2", "regex"},
}
"""What a room may import besides: it costs time in cold starts."""

CLIENT_MAY_IMPORT = {
    "aws",
    "errors",
    "fan_out",
    "fields",
    "figures",
    "input",
    "job",
    "jobs",
    "options",
    "run",
    "settings",
    "sorted_rows",
    "store",
    "telemetry",
    "wire",
}


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """The dotted names that a module imports, split."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = tuple((node.module or "").split("."))
            yield from ((*module, alias.name) for alias in node.names)


def room(path: Path) -> str:
    """``lambda_src/aws/s3.py`` is in ``aws``, ``lambda_src/job.py`` is ``job``."""
    return path.relative_to(ROOT).with_suffix("").parts[1]


def rooms(paths: list[Path], package: str) -> set[str]:
    """The rooms of ``package`` that ``paths`` import."""
    return {name[1] for path in paths for name in imports(path) if name[0] == package and len(name) > 1}


def modules(package: str, room_name: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if room(path) == room_name]


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_imports_downwards(name: str) -> None:
    assert rooms(modules("lambda_src", name), "lambda_src") - {name} <= ENGINE[name]


@pytest.mark.parametrize(("name", "allowed"), [("aws", {"drivers", "waits"}), ("telemetry", {"outcomes"})])
def test_what_lies_beneath_a_fan_out_starts_none(name: str, allowed: set[str]) -> None:
    found = {parts for path in modules("lambda_src", name) for parts in imports(path)}
    assert {parts[2] for parts in found if parts[:2] == ("lambda_src", "fan_out")} == allowed


def test_every_room_is_listed() -> None:
    assert {room(path) for path in (ROOT / "lambda_src").rglob("*.py")} - {"__init__"} == set(ENGINE)


def test_no_rooms_import_each_other() -> None:
    for name, below in ENGINE.items():
        assert all(name not in ENGINE[other] for other in below), name


@pytest.mark.parametrize("name", ENGINE)
def test_a_room_imports_few_libraries(name: str) -> None:
    import sys

    known = set(sys.stdlib_module_names) | {"lambda_src"}
    found = {first for path in modules("lambda_src", name) for first, *_ in imports(path)}
    assert found - known <= LIBRARIES.get(name, MESSAGES)


def test_one_class_writes_the_record_of_a_run() -> None:
    """``state.Run``, with the lease and the ledger that it owns."""
    writers = set()
    for path in (ROOT / "lambda_src" / "run").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = [
                ast.unparse(part) for target in targets if target is not None for part in ast.walk(target)
            ]
            if any(re.search(r"record\.\w+$", name) for name in names):
                writers.add(path.stem)
    # ``new_record`` fills the record that it returns.
    assert writers == {"admission", "lease", "ledger", "state"}


def test_jobs_do_not_import_each_other() -> None:
    for path in modules("lambda_src", "jobs"):
        own = path.relative_to(ROOT / "lambda_src" / "jobs").with_suffix("").parts[0]
        others = {name[2] for name in imports(path) if name[:2] == ("lambda_src", "jobs") and len(name) > 2}
        assert others <= {own}, path


def test_the_stack_knows_only_settings_keys_and_the_names_of_functions_jobs_and_metrics() -> None:
    for path in (ROOT / "stacks").glob("*.py"):
        assert {name[1:3] for name in imports(path) if name[0] == "lambda_src"} <= {
            ("counts", "compiled"),
            ("fields", "FUNCTIONS"),
            ("fields", "Function"),
            ("input", "compression"),
            ("job", "load"),
            ("job", "names"),
            ("job", "Job"),
            ("job", "load_deployed"),
            ("run", "admission"),
            ("run", "announcement"),
            ("run", "metrics"),
            ("store", "keys"),
            ("wire", "codec"),
            ("wire", "requests"),
            ("wire", "starts"),
            ("errors", "InvalidRequest"),
        } | {name[1:3] for name in imports(path) if name[:2] == ("lambda_src", "settings")}, path


def test_the_client_imports_no_handler() -> None:
    assert rooms(list((ROOT / "fanfold").rglob("*.py")), "lambda_src") <= CLIENT_MAY_IMPORT


def test_a_page_is_made_of_a_run_and_of_nothing_else() -> None:
    """No AWS, no console: whoever has the record, the parts, the trace and the manifest can draw it."""
    page = list((ROOT / "fanfold" / "report" / "page").glob("*.py"))
    assert rooms(page, "lambda_src") <= {"errors", "fan_out", "fields", "job", "run"} | {
        "settings",
        "telemetry",
        "wire",
    }
    assert rooms(page, "fanfold") <= {"checkout", "errors", "format", "job_code", "jobs"} | {
        "report",
        "safe_text",
    }


@pytest.mark.parametrize("name", ["here", "local_aws", "report", "runs"])
def test_only_commands_print(name: str) -> None:
    """Whatever is below them returns values and raises errors."""
    paths = modules("fanfold", name)
    assert not rooms(paths, "fanfold") & {"cli"}
    assert not {first for path in paths for first, *_ in imports(path)} & {"rich", "typer"}


def test_reports_do_not_know_where_runs_are_found() -> None:
    assert not rooms(modules("fanfold", "report"), "fanfold") & {"account", "local_aws", "runs"}


def test_what_the_client_knows_of_a_job_does_not_know_how_it_is_run_or_drawn() -> None:
    jobs = modules("fanfold", "jobs")
    assert rooms(jobs, "fanfold") <= {"demo", "errors", "estimate", "format", "jobs", "report", "runs"} | {
        "job_code",
        "safe_text",
    }
    for path in jobs:
        assert {name[1:3] for name in imports(path) if name[:2] == ("fanfold", "report")} <= {
            ("report", "figures")
        }, path
        assert {name[1:3] for name in imports(path) if name[:2] == ("fanfold", "runs")} <= {
            ("runs", "source")
        }, path


def test_only_listing_imports_boto3() -> None:
    """boto3 would double a cold start; a run that reads a prefix pays for it once."""
    for path in (ROOT / "lambda_src").rglob("*.py"):
        if path.name != "listing.py":
            assert not {name[0] for name in imports(path)} & {"boto3", "botocore"}, path
