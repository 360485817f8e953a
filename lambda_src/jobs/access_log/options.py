"""What can be asked about logs. Without any option, the scanner answers; all else is ``asked``."""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from lambda_src.jobs.access_log.times import minute_of

By = Literal[
    "hour", "day", "weekday", "month", "path", "method", "status", "client", "agent", "referrer", "host"
]

Order = Literal["requests", "bytes", "p50", "p95", "p99"]
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}

MOST_TOP, MOST_TOP_BY_HOUR, MOST_TIMES = 100, 50, 400
"""With them, the results of all parts fit Lambda's 6 MB, whatever the keys are. Days are short keys."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

LEAST_TIMED = 20
"""Of fewer, the slowest one is the 95th percentile."""

_STATUS = re.compile(r"[1-9]xx|[0-9]{3}|-")
_WITH_PORT = re.compile(r"(?:[^:]*|\[.*\]):[0-9]{1,5}")
_NO_NAME = re.compile(r".*[/*, ].*|[0-9.:]*\.[0-9.:]*")
"""What can be nobody's name: it must be an address or a network."""
_WHEN = "Days and times are in UTC, such as 2026-11-25 or 2026-11-25T10:15."


def _is_client(text: str) -> bool:
    if not _NO_NAME.fullmatch(text):
        return True
    import ipaddress  # noqa: PLC0415 - 5 ms of a cold start, for those who ask

    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class Options(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Raises ValueError for a time or a format that cannot be."""

    by: Annotated[By, Meta(description="What to count requests by.")] = "hour"
    top: Annotated[
        int,
        Meta(
            ge=1,
            le=MOST_TOP,
            description="How many keys to show, those with the most requests first. By day, month or "
            "weekday, up to 400 are shown in order of time, unless order is set.",
        ),
    ] = 10
    order: Annotated[
        Order | None,
        Meta(
            description="Rank keys by bytes or by a percentile of response times, not by requests.",
            examples=["p95"],
        ),
    ] = None
    least: Annotated[
        int,
        Meta(ge=1, description="With order=p50, p95 or p99, leave out keys with fewer requests."),
    ] = LEAST_TIMED
    format: Annotated[
        str | None,
        Meta(
            description="auto for every format that is known, a log_format of nginx, a LogFormat of Apache, "
            "or a W3C extended log's line #Fields: ... Without any option, Combined Log Format and that of "
            "load balancers are read; with any, every one.",
            examples=["auto"],
        ),
    ] = None
    from_: Annotated[
        str | None,
        Meta(description=f"Count only requests from this time on. {_WHEN}", examples=["2026-11-25"]),
    ] = None
    to: Annotated[
        str | None,
        Meta(description=f"Count only requests before this time. {_WHEN}", examples=["2026-11-26"]),
    ] = None
    status: Annotated[
        str | None,
        Meta(
            description="Count only requests with this status, such as 404, or this class, such as 5xx.",
            examples=["5xx"],
        ),
    ] = None
    method: Annotated[
        str | None, Meta(description="Count only requests with this method.", examples=["GET"])
    ] = None
    path: Annotated[
        str | None,
        Meta(
            description="Count only requests whose path begins with this. With *, which stands for any text, "
            "the whole path must match.",
            examples=["/api/"],
        ),
    ] = None
    client: Annotated[
        str | None,
        Meta(
            description="Count only requests from this address, network or name.", examples=["192.0.2.0/24"]
        ),
    ] = None
    host: Annotated[
        str | None, Meta(description="Count only requests to this host.", examples=["www.example.com"])
    ] = None

    def __post_init__(self) -> None:
        self._check_times()
        self._check_filters()
        if self.by == "hour" and self.top > MOST_TOP_BY_HOUR:
            raise ValueError(f"top is at most {MOST_TOP_BY_HOUR} by hour, where every hour has as many paths")
        if self.by == "hour" and self.order:
            raise ValueError("order is for keys other than hours: set by, such as by=path")
        if self.least != LEAST_TIMED and self.order not in PERCENTILES:
            raise ValueError("least is for order=p50, p95 or p99, which say nothing of few requests")
        if self.format not in (None, "auto"):
            from lambda_src.jobs.access_log.custom import check_format  # noqa: PLC0415 - as above

            check_format(self.format or "", self._needed())

    def _check_times(self) -> None:
        for name, text in (("from", self.from_), ("to", self.to)):
            if text is not None and minute_of(text) is None:
                raise ValueError(
                    f"{name} takes a day or a minute of UTC, such as 2026-11-25 or 2026-11-25T10:15, "
                    f"not {text[:60]!r}"
                )
        if self.from_ and self.to and (minute_of(self.from_) or 0) >= (minute_of(self.to) or 0):
            raise ValueError(f"to={self.to} is not after from={self.from_}: to is the first time not counted")

    def _check_filters(self) -> None:
        """No filter may take nothing because of how it is written."""
        for name in ("method", "path", "client", "host"):
            if getattr(self, name) == "":
                raise ValueError(f"{name} is empty: leave it out, or say which")
        if self.status is not None and not _STATUS.fullmatch(self.status):
            raise ValueError(f"status takes three digits, such as 404, or 5xx, not {self.status[:60]!r}")
        if self.method and self.method != self.method.upper():
            raise ValueError(f"method takes one as logs have it, such as GET, not {self.method[:60]!r}")
        if self.path and "?" in self.path:
            raise ValueError("path has no ?: paths end before it, and * is any text")
        if self.path and self.path[0] not in "/*-" and ":" not in self.path:
            raise ValueError(f"path begins with / or *, which is any text, not as {self.path[:60]!r}")
        if self.host and _WITH_PORT.fullmatch(self.host):
            raise ValueError(f"host has no port: write {self.host.rpartition(':')[0][:200]}")
        if self.client and not _is_client(self.client):
            raise ValueError(
                "client takes an address, a network such as 192.0.2.0/24, or a name, "
                f"not {self.client[:60]!r}"
            )

    def _needed(self) -> dict[str, str]:
        """What lines must have, with the option that needs it."""
        filters = {name: name for name in ("method", "path", "client", "host") if getattr(self, name)}
        times = {"seconds": f"order={self.order}"} if self.order in PERCENTILES else {}
        is_of_lines = self.by in ("path", "method", "client", "agent", "referrer", "host")
        return {**filters, **({self.by: f"by={self.by}"} if is_of_lines else {}), **times}

    @property
    def least_shown(self) -> int:
        """Requests that a key must have to be shown."""
        return self.least if self.order in PERCENTILES else 1

    @property
    def is_in_order_of_time(self) -> bool:
        """Whether keys are times, and are shown as such."""
        return self.by in ("day", "month", "weekday") and not self.order

    @property
    def most_shown(self) -> int:
        """How many keys are shown at most."""
        return MOST_TIMES if self.is_in_order_of_time else self.top


DEFAULT = Options()


def is_default(options: Any) -> bool:
    """Whether the scanner answers."""
    return bool(options == DEFAULT)
