"""A CDK app of your own with Fanfold in one of its stacks, and a bucket that was there before: it counts the
requests in new logs, and once more every morning.

    pip install 'CLONE[deploy]'    # CLONE is the folder of a clone of Fanfold
    cdk deploy --app "python other_app.py" -c logs=NAME-OF-THE-BUCKET
"""

from typing import Any

from aws_cdk import App, CfnOutput, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fanfold.cdk import MapReduceJob, Objects


class Website(Stack):
    """Whatever else your website has, too."""

    def __init__(self, scope: Construct, construct_id: str, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        logs = s3.Bucket.from_bucket_name(self, "Logs", self.node.get_context("logs"))
        requests = MapReduceJob(
            self, "Requests", inputs=Objects(logs, "logs/"), jobs=["access_log", "top_words"]
        )
        requests.schedule("cron(0 6 * * ? *)", {"prefix": "logs/", "max_dollars": 1})
        requests.start_on_arrival({"prefix": "logs/", "max_dollars": 1})
        requests.announce_runs("default")
        CfnOutput(self, "CountRequests", value=requests.parse_file.function_name)


app = App()
Website(app, "Website")
app.synth()
