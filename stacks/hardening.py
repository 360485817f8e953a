"""What ``hardened=true`` adds for a security review: a KMS key, a network without internet access, access
logs, versioning, dead letters. docs/decisions/0035 has the costs and the reasons."""

from typing import Any, cast

from aws_cdk import Acknowledgment, ArnFormat, CfnResource, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.map_reduce_job import ANY_ACCOUNT, MapReduceJob, Objects, role_of
from stacks.storage import Storage, private_bucket
from stacks.unattended import Announcements, Arrivals, Schedule

HTTPS = ec2.Port.tcp(443)
ADDRESSES = "10.0.0.0/24"

CHANGES_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
]
SEES_INTERFACES = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
"""The actions that Lambda performs with the role of a function to connect it to a network."""

READS_BUCKET = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"]

READS_TABLE = ["kms:DescribeKey"]
WRITES_TABLE = [
    f"kms:{action}"
    for action in (
        *("DescribeKey", "Encrypt", "GenerateDataKeyWithoutPlaintext"),
        *("ReEncryptFrom", "ReEncryptTo"),
    )
]
"""The actions that DynamoDB performs with the key on behalf of a caller, besides encrypting and decrypting
data keys."""

_RESERVES_NOTHING = (
    "CKV_AWS_115",
    "Reserved concurrency is taken from the rest of the account, and small accounts have none to reserve. "
    "The setting reserved_concurrency reserves it for parse_block, which runs many times at once.",
)
_HAS_A_DESTINATION = (
    "CKV_AWS_116",
    "Its on-failure destination is that queue, and tells the reason, too. With both, each event came twice.",
)
_IS_THE_LOG = (
    "CKV_AWS_18",
    "It holds the access logs of the other bucket. Logging its own accesses would log each log.",
)


