"""The metrics of a run that has ended: one log line from which CloudWatch extracts them.

The line is a document of the Embedded Metric Format. It needs no request and no permission. It costs what a
log line costs, and each metric of ``UNITS`` costs a custom metric in the hours in which it is published
(docs/decisions/0021). So they leave out what AWS measures anyway, such as the concurrency of a function.

CloudWatch Logs looks for metrics in log events that are one JSON object with ``_aws`` at its root. The
functions log as JSON. Lambda then wraps what a Python function writes through ``logging`` in an envelope, but
sends standard output unchanged. So ``log`` works, and ``logging`` would lose the metrics. Sources: AWS Lambda
developer guide, "Log and monitor Python Lambda functions" and "Configuring JSON and plain text log formats";
Amazon CloudWatch user guide, "Using the embedded metric format with Lambda" and "Specification: Embedded
metric format". Tested with ``awslambdaric`` 4.2.2, the runtime's client, set to log as JSON: a line on
standard output came unchanged, a line through ``logging`` as the text of a ``message``. Not tested in
CloudWatch itself.
"""

from typing import Any

from lambda_src.wire.record import RunRecord

NAMESPACE = "Fanfold"
DIMENSION = "Stack"
"""Not the job: AWS charges for each metric of each value. The log line has the job."""

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
"""Every metric, with its unit. AWS's free tier includes ten."""


def of_run(stack: str, record: RunRecord) -> dict[str, Any]:
    """The document for the run of ``record`` in ``stack``, which has ended. A stage that did not begin has no
    metric. A cancelled run did not fail."""
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
        DIMENSION: stack,
        "run_id": record.run_id,
        "job": record.job,
        "status": record.status,
        "input": record.name(),
        **values,
    }
