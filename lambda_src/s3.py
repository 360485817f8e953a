"""The S3 client that ``source`` and ``blob_store`` share, and its errors as ours."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store

from lambda_src.errors import (
    AccessDenied,
    InvalidRequest,
    SourceChanged,
    SourceNotFound,
    Throttled,
    Transient,
)

MAX_KEY_BYTES = 1024
_CODE = re.compile("<Code>([A-Za-z]+)</Code>")
_DENIED_BY_KMS = re.compile("<Message>[^<]*(kms:|customer master key)")
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


def open_bucket(bucket: str, url_suffix: str) -> S3Store:
    """A client for ``bucket``, with the region and the credentials of the environment. It retries server
    errors, lost connections and answers that take 30 s (its default) by itself, up to five times within a
    minute; what is worse is the fan-out's to retry.

    By itself obstore would ask amazonaws.com in every partition. An endpoint that the environment names is
    asked instead. A process that is warm has it, and its connections, already.
    """
    region = os.environ.get("AWS_REGION", "us-east-1")
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or f"https://s3.{region}.{url_suffix}"
    return _open_once(bucket, region, endpoint)


@cache
def _open_once(bucket: str, region: str, endpoint: str) -> S3Store:
    return S3Store(
        bucket,
        region=region,
        endpoint=endpoint,
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


def path_of(key: str) -> str:
    """``key`` as obstore's path, which is sent as exactly that key. obstore by itself drops a slash at either
    end in silence, and reads another object. Raises InvalidRequest, naming what cannot be sent."""
    if (key_bytes := len(key.encode())) > MAX_KEY_BYTES:
        raise InvalidRequest(f"key: it has {key_bytes} bytes in UTF-8, S3 allows {MAX_KEY_BYTES}.")
    fault = ""
    if control := _CONTROL_CHARACTER.search(key):
        fault = f"holds the control character U+{ord(control.group()):04X}"
    elif key.startswith("/") or key.endswith("/"):
        fault = "begins or ends with a slash"
    elif {"", ".", ".."} & set(key.split("/")):
        fault = "has an empty, '.' or '..' segment"
    if fault:
        raise InvalidRequest(
            f"key: {key!r} {fault}, which is not supported: copy the object to another key, and name that."
        )
    return key


@contextmanager
def translated(bucket: str, key: str) -> Iterator[str]:
    """The path of ``key``, and obstore's errors as ours, each naming the object and what to do."""
    path = path_of(key)
    name = f"s3://{bucket}/{key}"
    try:
        yield path
    except FileNotFoundError as error:  # what obstore raises for 404
        raise SourceNotFound(f"{name} does not exist: check bucket and key, or upload it.") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        if _DENIED_BY_KMS.search(str(error)):
            raise AccessDenied(
                f"AccessDenied by KMS for {name}: it is encrypted with a key that this function may not use; "
                "deploy with -c source_bucket_key=ARN, and let the key's policy allow it."
            ) from error
        raise AccessDenied(
            f"AccessDenied by S3 for {name}: it does not exist, or this function's role lacks the permission."
        ) from error
    except PreconditionError as error:
        raise SourceChanged(f"{name} was replaced while the run read it: start a new run.") from error
    except BaseError as error:
        cause = str(error).partition("\n")[0]  # the rest is a dump for debugging
        code = _CODE.search(str(error))  # obstore has no classes for these, only S3's answer
        if code and code[1] == "SlowDown":
            raise Throttled(f"S3 throttled {name}: {cause}") from error
        if "redirect without LOCATION" in str(error) or (code and code[1] in _OTHER_REGION):
            raise InvalidRequest(
                f"bucket: {bucket} is in another region than this deployment: deploy to the bucket's region, "
                "or copy the object to a bucket here."
            ) from error
        raise Transient(f"S3 did not serve {name}: {cause}") from error
