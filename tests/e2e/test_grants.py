"""Every grant is needed, and enforced: without it the run fails and says what was denied."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from tests.e2e.conftest import Stack

GRANTS = [
    ("ParseFile", "s3:GetObject", "input/*"),
    ("ParseFile", "s3:PutObject", "runs/*"),
    ("ParseFile", "dynamodb:BatchWriteItem", "Results"),
    ("ParseFile", "dynamodb:PutItem", "Results"),
    ("ParseFile", "lambda:InvokeFunction", "ParseBlock"),
    ("ParseFile", "lambda:InvokeFunction", "GetAllOccurrences"),
    ("ParseFile", "lambda:InvokeFunction", "LogResults"),
    ("ParseBlock", "s3:GetObject", "input/*"),
    ("ParseBlock", "s3:PutObject", "blobs/*"),
    ("GetAllOccurrences", "lambda:InvokeFunction", "GetOccurrences"),
    ("GetOccurrences", "s3:GetObject", "runs/*"),
    ("GetOccurrences", "s3:GetObject", "blobs/*"),
    ("GetOccurrences", "dynamodb:PutItem", "Results"),
    ("LogResults", "dynamodb:GetItem", "Results"),
    ("LogResults", "dynamodb:Query", "Results"),
]
"""Function, action, and what the resource's ARN tells it by. Writing logs is not enforced locally."""


class Role:
    """The one inline policy of a function's role, taken apart into single grants."""

    def __init__(self, stack: Stack, function: str) -> None:
        self._iam = stack.aws.client("iam")
        roles = self._iam.list_roles()["Roles"]
        self.name = next(role["RoleName"] for role in roles if f"Functions{function}Role" in role["RoleName"])
        (self._policy,) = self._iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        document = self._iam.get_role_policy(RoleName=self.name, PolicyName=self._policy)["PolicyDocument"]
        self._document: dict[str, Any] = (
            document if isinstance(document, dict) else msgspec.json.decode(document)
        )

    def grants(self) -> list[tuple[str, str]]:
        return [
            (action, resource)
            for statement in self._document["Statement"]
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]

    @contextmanager
    def without(self, action: str, resource: str) -> Iterator[None]:
        kept = [grant for grant in self.grants() if grant != (action, resource)]
        assert len(kept) == len(self.grants()) - 1
        statements = [{"Effect": "Allow", "Action": [a], "Resource": [r]} for a, r in kept]
        self._put({"Version": "2012-10-17", "Statement": statements})
        try:
            yield
        finally:
            self._put(self._document)

    def _put(self, document: dict[str, Any]) -> None:
        text = msgspec.json.encode(document).decode()
        self._iam.put_role_policy(RoleName=self.name, PolicyName=self._policy, PolicyDocument=text)


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def matches(resource: str, told_by: str) -> bool:
    return resource.endswith(told_by) or f"Functions{told_by}" in resource or f"Storage{told_by}" in resource


@pytest.mark.parametrize(("function", "action", "told_by"), GRANTS)
def test_without_a_grant_the_run_is_denied(stack: Stack, function: str, action: str, told_by: str) -> None:
    key = stack.put("input/grants", b"some words")
    role = Role(stack, function)
    (resource,) = (r for a, r in role.grants() if a == action and matches(r, told_by))
    with role.without(action, resource):
        answer, failed = stack.invoke({"key": key})
    assert failed, answer
    assert "AccessDenied" in answer["errorMessage"]
    assert stack.run(key)["words"] == 2


def test_the_list_of_grants_is_complete(stack: Stack) -> None:
    for function in {function for function, _, _ in GRANTS}:
        listed = [(action, told_by) for name, action, told_by in GRANTS if name == function]
        granted = [grant for grant in Role(stack, function).grants() if not grant[0].startswith("logs:")]
        assert len(granted) == len(listed), granted
        for action, told_by in listed:
            assert any(a == action and matches(r, told_by) for a, r in granted), (action, told_by)
