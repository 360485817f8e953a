"""The roles of the deployed functions, taken apart into single grants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.deployed import Stack


class Role:
    """The inline policies of a function's role."""

    def __init__(self, stack: Stack, function: str) -> None:
        self._iam = stack.aws.client("iam")
        roles = self._iam.list_roles()["Roles"]
        self.name = next(role["RoleName"] for role in roles if f"Functions{function}Role" in role["RoleName"])
        self._documents: dict[str, dict[str, Any]] = {}
        for policy in self._iam.list_role_policies(RoleName=self.name)["PolicyNames"]:
            document = self._iam.get_role_policy(RoleName=self.name, PolicyName=policy)["PolicyDocument"]
            self._documents[policy] = (
                document if isinstance(document, dict) else msgspec.json.decode(document)
            )

    def grants(self) -> list[tuple[str, str]]:
        """Each action with each resource that it is granted on."""
        return [grant for document in self._documents.values() for grant in _grants(document)]

    @contextmanager
    def without(self, action: str, told_by: str) -> Iterator[None]:
        """Without the one grant of ``action`` on the resource whose ARN ``told_by`` tells."""
        (policy,) = (
            name
            for name, document in self._documents.items()
            if any(a == action and matches(r, told_by) for a, r in _grants(document))
        )
        before = self._documents[policy]
        kept = [(a, r) for a, r in _grants(before) if a != action or not matches(r, told_by)]
        assert len(kept) == len(_grants(before)) - 1
        # A policy needs a statement: one that grants nothing stands for none.
        statements = [{"Effect": "Allow", "Action": [a], "Resource": [r]} for a, r in kept] or [
            {"Effect": "Deny", "Action": ["s3:ListAllMyBuckets"], "Resource": ["*"]}
        ]
        self._put(policy, {"Version": "2012-10-17", "Statement": statements})
        try:
            yield
        finally:
            self._put(policy, before)

    def _put(self, policy: str, document: dict[str, Any]) -> None:
        text = msgspec.json.encode(document).decode()
        self._iam.put_role_policy(RoleName=self.name, PolicyName=policy, PolicyDocument=text)


def _grants(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (action, resource)
        for statement in document["Statement"]
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    ]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def matches(resource: str, told_by: str) -> bool:
    """Whether the ARN ``resource`` is the one that ``told_by`` tells."""
    return resource.endswith(told_by) or f"Functions{told_by}" in resource or f"Storage{told_by}" in resource
