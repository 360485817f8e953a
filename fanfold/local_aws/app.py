"""The local AWS as hypercorn serves it: MiniStack, patched, behind the gate. Only the server's process
imports this module, which reads the server's environment."""

import asyncio.constants
import os
import stat
import threading
import time

import ministack.app
from ministack.core.iam_evaluator import (
    ResolvedCredential,
    find_iam_access_key_account,
    is_root_access_key,
    resolve_credential,
)
from ministack.services import sts

from fanfold.local_aws import patches
from fanfold.local_aws.gate import Gate

SERVER_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SERVER_SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]

MAX_LOG_BYTES = 10 << 20
LOG_CHECK_S = 2.0


def secret_of(access_key_id: str, session_token: str) -> str | None:
    """The secret key of an access key that this server issued: its own, a user's, or an assumed role's."""
    if access_key_id == SERVER_KEY:
        return SERVER_SECRET
    if is_root_access_key(access_key_id):  # "test" and other keys that MiniStack accepts as its own
        return None
    session = sts._sessions.get(access_key_id)
    account = str(session["Arn"]).split(":")[4] if session else find_iam_access_key_account(access_key_id)
    if account is None:
        return None
    found = resolve_credential(access_key_id, account, session_token)
    return found.secret_access_key if isinstance(found, ResolvedCredential) else None


def truncate_log() -> None:
    """Empty the log whenever it has grown too long."""
    while True:
        written = os.fstat(2)
        if stat.S_ISREG(written.st_mode) and written.st_size > MAX_LOG_BYTES:
            os.ftruncate(2, 0)
        time.sleep(LOG_CHECK_S)


# An idle client never answers the end of a TLS connection. The server would wait for it before it saves its
# state.
asyncio.constants.SSL_SHUTDOWN_TIMEOUT = 0.2

# Functions share their unpacked code, and thus its bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

patches.apply()
app = Gate(ministack.app.app, secret_of)
threading.Thread(target=truncate_log, daemon=True).start()
