"""The command line: ``fanfold --help``."""

import os
import signal
import sys
from collections.abc import Sequence


def fanfold() -> int:
    """The program ``fanfold``; its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Nothing has been started yet, so there is nothing to undo: Ctrl-C may end it without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    status = main(sys.argv[1:])
    _leave(status)
    return status


def _leave(status: int) -> None:
    """End the program without deleting every object and module first: for a short command, that takes as long
    as a quarter of all the rest. Does nothing if output cannot be written, a thread still works, or somebody
    watches: then Python ends it as always."""
    import atexit  # noqa: PLC0415 - as below
    import threading  # noqa: PLC0415

    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    if sys.getprofile() or sys.gettrace() or not all(one.daemon for one in others):
        return
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status. However it ends, nothing that it started is left running."""
    # Here, because a person may press Ctrl-C while modules are being imported.
    from contextlib import suppress  # noqa: PLC0415

    from fanfold.signals import EXIT_STATUS, SIGNALS  # noqa: PLC0415

    try:
        try:
            SIGNALS.listen()
            from fanfold.cli import app as commands  # noqa: PLC0415

            status = commands.main(arguments)
        finally:
            SIGNALS.end()
    except BaseException:
        SIGNALS.end()  # Again, because the signal may have come just before the first call.
        if not SIGNALS.arrived:
            raise
    SIGNALS.ignore()
    if not SIGNALS.arrived:
        return status
    with suppress(OSError):  # The terminal may be gone.
        print(SIGNALS.exit_message, file=sys.stderr, flush=True)
    return EXIT_STATUS


if __name__ == "__main__":
    sys.exit(fanfold())
