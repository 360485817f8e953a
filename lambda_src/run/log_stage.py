"""The last stage: the results go to CloudWatch."""

import copy

from lambda_src.errors import ConservationBroken
from lambda_src.fan_out.map_reduce import call_once
from lambda_src.job import Job
from lambda_src.run.ports import Functions
from lambda_src.run.state import Run
from lambda_src.wire.requests import LogResultsRequest


def log_results(job: Job, run: Run, functions: Functions) -> None:
    """Have ``log_results`` log every part, and store the trace meanwhile. Raises ConservationBroken if the
    table misses one."""
    run.ledger.begin_trace()
    run.ledger.show()
    logged = call_once(
        functions.log_results,
        LogResultsRequest(copy.copy(run.record)),
        tick=run.tick,
        observer=run.ledger.watch("log_results", lambda _: "results"),
    )
    if logged.parts != len(job.parts):
        raise ConservationBroken(f"The results table holds {logged.parts} of {len(job.parts)} {job.part}s.")
