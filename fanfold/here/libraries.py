"""The compiled code of the engine and of its jobs, for this machine."""

import sys
from collections.abc import Callable
from threading import Timer

from fanfold.checkout import INSTALLED, ROOT
from lambda_src.job import names

LATE_S = 2.0


def add_libraries(say: Callable[[str], None]) -> None:
    """Compile the C if it was not compiled before, and let jobs find it. ``say`` gets a message if that
    takes long or is not possible."""
    if INSTALLED:  # an installed wheel has the app, and what compiles, inside of its package
        sys.path.append(str(ROOT))
    from stacks.dependency_layer import LayerNotBuilt  # noqa: PLC0415 - found only from here on
    from stacks.native_library import build_libraries, sources_of_job  # noqa: PLC0415

    late = Timer(LATE_S, say, ["Compiling the C of the jobs, once ..."])
    late.start()
    try:
        sources = dict.fromkeys(source for job in names() for source in sources_of_job(job))
        sys.path.append(str(build_libraries("host", list(sources))))
    except (LayerNotBuilt, OSError) as error:
        say(f"Warning: there is no compiled code, so this takes far longer: {error}")
    finally:
        late.cancel()
        late.join()
