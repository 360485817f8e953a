"""The base class of errors that a person can do something about."""


class ExpectedError(Exception):
    """An error to show as its text, one sentence, without a stack trace."""


class Detached(Exception):
    """The person stopped watching a run, which continues. The text says how to watch it again."""
