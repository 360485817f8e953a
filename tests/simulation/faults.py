"""What goes wrong in a run: drawn from its seed, so that the same seed has the same accidents."""

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

NINETY_NINTH = 2.326
"""The quantile of the normal distribution."""

LARGEST_LATENCY_S = 5.0

CALL_FAULTS = (
    "throttled",
    "server error",
    "dies",
    "dies after",
    "lost answer",
    "no answer",
    "slow",
    "hangs",
    "runs again",
    "miscounts",
)
"""Of an invocation: refused; killed at any time, or after it had its effect; its answer is lost with the
connection, or without a sign; it takes many times as long, or for ever; it is executed once more, later; a
reducer loses a line, or counts it twice."""

MISCOUNTS = ("lambda", "miscounts")
S3_FAULTS = ("throttled", "server error", "lost answer", "slow")
EVENT_FAULTS = ("lost", "late", "twice")
TABLE_FAULTS = ("throttled", "server error", "lost request", "lost answer", "slow")


class Outage(NamedTuple):
    """From ``start`` to ``end``, requests to ``service`` fail in one way."""

    service: str
    fault: str
    start: float
    end: float


class Faults:
    """``rates`` are the chances of each fault, by service and name, such as ``("lambda", "slow")``."""

    def __init__(
        self,
        chance: random.Random,
        rates: dict[tuple[str, str], float] | None = None,
        outages: tuple[Outage, ...] = (),
        *,
        has_tails: bool = True,
        skew_s: float = 0.0,
    ) -> None:
        self._chance, self._rates, self._outages = chance, dict(rates or {}), outages
        self._has_tails, self.most_skew_s = has_tails, skew_s
        self.now: Callable[[], float] = lambda: 0.0  # of the world
        self.happened: Counter[str] = Counter()

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self._rates, self._outages = {}, ()

    def latency_s(self, median_s: float, p99_s: float) -> float:
        """Of one request: lognormal, so that one of a hundred takes longer than ``p99_s``."""
        if not self._has_tails:
            return median_s
        spread = math.log(p99_s / median_s) / NINETY_NINTH
        return min(self._chance.lognormvariate(math.log(median_s), spread), LARGEST_LATENCY_S)

    def of_table(self, _operation: str) -> str:
        """Of one request to the table."""
        return self._drawn("table", TABLE_FAULTS)

    def of_s3(self) -> str:
        """Of one request to S3."""
        return self._drawn("s3", S3_FAULTS)

    def of_call(self, _function: str) -> str:
        """Of one invocation."""
        return self._drawn("lambda", CALL_FAULTS)

    def between(self, least: float, most: float) -> float:
        """Something between, or the middle where latencies have no tails."""
        return self._chance.uniform(least, most) if self._has_tails else (least + most) / 2

    def skew_s(self) -> float:
        """How far a clock is ahead."""
        return self._chance.uniform(-self.most_skew_s, self.most_skew_s) if self.most_skew_s else 0.0

    def slowness(self) -> float:
        """How many times as long something slow takes."""
        return self._chance.choice([3.0, 10.0, 100.0])

    def deliveries(self) -> list[float]:
        """When an event is delivered: lost, late or twice, where events have faults."""
        soon_s, late_s = self.latency_s(0.03, 1.0), self.latency_s(5.0, 200.0)
        fault = self._drawn("events", EVENT_FAULTS)
        return {"lost": [], "late": [late_s], "twice": [soon_s, late_s]}.get(fault, [soon_s])

    def busy_s(self) -> float:
        """How long a transaction uses its items after it is done."""
        return self._chance.uniform(0.0, 0.02) if self._rates else 0.0

    def drawn(self, probability: float) -> bool:
        """Whether something of this ``probability`` happens."""
        return self._chance.random() < probability

    def _drawn(self, service: str, faults: tuple[str, ...]) -> str:
        if self._outages:
            now = self.now()
            for outage in self._outages:
                if outage.service == service and outage.start <= now < outage.end:
                    self.happened[f"{service}: {outage.fault}"] += 1
                    return outage.fault
        if not self._rates:
            return ""
        drawn = self._chance.random()
        for fault in faults:
            drawn -= self._rates.get((service, fault), 0.0)
            if drawn < 0:
                self.happened[f"{service}: {fault}"] += 1
                return fault
        return ""


def drawn_faults(chance: random.Random) -> Faults:
    """Those of a run: few kinds in most, many in some."""
    kinds = [
        *(("lambda", fault) for fault in CALL_FAULTS),
        *(("s3", fault) for fault in S3_FAULTS),
        *(("table", fault) for fault in TABLE_FAULTS),
        *(("events", fault) for fault in EVENT_FAULTS),
    ]
    some = chance.sample(kinds, chance.choice([0, 1, 1, 2, 2, 3, 5, len(kinds)]))
    most = 0.3 if len(some) < 4 else 0.05
    rates = {kind: chance.uniform(0.0, most) for kind in some}
    if MISCOUNTS in rates:
        rates[MISCOUNTS] = 0.5  # which only reducers notice
    outages = []
    for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
        service, fault = chance.choice(kinds)
        start = chance.uniform(0.0, 20.0)
        outages.append(Outage(service, fault, start, start + chance.choice([1.0, 5.0, 20.0, 45.0, 90.0])))
    skew_s = chance.choice([0.0, 0.0, 0.5, 5.0, 40.0])
    return Faults(chance, rates, tuple(outages), skew_s=skew_s)
