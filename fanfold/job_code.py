"""The code of jobs: those of Fanfold, and files of their authors.

An author's own job is a Python file, or a folder that is a Python package, anywhere. It has the name of the
file, and is the module ``lambda_src.jobs.<name>`` wherever it runs: in commands, in tests, and in Lambda,
whose code has a copy of it there.
"""

import ast
import importlib
import importlib.util
import keyword
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.checkout import ROOT
from fanfold.errors import JobNotUsable
from fanfold.safe_text import shell_word
from lambda_src import job as engine
from lambda_src.job import Job, names

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAME_RULE = "up to 40 lower-case letters, digits and underscores, beginning with a letter"

LOCK = "requirements.txt"
"""In the folder of a job: the packages that it needs."""

AVAILABLE = frozenset({"lambda_src", "msgspec", "regex", *sys.stdlib_module_names})
"""What a job can import without a lock: Lambda has it."""

FILES = "job_files"
"""The setting of a deployment that names the files of own jobs."""

MOST_BYTES = 10_000_000
"""Of a job's folder, which becomes part of the code of every function."""

LEFT_OUT = ("__pycache__", "conftest.py", "tests")
"""Of a job's folder, apart from what is hidden and from tests."""


class OwnJob(NamedTuple):
    """The absolute path of the file or the folder, and the path as it was given."""

    path: Path
    given: Path


_own: dict[str, OwnJob] = {}
"""The own jobs that were given, by name."""


def is_name(text: str) -> bool:
    """Whether a job can have this name.

    >>> is_name("log_messages"), is_name("Log messages"), is_name("class")
    (True, False, False)
    """
    return bool(NAME.fullmatch(text)) and not keyword.iskeyword(text)


def is_path(text: str | Path) -> bool:
    """Whether a job is given by its file or folder, instead of by its name.

    >>> is_path("my_job"), is_path("my_job.py"), is_path("./my_job"), is_path("jobs/my_job")
    (False, True, True, True)
    """
    return isinstance(text, Path) or "/" in text or text.endswith(".py")


def known_jobs() -> list[str]:
    """The jobs whose code is here: those of Fanfold, then the own jobs that were given."""
    return [*names(), *_own]


def folder_of(name: str) -> Path:
    """The folder of a job that is a package; there is none if it is a file."""
    return _own[name].path if name in _own else ROOT / "lambda_src" / "jobs" / name


def as_given(name: str) -> str:
    """What ``--job`` takes for the job ``name``: its file, if it is an own one whose code is here."""
    return shell_word(_as_path(_own[name].given)) if name in _own else name


def as_file(name: str) -> str:
    """The same, or a file to look for."""
    return as_given(name) if name in _own else f"path/to/{name}.py"


def sources_of(name: str) -> Mapping[str, Path]:
    """The files of an own job, by their places in the code of the functions: of a folder, all files but its
    lock, its tests, and hidden ones."""
    path = _own[name].path
    if path.is_file():
        return {f"lambda_src/jobs/{name}.py": path}
    return {f"lambda_src/jobs/{name}/{one.relative_to(path).as_posix()}": one for one in _files(path)}


def digest_of(name: str) -> str:
    """Identifies an own job as it is now, with its packages. A stack has it as an output, so that no run
    answers with a job that has been changed since."""
    import hashlib  # noqa: PLC0415 - only here

    lock = folder_of(name) / LOCK
    files = {**sources_of(name), **({LOCK: lock} if lock.is_file() else {})}
    made_of = hashlib.sha256()
    for place, path in sorted(files.items()):
        content = path.read_bytes()
        made_of.update(f"\0{place}\0{len(content)}\0".encode() + content)
    return made_of.hexdigest()[:16]


def is_own(name: str) -> bool:
    """Whether it is an own job that was given."""
    return name in _own


def files_setting(names: Sequence[str]) -> tuple[str, ...]:
    """The setting that has these own jobs deployed, if there are any. Raises JobNotUsable."""
    paths = [str(_own[name].path) for name in names]
    for path in paths:
        if os.pathsep in path:
            raise JobNotUsable(f"{path} has a {os.pathsep} in its name, which separates files: rename it.")
    return (f"{FILES}={os.pathsep.join(paths)}",) if paths else ()


def jobs_in_setting(value: str) -> list[str]:
    """The own jobs of that setting, which are then known. Raises JobNotUsable."""
    paths = [Path(text) for text in value.split(os.pathsep)]
    if relative := [path for path in paths if not path.is_absolute()]:
        raise JobNotUsable(f"{relative[0]} is not an absolute path: give one, or use `fanfold deploy --job`.")
    return [add_job(path) for path in paths]


def add_job(path: Path) -> str:
    """Make the job of a file or a folder known, as it is there now, without importing it. Returns its name.
    Raises JobNotUsable."""
    path, shown = Path(os.path.abspath(path)), path  # noqa: PTH100 - "..", too, but a link keeps its name
    if not path.exists():
        raise JobNotUsable(f"There is no job {shown}: no such file or folder.")
    file = path / "__init__.py" if path.is_dir() else path
    name = path.name if path.is_dir() else path.stem
    if file.suffix != ".py" or not file.is_file():
        raise JobNotUsable(f"{shown}: a job is a Python file, or a folder that has an __init__.py.")
    if not is_name(name):
        raise JobNotUsable(f"{shown}: a job is named after its file, so name that with {NAME_RULE}.")
    if name in names():
        raise JobNotUsable(f"{shown}: {name} is a job of Fanfold already: rename the file.")
    _check(path, shown)
    _own[name] = OwnJob(path, shown)
    module = f"lambda_src.jobs.{name}"
    for loaded in [one for one in sys.modules if one == module or one.startswith(f"{module}.")]:
        del sys.modules[loaded]
    return name


