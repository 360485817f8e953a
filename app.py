"""The CDK app: the stack of one job, checked by cdk-nag's AwsSolutions rules whenever it is synthesized."""

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from lambda_src.settings import stack_name
from stacks.fanfold_stack import FanfoldStack, job_of

app = App()
job = job_of(app)
FanfoldStack(app, stack_name(job), job=job, description=f"Fanfold: {job} on Lambda, S3 and DynamoDB")
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
