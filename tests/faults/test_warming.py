"""The functions of the second stage are started while the first is at work."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.faulty import FIRST_HELD, Faulty, of_jobs

BLOCKS = 20


@of_jobs("column_permutations")
def test_the_second_stage_is_started_early(faulty: Faulty) -> None:
    event, deployed = faulty.event(max_concurrency=BLOCKS + 5), faulty.stack.deployment
    functions = [deployed.get_all_occurrences, deployed.log_results, deployed.get_occurrences]
    with ThreadPoolExecutor(1) as executor, faulty.holding() as released:
        running = executor.submit(faulty.stack.invoke, event)

        def invoked() -> Counter[str]:
            calls = [call.target for call in list(faulty.proxy.calls) if call.service == "lambda"]
            return Counter(calls) - Counter({deployed.parse_block: BLOCKS})

        # All that is still under way is a block.
        faulty.proxy.wait_for(
            lambda: invoked() == Counter(functions) and faulty.proxy.invocations == BLOCKS - FIRST_HELD
        )
        released.set()
        faulty.check_exact("Started early", *running.result())
    calls = [call for call in faulty.stack.trace(event["run_id"]).calls if call.task == "warming"]
    assert Counter((call.function, call.outcome) for call in calls) == {
        ("get_all_occurrences", "done"): 1,
        ("get_occurrences", "done"): 1,
        ("log_results", "done"): 1,
    }
