"""What hypercorn serves as the local AWS: MiniStack behind the gate. For the server's process only."""

import os
from collections.abc import Mapping

import ministack.app
from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import (
    ResolvedCredential,
    find_iam_access_key_account,
    is_root_access_key,
    resolve_credential,
)
from ministack.services import sts

from client.gate import Gate

OWN_KEY = os.environ["AWS_ACCESS_KEY_ID"]
OWN_SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]

_guessable_credentials = lambda_runtime.execution_credentials


def execution_credentials(config: Mapping[str, str]) -> dict[str, str]:
    """A function's own credentials. MiniStack derives them from the names of the function and its role,
    which are the same on every machine: a secret goes into the hash, as if it were part of the role's ARN."""
    credentials: dict[str, str] = _guessable_credentials({**config, "Role": f"{OWN_SECRET}:{config['Role']}"})
    return credentials


def secret_of(access_key_id: str, session_token: str) -> str | None:
    """The secret key of an access key that belongs to this run: its own, those of users that were made in it,
    those of roles that were assumed in it."""
    if access_key_id == OWN_KEY:
        return OWN_SECRET
    if is_root_access_key(access_key_id):  # "test" and whatever else MiniStack takes for its own
        return None
    session = sts._sessions.get(access_key_id)
    account = str(session["Arn"]).split(":")[4] if session else find_iam_access_key_account(access_key_id)
    if account is None:
        return None
    found = resolve_credential(access_key_id, account, session_token)
    return found.secret_access_key if isinstance(found, ResolvedCredential) else None


lambda_runtime.execution_credentials = execution_credentials
app = Gate(ministack.app.app, secret_of)
