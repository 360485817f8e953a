"""The compiled code of the engine and of its jobs, for this machine."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from fanfold.checkout import INSTALLED, ROOT
from fanfold.errors import JobNotUsable
from fanfold.job_code import folder_of
from lambda_src.job import names

LATE_S, AGAIN_S = 2.0, 10.0
"""Seconds until a person sees that it is compiling, and between later messages."""


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
        raise JobNotUsable(f"The C of the job {name} does not compile: see the lines above.") from None


def _import_stacks() -> None:
    """Make ``stacks`` importable, which compiles: a wheel has it inside its package."""
    if INSTALLED and str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))


def _add(sources: Sequence[Path], say: Callable[[str], None]) -> None:
    from stacks.dependency_layer import LayerNotBuilt  # noqa: PLC0415 - may be found only now
    from stacks.native_library import BUILT, build_libraries  # noqa: PLC0415

    has_compiler = any(BUILT.glob("zig-*"))
    doing = (
        "Compiling the C of the jobs"
        if has_compiler
        else "Downloading a C compiler, 100 MB, to compile the jobs"
    )
    with _told(f"{doing} (once) ...", say):
        try:
            sys.path.append(str(build_libraries("host", list(dict.fromkeys(sources)))))
        except (LayerNotBuilt, OSError) as error:
            raise NotCompiled(str(error)) from error


@contextmanager
def _told(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say what is done in the block if it takes long, and then that it goes on."""
    done, began_at = Event(), time.monotonic()

    def tell() -> None:
        if done.wait(LATE_S):
            return
        say(what)
        while not done.wait(AGAIN_S):
            say(f"... {time.monotonic() - began_at:.0f} s")

    telling = Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        done.set()
        telling.join()
