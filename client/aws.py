"""Connections to AWS, the real one or a local one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.dynamodb import Refused, reasons_of
from lambda_src.endpoint import Unreachable


class AccountError(Exception):
    """The person's AWS configuration is not complete or wrong."""


class Aws(NamedTuple):
    """Makes clients and tables of one account. Without ``endpoint_url`` it is the account of the person's
    own AWS configuration."""

    session: Any
    endpoint_url: str | None = None
    authority: str | None = None

    def client(self, service: str, config: Config | None = None) -> Any:
        """A client for ``service``."""
        return self.session.client(service, config=config, **self._endpoint())

    def table(self, name: str) -> "AccountTable":
        """The DynamoDB table ``name``."""
        return AccountTable(self.client("dynamodb"), name)

    def _endpoint(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint_url, "verify": self.authority} if self.endpoint_url else {}


class AccountTable:
    """``dynamodb.Table`` through boto3, which knows every way in which a person may have signed in."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """As ``dynamodb.Table.call``."""
        try:
            answer: dict[str, Any] = getattr(self._client, xform_name(operation))(**request)
        except ClientError as error:
            response = error.response
            raise Refused(
                response["ResponseMetadata"]["HTTPStatusCode"],
                response["Error"]["Code"],
                response["Error"]["Message"],
                reasons_of(response),
            ) from error
        except BotoCoreError as error:
            raise Unreachable(str(error)) from error
        return answer


def account_of_person() -> Aws:
    """The account of the environment and of ~/.aws. Raises AccountError."""
    try:
        return Aws(boto3.Session())
    except BotoCoreError as error:
        raise AccountError(f"Your AWS configuration cannot be used: {error}") from error


def account_of(environment: Mapping[str, str]) -> Aws:
    """The local account that ``environment`` describes."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    return Aws(session, environment["AWS_ENDPOINT_URL"], environment["AWS_CA_BUNDLE"])
