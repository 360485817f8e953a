"""Connections to AWS, the real one or a local one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError


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

    def table(self, name: str) -> Any:
        """The DynamoDB table ``name``."""
        return self.session.resource("dynamodb", **self._endpoint()).Table(name)

    def _endpoint(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint_url, "verify": self.authority} if self.endpoint_url else {}


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
