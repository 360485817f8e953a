"""Requests to S3 of our own, for keys that obstore cannot send: with empty, ``.`` or ``..`` segments, a slash
at either end, or control characters (docs/decisions/0029)."""

from typing import NamedTuple
from urllib.parse import quote

from obstore.store import S3Store

from lambda_src.aws.endpoint import Endpoint, Unreachable, open_at
from lambda_src.aws.http1 import Response
from lambda_src.aws.s3 import refusal_of
from lambda_src.errors import Transient, one_line

TIMEOUT_S = 30.0


class Head(NamedTuple):
    """The answer of S3 to HEAD."""

    size: int
    etag: str
    version: str | None


class OwnRequests:
    """Reads from the bucket of ``objects``, with the settings of obstore's client."""

    def __init__(self, objects: S3Store) -> None:
        config = objects.config
        self._bucket = config["bucket"]
        self._payer = (
            {"x-amz-request-payer": "requester"} if str(config.get("request_payer")) == "true" else {}
        )
        self._endpoint: Endpoint = open_at("s3", config["region"], config["endpoint"])

    def head(self, key: str, version: str | None) -> Head:
        """The object as it is now, or its ``version``. Raises the error for S3's refusal, or Transient."""
        headers = self._request("HEAD", key, {}, version).headers
        return Head(int(headers["content-length"]), headers["etag"], headers.get("x-amz-version-id"))

    def get(self, key: str, span: tuple[int, int], etag: str | None, version: str | None) -> bytes:
        """The bytes of ``span``, if the object has that ETag. Raises the error for S3's refusal, or
        Transient."""
        if_match = {"if-match": etag} if etag else {}
        headers = {"range": f"bytes={span[0]}-{span[1] - 1}", **if_match}
        return self._request("GET", key, headers, version).body

    def _request(self, method: str, key: str, headers: dict[str, str], version: str | None) -> Response:
        name = one_line(f"s3://{self._bucket}/{key}")
        path = f"/{self._bucket}/{quote(key, safe='/~')}"
        query = [("versionId", version)] if version else []
        try:
            response = self._endpoint.request(
                method, path, {**self._payer, **headers}, query=query, timeout_s=TIMEOUT_S
            )
        except Unreachable as error:
            raise Transient(f"The connection to S3 failed for {name}: {error}") from error
        if response.status >= 300:
            raise refusal_of(response.status, response.body.decode(errors="replace")).error(
                self._bucket, name
            )
        return response
