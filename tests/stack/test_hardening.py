"""``hardened=true``: a key of one's own for everything, no way out of the network, nothing unexplained."""

from collections import Counter
from typing import Any

import pytest

from .conftest import EXISTING_BUCKET, Synthesize
from .synthesized import FUNCTIONS, Synthesized, as_list
from .test_dashboard import properties, types
from .test_grants import GRANTS

each_function = pytest.mark.parametrize("name", FUNCTIONS)

INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}
DESCRIBED = {"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"}
TRACED = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}

KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
WRITES_TABLE = {
    *("kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
}
OF_KEY = {
    "ParseFile": KEY | WRITES_TABLE,
    "ParseBlock": KEY,
    "GetAllOccurrences": KEY | WRITES_TABLE,
    "GetOccurrences": KEY | WRITES_TABLE,
    "LogResults": KEY | {"kms:DescribeKey"},
}

ADDED = {
    "AWS::EC2::FlowLog": 1,
    "AWS::EC2::RouteTable": 2,
    "AWS::EC2::SecurityGroup": 2,
    "AWS::EC2::Subnet": 2,
    "AWS::EC2::SubnetRouteTableAssociation": 2,
    "AWS::EC2::VPC": 1,
    "AWS::EC2::VPCEndpoint": 3,
    "AWS::IAM::Policy": 1,
    "AWS::IAM::Role": 1,
    "AWS::KMS::Key": 1,
    "AWS::Logs::LogGroup": 1,
    "AWS::S3::Bucket": 1,
    "AWS::S3::BucketPolicy": 1,
}
"""No gateway to the internet, no NAT, no function of the CDK's own."""


def test_exactly_these_resources_are_added(default: Synthesized, hardened: Synthesized) -> None:
    assert types(hardened) - types(default) == Counter(ADDED)
    assert not types(default) - types(hardened)


@each_function
def test_grants_are_these_besides(hardened: Synthesized, name: str) -> None:
    expected = {resource: set(actions) for resource, actions in GRANTS[name].items()}
    expected["Key"] = OF_KEY[name]
    expected["DroppedEvents"] = {"sqs:SendMessage"}
    expected["*"] = TRACED | DESCRIBED
    expected["arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:*/*"] = INTERFACES
    assert hardened.grants(name) == expected


@each_function
def test_only_lambda_itself_touches_network_interfaces(hardened: Synthesized, name: str) -> None:
    """It does so with the function's role, but not in the function's name."""
    (denial,) = (item for item in hardened.statements(name) if item["Effect"] == "Deny")
    assert set(denial["Action"]) == INTERFACES | DESCRIBED
    assert denial["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_everything_that_is_stored_is_encrypted_with_the_key(hardened_alarms: Synthesized) -> None:
    def key_of(kind: str, item: dict[str, Any]) -> object:
        match kind:
            case "AWS::S3::Bucket":
                (rule,) = item["BucketEncryption"]["ServerSideEncryptionConfiguration"]
                return rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
            case "AWS::DynamoDB::GlobalTable":
                return item["Replicas"][0]["SSESpecification"]["KMSMasterKeyId"]
            case "AWS::Lambda::Function":
                return item["KmsKeyArn"]
            case _:
                return item.get("KmsKeyId", item.get("KmsMasterKeyId"))

    kinds = (
        "S3::Bucket",
        "DynamoDB::GlobalTable",
        "Lambda::Function",
        "Logs::LogGroup",
        "SQS::Queue",
        "SNS::Topic",
    )
    stored = hardened_alarms.resources(*(f"AWS::{kind}" for kind in kinds))
    keys = {
        name: hardened_alarms.arn(key_of(item["Type"], item["Properties"])) for name, item in stored.items()
    }
    # S3 delivers access logs to no bucket with a key of KMS.
    (access_logs,) = (name for name, key in keys.items() if key == "null")
    assert hardened_alarms.reference({"Ref": access_logs}) == "AccessLogs"
    assert {key for name, key in keys.items() if name != access_logs} == {"Key"}


def test_the_key_stays_with_the_data_and_rotates(hardened: Synthesized, synthesize: Synthesize) -> None:
    key = hardened.the_only("AWS::KMS::Key")
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"
    assert key["Properties"]["EnableKeyRotation"] is True
    disposable = synthesize(hardened="true", retain_data="false")
    assert {disposable.the_only("AWS::KMS::Key")["DeletionPolicy"]} == {"Delete"}


def test_services_use_the_key_for_this_stack_and_account_only(hardened: Synthesized) -> None:
    _, logs, alarms = hardened.the_only("AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
    (pattern,) = logs["Condition"]["ArnLike"].values()
    assert hardened.arn(pattern).endswith(":log-group:Fanfold-*")
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_bucket_keeps_old_versions_and_a_log_of_accesses(hardened: Synthesized) -> None:
    for logical_id, item in hardened.resources("AWS::S3::Bucket").items():
        assert item["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
        assert item["Properties"]["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"] is True
        if hardened.reference({"Ref": logical_id}) == "Bucket":
            logged = item["Properties"]["LoggingConfiguration"]["DestinationBucketName"]
            assert hardened.reference(logged) == "AccessLogs"


@each_function
def test_every_function_is_in_the_network_traced_and_loses_no_event(hardened: Synthesized, name: str) -> None:
    function = hardened.function(name)
    assert len(function["VpcConfig"]["SubnetIds"]) == 2
    assert len(function["VpcConfig"]["SecurityGroupIds"]) == 1
    assert function["TracingConfig"] == {"Mode": "Active"}
    if name == "ParseFile":  # its on-failure destination is the same queue
        assert "DeadLetterConfig" not in function
    else:
        assert hardened.arn(function["DeadLetterConfig"]["TargetArn"]) == "DroppedEvents"


def test_the_network_leads_to_three_services_and_to_nothing_else(synthesize: Synthesize) -> None:
    stack = synthesize(hardened="true", source_bucket=EXISTING_BUCKET, source_bucket_account="444455556666")
    policies = {}
    for item in stack.resources("AWS::EC2::VPCEndpoint").values():
        name = stack.arn(item["Properties"]["ServiceName"]).rpartition(".")[2]
        (policies[name],) = item["Properties"]["PolicyDocument"]["Statement"]
    assert {name: policy["Action"] for name, policy in policies.items()} == {
        "s3": "s3:*",
        "dynamodb": "dynamodb:*",
        "lambda": "lambda:InvokeFunction",
    }
    own = {"Ref": "AWS::AccountId"}
    for policy in policies.values():
        assert policy["Condition"]["StringEquals"]["aws:PrincipalAccount"] == own
    owners = policies["s3"]["Condition"]["StringEquals"]["aws:ResourceAccount"]
    assert as_list(owners) == [own, "444455556666"]
    assert stack.arn(policies["dynamodb"]["Resource"]) == "Table"
    # Named one by one: of a stack with a long name, the functions' names have only its beginning.
    assert sorted(map(stack.arn, policies["lambda"]["Resource"])) == sorted(FUNCTIONS)
    for group in stack.resources("AWS::EC2::SecurityGroup").values():
        for rule in group["Properties"].get("SecurityGroupIngress", []):
            assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.0.0.0/24", 443, 443)


def test_of_a_public_bucket_only_that_one_can_be_reached(synthesize: Synthesize) -> None:
    stack = synthesize(hardened="true", source_bucket=EXISTING_BUCKET, source_bucket_account="any")
    (s3,) = (
        item["Properties"]["PolicyDocument"]["Statement"]
        for item in stack.resources("AWS::EC2::VPCEndpoint").values()
        if stack.arn(item["Properties"]["ServiceName"]).endswith(".s3")
    )
    own, public = ({"Ref": "AWS::AccountId"}, [EXISTING_BUCKET, f"{EXISTING_BUCKET}/*"])
    assert [statement["Condition"]["StringEquals"] for statement in s3] == [
        {"aws:PrincipalAccount": own, "aws:ResourceAccount": [own]},
        {"aws:PrincipalAccount": own},
    ]
    assert [stack.arn(resource).rpartition(":")[2] for resource in s3[1]["Resource"]] == public


ACKNOWLEDGED = {
    "default": {},
    "hardened": {"CKV_AWS_115": 5, "CKV_AWS_116": 1, "CKV_AWS_18": 1},
    "hardened_alarms": {"CKV_AWS_115": 4, "CKV_AWS_116": 1, "CKV_AWS_18": 1},
}


@pytest.mark.parametrize("configuration", ACKNOWLEDGED)
def test_what_checkov_is_told_not_to_mind_is_this_with_a_reason(
    request: pytest.FixtureRequest, configuration: str
) -> None:
    stack: Synthesized = request.getfixturevalue(configuration)
    skipped = [
        skip
        for item in stack.resources().values()
        for skip in item.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert Counter(skip["id"] for skip in skipped) == ACKNOWLEDGED[configuration]
    assert all(len(skip["comment"].split()) > 5 for skip in skipped)


def test_without_it_nothing_is_paid_for_by_the_hour(default: Synthesized) -> None:
    assert not {"VpcConfig", "KmsKeyArn", "LoggingConfiguration"} & properties(default.template["Resources"])
