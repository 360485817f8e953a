"""Every failure that the client foresees: the text of each is one sentence for the person."""

from fanfold.account.connection import AccountError
from fanfold.account.deployment import DeploymentError
from fanfold.cli import output as report
from fanfold.cli.terminal import NotAsked
from fanfold.cli.watch import INTERRUPTED, Left
from fanfold.demo.demo import CorpusError, WrongCounts
from fanfold.estimate.workload import NotModelled
from fanfold.local_aws.server import LocalAwsError
from fanfold.local_aws.state import LocalStackError
from fanfold.runs import run as runs
from fanfold.runs.source import SourceError
from fanfold.runs.upload import UploadError

__all__ = ["FORESEEN", "INTERRUPTED", "Left"]

FORESEEN = (
    AccountError,
    CorpusError,
    DeploymentError,
    LocalAwsError,
    LocalStackError,
    NotAsked,
    NotModelled,
    SourceError,
    UploadError,
    WrongCounts,
    report.ReportError,
    runs.RunError,
)
