"""Connections to AWS or the local AWS, and advice when they fail."""

import os
import socket
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
from botocore import exceptions, xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.errors import AccountError
from fanfold.safe_text import shell_word, visible
from lambda_src.aws.dynamodb import DynamoDbError, reasons_of
from lambda_src.aws.endpoint import Unreachable

LOCAL_AWS_TIMEOUT_S = 2.0
LOCAL_READ_TIMEOUT_S = 20.0
"""Time-out in seconds: on a busy machine, an answer may take a while."""


class Stopped(NamedTuple):
    """Why a local AWS is no longer running, in one sentence, and whether its data were kept."""

    text: str
    data_kept: bool


class Aws(NamedTuple):
    """Makes clients and tables for one account: without ``endpoint_url``, the account of the person's AWS
    configuration. ``options`` are the command-line options that select it, for commands that can be pasted.
    ``liveness`` says why a local AWS is no longer running."""

    session: Any
    endpoint_url: str | None = None
    authority: str | None = None
    options: str = ""
    liveness: Callable[[], Stopped | None] = lambda: None

    @property
    def is_local(self) -> bool:
        """Whether it is the local AWS."""
        return bool(self.endpoint_url)

    def name(self) -> str:
        """Its name for people."""
        if self.is_local:
            return "the local AWS"
        region, profile = self.session.region_name, self.session.profile_name
        # Keys in the environment are used before a profile that is named there, too.
        is_used = "--profile" in self.options or "AWS_ACCESS_KEY_ID" not in os.environ
        return visible(
            f"AWS in {region}{f', by the profile {profile}' if profile != 'default' and is_used else ''}"
        )

    def client(self, service: str, config: Config | None = None) -> Any:
        """A client for ``service``."""
        return self.session.client(service, config=config, **self._endpoint())

    def dynamodb(self) -> Any:
        """A client for DynamoDB. For a local AWS it gives up soon: by default, boto3 would try for a
        minute."""
        if not self.endpoint_url:
            return self.client("dynamodb")
        soon = Config(
            connect_timeout=LOCAL_AWS_TIMEOUT_S,
            read_timeout=LOCAL_READ_TIMEOUT_S,
            retries={"total_max_attempts": 1},
        )
        return self.client("dynamodb", soon)

    def table(self, name: str) -> "AccountTable":
        """The DynamoDB table ``name``."""
        return AccountTable(self.dynamodb(), name)

    def stopped(self) -> Stopped | None:
        """Why the local AWS no longer answers; None if it does, or if this is not a local AWS."""
        if not self.endpoint_url:
            return None
        if stopped := self.liveness():
            return stopped
        address = urlsplit(self.endpoint_url)
        try:
            socket.create_connection(
                (address.hostname or "", address.port or 443), LOCAL_AWS_TIMEOUT_S
            ).close()
        except OSError:
            return Stopped("The local AWS has stopped.", data_kept=False)
        return None

    def _endpoint(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint_url, "verify": self.authority} if self.endpoint_url else {}


def paying(client: Any) -> Any:
    """``client`` for S3, whose requests say that the requester pays."""

    def pay(params: dict[str, Any], **_: object) -> None:
        params["RequestPayer"] = "requester"

    for operation in ("GetObject", "HeadObject", "ListObjectsV2"):
        client.meta.events.register(f"provide-client-params.s3.{operation}", pay)
    return client


class AccountTable:
    """Implements ``dynamodb.Table`` with boto3, which supports every way to sign in."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """As ``dynamodb.Table.call``."""
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**request)
        except ClientError as error:
            response = error.response
            raise DynamoDbError(
                response["ResponseMetadata"]["HTTPStatusCode"],
                response["Error"]["Code"],
                response["Error"]["Message"],
                reasons_of(response),
            ) from error
        except BotoCoreError as error:
            raise Unreachable(str(error)) from error
        return answer


def account_of_person(profile: str | None = None, region: str | None = None, options: str = "") -> Aws:
    """The account of the environment and of ~/.aws. Raises AccountError."""
    PROFILE.set(profile)
    try:
        # Unlike all other AWS tools, boto3 ignores AWS_REGION.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
    except BotoCoreError as error:
        raise AccountError(explain(error)) from error
    if session.region_name is None:
        raise AccountError(NO_REGION)
    return Aws(session, options=options)


def account_of(
    environment: Mapping[str, str], options: str = "", liveness: Callable[[], Stopped | None] = lambda: None
) -> Aws:
    """The local account that ``environment`` describes."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    return Aws(session, environment["AWS_ENDPOINT_URL"], environment["AWS_CA_BUNDLE"], options, liveness)


NO_CREDENTIALS = (
    "There are no AWS credentials: give --profile, or run `aws configure`; for the local AWS, give --local."
)
NO_REGION = "No AWS region is set: give --region, or set AWS_REGION; for the local AWS, give --local."
EXPIRED = (
    "Your AWS credentials have expired: log in again, for instance with `aws sso login{profile}`, or set new "
    "ones."
)
PROFILE: ContextVar[str | None] = ContextVar("PROFILE", default=None)
"""The profile that the command line named."""

REFUSED = (
    "AWS does not accept your credentials: they are wrong or deleted, or this machine's clock is wrong; "
    "`fanfold doctor` checks the clock."
)

SKEWED = "This machine's clock is wrong, so AWS does not accept its requests: set it."
ARCHIVED = (
    "An object is archived: restore it (aws s3api restore-object), or copy it to another storage class."
)

_BY_TYPE: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NoCredentialsError, NO_CREDENTIALS),
    (exceptions.PartialCredentialsError, NO_CREDENTIALS),
    (exceptions.NoRegionError, NO_REGION),
    (exceptions.TokenRetrievalError, EXPIRED),
    (exceptions.SSOTokenLoadError, EXPIRED),
    (exceptions.UnauthorizedSSOTokenError, EXPIRED),
    (exceptions.LoginRefreshRequired, EXPIRED),
)
_BY_CODE = {
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "RequestExpired": EXPIRED,
    "InvalidClientTokenId": REFUSED,
    "UnrecognizedClientException": REFUSED,
    "InvalidAccessKeyId": REFUSED,
    "SignatureDoesNotMatch": REFUSED,
    "InvalidSignatureException": REFUSED,
    "AuthFailure": REFUSED,
    "RequestTimeTooSkewed": SKEWED,
    "InvalidObjectState": ARCHIVED,
}


def explain(error: Exception) -> str:
    """The problem in words for the owner of the account.

    >>> explain(exceptions.NoRegionError())
    'No AWS region is set: give --region, or set AWS_REGION; for the local AWS, give --local.'
    """
    for kind, text in _BY_TYPE:
        if isinstance(error, kind):
            return _of_profile(text)
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}: `aws configure list-profiles` lists them."
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return f"AWS cannot be reached: {error}. Check the network, and the spelling of the region."
    if isinstance(error, ClientError):
        return explain_code(error.response.get("Error", {}).get("Code", "")) or str(error)
    return str(error)


def explain_code(code: str) -> str | None:
    """Advice for an error code of AWS, if it means an expired or wrong login."""
    advice = _BY_CODE.get(code)
    return advice and _of_profile(advice)


def _of_profile(text: str) -> str:
    """The advice, with the name of the profile unless it is the default one."""
    name = PROFILE.get() or os.environ.get("AWS_PROFILE")
    return text.replace("{profile}", f" --profile {shell_word(name)}" if name else "")
