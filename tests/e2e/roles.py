"""The roles of the deployed functions, taken apart into single grants."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.deployed import Stack


class Role:
    """The inline policies of the role of a function, such as ``ParseFile``."""

    def __init__(self, stack: Stack, function: str) -> None:
        self._iam = stack.aws.client("iam")
        field = re.sub(r"(?<!^)([A-Z])", r"_\1", function).lower()
        name = getattr(stack.deployment, field)
        arn = stack.aws.client("lambda").get_function_configuration(FunctionName=name)["Role"]
        self.name = arn.rpartition("/")[2]
        self._documents: dict[str, dict[str, Any]] = {}
        for policy in self._iam.list_role_policies(RoleName=self.name)["PolicyNames"]:
            document = self._iam.get_role_policy(RoleName=self.name, PolicyName=policy)["PolicyDocument"]
            self._documents[policy] = (
                document if isinstance(document, dict) else msgspec.json.decode(document)
            )

    def grants(self) -> list[tuple[str, str]]:
        """Each action with each resource that it is granted on."""
        return [(a, r) for document in self._documents.values() for a, r, _ in _grants(document)]

    @contextmanager
    def without(self, action: str, told_by: str) -> Iterator[None]:
        """Without the one grant of ``action`` on the resource whose ARN ``told_by`` tells."""
        (policy,) = (
            name
            for name, document in self._documents.items()
            if any(a == action and matches(r, told_by) for a, r, _ in _grants(document))
        )
        before = self._documents[policy]
        kept = [(a, r, c) for a, r, c in _grants(before) if a != action or not matches(r, told_by)]
        assert len(kept) == len(_grants(before)) - 1
        # A policy needs a statement: one that grants nothing stands for none.
        statements = [{"Effect": "Allow", "Action": [a], "Resource": [r], **c} for a, r, c in kept] or [
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


def _grants(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Each action with each resource, and the condition if there is one."""
    return [
        (action, resource, {"Condition": statement["Condition"]} if "Condition" in statement else {})
        for statement in document["Statement"]
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    ]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def matches(resource: str, told_by: str) -> bool:
    """Whether the ARN ``resource`` is the one that ``told_by`` tells."""
    if told_by == "Bucket":
        return resource.startswith("arn:aws:s3:::") and "/" not in resource
    return (
        resource.endswith(told_by)
        or f"Functions{told_by}" in resource
        or f"Job{told_by}" in resource
        or f"Storage{told_by}" in resource
    )
