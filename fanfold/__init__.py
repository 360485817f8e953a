"""Fanfold: massively parallel computation on AWS Lambda, from Python.

    import fanfold

    app = fanfold.connect(region="eu-west-1")
    run = app.run("s3://my-bucket/input/logs/", job="access_log").wait()
    print(run.result["lines"], run.rows()[0])

Expected errors are subclasses of ``fanfold.errors.ExpectedError``.
"""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.runs.app import App

__all__ = ["connect"]

# A wheel has the CDK app, and in it lambda_src, inside this package: site-packages gets no other name.
_APP = os.path.join(os.path.dirname(__file__), "cdk_app")  # noqa: PTH118, PTH120 - pathlib would be slow
if os.path.isdir(_APP):  # noqa: PTH112
    sys.path.insert(0, _APP)
    import lambda_src as lambda_src

    sys.path.remove(_APP)


def connect(*, profile: str | None = None, region: str | None = None, local: bool = False) -> "App":
    """The jobs deployed in an AWS account: that of ``profile``, or of the environment and ~/.aws, in
    ``region`` or the configured one. With ``local``, those in the local AWS that ``fanfold up`` starts.

    No request is sent yet. Raises AccountError for an incomplete configuration, LocalStackError if the local
    AWS is not running, and ValueError for ``local`` together with a profile or region.
    """
    if local and (profile or region):
        raise ValueError("local is an account of its own: leave out profile and region.")
    # Imported here, so that `import fanfold` stays fast: boto3 is slow to import.
    from fanfold.account.choice import open_account  # noqa: PLC0415
    from fanfold.runs.app import App  # noqa: PLC0415

    return App(open_account(local=local, profile=profile, region=region))
