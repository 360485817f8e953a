"""The CDK app: the stack, checked by cdk-nag's AwsSolutions rules whenever it is synthesized."""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.fanfold_stack import FanfoldStack

app = App()
FanfoldStack(app, description="Fanfold: massively parallel jobs on Lambda, S3 and DynamoDB")
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
