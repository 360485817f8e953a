"""What starts runs without a person, and what tells others of their end (docs/decisions/0049). All are off by
default."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_src.run.announcement import ENDED, SOURCE
from lambda_src.settings import PARSE_FILE_TIMEOUT_S, AnnounceRunsSettings
from lambda_src.store.keys import RUN_ITEM
from lambda_src.wire.starts import scheduled
from stacks.functions import Functions

RETRIED_FOR = Duration.hours(1)
"""How long the scheduler tries to hand an event to Lambda. Later, it is a dead letter."""

DEDUPLICATED_S = 300
"""A FIFO queue drops copies of a message for this time after it has accepted the first (SQS developer guide,
"Exactly-once processing in Amazon SQS")."""

ONE_RUN_S = 60
"""All messages queued in one minute start one run (``lambda_src.wire.starts``)."""

COLLECTED_FOR = Duration.seconds(DEDUPLICATED_S + ONE_RUN_S + 60)
"""How long a message waits. The run that it starts must list the prefix after the last arrival that was
dropped as a copy of any message of the same minute; a minute is to spare."""

MOST_RECEIVES = 5
"""A message is a dead letter once it has been received this often."""

ANNOUNCE_TIMEOUT_S, ANNOUNCE_MEMORY_MB = 60, 256

ANNOUNCED_WITHIN = Duration.hours(12)
"""How long Lambda repeats what failed. The stream keeps a record for 24 hours."""


class Schedule(Construct):
    """Starts ``request`` at the times of ``expression``, as EventBridge Scheduler writes them. ``role`` may
    invoke ``parse_file`` and write to ``dead_letters``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        expression: str,
        request: Mapping[str, Any],
        parse_file: lambda_.Function,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        # The scheduler names only the group of a schedule when it assumes a role.
        group = scheduler.CfnScheduleGroup(self, "Group")
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    "ArnEquals": {"aws:SourceArn": group.attr_arn},
                },
            ),
        )
        for action, resource in (
            ("lambda:InvokeFunction", parse_file.function_arn),
            ("sqs:SendMessage", dead_letters.queue_arn),
        ):
            self.role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            group_name=group.ref,
            schedule_expression=expression,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=parse_file.function_arn,
                role_arn=self.role.role_arn,
                input=json.dumps(scheduled(request)),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=RETRIED_FOR.to_seconds()
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=dead_letters.queue_arn),
            ),
        )
        schedule.node.add_dependency(self.role)


class Arrivals(Construct):
    """Starts ``request`` when objects have arrived in ``bucket`` under its prefix.

    The bucket must send its events to EventBridge. Every arrival puts the same message into ``queue``, which
    drops copies, waits, and gives out one batch at a time: so a run begins once the arrivals of five minutes
    are there, and the arrivals during a run are left to the next one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: str,
        request: Mapping[str, Any],
        parse_file: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        dead_letters = self._queue("DeadLetters", retention_period=Duration.days(14))
        self.queue = self._queue(
            "Queue",
            content_based_deduplication=True,
            delivery_delay=COLLECTED_FOR,
            # Lambda requires at least the time-out of the function.
            visibility_timeout=Duration.seconds(PARSE_FILE_TIMEOUT_S + 60),
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MOST_RECEIVES),
        )
        rule = events.CfnRule(
            self,
            "Rule",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "account": [Stack.of(self).account],
                "detail": {
                    "bucket": {"name": [bucket]},
                    "object": {"key": [{"prefix": request["prefix"]}]},
                },
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Queue",
                    arn=self.queue.queue_arn,
                    input=json.dumps(request),
                    sqs_parameters=events.CfnRule.SqsParametersProperty(message_group_id="arrivals"),
                )
            ],
        )
        self.rule_arn = rule.attr_arn
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
        read = _policy(
            self,
            "ParseFileReceives",
            parse_file,
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            self.queue.queue_arn,
        )
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=self.queue.queue_arn,
            function_name=parse_file.function_name,
            batch_size=10,
        )
        mapping.node.add_dependency(read)

    def _queue(self, name: str, **settings: Any) -> sqs.Queue:
        return sqs.Queue(
            self, name, fifo=True, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, **settings
        )


class Announcements(Construct):
    """Puts an event on the bus of this account that is called ``bus`` for each run that has ended.
    ``function`` reads the stream of ``table``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bus: str,
        table: dynamodb.TableV2,
        functions: Functions,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        resource = table.node.default_child
        assert isinstance(resource, dynamodb.CfnGlobalTable)
        resource.stream_specification = dynamodb.CfnGlobalTable.StreamSpecificationProperty(
            stream_view_type="NEW_IMAGE"
        )
        self.bus_arn = stack.format_arn(service="events", resource="event-bus", resource_name=bus)
        self.function = functions.function(
            "announce_runs",
            AnnounceRunsSettings(url_suffix=stack.url_suffix, stack=stack.stack_name, bus=bus),
            memory_mb=ANNOUNCE_MEMORY_MB,
            timeout_s=ANNOUNCE_TIMEOUT_S,
        )
        self.function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["events:PutEvents"],
                resources=[self.bus_arn],
                conditions={"StringEquals": {"events:source": SOURCE}},
            )
        )
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn])
        )
        read = _policy(
            self,
            "ReadsStream",
            self.function,
            [f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator")]
            + ["dynamodb:ListStreams"],
            resource.attr_stream_arn,
        )
        ended = {"dynamodb": {"NewImage": {"item": {"S": [RUN_ITEM]}, "status": {"S": list(ENDED)}}}}
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Mapping",
            event_source_arn=resource.attr_stream_arn,
            function_name=self.function.function_name,
            starting_position="TRIM_HORIZON",
            batch_size=10,
            bisect_batch_on_function_error=True,
            maximum_record_age_in_seconds=int(ANNOUNCED_WITHIN.to_seconds()),
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(ended))]
            ),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=dead_letters.queue_arn)
            ),
        )
        mapping.node.add_dependency(read)


def _policy(
    scope: Construct, name: str, function: lambda_.Function, actions: list[str], resource: str
) -> iam.Policy:
    """A policy that can be waited for: Lambda checks that a function may read before it makes a mapping."""
    assert function.role is not None, "Functions gives every function a role of its own"
    return iam.Policy(
        scope,
        name,
        roles=[function.role],
        statements=[iam.PolicyStatement(actions=actions, resources=[resource])],
    )
