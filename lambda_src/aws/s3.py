"""The S3 client that ``source`` and ``store.blobs`` share, and S3's refusals as our errors."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from lambda_src.errors import (
    AccessDenied,
    CredentialsRefused,
    FanfoldError,
    InvalidRequest,
    SourceChanged,
    SourceNotFound,
    SourceUnreadable,
    Throttled,
    Transient,
    one_line,
)
from lambda_src.fields import MAX_KEY_BYTES

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

_STATUS = re.compile(r"status code: (\d{3})")
_STATUS_OF = (
    (FileNotFoundError, 404),  # what obstore raises for it
    (PermissionDeniedError, 403),
    (UnauthenticatedError, 401),
    (PreconditionError, 412),
)

OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
THROTTLES = {"SlowDown", "ServiceUnavailable", "TooManyRequests", "RequestLimitExceeded", "Busy"}
RETRYABLE = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "InvalidRange",
    "OperationAborted",
    "RequestTimeout",
}
"""Codes of status 4xx and 5xx that are worth another attempt."""

CREDENTIALS = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}

ARCHIVED = "it is archived: restore it (aws s3api restore-object), or copy it to another storage class."


class Refusal(NamedTuple):
    """An error answer of S3. Answers to HEAD have neither code nor message."""

    status: int
    code: str = ""
    message: str = ""

    def error(self, bucket: str, name: str) -> FanfoldError:
        """Our error for ``name``, which is an object or a prefix in ``bucket``: it quotes S3 and says what to
        do."""
        return self._elsewhere(bucket, name) or self._temporary(name) or self._permanent(name)

    @property
    def _said(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code or f"status {self.status}"

    def _elsewhere(self, bucket: str, name: str) -> FanfoldError | None:
        """The object does not exist or has changed."""
        if self.code == "NoSuchVersion":
            return SourceChanged(f"{name}: the version that the run reads was deleted: start a new run.")
        if self.status == 404:
            return SourceNotFound(f"{name} does not exist: check bucket and key, or upload it.")
        if self.status == 412:
            return SourceChanged(f"{name} was replaced while the run read it: start a new run.")
        if self.code in OTHER_REGION or self.status == 301:
            return InvalidRequest(
                f"bucket: {bucket} is in another region than this deployment: deploy to the bucket's region, "
                "or copy the object to a bucket here."
            )
        return None

    def _temporary(self, name: str) -> FanfoldError | None:
        """Another attempt may succeed."""
        if self.code in THROTTLES or "throttl" in self.code.lower() or self.status in (429, 503):
            return Throttled(f"S3 throttled {name}: {self._said}")
        # Without a code, the cause is unknown.
        if self.status not in (401, 403) and (self.code in {"", *RETRYABLE} or self.status >= 500):
            return Transient(f"S3 did not serve {name}: {self._said}")
        return None

    def _permanent(self, name: str) -> FanfoldError:
        """A person has to change something."""
        message = self.message.lower()
        if self.code == "InvalidObjectState":
            return SourceUnreadable(f"S3 does not serve {name} ({self._said}): {ARCHIVED}")
        if self.code.startswith("KMS."):
            advice = (
                "its KMS key is disabled, deleted or not usable: fix the key, or encrypt it with another."
            )
            return AccessDenied(f"{self.code} by KMS for {name} ({self.message}): {advice}")
        if "kms:" in message or "customer master key" in message:
            return AccessDenied(
                f"{self.code} by KMS for {name} ({self.message}): it is encrypted with a key that this "
                "function may not use; deploy with -c source_bucket_key=ARN, and let its policy allow that."
            )
        if self.status in (401, 403) or self.code in CREDENTIALS:
            of_ours = self.status == 401 or self.code in {*CREDENTIALS, "RequestTimeTooSkewed"}
            kind = CredentialsRefused if of_ours else AccessDenied
            return kind(f"{self.code or 'AccessDenied'} by S3 for {name}{self._why_denied()}")
        return SourceUnreadable(f"S3 does not serve {name}: {self._said}")

    def _why_denied(self) -> str:
        """S3's message, if there is one, and the advice for it."""
        if self.code == "RequestTimeTooSkewed":
            advice = "the clock of this machine is wrong: set it."
        elif self.code in CREDENTIALS:
            advice = "S3 does not accept the credentials of this function: try again, or deploy again."
        elif "explicit deny" in self.message.lower():
            advice = (
                "a policy denies it explicitly, and no permission overrides that: change the policy that S3 "
                "names, such as the bucket's own."
            )
        elif "requester" in self.message.lower():
            advice = "the reader has to pay: deploy with -c requester_pays=true."
        elif self.code not in ("", "AccessDenied"):
            advice = "ask the owner of the bucket."
        else:
            advice = (
                "it does not exist, or this function's role or the bucket's policy lacks the permission, "
                "or the bucket is requester-pays (deploy with -c requester_pays=true), or another account's "
                "(deploy with -c source_bucket_account=ID, or any)."
            )
        return f" ({self.message.rstrip('.')}): {advice}" if self.message else f": {advice}"


