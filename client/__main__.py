"""The command line: ``python -m client --help``."""

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until it listens there is nothing to undo: Ctrl-C may end it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Sequence
from contextlib import suppress

from client.interruption import EXIT_STATUS, SIGNALS, STOPPED


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit status. Whatever ends it, nothing that it has started stays."""
    try:
        try:
            SIGNALS.listen()
            # Here, for it takes half a second, in which a person may have changed their mind.
            from client import commands  # noqa: PLC0415

            status = commands.main(arguments)
        finally:
            SIGNALS.end()
    except BaseException:
        SIGNALS.end()  # Once more, for the signal may have come just before the first.
        if not SIGNALS.arrived:
            raise
    if not SIGNALS.arrived:
        return status
    with suppress(OSError):  # The terminal may be gone.
        print(STOPPED, file=sys.stderr, flush=True)
    return EXIT_STATUS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
