"""Every failure that the client foresees: the text of each is one sentence for the person."""

from client import report, runs
from client.attendance import INTERRUPTED, Left
from client.aws import AccountError
from client.demo import CorpusError, WrongCounts
from client.deployment import DeploymentError
from client.local_aws import LocalAwsError
from client.local_stack import LocalStackError
from client.source import SourceError
from client.terminal import NotAsked
from client.upload import UploadError
from client.workload import NotModelled

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
