"""Another user of the machine gets nothing from the local AWS and changes nothing in it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from fanfold.checkout import ROOT
from tests.deployed import Stack
from tests.e2e import stranger

pytestmark = pytest.mark.hostile

KEY = "input/private"
TEXT = b"private words"


def private_folder(stack: Stack) -> Path:
    """Where the certificate's key, the Lambdas' code and their sockets are."""
    return Path(stack.local.environment["AWS_CA_BUNDLE"]).parent


def state(stack: Stack) -> tuple[Any, ...]:
    """What a stranger could have changed."""
    functions = stack.aws.client("lambda").list_functions()["Functions"]
    objects = stack.aws.client("s3").list_objects_v2(Bucket=stack.deployment.bucket).get("Contents", [])
    return (
        [(function["FunctionName"], function["CodeSha256"]) for function in functions],
        sorted((item["Key"], item["ETag"]) for item in objects),
        sorted(role["RoleName"] for role in stack.aws.client("iam").list_roles()["Roles"]),
    )


@pytest.fixture(scope="module")
def tried(stack: Stack) -> dict[str, Any]:
    """What a process of another user (where the tests run as root) found, and what it left."""
    stack.run(stack.put(KEY, TEXT))  # the functions have their credentials from now on
    before = state(stack)
    configuration = stack.aws.client("lambda").get_function(FunctionName=stack.deployment.parse_file)
    private = private_folder(stack)
    known = {
        "endpoint": stack.local.environment["AWS_ENDPOINT_URL"],
        "access_key_id": stack.local.environment["AWS_ACCESS_KEY_ID"],
        "bucket": stack.deployment.bucket,
        "key": KEY,
        "function": stack.deployment.parse_file,
        "function_arn": configuration["Configuration"]["FunctionArn"],
        "role": configuration["Configuration"]["Role"],
        "private": [
            str(path)
            for path in (private, *private.iterdir(), Path(f"/proc/{stack.local.process_id}/environ"))
        ],
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.stranger"],
        cwd=ROOT,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(known),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "before": before}


def test_every_way_in_is_refused(stack: Stack, tried: dict[str, Any]) -> None:
    assert len(tried["answers"]) > 40
    assert {name: answer for name, answer in tried["answers"].items() if answer != 403} == {}
    assert state(stack) == tried["before"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_can_read_no_file_of_it(tried: dict[str, Any]) -> None:
    assert tried["uid"] == stranger.NOBODY
    assert tried["readable"] == []


def test_nothing_is_written_outside_of_the_private_folder(stack: Stack) -> None:
    """Nor is anything read from there that another user could have put there."""
    private = private_folder(stack)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) != stack.local.process_id:
                continue
            opened = [str(entry.readlink()) for entry in (process / "fd").iterdir()]
        except OSError:  # gone meanwhile
            continue
        log = str(stack.local.log)
        strange = [
            path
            for path in opened
            if re.match(r"/(tmp|var|home|root|dev/shm)/", path)
            and path != log
            and not path.startswith(f"{private}/")
        ]
        assert strange == []
    assert (private / "state").is_dir()  # by default it is /tmp/ministack-state, whoever made that


def test_the_run_s_own_key_does_not_open_the_administration(stack: Stack) -> None:
    endpoint = stack.local.environment["AWS_ENDPOINT_URL"]
    request = AWSRequest("POST", f"{endpoint}/_ministack/config", {}, b"{}")
    SigV4Auth(stack.aws.session.get_credentials(), "lambda", "us-east-1").add_auth(request)
    assert stranger.ask(request) == 403


def test_keys_that_this_run_issued_are_let_through_and_end(stack: Stack) -> None:
    """Users' keys and assumed roles' work as in AWS, until they are taken away."""
    iam, sts = stack.aws.client("iam"), stack.aws.client("sts")
    caller = sts.get_caller_identity()["Arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": caller}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="visitor",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    iam.create_user(UserName="visitor")
    user_key = iam.create_access_key(UserName="visitor")["AccessKey"]
    role_key = sts.assume_role(RoleArn=role, RoleSessionName="visit")["Credentials"]

    def identity(key: dict[str, str]) -> str:
        client = boto3.client(
            "sts",
            region_name="us-east-1",
            endpoint_url=stack.aws.endpoint_url,
            verify=stack.aws.authority,
            config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
        )
        return str(client.get_caller_identity()["Arn"])

    try:
        assert identity(user_key).endswith(":user/visitor")
        assert identity(role_key).endswith(":assumed-role/visitor/visit")
        with pytest.raises(ClientError, match="The signature is wrong"):
            identity({**role_key, "SecretAccessKey": "guessed"})
        with pytest.raises(ClientError, match="The access key is not of this run"):
            identity({**role_key, "SessionToken": "guessed"})
        iam.update_access_key(UserName="visitor", AccessKeyId=user_key["AccessKeyId"], Status="Inactive")
        with pytest.raises(ClientError, match="The access key is not of this run"):
            identity(user_key)
    finally:
        iam.delete_access_key(UserName="visitor", AccessKeyId=user_key["AccessKeyId"])
        iam.delete_user(UserName="visitor")
        iam.delete_role(RoleName="visitor")
