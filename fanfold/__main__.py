"""The command line: ``fanfold --help``."""

import signal
import sys
from collections.abc import Sequence


def fanfold() -> int:
    """The program ``fanfold``; its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Nothing has been started yet, so there is nothing to undo: Ctrl-C may end it without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return main(sys.argv[1:])


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
