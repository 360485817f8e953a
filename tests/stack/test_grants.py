"""One role per function, with exactly the actions and resources that it uses.

To grant more, add the line here first: the table is what a reviewer reads.
"""

import pytest

from .conftest import EXISTING_BUCKET, KEY_ARN, Synthesize
from .synthesized import FUNCTIONS, Synthesized, as_list

OWN_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}

GRANTS: dict[str, dict[str, set[str]]] = {
    "ParseFile": {
        "Bucket/input/*": {"s3:GetObject", "s3:GetObjectVersion"},
        "Bucket where s3:prefix is like input/*": {"s3:ListBucket"},
        "Bucket/blobs/*": {"s3:DeleteObject", "s3:GetObject"},
        "Bucket/runs/*": {"s3:GetObject", "s3:PutObject"},
        "Bucket/reused/*": {"s3:GetObject"},
        "Bucket/families/*": {"s3:GetObject", "s3:PutObject"},
        "Table": {
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
        },
        "ParseBlock": {"lambda:InvokeFunction"},
        "ParseFile": {"lambda:InvokeFunction"},
        "GetAllOccurrences": {"lambda:InvokeFunction"},
        "GetOccurrences": {"lambda:InvokeFunction"},
        "LogResults": {"lambda:InvokeFunction"},
        "DroppedEvents": {"sqs:SendMessage"},
        "ParseFileLog": OWN_LOG,
    },
    "ParseBlock": {
        "Bucket/input/*": {"s3:GetObject", "s3:GetObjectVersion"},
        "Bucket/blobs/*": {"s3:PutObject"},
        "Bucket/reused/*": {"s3:PutObject"},
        "Bucket/pieces/*": {"s3:PutObject"},
        "Bucket/runs/*": {"s3:GetObject"},
        "ParseBlockLog": OWN_LOG,
    },
    "GetAllOccurrences": {
        "GetOccurrences": {"lambda:InvokeFunction"},
        "Table": {"dynamodb:ConditionCheckItem", "dynamodb:PutItem"},
        "GetAllOccurrencesLog": OWN_LOG,
    },
    "GetOccurrences": {
        "Bucket/blobs/*": {"s3:GetObject"},
        "Bucket/reused/*": {"s3:GetObject"},
        "Bucket/runs/*": {"s3:GetObject"},
        "Bucket/results/*": {"s3:PutObject"},
        "Table": {"dynamodb:ConditionCheckItem", "dynamodb:PutItem"},
        "GetOccurrencesLog": OWN_LOG,
    },
    "LogResults": {
        "Table": {"dynamodb:Query"},
        "LogResultsLog": OWN_LOG,
    },
}

RESOURCE_TYPES = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
}
"""All that the stack holds: so no permission for others to invoke, no function URL, no helper function with
a role of its own."""

each_function = pytest.mark.parametrize("name", FUNCTIONS)


@each_function
def test_grants_are_exactly_these(default: Synthesized, name: str) -> None:
    assert default.grants(name) == GRANTS[name]


@each_function
def test_an_existing_source_bucket_takes_the_place_of_the_inputs(
    existing_source: Synthesized, name: str
) -> None:
    source = f"arn:${{AWS::Partition}}:s3:::{EXISTING_BUCKET}"
    instead = {"Bucket/input/*": f"{source}/*", "Bucket where s3:prefix is like input/*": source}
    expected = {instead.get(resource, resource): actions for resource, actions in GRANTS[name].items()}
    assert existing_source.grants(name) == expected


@each_function
def test_a_source_bucket_of_another_account_is_read_there_and_nowhere_else(
    synthesize: Synthesize, name: str
) -> None:
    """The grants themselves are those above; the stack's own bucket stays one of its own account."""
    elsewhere = synthesize(source_bucket=EXISTING_BUCKET, source_bucket_account="444455556666")
    accounts = {
        resource: statement["Condition"]["StringEquals"]["aws:ResourceAccount"]
        for statement in elsewhere.statements(name)
        for resource in map(elsewhere.arn, as_list(statement["Resource"]))
        if "s3:" in str(statement["Action"])
    }
    assert accounts or name in ("GetAllOccurrences", "LogResults")
    for resource, account in accounts.items():
        assert account == ("444455556666" if EXISTING_BUCKET in resource else {"Ref": "AWS::AccountId"})


@pytest.mark.parametrize("name", ["ParseFile", "ParseBlock"])
def test_a_public_bucket_is_read_whoever_owns_it(synthesize: Synthesize, name: str) -> None:
    """Those who publish data do not say which account has it. Only that one bucket is read so."""
    public = synthesize(source_bucket=EXISTING_BUCKET, source_bucket_account="any")
    for statement in public.statements(name):
        if "s3:" in str(statement["Action"]):
            is_public = EXISTING_BUCKET in public.arn(statement["Resource"])
            assert is_public == ("aws:ResourceAccount" not in str(statement.get("Condition")))


@each_function
def test_a_key_of_the_source_bucket_may_be_used_by_who_reads_it(synthesize: Synthesize, name: str) -> None:
    encrypted = synthesize(source_bucket=EXISTING_BUCKET, source_bucket_key=KEY_ARN)
    granted = encrypted.grants(name).get(KEY_ARN)
    assert granted == ({"kms:Decrypt"} if name in ("ParseFile", "ParseBlock") else None)


@each_function
def test_tracing_adds_two_actions_that_know_no_resources(synthesize: Synthesize, name: str) -> None:
    traced = synthesize(tracing="active").grants(name)
    assert traced.pop("*") == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    assert traced == GRANTS[name]


@each_function
def test_role_is_for_lambda_alone_and_has_no_other_policies(default: Synthesized, name: str) -> None:
    """No managed policies, no inline ones: the role's properties are its trust policy and nothing else."""
    assert default.role(name) == {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                }
            ],
        }
    }


def test_every_function_has_its_own_role(default: Synthesized) -> None:
    roles = {default.arn(default.function(name)["Role"]) for name in FUNCTIONS}
    assert roles == {f"{name}Role" for name in FUNCTIONS}
    assert len(default.resources("AWS::IAM::Role")) == len(FUNCTIONS)


def test_every_policy_belongs_to_one_role(default: Synthesized) -> None:
    for policy in default.resources("AWS::IAM::Policy").values():
        assert set(policy["Properties"]) == {"PolicyName", "PolicyDocument", "Roles"}
        (role,) = policy["Properties"]["Roles"]
        assert default.reference(role) in {f"{name}Role" for name in FUNCTIONS}


@each_function
def test_no_wildcards_but_for_the_objects_under_a_prefix(default: Synthesized, name: str) -> None:
    """Holds whatever the table above comes to say."""
    for resource, actions in default.grants(name).items():
        assert not any("*" in action for action in actions)
        if "*" in resource:
            assert resource.removesuffix("/*").count("*") == 0
            assert resource.startswith(("Bucket/", "Bucket where s3:prefix is like input/"))
            assert all(action.startswith("s3:") for action in actions)


@pytest.mark.parametrize("configuration", ["default", "existing_source", "disposable"])
def test_stack_holds_nothing_that_grants_by_other_ways(
    request: pytest.FixtureRequest, configuration: str
) -> None:
    synthesized: Synthesized = request.getfixturevalue(configuration)
    assert {item["Type"] for item in synthesized.resources().values()} == RESOURCE_TYPES
