"""Errors that a person can do something about."""


class ExpectedError(Exception):
    """An error to show as its text, one sentence, without a stack trace."""


class AccountError(ExpectedError):
    """The AWS configuration is incomplete or wrong, or lacks a permission."""


class DeploymentError(ExpectedError):
    """The stack could not be deployed or found."""


class StackNotFound(DeploymentError):
    """There is no such stack in that account and region."""


class NotDeployed(ExpectedError):
    """Nothing was changed."""


class ToolsMissing(ExpectedError):
    """Something that deploying needs is not installed."""


class LocalAwsError(ExpectedError):
    """The local AWS did not start."""


class LocalStackError(ExpectedError):
    """The local AWS has died, or its folder cannot be used."""


class SourceError(ExpectedError):
    """The source cannot be read, or could mean two things."""


class UploadError(ExpectedError):
    """The file could not be read or uploaded."""


class RunError(ExpectedError):
    """The run failed, or cannot be read or changed."""


class UnreadableRun(RunError):
    """The record or a result of the run is damaged, or a newer version wrote it."""


class OptionError(ExpectedError):
    """An option of a job has an unknown name or a wrong value."""


class NotModelled(ExpectedError):
    """A run cannot be estimated; the text says why."""


class ReportError(ExpectedError):
    """The result cannot be written to the requested file."""


class ConfirmationRequired(ExpectedError):
    """Not a terminal, so nobody can be asked: an option must answer the question."""


class WrongCounts(ExpectedError):
    """The result is not what the generated input is known to hold."""


class CorpusError(ExpectedError):
    """The input could not be generated."""


class JobNotUsable(ExpectedError):
    """There is no such job, or its code has a mistake."""


class JobNotWritten(ExpectedError):
    """The name is not valid, or is already used."""


class Detached(Exception):
    """The person stopped watching a run, which continues. The text says how to watch it again."""
