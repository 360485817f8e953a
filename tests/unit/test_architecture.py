"""Who imports whom. The directions are the design's (docs/decisions/0002)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BASE = {"errors"}
EDGE = {"messages", "errors", "job"}
OBJECTS = {"addresses", "formats", "job", "records"}
MAY_IMPORT = {
    "errors": set(),
    "object_names": set(),
    "log": set(),
    "records": BASE,
    "formats": BASE,
    "job": BASE | {"records"},
    "settings": BASE,
    "messages": BASE | {"addresses", "job"},
    "blocks": set(),
    "digests": set(),
    "pace": set(),
    "prices": set(),
    "addresses": BASE | {"formats", "job", "object_names"},
    "compressed": BASE | {"formats"},
    "ownership": BASE | OBJECTS | {"compressed"},
    "inputs": BASE | OBJECTS | {"meter", "ownership"},
    "waits": set(),
    "map_reduce": BASE | {"pace", "waits"},
    "metrics": {"messages"},
    "parts": EDGE | {"map_reduce"},
    "left_out": BASE | {"addresses", "job"},
    "conservation": EDGE | {"digests", "ownership"},
    "meter": EDGE | {"log"},
    "ledger": EDGE | {"log", "map_reduce", "prices"},
    "answer": EDGE | {"log", "meter"},
    "s3": BASE,
    "own_requests": BASE | {"endpoint", "s3"},
    "source": EDGE | OBJECTS | {"inputs", "meter", "own_requests", "ownership", "s3"},
    "listing": EDGE | {"addresses", "meter", "object_names", "s3"},
    "blob_store": EDGE | {"digests", "meter", "s3", "settings"},
    "sigv4": set(),
    "trust": {"log"},
    "endpoint": {"sigv4", "trust", "waits"},
    "dynamodb": {"endpoint", "meter"},
    "warming": EDGE | {"waits"},
    "results_table": EDGE | {"dynamodb", "endpoint"},
    "functions": EDGE | {"endpoint", "meter"},
    "findings": EDGE | {"records"},
    "map_block": EDGE | {"addresses", "blob_store", "digests", "findings"},
    "reduce_part": EDGE | {"blob_store", "conservation", "map_reduce", "meter"},
    "lease": EDGE | {"results_table"},
    "run": EDGE
    | {"addresses", "blocks", "conservation", "findings", "lease", "ledger", "left_out", "log", "map_reduce"}
    | {"object_names", "parts", "results_table", "warming"},
}
JOBS_MAY_IMPORT = {"errors", "findings", "job", "jobs", "records"}
LIBRARIES = {
    "job": {"msgspec"},
    "addresses": {"msgspec"},
    "messages": {"msgspec"},
    "settings": {"msgspec"},
    "log": {"msgspec"},
    "answer": {"msgspec"},
    "map_block": {"msgspec"},
    "reduce_part": {"msgspec"},
    "s3": {"obstore"},
    "source": {"obstore"},
    "own_requests": {"obstore"},
    "listing": {"boto3", "botocore"},
    "blob_store": {"obstore"},
    "dynamodb": {"msgspec"},
    "results_table": {"msgspec"},
    "functions": {"msgspec"},
    "warming": {"msgspec"},
    "ledger": {"msgspec"},
}
STANDARD = set(__import__("sys").stdlib_module_names)


def imports(path: Path) -> set[str]:
    """The dotted names that the module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names |= {f"{module}.{alias.name}" for alias in node.names} if "." not in module else {module}
    return names


def ours(names: set[str], package: str) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith(f"{package}.")}


def others(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} - STANDARD - {"lambda_src", "stacks", "client"}


def test_every_module_is_listed() -> None:
    modules = {path.stem for path in (ROOT / "lambda_src").glob("*.py")} - {"__init__"}
    assert modules == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_lambda_modules_import_downwards(module: str) -> None:
    names = imports(ROOT / "lambda_src" / f"{module}.py")
    assert ours(names, "lambda_src") <= MAY_IMPORT[module]
    assert others(names) <= LIBRARIES.get(module, set())


