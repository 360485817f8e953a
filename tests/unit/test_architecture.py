"""Who imports whom. The directions are the design's (docs/decisions/0002)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

KERNELS = {"blocks", "words", "top_words", "map_reduce"}
BASE = {"errors"}
EDGE = {"messages", "errors"}
MAY_IMPORT = {
    "errors": set(),
    "log": set(),
    "settings": BASE,
    "messages": BASE,
    "blocks": BASE,
    "words": BASE,
    "top_words": set(),
    "map_reduce": BASE,
    "lengths": EDGE | {"map_reduce", "words"},
    "conservation": EDGE | {"blocks"},
    "answer": EDGE | {"log"},
    "s3": BASE,
    "source": EDGE | {"s3"},
    "blob_store": EDGE | {"s3", "settings"},
    "results_table": EDGE,
    "functions": EDGE,
    "run": EDGE | KERNELS | {"conservation", "lengths", "log", "results_table"},
}
LIBRARIES = {
    "blocks": {"regex"},
    "words": {"regex"},
    "messages": {"msgspec"},
    "settings": {"msgspec"},
    "log": {"msgspec"},
    "answer": {"msgspec"},
    "s3": {"obstore"},
    "source": {"obstore"},
    "blob_store": {"obstore"},
    "results_table": {"boto3", "botocore", "msgspec"},
    "functions": {"boto3", "botocore", "msgspec"},
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


def test_nothing_imports_handlers() -> None:
    for folder in ("lambda_src", "stacks", "client"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "handlers" not in ours(imports(path), "lambda_src"), path


def test_the_stack_knows_only_the_settings() -> None:
    for path in (ROOT / "stacks").glob("*.py"):
        assert ours(imports(path), "lambda_src") <= {"settings"}, path


def test_the_client_knows_messages_settings_and_the_table() -> None:
    for path in (ROOT / "client").glob("*.py"):
        assert ours(imports(path), "lambda_src") <= {"messages", "settings", "errors", "results_table"}, path


@pytest.mark.parametrize(
    "module", ["blocks", "source", "s3", "blob_store", "map_reduce", "results_table", "functions"]
)
def test_reusable_modules_know_no_words(module: str) -> None:
    """Other jobs will use them: neither their code nor their text speaks of this one."""
    assert "word" not in (ROOT / "lambda_src" / f"{module}.py").read_text().lower()


def test_block_parsing_starts_without_boto3() -> None:
    """boto3 would double the cold start of the function of which there are hundreds."""
    names = imports(ROOT / "lambda_src" / "handlers" / "parse_block.py")
    for module in ours(names, "lambda_src"):
        assert "boto3" not in others(imports(ROOT / "lambda_src" / f"{module}.py")), module
