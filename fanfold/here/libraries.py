"""The compiled code of the engine and of its jobs, for this machine."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer

from fanfold.checkout import INSTALLED, ROOT
from fanfold.errors import JobNotUsable
from fanfold.job_code import folder_of
from lambda_src.job import names

LATE_S = 2.0


class NotCompiled(Exception):
    """There is no compiler here, or it refuses the source; the text has its messages."""


def add_libraries(say: Callable[[str], None]) -> None:
    """Compile the C of Fanfold if it was not compiled before, and let jobs find it. ``say`` gets a message if
    that takes long or is not possible."""
    _import_stacks()
    from stacks.native_library import sources_of_jobs  # noqa: PLC0415 - found only from here on

    try:
        _add(sources_of_jobs(names()), say)
    except NotCompiled as error:
        say(f"Warning: there is no compiled code, so this takes far longer: {error}")


def add_own_library(name: str, say: Callable[[str], None]) -> None:
    """Compile the C of the own job ``name``, if it has some, and let it find that. ``say`` gets messages.
    Raises JobNotUsable."""
    sources = [] if name in names() else sorted(folder_of(name).glob("*.c"))
    if not sources:
        return
    _import_stacks()
    try:
        _add(sources, say)
    except NotCompiled as error:
        for line in str(error).splitlines():
            say(line)
        raise JobNotUsable(f"The C of the job {name} is not compiled, as the lines above say.") from None


def _import_stacks() -> None:
    """Make ``stacks`` importable, which compiles: a wheel has it inside its package."""
    if INSTALLED and str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))


def _add(sources: Sequence[Path], say: Callable[[str], None]) -> None:
    from stacks.dependency_layer import LayerNotBuilt  # noqa: PLC0415 - may be found only now
    from stacks.native_library import build_libraries  # noqa: PLC0415

    late = Timer(LATE_S, say, ["Compiling the C of the jobs, once ..."])
    late.start()
    try:
        sys.path.append(str(build_libraries("host", list(dict.fromkeys(sources)))))
    except (LayerNotBuilt, OSError) as error:
        raise NotCompiled(str(error)) from error
    finally:
        late.cancel()
        late.join()
