"""S3 and DynamoDB by moto, on a free loopback port: obstore speaks HTTP itself and cannot be patched."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from lambda_src.aws.dynamodb import EndpointTable, open_table
from lambda_src.store.keys import RUNS_INDEX

BUCKET = "bucket"
TABLE = "results"


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def endpoint(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {
        "AWS_ENDPOINT_URL": moto_endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return moto_endpoint


@pytest.fixture
def s3(endpoint: str) -> Any:
    """A boto3 client of an S3 with the one empty bucket ``BUCKET``."""
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def objects(s3: Any) -> S3Store:
    """obstore's client of ``BUCKET``."""
    from lambda_src.aws.s3 import open_bucket

    return open_bucket(BUCKET, "amazonaws.com")


@pytest.fixture
def table(account_table: Any) -> EndpointTable:
    """The results table as the functions see it, empty."""
    return open_table(account_table.name, "amazonaws.com")


@pytest.fixture
def account_table(endpoint: str) -> Iterator[Any]:
    """boto3's Table of the same."""
    created = boto3.resource("dynamodb", endpoint_url=endpoint).create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "run_id", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("run_id", "S"), ("item", "S"), ("started_at", "N"))
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": RUNS_INDEX,
                "KeySchema": [
                    {"AttributeName": "item", "KeyType": "HASH"},
                    {"AttributeName": "started_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield created
    created.delete()
