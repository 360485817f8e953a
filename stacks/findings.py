"""How cdk-nag writes the resource of a finding: an acknowledgement must repeat it to the letter, also in the
app of somebody else, whose bucket may be anywhere."""

from typing import Any

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct


def arn_in_findings(scope: Construct, bucket: s3.IBucket) -> str:
    """The ARN of ``bucket`` in a finding on a policy in the stack of ``scope``."""
    here, resource = Stack.of(scope), bucket.node.default_child
    if isinstance(resource, CfnResource) and Stack.of(resource) != here:
        # The same export that a reference to it makes, but already now.
        return _written(here.resolve(Stack.of(resource).export_value(bucket.bucket_arn)))
    return _written(here.resolve(bucket.bucket_arn))


def _written(value: Any) -> str:
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_written, parts))
        case {"Fn::ImportValue": name}:
            return _written(name)
    return str(value)