def test_the_engine_imports_no_job_and_knows_no_number_of_parts() -> None:
    """The deployment says which job it is, by name."""
    for path in (*(ROOT / "lambda_src").glob("*.py"), *(ROOT / "lambda_src" / "handlers").glob("*.py")):
        assert "jobs" not in ours(imports(path), "lambda_src"), path
        nodes = list(ast.walk(ast.parse(path.read_text())))
        shifts = {id(node.right) for node in nodes if isinstance(node, ast.BinOp)}
        constants = {
            node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in shifts
        }
        assert not constants & {19, 20, 21}, path


@pytest.mark.parametrize("job", sorted(path.stem for path in (ROOT / "lambda_src" / "jobs").glob("[a-z]*")))
def test_jobs_import_no_aws_client_and_not_each_other(job: str) -> None:
    jobs = ROOT / "lambda_src" / "jobs"
    for path in [*jobs.glob(f"{job}.py"), *(jobs / job).rglob("*.py")]:
        names = imports(path)
        assert ours(names, "lambda_src") <= JOBS_MAY_IMPORT, path
        assert not others(names) & {"boto3", "botocore", "obstore"}, path
        assert {name.split(".")[2] for name in names if name.startswith("lambda_src.jobs.")} <= {job}, path


def test_nothing_imports_handlers() -> None:
    for folder in ("lambda_src", "stacks", "client"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "handlers" not in ours(imports(path), "lambda_src"), path


def test_the_stack_knows_only_the_settings_and_the_names_of_jobs_and_metrics() -> None:
    for path in (ROOT / "stacks").glob("*.py"):
        assert ours(imports(path), "lambda_src") <= {"job", "metrics", "settings"}, path


def test_the_client_knows_messages_settings_jobs_and_the_table() -> None:
    known = {"dynamodb", "endpoint", "errors", "job", "messages", "object_names", "prices", "results_table"}
    known |= {"settings"}
    besides = {
        "model": {"blocks", "map_reduce"},  # what an estimate is made of
        "contents": {"addresses", "compressed", "formats", "inputs"},  # an input is read as in a run
    }
    for path in (ROOT / "client").glob("*.py"):
        assert ours(imports(path), "lambda_src") <= known | besides.get(path.stem, set()), path


def test_a_page_is_made_of_a_run_and_of_nothing_else() -> None:
    """No AWS, no console: whoever has the record, the parts, the trace and the manifest can draw it."""
    known = {"conservation", "errors", "job", "messages", "prices", "settings"}
    for path in (ROOT / "client" / "page").glob("*.py"):
        names = imports(path)
        assert ours(names, "lambda_src") <= known, path
        assert ours(names, "client") <= {"page", "safe_text", "sizes"}, path
        assert others(names) <= {"jinja2", "markupsafe", "msgspec"}, path


def test_a_jobs_part_of_the_page_knows_the_figures_alone() -> None:
    for path in (ROOT / "client" / "page" / "jobs").glob("*.py"):
        outside = {name for name in imports(path) if name.split(".")[0] not in STANDARD}
        assert outside <= {"client.page.figures"}, path


def test_a_jobs_workload_is_pure() -> None:
    """Nothing of AWS, no NumPy, and of the jobs its own alone."""
    for path in (ROOT / "client" / "workloads").glob("*.py"):
        names = imports(path)
        assert ours(names, "client") <= {"contents", "source", "workload"}, path
        assert ours(names, "lambda_src") <= {"errors", "jobs"}, path
        assert {name.split(".")[2] for name in names if name.startswith("lambda_src.jobs.")} <= {path.stem}, (
            path
        )
        assert not others(names), path


def test_block_parsing_starts_without_boto3() -> None:
    """boto3 would double the cold start of the function of which there are hundreds."""
    names = imports(ROOT / "lambda_src" / "handlers" / "parse_block.py")
    for module in ours(names, "lambda_src"):
        assert "boto3" not in others(imports(ROOT / "lambda_src" / f"{module}.py")), module
