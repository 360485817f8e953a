"""Virtual time is in order, and the same for the same seed."""

import os
import random
import time

import pytest

from tests.simulation.world import EPOCH_S, Stuck, World


def test_processes_take_turns_by_time() -> None:
    world = World(1)
    seen = []

    def work(name: str, step: float) -> None:
        for _ in range(3):
            time.sleep(step)
            seen.append((name, time.monotonic()))

    world.spawn("a", lambda: work("a", 1.0))
    world.spawn("b", lambda: work("b", 1.5))
    began_at = time.perf_counter()
    world.run()
    world.close()
    # At the same moment, the one that began to wait first.
    assert seen == [("a", 1.0), ("b", 1.5), ("a", 2.0), ("b", 3.0), ("a", 3.0), ("b", 4.5)]
    assert time.perf_counter() - began_at < 2


def test_a_process_that_is_woken_does_not_wait_longer() -> None:
    world = World(1)
    woken_at = []

    def work() -> None:
        world.wait(10.0)
        woken_at.append(world.now)
        world.wait(10.0)
        woken_at.append(world.now)

    process = world.spawn("a", work)
    world.at(3.0, lambda: world.wake(process))
    world.run()
    world.close()
    assert woken_at == [3.0, 13.0]


def test_a_dead_process_does_nothing_more() -> None:
    world = World(1)
    did = []

    def work() -> None:
        try:
            time.sleep(10.0)
        finally:
            did.append("cleaned up")
            time.sleep(1.0)
            did.append("waited after its death")

    process = world.spawn("a", work)
    world.at(3.0, process.kill)
    world.run()
    world.close()
    assert (did, world.now) == (["cleaned up"], 3.0)


def test_a_process_that_nobody_wakes_is_found() -> None:
    world = World(1)
    world.spawn("lonely", world.wait)
    with pytest.raises(Stuck, match="lonely"):
        world.run()
    world.close()


def test_what_ends_a_process_is_found() -> None:
    world = World(1)

    def work() -> None:
        raise ZeroDivisionError

    world.spawn("a", work)
    with pytest.raises(ZeroDivisionError):
        world.run()
    world.close()


def test_clocks_and_chances_are_the_worlds_inside_and_real_outside() -> None:
    def drawn() -> list[object]:
        world = World(7)
        found: list[object] = []

        def work() -> None:
            time.sleep(2.0)
            found.extend((time.time(), os.urandom(8), random.uniform(0, 1)))

        world.spawn("a", work, skew_s=0.25)
        world.run()
        world.close()
        return found

    first = drawn()
    assert first[0] == EPOCH_S + 2.25
    assert drawn() == first
    assert os.urandom(8) != os.urandom(8)
    assert time.time() < EPOCH_S + 100 * 365 * 86_400