def job_named(text: str | Path) -> str:
    """The name of the job that ``text`` means: a name, or the path of a file or a folder, whose job is then
    known, and imported. Raises JobNotUsable."""
    if not is_path(text):
        return str(text)
    name = add_job(Path(text))
    load(name)
    return name


def check_packages(name: str) -> None:
    """Raise JobNotUsable unless this Python has the packages that the job ``name`` needs."""
    lock = folder_of(name) / LOCK
    if not lock.is_file():
        return
    from importlib import metadata  # noqa: PLC0415 - only here

    missing = []
    for package in _locked(lock):
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        raise JobNotUsable(
            f"The job {name} needs {', '.join(missing)}, which this Python does not have: install it with "
            f"`pip install -r {lock}`."
        )


def load(name: str) -> Job:
    """The job ``name``. Raises JobNotUsable if its code is not here, or has a mistake."""
    if name in names():
        return engine.load(name)
    if name not in _own:
        raise JobNotUsable(
            f"This needs the code of the job {name}, which is not part of Fanfold: give its file, as in "
            f"--job ./{name}.py."
        )
    path = _own[name].path
    module = f"lambda_src.jobs.{name}"
    try:
        job = getattr(sys.modules.get(module) or _import(module, path), "JOB", None)
    except Exception as error:
        raise JobNotUsable(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    if not isinstance(job, Job):
        raise JobNotUsable(f"{path} does not define JOB, a Job (docs/jobs.md).")
    return job


def _import(module: str, path: Path) -> Any:
    file = path / "__init__.py" if path.is_dir() else path
    folders = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(module, file, submodule_search_locations=folders)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[module] = found
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the author's folder stays as it is
    try:
        spec.loader.exec_module(found)
    except BaseException:
        del sys.modules[module]
        raise
    finally:
        sys.dont_write_bytecode = writes
    return found


def _as_path(given: Path) -> str:
    """A path as ``is_path`` knows it.

    >>> _as_path(Path("my_job")), _as_path(Path("my_job.py")), _as_path(Path("jobs/my_job"))
    ('./my_job', 'my_job.py', 'jobs/my_job')
    """
    text = str(given)
    return text if is_path(text) else f"./{text}"


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "test_")) or path.name in (*LEFT_OUT, LOCK):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path


def _check(path: Path, shown: Path) -> None:
    """Raise JobNotUsable for code that could be tried here, but not run in Lambda."""
    files = list(_files(path)) if path.is_dir() else [path]
    if sum(file.stat().st_size for file in files) > MOST_BYTES:
        raise JobNotUsable(
            f"{shown}: its files are deployed with the code of the functions, so they can have at most "
            f"{MOST_BYTES:,} bytes."
        )
    has_lock = path.is_dir() and (path / LOCK).is_file()
    if has_lock:
        _check_hashes(path / LOCK, shown / LOCK)
    for file in files:
        # With a lock, packages come with the functions that map; only they import them.
        if file.suffix == ".py" and not (has_lock and file != path / "__init__.py"):
            _check_imports(file, shown / file.relative_to(path), in_functions=not has_lock)


def _check_imports(file: Path, shown: Path, *, in_functions: bool) -> None:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        raise JobNotUsable(f"{shown} is not valid Python.") from error
    for line, module in _imported(tree, in_functions=in_functions):
        if module in AVAILABLE:
            continue
        if in_functions:
            advice = "a package goes into the requirements.txt of a job that is a folder"
        else:
            advice = "import packages inside the functions that measure and map"
        raise JobNotUsable(
            f"{shown}, line {line}: Lambda has no {module}: {advice} (docs/jobs.md, Packages and C code)."
        )


def _imported(node: ast.AST, *, in_functions: bool) -> Iterator[tuple[int, str]]:
    """The modules that code imports, by their first names, each with its line; not those that it tries to
    import, or imports on a condition."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((child.lineno, alias.name.partition(".")[0]) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:
            yield child.lineno, (child.module or "").partition(".")[0]
        elif isinstance(child, ast.Try | ast.If):
            continue
        elif in_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imported(child, in_functions=in_functions)


def _requirements(lock: Path) -> Iterator[str]:
    """The lines of a lock, each with the lines that continue it, without comments and options."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", lock.read_text("utf-8")).replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.startswith("-"):
            yield line.strip()


def _check_hashes(lock: Path, shown: Path) -> None:
    for line in _requirements(lock):
        if "==" not in line or "--hash=" not in line:
            raise JobNotUsable(
                f"{shown}: {line.split()[0]} has no version or no hash: write the file with `uv pip compile "
                "--generate-hashes` or `pip-compile --generate-hashes`."
            )


def _locked(lock: Path) -> Iterator[str]:
    """The packages of a lock that every platform and Python needs."""
    for line in _requirements(lock):
        if ";" not in line:
            yield re.split(r"[=\[ ]", line, maxsplit=1)[0]
