"""The settings of a deployment: ``-c name=value`` of the command line, or ``context`` of cdk.json."""

import json
import re
from typing import Any, TypeVar

from constructs import Node

N = TypeVar("N", int, None)


class InvalidContext(Exception):
    """A setting ``-c name=value`` has an invalid value."""


class Context:
    """The settings of ``node``. ``noted`` has those that were read and are not the default."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.noted: dict[str, str] = {}

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """The setting ``name``: one of ``choices``, by default the first. Raises InvalidContext."""
        value = (self._given(name) or choices[0]).lower()
        if value not in choices:
            raise InvalidContext(f"-c {name}={value}: choose one of {', '.join(choices)}.")
        return self._note(name, value, default=choices[0])

    def is_on(self, name: str, *, only_with: str | None = None) -> bool:
        """The setting ``name``: true, or false by default. It is valid ``only_with`` another one. Raises
        InvalidContext."""
        on = self.choice(name, ("false", "true")) == "true"
        if on:
            self._need(name, only_with)
        return on

    def number(self, name: str, *, default: N, highest: int) -> int | N:
        """The setting ``name``: a whole number from 1 to ``highest``. Raises InvalidContext."""
        given = self._given(name)
        if given is None:
            return default
        if not re.fullmatch(r"[1-9][0-9]{0,8}", given) or int(given) > highest:
            raise InvalidContext(f"-c {name}={given}: give a whole number from 1 to {highest:,}.")
        return int(self._note(name, given, default=str(default)))

    def text(self, name: str, form: str, hint: str, *, only_with: str | None = None) -> str | None:
        """The setting ``name``: of the ``form`` of a regular expression, which ``hint`` explains. It is valid
        ``only_with`` another one. Raises InvalidContext."""
        given = self._given(name)
        if given is None:
            return None
        self._need(name, only_with)
        if not re.fullmatch(form, given):
            raise InvalidContext(f"-c {name}={given}: {hint}.")
        return self._note(name, given)

    def unnoted(self, name: str) -> str | None:
        """The setting ``name`` as it is, which means nothing on another machine and so is not noted."""
        return self._given(name)

    def request(self, name: str, *, only_with: str | None = None) -> dict[str, Any] | None:
        """The setting ``name``: a request, as a JSON object. It is valid ``only_with`` another setting.
        Raises InvalidContext."""
        given = self._given(name)
        if given is None:
            return None
        self._need(name, only_with)
        try:
            request = json.loads(given)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            raise InvalidContext(
                f'-c {name}={given}: give a JSON object, as in {name}=\'{{"prefix": "input/logs/"}}\'.'
            )
        self._note(name, given)
        return request

    def _need(self, name: str, other: str | None) -> None:
        if other and self._given(other.partition("=")[0]) in (None, "false"):
            raise InvalidContext(f"-c {name} is for -c {other}, which is not given.")

    def _given(self, name: str) -> str | None:
        given = self._node.try_get_context(name)
        if isinstance(given, dict | list):  # written as such in cdk.json
            return json.dumps(given)
        # A false in cdk.json is a value; only null and "" stand for the default.
        return None if given in (None, "") else str(given)

    def _note(self, name: str, value: str, *, default: str | None = None) -> str:
        if value != default:
            self.noted[name] = value
        return value
