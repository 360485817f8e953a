"""The lease by which a run has one owner at a time.

The owner is an invocation of ``parse_file``. It renews the lease about every half second. When a lease has
expired, any invocation may claim the run and continue. An owner that runs out of time releases the run to one
new invocation.
"""

import time
from collections.abc import Callable

from lambda_src.errors import NoProgress, RunConflict, Transient
from lambda_src.fan_out import map_reduce
from lambda_src.run.ports import Results
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord

LEASE_S = 30.0
"""A run whose owner has died can be claimed after this time."""

GRACE_S = 30.0
"""A renewal that fails is tried again at the next tick, until the lease has been over for this long. Until
somebody claims the run, which a renewal notices, it is still this invocation's."""

HANDOVER_S = 60.0
"""An invocation with less time left hands the run over to a new one."""


EARLY_S = 0.001
"""A tick that comes so much early counts as on time."""


class OutOfTime(Exception):
    """The time of this invocation is nearly over."""


class Lease:
    """The lease of the run of ``record`` for this invocation, which has ``remaining_s()`` left."""

    def __init__(self, record: RunRecord, results: Results, remaining_s: Callable[[], float]) -> None:
        self._record = record
        self._results = results
        self._remaining_s = remaining_s
        self._lasts_until = self._stored_at = 0.0

    def claim(self, found: RunRecord | None) -> None:
        """Become the owner of the run, whose record was ``found``. Raises RunConflict."""
        self._record.lease_until = time.time() + LEASE_S
        try:
            self._results.claim(self._record, found)
        except RunConflict:
            raise RunConflict(
                f"run_id: another invocation works on the run {self._record.run_id}: wait for it, or, if it "
                f"has died, try again in {LEASE_S:.0f} seconds."
            ) from None
        self._stored()

    def take_over(self, owner: str) -> None:
        """Become the owner of the run that ``owner`` released. Raises RunConflict if another invocation did
        already."""
        self._record.lease_until = time.time() + LEASE_S
        self._results.take_over(self._record, owner)
        self._stored()

    def renew(self) -> None:
        """Extend the lease and store the record, unless it was stored less than a tick ago: each fan-out has
        ticks of its own. Raises OutOfTime, and as ``extend``."""
        if self._remaining_s() < HANDOVER_S:
            raise OutOfTime
        if time.monotonic() - self._stored_at >= map_reduce.TICK_S - EARLY_S:
            self.extend()

    def extend(self) -> None:
        """Extend the lease and store the record, whatever the time. Raises RunConflict, RunCancelled;
        Transient once the table has not answered until long after the lease."""
        self._record.lease_until = time.time() + LEASE_S
        try:
            self._results.put_run(self._record)
        except Transient as error:
            if time.time() > self._lasts_until + GRACE_S:
                raise
            log("lease_not_renewed", run_id=self._record.run_id, message=str(error))
        else:
            self._stored()

    def release(self) -> None:
        """Release the run to a new invocation. Raises NoProgress if this one finished no block: the next
        would not either, and so on for ever."""
        record = self._record
        if record.blocks_done == record.blocks_kept + record.blocks_reused:
            raise NoProgress(
                f"In stage {self._record.stage}, a whole invocation finished no further block, or did not "
                "finish all reducers: see the logs of parse_block and get_occurrences."
            )
        # If the new invocation never starts, anyone may claim the run once the lease has expired.
        self._record.released, self._record.lease_until = True, time.time() + LEASE_S
        self._results.put_run(self._record)

    def _stored(self) -> None:
        self._lasts_until, self._stored_at = self._record.lease_until, time.monotonic()
