"""The synthesized app, told in names that a person reads: ``Bucket/blobs/*`` for a join of attributes."""

import json
import runpy
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aws_cdk
import pytest

from fanfold.checkout import ROOT
from lambda_src.settings import stack_name

Properties = dict[str, Any]

FUNCTIONS = ("ParseFile", "ParseBlock", "GetAllOccurrences", "GetOccurrences", "LogResults")

CDK_CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
"""What the CDK command line adds to every synth."""


class Synthesized:
    """The cloud assembly in ``folder``, of the stack of all jobs, or of the job ``own`` alone."""

    def __init__(self, folder: Path, own: str | None = None) -> None:
        self.folder = folder
        self.template = self._read(f"{stack_name(own)}.template.json")
        self.assets = self._read(f"{stack_name(own)}.assets.json")
        self.validation = self._read("validation-report.json")
        self._names = self._name_resources()

    def resources(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """The resources of the given types by logical id; all of them if none is given."""
        everything: dict[str, dict[str, Any]] = self.template["Resources"]
        return {name: item for name, item in everything.items() if not kinds or item["Type"] in kinds}

    def the_only(self, kind: str) -> dict[str, Any]:
        """The one resource of a type."""
        (resource,) = self.resources(kind).values()
        return resource

    def function(self, name: str) -> Properties:
        """The properties of the function with a readable name such as ``ParseFile``."""
        (properties,) = (
            item["Properties"]
            for logical_id, item in self.resources("AWS::Lambda::Function").items()
            if self._names[logical_id] == name
        )
        assert isinstance(properties, dict)
        return properties

    def role(self, function: str) -> Properties:
        """The properties of a function's role."""
        properties: Properties = self.resources()[self._role_id(function)]["Properties"]
        return properties

    def grants(self, function: str) -> dict[str, set[str]]:
        """What a function's role may do: the actions by resource. Refuses what such a table cannot tell."""
        grants: dict[str, set[str]] = {}
        for statement in self.statements(function):
            assert {"Effect", "Action", "Resource"} <= set(statement), statement
            assert set(statement) <= {"Effect", "Action", "Resource", "Condition"}, statement
            if statement["Effect"] == "Deny":  # which only takes away
                continue
            where = _condition(statement)
            for resource in as_list(statement["Resource"]):
                grants.setdefault(self.arn(resource) + where, set()).update(as_list(statement["Action"]))
        return grants

    def statements(self, function: str) -> list[dict[str, Any]]:
        """The statements of the policies of a function's role."""
        return [
            statement
            for policy in self.resources("AWS::IAM::Policy").values()
            if {"Ref": self._role_id(function)} in policy["Properties"]["Roles"]
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]

    def arn(self, value: object) -> str:
        """An ARN in the template, readable. A form that is not expected stays as it is, and so equals
        nothing that a test expects."""
        match value:
            case str():
                return value
            case {"Fn::GetAtt": [str(logical_id), "Arn"]}:
                return self._names.get(logical_id, f"{logical_id}.Arn")
            case {"Fn::GetAtt": [str(logical_id), "StreamArn"]}:
                return f"{self._names.get(logical_id, logical_id)}/stream"
            case {"Fn::Join": ["", list(parts)]}:
                return "".join(map(self.arn, parts))
            case {"Ref": str(name)} if name.startswith("AWS::"):
                return f"${{{name}}}"
        return json.dumps(value)

    def reference(self, value: object) -> str:
        """A resource's name in the template, readable: what an environment variable or an output holds."""
        match value:
            case str():
                return value
            case {"Ref": str(logical_id)}:
                return self._names.get(logical_id, logical_id)
        return json.dumps(value)

    def aws_solutions(self) -> dict[str, Any]:
        """What cdk-nag reported."""
        (report,) = (
            item for item in self.validation["pluginReports"] if item["pluginName"] == "AwsSolutions"
        )
        assert isinstance(report, dict)
        return report

    def finding(self, rule: str) -> str:
        """A rule of cdk-nag with the logical ids in it made readable."""
        for logical_id, name in self._names.items():
            rule = rule.replace(f"<{logical_id}.Arn>", name)
        return rule

    def asset(self, key: object) -> Path:
        """The folder that is published under ``key``, an ``S3Key`` of the template."""
        return self.folder / f"asset.{str(key).removesuffix('.zip')}"

    def _read(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / name).read_text("utf-8"))
        return document

    def _role_id(self, name: str) -> str:
        """The logical id of the role of a function, or of the schedule."""
        (role_id,) = (logical_id for logical_id, found in self._names.items() if found == f"{name}Role")
        return role_id

    def _name_resources(self) -> dict[str, str]:
        """Readable names by logical id. A resource is named for what it does, wherever it stands in the tree
        of constructs."""
        kinds = {
            "AWS::S3::Bucket": "Bucket",
            "AWS::DynamoDB::GlobalTable": "Table",
            "AWS::Lambda::LayerVersion": "Layer",
            "AWS::KMS::Key": "Key",
            "AWS::SQS::Queue": "DroppedEvents",
        }
        names = {
            logical_id: kinds[item["Type"]]
            for logical_id, item in self.resources().items()
            if item["Type"] in kinds
        }
        for logical_id, item in self.resources("AWS::Lambda::Function").items():
            _, _, module, _ = item["Properties"]["Handler"].split(".")
            name = "".join(word.capitalize() for word in module.split("_"))
            names[logical_id] = name
            names[item["Properties"]["Role"]["Fn::GetAtt"][0]] = f"{name}Role"
            names[item["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]] = f"{name}Log"
        for logical_id in self.resources("AWS::Lambda::LayerVersion"):
            if "OfJobs" in logical_id:
                names[logical_id] = "LayerOfJobs"
        for logical_id in self.resources("AWS::S3::Bucket"):
            if "AccessLogs" in logical_id:
                names[logical_id] = "AccessLogs"
        for logical_id in self.resources("AWS::SQS::Queue"):
            if "Arrivals" in logical_id:
                names[logical_id] = "ArrivalsDeadLetters" if "DeadLetters" in logical_id else "Arrivals"
        for logical_id in self.resources("AWS::IAM::Role"):
            if "Schedule" in logical_id:
                names[logical_id] = "ScheduleRole"
        return names


def synthesize_app(folder: Path, context: Mapping[str, object]) -> Synthesized:
    """Runs ``app.py`` as it is, cdk-nag included. Only its App is told ``folder`` and ``context``, as the CDK
    command line would tell it."""
    app = partial(aws_cdk.App, outdir=str(folder), context={**CDK_CONTEXT, **context})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_cdk, "App", app)
        runpy.run_path(str(ROOT / "app.py"))
    return Synthesized(folder, str(context["job"]) if "job" in context else None)


def _condition(statement: Mapping[str, Any]) -> str:
    """The only forms of condition that the stack has, readable. Every bucket's account must be named."""
    conditions = dict(statement.get("Condition", {}))
    if any(action.startswith("s3:") for action in as_list(statement["Action"])):
        (owner,) = conditions.pop("StringEquals").items()
        assert owner[0] == "aws:ResourceAccount", statement
    match conditions:
        case {"StringLike": {"s3:prefix": str(prefix)}} if conditions == {
            "StringLike": {"s3:prefix": prefix}
        }:
            return f" where s3:prefix is like {prefix}"
        case {"StringEquals": {"events:source": str(source)}} if conditions == {
            "StringEquals": {"events:source": source}
        }:
            return f" where events:source is {source}"
    assert not conditions, statement
    return ""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
