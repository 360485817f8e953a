"""A simulated S3: request rates per partition, latencies with a tail, throttles; and what it holds."""

from collections import Counter
from typing import Any, NamedTuple

from tests.simulation.faults import Faults
from tests.simulation.world import World

GETS, PUTS = 5500, 3500
"""A second, of each partition of keys."""

GET_S, GET_P99_S = 0.027, 0.103
PUT_S, PUT_P99_S = 0.041, 0.125
PATIENCE_S = 20.0
"""The client library retries a throttled request for about this long."""


class Line:
    """What is served one after the other, at a steady rate."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._free_at = 0.0

    def delay_s(self, now: float, amount: float) -> float:
        """How long until ``amount`` more, which comes now, has been served."""
        self._free_at = max(self._free_at, now) + amount / self._per_s
        return self._free_at - now


class Rate:
    """Requests that are served, so many in each second: those that come faster wait, as retries make them do.
    They may come in any order."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._served: Counter[int] = Counter()  # by second

    def delay_s(self, now: float, requests: int = 1) -> float:
        """How long the last one of ``requests``, which come now, waits."""
        second = int(now)
        while True:
            room = min(self._per_s - self._served[second], requests)
            self._served[second] += room
            requests -= room
            if requests <= 0:
                return max(second - now, 0.0)
            second += 1


class Put(NamedTuple):
    """An object that was stored by ``about``."""

    at: float
    about: Any
    key: str


class Asked(NamedTuple):
    """A request: it waits until it is served, then it takes its time; and what goes wrong with it."""

    delay_s: float
    latency_s: float
    fault: str


NOTHING = Asked(0.0, 0.0, "")


class SimulatedS3:
    """One bucket. Keys that begin with the same folder share a partition."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._rates: dict[str, Rate] = {}
        self.objects: dict[str, bytes] = {}
        self.puts: list[Put] = []

    def get(self, key: str, now: float, requests: int = 1) -> Asked:
        """Requests to read ``key``: the delay is that of the last one."""
        delay_s = self._rate("GET", GETS, key).delay_s(now, requests)
        return self._asked(delay_s, self._faults.latency_s(GET_S, GET_P99_S), is_one=requests == 1)

    def put(self, key: str, now: float) -> Asked:
        """A request to store ``key``."""
        delay_s = self._rate("PUT", PUTS, key).delay_s(now)
        return self._asked(delay_s, self._faults.latency_s(PUT_S, PUT_P99_S))

    def store(self, key: str, body: bytes, about: Any) -> None:
        """The object is there now."""
        self.objects[key] = body
        self.puts.append(Put(self._world.now, about, key))

    def _rate(self, what: str, per_s: int, key: str) -> Rate:
        return self._rates.setdefault(f"{what} {key.partition('/')[0]}", Rate(per_s))

    def _asked(self, delay_s: float, latency_s: float, *, is_one: bool = True) -> Asked:
        if delay_s > PATIENCE_S and is_one:
            return Asked(PATIENCE_S, latency_s, "throttled")
        fault = self._faults.of_s3()
        return Asked(delay_s, latency_s * (100.0 if fault == "slow" else 1.0), fault)
