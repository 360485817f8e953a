"""The dashboard of a stack in CloudWatch, and its alarms by e-mail. It costs money even when nothing runs:
docs/decisions/0021."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from lambda_src.fields import Function
from lambda_src.run.metrics import DIMENSION, NAMESPACE, UNITS

PERIOD = Duration.minutes(5)
NEAR_TIMEOUT = 0.8
"""Share of its time-out from which a function is near it."""

_LAST_RUNS = (
    'filter event = "run_ended"',
    "sort @timestamp desc",
    "limit 20",
    "display @timestamp, run_id, job, status, input, Bytes, Blocks, ParseSeconds, ReduceSeconds, Retries, "
    "Throttles, Dollars",
)


class Dashboard(Construct):
    """The metrics of the stack's runs, AWS's metrics of its ``functions``, and the last runs. With an
    ``alarm_email``, alarms are sent there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[Function, lambda_.Function],
        alarm_email: str | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        dashboard = cloudwatch.Dashboard(self, "Dashboard")
        dashboard.add_widgets(
            self._of_runs("Runs", "Runs", "FailedRuns"),
            self._of_runs(
                "Seconds per stage",
                *(name for name in UNITS if name.endswith("Seconds")),
                statistic="Average",
            ),
            self._of_runs("Dollars", "Dollars"),
            self._of_runs("Bytes and blocks", "Bytes", right="Blocks"),
        )
        dashboard.add_widgets(
            self._of_runs("Blocks tried again, calls throttled", "Retries", "Throttles"),
            self._of_functions("Invocations", "Invocations", "Sum"),
            self._of_functions("Errors", "Errors", "Sum"),
            self._of_functions("Throttles", "Throttles", "Sum"),
        )
        dashboard.add_widgets(
            self._of_functions("Duration, p50", "Duration", "p50", width=8),
            self._of_functions("Duration, p99", "Duration", "p99", width=8),
            self._of_functions("Concurrent executions", "ConcurrentExecutions", "Maximum", width=8),
        )
        dashboard.add_widgets(
            cloudwatch.LogQueryWidget(
                title="The last runs",
                log_group_names=[functions["parse_file"].log_group.log_group_name],
                query_lines=list(_LAST_RUNS),
                view=cloudwatch.LogQueryVisualizationType.TABLE,
                width=24,
            )
        )
        CfnOutput(Stack.of(self), "DashboardName", value=dashboard.dashboard_name)
        if alarm_email:
            self._tell(alarm_email, self._alarms())

    def _of_runs(
        self, title: str, *left: str, right: str | None = None, statistic: str = "Sum"
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=[self._metric(name, statistic) for name in left],
            right=[self._metric(right, statistic)] if right else [],
        )

    def _of_functions(
        self, title: str, name: str, statistic: str, *, width: int = 6
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=[
                function.metric(name, statistic=statistic, period=PERIOD, label=label)
                for label, function in self._functions.items()
            ],
            width=width,
        )

    def _metric(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        assert name in UNITS, name
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={DIMENSION: Stack.of(self).stack_name},
            statistic=statistic,
            period=PERIOD,
        )

    def _alarms(self) -> list[cloudwatch.Alarm]:
        return [
            self._alarm(
                "RunFailed",
                # Not FailedRuns: a parse_file that dies writes no metric.
                self._functions["parse_file"].metric_errors(period=PERIOD),
                threshold=1,
                description="parse_file ended with an error: a run failed or was cancelled, a request was "
                "refused, or parse_file itself died. The run record and the log of parse_file say which.",
            ),
            self._alarm(
                "Dropped",
                self._functions["parse_file"].metric("AsyncEventsDropped", statistic="Sum", period=PERIOD),
                threshold=1,
                description="Lambda dropped a start or a hand-over of a run, which stays RUNNING. The "
                "event and the reason are in the queue that the output DroppedEventsQueue names. "
                "`fanfold resume` completes the run.",
            ),
            self._alarm(
                "Throttled",
                self._metric("Throttles"),
                threshold=1,
                description="Lambda throttled calls of a run, which were repeated later. Ask AWS for a "
                "larger quota, or run with a smaller max_concurrency.",
            ),
            *(
                self._alarm(
                    f"NearTimeout-{name}",
                    function.metric_duration(period=PERIOD, statistic="Maximum"),
                    threshold=NEAR_TIMEOUT * function.timeout.to_milliseconds(),
                    description=f"{name} took more than {NEAR_TIMEOUT:.0%} of its time-out of "
                    f"{function.timeout.to_seconds():.0f} s. At the time-out, its work is lost.",
                )
                for name, function in self._functions.items()
                # It hands a long run over to a fresh invocation; an alarm would go off for every long run.
                if name != "parse_file" and function.timeout
            ),
        ]

    def _alarm(
        self, name: str, metric: cloudwatch.Metric, *, threshold: float, description: str
    ) -> cloudwatch.Alarm:
        return metric.create_alarm(
            self,
            name,
            alarm_description=description,
            threshold=threshold,
            # One of two: a run's metrics arrive with its log, which may be after their period.
            evaluation_periods=2,
            datapoints_to_alarm=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _tell(self, email: str, alarms: list[cloudwatch.Alarm]) -> None:
        # No KMS key: CloudWatch may not use AWS's own key for SNS, whose policy cannot be changed, and a key
        # of ours costs a dollar a month. An alarm has nothing to hide: its e-mail is not encrypted.
        topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        # This policy replaces the default one, which lets CloudWatch publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowPublishByAlarmsOnly",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"ArnLike": {"aws:SourceArn": [alarm.alarm_arn for alarm in alarms]}},
            )
        )
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