def refusal_of(status: int, text: str) -> Refusal:
    """The refusal of ``status`` that S3 describes in ``text``, which holds its XML.

    >>> refusal_of(403, "<Error><Code>InvalidObjectState</Code><Message>It&apos;s cold</Message></Error>")
    Refusal(status=403, code='InvalidObjectState', message="It's cold")
    """
    return Refusal(status, _element("Code", text), _element("Message", text))


def _element(name: str, text: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", text)
    value = found[1].strip() if found else ""
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&#39;", "'")):
        value = value.replace(entity, char)
    return value.replace("&amp;", "&")


def open_bucket(bucket: str, url_suffix: str, *, requester_pays: bool = False) -> S3Store:
    """A client for ``bucket``, with the region and the credentials of the environment. It retries server
    errors, lost connections and answers that take longer than 30 s (its default), up to five times within a
    minute; the fan-out retries the rest. With ``requester_pays``, each request accepts the charges.

    The endpoint is passed because obstore would use amazonaws.com in every partition. The environment can
    name another one. A warm process reuses the client and its connections.
    """
    region = os.environ.get("AWS_REGION", "us-east-1")
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.{url_suffix}"
    return _open_once(bucket, region, endpoint, requester_pays)


@cache
def _open_once(bucket: str, region: str, endpoint: str, requester_pays: bool) -> S3Store:
    # obstore's threads hand each network packet to each other; a function has one vCPU, so one is enough.
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
    return S3Store(
        bucket,
        region=region,
        endpoint=endpoint,
        request_payer=requester_pays,
        retry_config={
            "max_retries": 5,
            "retry_timeout": timedelta(seconds=60),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        },
    )


def check_key(key: str) -> None:
    """Raises InvalidRequest for a key that no object can have."""
    if not key:
        raise InvalidRequest("key: it is empty.")
    if (key_bytes := len(key.encode())) > MAX_KEY_BYTES:
        raise InvalidRequest(f"key: it has {key_bytes} bytes in UTF-8, S3 allows {MAX_KEY_BYTES}.")


def obstore_sends(key: str) -> bool:
    """Whether obstore requests exactly this key. It silently drops a slash at either end, and would read
    another object.

    >>> [key for key in ("a/b", "a//b", "/a", "a/", "a/../b", "a\\x01b", "a b") if obstore_sends(key)]
    ['a/b', 'a b']
    """
    return not ({"", ".", ".."} & set(key.split("/")) or _CONTROL_CHARACTER.search(key))


@contextmanager
def translated(bucket: str, key: str) -> Iterator[None]:
    """obstore's errors as ours, each naming the object and what to do."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        text = str(error).partition("\n\nDebug source:")[0]
        found = _STATUS.search(text)
        status = (
            int(found[1])
            if found
            else next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 0)
        )
        name = one_line(f"s3://{bucket}/{key}")
        if "redirect without LOCATION" in text:
            status = 301
        if not status:
            raise Transient(f"S3 did not serve {name}: {text.partition(chr(10))[0]}") from error
        raise refusal_of(status, text).error(bucket, name) from error
