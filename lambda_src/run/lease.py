"""One owner per run: claimed, renewed, handed over.

A run belongs to one invocation at a time, its owner, for as long as the lease in its record lasts; the owner
renews it about every half second. Whoever finds the lease run out may take the run over and go on. An owner
that runs out of time releases the run and names itself to the one invocation that is to go on.
"""

import time
from collections.abc import Callable

from lambda_src.errors import NoProgress, RunConflict, Transient
from lambda_src.run.ports import Results
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord

LEASE_S = 30.0
"""How long a run waits for an owner that has died; an owner that lives renews it every half second."""

RENEWAL_S = 10.0
"""A renewal that fails is tried again at the next tick, while this much of the lease is left."""

HANDOVER_S = 60.0
"""With less than this left of an invocation, a fresh one takes the run over."""


class OutOfTime(Exception):
    """This invocation must end soon."""


class Lease:
    """The lease of the run of ``record`` by its ``owner``, this invocation, which has ``remaining_s()``."""

    def __init__(self, record: RunRecord, results: Results, remaining_s: Callable[[], float]) -> None:
        self._record = record
        self._results = results
        self._remaining_s = remaining_s
        self._lasts_until = 0.0

    def claim(self, found: RunRecord | None) -> None:
        """Become the owner of the run, which has been ``found`` with that record. Raises RunConflict."""
        self._record.lease_until = time.time() + LEASE_S
        try:
            self._results.claim(self._record, found)
        except RunConflict:
            raise RunConflict(
                f"run_id: another invocation works on the run {self._record.run_id}: wait for it, or, if it "
                f"has died, try again in {LEASE_S:.0f} seconds."
            ) from None
        self._lasts_until = self._record.lease_until

    def take_over(self, owner: str) -> None:
        """Become the owner of the run that ``owner`` has released. Raises RunConflict if it was taken
        already."""
        self._record.lease_until = time.time() + LEASE_S
        self._results.take_over(self._record, owner)
        self._lasts_until = self._record.lease_until

    def renew(self) -> None:
        """Keep the run, and its record true. Raises OutOfTime, and as ``extend``."""
        if self._remaining_s() < HANDOVER_S:
            raise OutOfTime
        self.extend()

    def extend(self) -> None:
        """Renew the lease. Raises RunConflict, RunCancelled; Transient if the lease will run out before
        another attempt could renew it."""
        self._record.lease_until = time.time() + LEASE_S
        try:
            self._results.put_run(self._record)
        except Transient as error:
            if time.time() + RENEWAL_S > self._lasts_until:
                raise
            log("lease_not_renewed", run_id=self._record.run_id, message=str(error))
        else:
            self._lasts_until = self._record.lease_until

    def release(self) -> None:
        """Leave the run to a fresh invocation. Raises NoProgress where that one would get no further than
        this one, and so on for ever."""
        if self._record.blocks_done == self._record.blocks_kept:
            raise NoProgress(
                f"In stage {self._record.stage}, a whole invocation finished no further block, or not all "
                "reducers: see the logs of parse_block and get_occurrences."
            )
        # Should the fresh one never begin, the run is anybody's once the lease has run out.
        self._record.released, self._record.lease_until = True, time.time() + LEASE_S
        self._results.put_run(self._record)
