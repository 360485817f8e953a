"""Work in a thread, while another one does something else."""

import threading
from collections.abc import Callable


class InBackground:
    """Does ``work`` in a thread from now on. Calling it waits for that, and raises what it raised; calling it
    again does the work again."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._do, daemon=True)
        self._thread.start()

    def __call__(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            self._work()
            return
        thread.join()
        if self._error is not None:
            raise self._error

    def _do(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            self._error = error
