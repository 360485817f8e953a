"""What CloudWatch is told of a run that has ended: one log line from which it takes the metrics by itself.

The line is a document of the Embedded Metric Format. It needs no request and no permission. It costs what a
log line costs, and each metric of ``UNITS`` that of a custom metric, in the hours in which it is published
(docs/decisions/0021). So what AWS measures anyway, such as the concurrency of a function, is not among them.

The functions log as JSON, and the document must arrive as it is: CloudWatch Logs looks for metrics in a log
event that is one JSON object with ``_aws`` at its root. Of a Python function, Lambda puts into an envelope
only what goes through ``logging``. Standard output it sends as it is, and JSON it does not encode twice. So
``log`` is the right way, and ``logging`` would lose the metrics. Sources: AWS Lambda developer guide, "Log
and monitor Python Lambda functions" and "Configuring JSON and plain text log formats"; Amazon CloudWatch user
guide, "Using the embedded metric format with Lambda" and "Specification: Embedded metric format". Tried with
``awslambdaric`` 4.2.2, the runtime's client, told to log as JSON: from standard output the line came as it
was, from ``logging`` as the text of a ``message``. What CloudWatch makes of it has not been seen.
"""

from typing import Any

from lambda_src.wire.record import RunRecord

NAMESPACE = "Fanfold"
DIMENSION = "Job"
"""A job has one stack in an account and region, so its name tells the metrics of two stacks apart."""

UNITS = {
    "Runs": "Count",
    "FailedRuns": "Count",
    "ParseSeconds": "Seconds",
    "ReduceSeconds": "Seconds",
    "LogSeconds": "Seconds",
    "Bytes": "Bytes",
    "Blocks": "Count",
    "Retries": "Count",
    "Throttles": "Count",
    "Dollars": "None",
}
"""Every metric, with its unit: ten, which is what AWS's free tier holds."""


def of_run(job: str, record: RunRecord) -> dict[str, Any]:
    """The document for the run of ``record``, which has ended. A stage that did not begin has no seconds. A
    cancelled run is a run, but did not fail."""
    seconds = {f"{stage.capitalize()}Seconds": value for stage, value in record.seconds.items()}
    values = {
        "Runs": 1,
        "FailedRuns": int(record.status == "FAILED"),
        **{name: value for name, value in seconds.items() if name in UNITS},
        "Bytes": record.bytes,
        "Blocks": record.blocks_done,
        "Retries": record.calls.get("tried_again", 0),
        "Throttles": record.calls.get("throttled", 0),
        "Dollars": sum(record.dollars.values()),
    }
    return {
        "_aws": {
            "Timestamp": int(record.finished_at * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [[DIMENSION]],
                    "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
                }
            ],
        },
        DIMENSION: job,
        "run_id": record.run_id,
        "status": record.status,
        "input": record.name(),
        **values,
    }
