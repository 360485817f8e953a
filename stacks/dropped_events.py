"""Events that Lambda accepted but could not deliver: starts and hand-overs of ``parse_file``."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAX_AGE = Duration.minutes(5)
"""Age at which Lambda gives up an event. By default, it would try for six hours while an account has no spare
concurrency; a person resumes the run sooner."""


class DroppedEvents(Construct):
    """A queue of the events that ``function`` did not get or failed on, each with the reason. It is free
    while it is empty, and keeps an event for 14 days."""

    def __init__(self, scope: Construct, construct_id: str, function: lambda_.Function) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        Validations.of(self.queue).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-SQS3",
                reason="It is a dead-letter queue itself: only a person reads it, so no message fails.",
            )
        )
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        )
        # A failed run is resumed by a person; by default, Lambda would try twice more.
        function.configure_async_invoke(retry_attempts=0, max_event_age=MAX_AGE)
        # Not with on_failure, which would also let the function read the queue's attributes.
        config = function.node.find_child("EventInvokeConfig").node.default_child
        assert isinstance(config, lambda_.CfnEventInvokeConfig)
        config.add_property_override("DestinationConfig.OnFailure.Destination", self.queue.queue_arn)
