"""The bucket of inputs and intermediates, and the results table."""

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambda_src.store.keys import (
    BLOBS_PREFIX,
    FAMILIES_PREFIX,
    PIECES_PREFIX,
    REUSED_DAYS,
    REUSED_MARGIN_DAYS,
    REUSED_PREFIX,
    RUNS_INDEX,
    RUNS_PREFIX,
)

RECORDS_KEPT_DAYS = 7
"""Days that manifest, trace and listing are kept: reports need them, and they are small. The pieces that the
manifest names are kept as long."""

OLD_VERSIONS_KEPT_DAYS = 30
"""Days that old versions are kept, if versioning is on: long enough to restore an input that was deleted by
mistake."""


class Storage(Construct):
    """``removal`` is what happens to bucket and table when the stack is destroyed.

    The table has no deletion protection, which would prevent a rollback. If someone deletes it, DynamoDB
    keeps a backup for 35 days, because point-in-time recovery is on.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal: RemovalPolicy,
        keep_intermediates_days: int,
        access_logs: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = private_bucket(self, "Bucket", removal, _lifecycle(keep_intermediates_days))
        if not access_logs:
            _explain_no_access_logs(self.bucket)
        self.table = dynamodb.TableV2(
            self,
            "Results",
            partition_key=dynamodb.Attribute(name="run_id", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="item", type=dynamodb.AttributeType.STRING),
            # Only the records of runs have a time, so the index has only them. Their keys never change, so
            # that only the first write of a run also writes to the index.
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=RUNS_INDEX,
                    partition_key=dynamodb.Attribute(name="item", type=dynamodb.AttributeType.STRING),
                    sort_key=dynamodb.Attribute(name="started_at", type=dynamodb.AttributeType.NUMBER),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                )
            ],
            billing=dynamodb.Billing.on_demand(),
            encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=removal,
        )

    def send_events(self) -> None:
        """Have the bucket send its events to EventBridge. The CDK's own way would add a function."""
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )


def removal_of(*, retain_data: bool) -> RemovalPolicy:
    """Keeps data when the stack is destroyed or a resource is replaced, but not when the stack's first
    deployment fails; without ``retain_data``, all data are deleted."""
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if retain_data else RemovalPolicy.DESTROY


def private_bucket(
    scope: Construct, construct_id: str, removal: RemovalPolicy, lifecycle: list[s3.LifecycleRule]
) -> s3.Bucket:
    """An encrypted bucket that cannot be used without a grant or without TLS."""
    bucket = s3.Bucket(
        scope,
        construct_id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=lifecycle,
        removal_policy=removal,
        auto_delete_objects=False,
    )
    assert bucket.policy is not None, "enforce_ssl makes one"
    bucket.policy.apply_removal_policy(removal)  # a bucket that is kept still rejects weak connections
    return bucket


def _explain_no_access_logs(bucket: s3.Bucket) -> None:
    Validations.of(bucket).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-S1",
            reason="One bucket by default: access logs need a second one, which hardened=true adds. "
            "CloudTrail data events say the same.",
        )
    )


def _lifecycle(keep_intermediates_days: int) -> list[s3.LifecycleRule]:
    """When objects expire. Inputs and complete sums do not. A run can be resumed while its blobs are stored,
    and needs its listing for that. Blobs that later runs may use, and the lists of them, are in one folder
    per number of days."""
    expiring = {
        BLOBS_PREFIX: keep_intermediates_days,
        RUNS_PREFIX: max(RECORDS_KEPT_DAYS, keep_intermediates_days),
        **{
            f"{prefix}{days}/": days + REUSED_MARGIN_DAYS
            for prefix in (REUSED_PREFIX, FAMILIES_PREFIX)
            for days in REUSED_DAYS
        },
        PIECES_PREFIX: max(RECORDS_KEPT_DAYS, keep_intermediates_days),
    }
    return [
        *(
            s3.LifecycleRule(
                id=f"Expire-{prefix[:-1].replace('/', '-')}",
                prefix=prefix,
                expiration=Duration.days(days),
                noncurrent_version_expiration=Duration.days(1),
            )
            for prefix, days in expiring.items()
        ),
        s3.LifecycleRule(
            id="Expire-old-versions", noncurrent_version_expiration=Duration.days(OLD_VERSIONS_KEPT_DAYS)
        ),
        s3.LifecycleRule(
            id="Abort-unfinished-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
        ),
    ]