class Hardening(Construct):
    """Hardens everything that is in the stack, so it must be created last."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: Storage,
        job: MapReduceJob,
        inputs: Objects,
        removal: RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._key = self._make_key(stack, removal)
        self._network = Network(self, "Network", storage=storage, job=job, inputs=inputs)
        self._access_logs = self._make_access_logs(storage.bucket, removal)
        self._functions = [
            *job.by_name.values(),
            *(one.function for one in job.unattended if isinstance(one, Announcements)),
        ]
        for function in self._functions:
            self._connect(function)
        for function in (job.parse_file, job.get_all_occurrences, job.get_occurrences):
            self._allow(function, WRITES_TABLE)
        self._allow(job.log_results, READS_TABLE)
        for function in job.by_name.values():
            if function is not job.parse_file:
                self._keep_dead_letters(function, job.dropped_events)
        self._allow_unattended(job)
        for construct in stack.node.find_all():
            self._encrypt(construct)
        for function in (job.parse_file, *self._functions[len(job.by_name) :]):
            _set_aside(function, *_HAS_A_DESTINATION)
        for function in self._functions:
            if function is not job.parse_block or not job.reserves:
                _set_aside(function, *_RESERVES_NOTHING)
        _set_aside(self._access_logs, *_IS_THE_LOG)

    def _make_key(self, stack: Stack, removal: RemovalPolicy) -> kms.Key:
        """One key for all data; grants say who may use it for what. It is kept as long as the data."""
        key = kms.Key(
            self,
            "Key",
            description=f"Encrypts what {stack.stack_name} stores",
            enable_key_rotation=True,
            removal_policy=removal,
        )
        groups = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{stack.stack_name}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogsOfThisStack",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=[
                    "kms:Decrypt*",
                    "kms:Describe*",
                    "kms:Encrypt*",
                    "kms:GenerateDataKey*",
                    "kms:ReEncrypt*",
                ],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            )
        )
        return key

    def _allow_unattended(self, job: MapReduceJob) -> None:
        """EventBridge encrypts what it puts into a queue, and the scheduler what a schedule starts."""
        for one in job.unattended:
            if isinstance(one, Schedule):
                one.role.add_to_policy(
                    iam.PolicyStatement(
                        actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self._key.key_arn]
                    )
                )
            elif isinstance(one, Arrivals):
                self._key.add_to_resource_policy(
                    iam.PolicyStatement(
                        sid="ArrivalsOfThisAccount",
                        principals=[iam.ServicePrincipal("events.amazonaws.com")],
                        actions=["kms:Decrypt", "kms:GenerateDataKey"],
                        resources=["*"],
                        conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                    )
                )

    def _make_access_logs(self, logged: s3.Bucket, removal: RemovalPolicy) -> s3.Bucket:
        """S3 delivers access logs only to a bucket that is encrypted with a key of S3."""
        bucket = private_bucket(
            self,
            "AccessLogs",
            removal,
            [
                s3.LifecycleRule(
                    id="Expire",
                    expiration=Duration.days(365),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects("*")],
                conditions={
                    "ArnLike": {"aws:SourceArn": logged.bucket_arn},
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                },
            )
        )
        return bucket

    def _connect(self, function: lambda_.Function) -> None:
        self._allow(function, ["kms:Decrypt", "kms:GenerateDataKey"])
        stack = Stack.of(self)
        # All resources, as Lambda requires: it creates the interfaces, whose ids are not known before.
        interfaces = stack.format_arn(service="ec2", resource="*", resource_name="*")
        function.add_to_role_policy(iam.PolicyStatement(actions=CHANGES_INTERFACES, resources=[interfaces]))
        function.add_to_role_policy(iam.PolicyStatement(actions=SEES_INTERFACES, resources=["*"]))
        # Lambda uses these permissions with the function's role; the function itself does not need them.
        function.add_to_role_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=[*CHANGES_INTERFACES, *SEES_INTERFACES],
                resources=["*"],
                conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
            )
        )
        of_interfaces = "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:*/*"
        for wildcard in ("*", of_interfaces):
            Validations.of(role_of(function)).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{wildcard}]",
                    reason="X-Ray knows no resources; and Lambda names the network interfaces that it makes "
                    "with this role, while the function itself is denied the same.",
                )
            )
        resource = cast(lambda_.CfnFunction, function.node.default_child)
        resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=self._network.subnet_ids, security_group_ids=[self._network.group_id]
        )

    def _allow(self, function: lambda_.Function, actions: list[str]) -> None:
        function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[self._key.key_arn]))

    def _keep_dead_letters(self, function: lambda_.Function, queue: sqs.Queue) -> None:
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        resource = cast(lambda_.CfnFunction, function.node.default_child)
        resource.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=queue.queue_arn)

    def _encrypt(self, construct: object) -> None:
        """Encrypt with the key whatever supports it, and have S3 keep old versions and log accesses."""
        arn = self._key.key_arn
        match construct:
            case lambda_.CfnFunction():
                construct.kms_key_arn = arn
            case logs.CfnLogGroup():
                construct.kms_key_id = arn
            case sqs.CfnQueue():
                construct.sqs_managed_sse_enabled = None
                construct.kms_master_key_id = arn
            case scheduler.CfnSchedule():
                construct.kms_key_arn = arn
            case sns.CfnTopic():
                construct.kms_master_key_id = arn
            case dynamodb.CfnGlobalTable():
                construct.add_property_override("Replicas.0.SSESpecification.KMSMasterKeyId", arn)
            case s3.CfnBucket() if construct.node.path.startswith(self._access_logs.node.path):
                construct.versioning_configuration = s3.CfnBucket.VersioningConfigurationProperty(
                    status="Enabled"
                )
            case s3.CfnBucket():
                construct.add_property_override(
                    "BucketEncryption.ServerSideEncryptionConfiguration",
                    [
                        {
                            "BucketKeyEnabled": True,
                            "ServerSideEncryptionByDefault": {
                                "SSEAlgorithm": "aws:kms",
                                "KMSMasterKeyID": arn,
                            },
                        }
                    ],
                )
                construct.versioning_configuration = s3.CfnBucket.VersioningConfigurationProperty(
                    status="Enabled"
                )
                construct.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
                    destination_bucket_name=self._access_logs.bucket_name
                )


class Network(Construct):
    """Two subnets from which only S3, the table and the functions of this stack can be reached."""

    def __init__(
        self, scope: Construct, construct_id: str, *, storage: Storage, job: MapReduceJob, inputs: Objects
    ) -> None:
        super().__init__(scope, construct_id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(ADDRESSES),
            max_azs=2,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Functions", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
            ],
        )
        functions = ec2.SecurityGroup(
            self, "Functions", vpc=vpc, description="The functions", allow_all_outbound=False
        )
        functions.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "To the endpoints; there is no other way")
        endpoints = ec2.SecurityGroup(
            self, "Endpoints", vpc=vpc, description="The endpoint of Lambda", allow_all_outbound=False
        )
        endpoints.add_ingress_rule(ec2.Peer.ipv4(ADDRESSES), HTTPS, "From the functions")
        self._add_endpoints(vpc, endpoints, storage, job, inputs)
        self._log_flows(vpc)
        self.subnet_ids = [subnet.subnet_id for subnet in vpc.isolated_subnets]
        self.group_id = functions.security_group_id

    def _add_endpoints(
        self, vpc: ec2.Vpc, group: ec2.SecurityGroup, storage: Storage, job: MapReduceJob, inputs: Objects
    ) -> None:
        stack = Stack.of(self)
        ours: dict[str, Any] = {"StringEquals": {"aws:PrincipalAccount": stack.account}}
        is_public = inputs.account == ANY_ACCOUNT
        accounts = [stack.account, *([inputs.account] if inputs.account and not is_public else [])]
        of_buckets = {"StringEquals": {**ours["StringEquals"], "aws:ResourceAccount": accounts}}
        for name, service, actions, resources, conditions in (
            ("S3", ec2.GatewayVpcEndpointAwsService.S3, ["s3:*"], ["*"], of_buckets),
            (
                "DynamoDb",
                ec2.GatewayVpcEndpointAwsService.DYNAMODB,
                ["dynamodb:*"],
                [storage.table.table_arn],
                ours,
            ),
        ):
            endpoint = vpc.add_gateway_endpoint(name, service=service)
            endpoint.add_to_policy(_anyone(actions, resources, conditions))
            if name == "S3" and is_public:
                public = [inputs.bucket.bucket_arn, inputs.bucket.arn_for_objects("*")]
                endpoint.add_to_policy(_anyone(READS_BUCKET, public, ours))
        of_lambda = vpc.add_interface_endpoint(
            "Lambda",
            service=ec2.InterfaceVpcEndpointAwsService.LAMBDA_,
            security_groups=[group],
            open=False,
        )
        # One by one: CloudFormation shortens the stack's name in the names of functions, so no pattern fits
        # all.
        functions_arns = [function.function_arn for function in job.by_name.values()]
        of_lambda.add_to_policy(_anyone(["lambda:InvokeFunction"], functions_arns, ours))
        for one in job.unattended:
            if isinstance(one, Announcements):
                of_events = vpc.add_interface_endpoint(
                    "Events",
                    service=ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE,
                    security_groups=[group],
                    open=False,
                )
                of_events.add_to_policy(_anyone(["events:PutEvents"], [one.bus_arn], ours))

    def _log_flows(self, vpc: ec2.Vpc) -> None:
        group = logs.LogGroup(
            self, "FlowLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group))


def _anyone(actions: list[str], resources: list[str], conditions: dict[str, Any]) -> iam.PolicyStatement:
    """Anyone who may do it anyway: the policy of an endpoint can only restrict."""
    return iam.PolicyStatement(
        principals=[iam.AnyPrincipal()], actions=actions, resources=resources, conditions=conditions
    )


def _set_aside(construct: Construct, check: str, reason: str) -> None:
    """Tell checkov why a check does not hold."""
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    metadata = resource.get_metadata("checkov") or {"skip": []}
    resource.add_metadata("checkov", {"skip": [*metadata["skip"], {"id": check, "comment": reason}]})
