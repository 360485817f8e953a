"""The report of a run shows its faults where they happened."""

import json

from fanfold.report.page.timeline import timeline_of
from fanfold.runs.run import Run
from tests.faults.faulty import Faulty
from tests.faults.proxy import THROTTLED, Call, Fault
from tests.faults.test_crashes import kill_workers


def test_a_report_shows_faults_where_they_happened(faulty: Faulty) -> None:
    kills = kill_workers(faulty, "parse_block", lambda task: 2 if task == 3 else 0)
    kill, is_block, throttles = faulty.proxy.decide, faulty.is_function("parse_block"), iter([True])

    def decide(call: Call) -> Fault | None:
        is_other = is_block(call) and json.loads(call.body).get("block") != 3
        return THROTTLED if is_other and next(throttles, False) else kill(call)

    faulty.proxy.decide = decide
    event = faulty.event()
    faulty.must_be_exact("SIGKILL of two workers and a 429, and the report", event)
    assert kills[3] == 2
    aws, deployment = faulty.stack.aws, faulty.stack.deployment
    told = timeline_of(faulty.stack.trace(event["run_id"]), 8)
    failed = [(fault.task, fault.attempt) for fault in told.faults if "Worker process died" in fault.error]
    assert failed == [("block 3", 1), ("block 3", 2)]
    (retried,) = (fault for fault in told.faults if (fault.task, fault.attempt) == ("block 3", 3))
    assert not retried.error
    assert sum("hrottled" in fault.error for fault in told.faults) == 1
    page = Run(aws, deployment, event["run_id"]).html().decode()
    assert page.count("Worker process died") >= 2
    assert "block 3" in page
