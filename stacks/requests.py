"""Requests that a stack sends again and again, checked when it is synthesized: later, nobody would see them
refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from fanfold.job_code import load
from lambda_src.errors import InvalidRequest
from lambda_src.job import load_deployed
from lambda_src.run.admission import check_plan
from lambda_src.wire.codec import decode_event
from lambda_src.wire.requests import ParseFileRequest

EACH_TIME = ("run_id", "must_be_new", "etag")


def check_again(request: Mapping[str, Any], jobs: Sequence[str], below: str) -> None:
    """Raise InvalidRequest unless ``request`` is for one of ``jobs``, reads keys that begin with ``below``,
    and can be sent any number of times."""
    wanted = decode_event(dict(request), ParseFileRequest)
    for field in EACH_TIME:
        if field in request:
            raise InvalidRequest(f"{field}: leave it out, each start is a run of its own.")
    if (wanted.key is None) == (wanted.prefix is None):
        raise InvalidRequest("key, prefix: name one of them, the object to read or what the keys begin with.")
    field, name = ("prefix", wanted.prefix) if wanted.key is None else ("key", wanted.key)
    if not str(name).startswith(below):
        raise InvalidRequest(f"{field}: the inputs begin with {below}, {name!r} does not.")
    name = wanted.job or jobs[0]
    job = load(name) if name in jobs else load_deployed(name, jobs)  # which refuses it
    job.read_options(wanted.options or {})
    check_plan(job, wanted)
