"""What can be asked of logs by options. The oracle has the requests, and writes them in each format; it reads
no line."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings

from fanfold.errors import RunError
from fanfold.runs.complete import check_keep
from fanfold.testing import Objects, check_job, run_job
from lambda_src import counts
from lambda_src.counts import c_counts, python_counts
from lambda_src.counts.table import Limits
from lambda_src.errors import InvalidRequest, SourceNotText
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Shards, Span
from lambda_src.jobs.access_log import JOB
from tests import access_log_oracle as oracle
from tests.unit.test_access_log import LOGS
from tests.unit.test_field import FIELD, expected_hours, hours

CLOUDFRONT = (
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol "
    "cs-bytes time-taken x-forwarded-for ssl-protocol"
)
IIS = (
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-bytes cs-host time-taken"
)
KEYS = ("day", "weekday", "month", "path", "method", "status", "client", "agent", "referrer", "host")
CUSTOM = (
    '$remote_addr [$time_local] $host "$request" $status $body_bytes_sent $request_time '
    '"$http_referer" ua="$http_user_agent"'
)


class Truth(NamedTuple):
    """A request."""

    when: datetime
    client: str
    host: str
    method: str
    path: str
    status: str
    sent: int
    referrer: str
    agent: str
    millis: int


def requests(seed: int, count: int = 120) -> list[Truth]:
    choose = Random(seed)
    first = datetime(2026, 10, 30, tzinfo=UTC)
    return [
        Truth(
            (first + timedelta(minutes=choose.randrange(5000), seconds=choose.randrange(60))).astimezone(
                timezone(timedelta(hours=choose.choice([0, 5, -7]), minutes=choose.choice([0, 30])))
            ),
            choose.choice(["192.0.2.1", "192.0.2.77", "198.51.100.9", "203.0.113.5"]),
            choose.choice(["www.example.com", "api.example.com"]),
            choose.choice(["GET", "GET", "POST"]),
            choose.choice(["/", "/a", "/a/b.js", "/api/v1", "/api/v2", "/slow"]),
            choose.choice(["200", "200", "304", "404", "500", "503"]),
            choose.randrange(10 ** choose.randrange(1, 12)),
            choose.choice(["-", "https://example.org/x"]),
            choose.choice(["curl/8", "Mozilla/5.0 (X11)"]),
            choose.choice([1, 7, 250, 1300, 60000]),
        )
        for _ in range(count)
    ]


def bracketed(one: Truth) -> str:
    return one.when.strftime("[%d/%b/%Y:%H:%M:%S %z]")


def utc(one: Truth) -> str:
    return one.when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def asked(one: Truth) -> str:
    return f"{one.method} {one.path}?q=1 HTTP/1.1"


def common(one: Truth) -> str:
    return f'{one.client} - bob {bracketed(one)} "{asked(one)}" {one.status} {one.sent}'


def combined(one: Truth) -> str:
    return f'{common(one)} "{one.referrer}" "{one.agent}"'


def alb(one: Truth) -> str:
    seconds = f"0.000 {one.millis / 1000:.3f} 0.000"
    return (
        f"https {utc(one)}.123456Z app/lb/50dc {one.client}:2817 10.0.0.1:80 {seconds} "
        f'{one.status} 200 34 {one.sent} "{one.method} https://{one.host}:443{one.path}?q=1 HTTP/1.1" '
        f'"{one.agent}" ECDHE TLSv1.2 arn "Root=1"'
    )


def elb(one: Truth) -> str:
    seconds = f"0.000 {one.millis / 1000:.3f} 0.000"
    return (
        f"{utc(one)}.123456Z my-lb {one.client}:2817 10.0.0.1:80 {seconds} {one.status} 200 0 {one.sent} "
        f'"{one.method} http://{one.host}:80{one.path}?q=1 HTTP/1.1" "{one.agent}" - -'
    )


def cloudfront(one: Truth) -> str:
    day, clock = utc(one).split("T")
    fields = [
        day,
        clock,
        "FRA2-C1",
        one.sent,
        one.client,
        one.method,
        "d1.cloudfront.net",
        one.path,
        one.status,
    ]
    fields += [
        one.referrer,
        one.agent,
        "q=1",
        "-",
        "Hit",
        "id==",
        one.host,
        "https",
        23,
        f"{one.millis / 1000:.3f}",
    ]
    return "\t".join(map(str, [*fields, "-", "TLSv1.3"]))


def s3(one: Truth) -> str:
    return (
        f"{'79a5' * 16} {one.host} {bracketed(one)} {one.client} - 3E57427F3EXAMPLE "
        f'REST.GET.OBJECT key "{asked(one)}" {one.status} - {one.sent} 2048 {one.millis} 10 '
        f'"{one.referrer}" "{one.agent}" - id= SigV4 ECDHE - h TLSv1.2'
    )


def json_line(one: Truth) -> str:
    found = {
        "time_iso8601": one.when.isoformat(),
        "remote_addr": one.client,
        "host": one.host,
        "request_method": one.method,
        "request_uri": f"{one.path}?q=1",
        "status": int(one.status),
        "body_bytes_sent": str(one.sent),
        "http_referer": one.referrer,
        "http_user_agent": one.agent,
        "request_time": one.millis / 1000,
    }
    return json.dumps(found)


def iis(one: Truth) -> str:
    day, clock = utc(one).split("T")
    agent = one.agent.replace(" ", "+")
    return (
        f"{day} {clock} 10.0.0.1 {one.method} {one.path} q=1 {one.client} {agent} {one.referrer} "
        f"{one.status} {one.sent} {one.host} {one.millis}"
    )


def caddy(one: Truth) -> str:
    """The client also sends headers whose names other logs have for fields."""
    sent = {
        "Timestamp": ["2020-02-02T02:02:02Z"],
        "Client-Ip": ["x"],
        "Bytes-Sent": ["1"],
        "Request-Uri": ["/x"],
    }
    request = {
        "remote_ip": one.client, "method": one.method, "host": one.host, "uri": f"{one.path}?q=1",
        "headers": {"User-Agent": [one.agent], "Referer": [one.referrer], **sent},
    }  # fmt: skip
    found = {"level": "info", "ts": one.when.timestamp(), "msg": "handled request", "request": request}
    return json.dumps({**found, "duration": one.millis / 1000, "size": one.sent, "status": int(one.status)})


def google(one: Truth) -> str:
    request = {
        "requestMethod": one.method, "requestUrl": f"https://{one.host}{one.path}?q=1",
        "status": int(one.status), "responseSize": str(one.sent), "userAgent": one.agent,
        "referer": one.referrer, "remoteIp": one.client, "latency": f"{one.millis / 1000:.6f}s",
    }  # fmt: skip
    return json.dumps({"httpRequest": request, "timestamp": f"{utc(one)}.123Z", "severity": "INFO"})


def custom(one: Truth) -> str:
    return (
        f'{one.client} {bracketed(one)} {one.host} "{asked(one)}" {one.status} {one.sent} '
        f'{one.millis / 1000:.3f} "{one.referrer}" ua="{one.agent}"'
    )


class Form(NamedTuple):
    """A format: how a line is written, and what it lacks."""

    name: str
    write: Callable[[Truth], str]
    lacks: frozenset[str] = frozenset()
    header: str = ""


FORMS = [
    Form("common", common, frozenset({"host", "referrer", "agent", "millis"})),
    Form("combined", combined, frozenset({"host", "millis"})),
    Form("combined with virtual host", lambda one: f"{one.host}:443 {combined(one)}", frozenset({"millis"})),
    Form(
        "common with virtual host",
        lambda one: f"{one.host} {common(one)}",
        frozenset({"millis", "agent", "referrer"}),
    ),
    Form(
        "combined with request time",
        lambda one: f"{combined(one)} {one.millis / 1000:.3f}",
        frozenset({"host"}),
    ),
    Form(
        "combined with request time",
        lambda one: f'{combined(one)} "-" rt={one.millis / 1000:.3f} uct="0.001"',
        frozenset({"host"}),
    ),
    Form("alb", alb, frozenset({"referrer"})),
    Form("elb", elb, frozenset({"referrer"})),
    Form("cloudfront", cloudfront, header=f"#Version: 1.0\n{CLOUDFRONT}\n"),
    Form("s3", s3),
    Form("json", json_line),
    Form("json", caddy),
    Form("json", google),
    Form("custom", custom),
    Form("columns", iis, header=f"#Software: IIS\n#Version: 1.0\n#Date: 2026-11-22\n{IIS}\n"),
]  # fmt: skip


def seen(form: Form, ones: list[Truth]) -> list[Truth]:
    lacking: Any = dict.fromkeys(form.lacks - {"millis"}, "-")
    if form.write is iis:  # which writes a plus for a space
        ones = [one._replace(agent=one.agent.replace(" ", "+")) for one in ones]
    return [one._replace(**lacking) for one in ones]


def key_of(by: str, one: Truth) -> str:
    when = one.when.astimezone(UTC)
    times = {"day": "%Y-%m-%d", "weekday": "%A", "month": "%Y-%m"}
    return when.strftime(times[by]) if by in times else str(getattr(one, by))


GIVEN = {"custom": CUSTOM, "columns": IIS}
PERCENTILES = ("p50", "p95", "p99")
IN_ORDER = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def top_of(by: str, form: Form, ones: list[Truth], top: int = 10) -> list[dict[str, Any]]:
    found = defaultdict[str, list[Truth]](list)
    for one in ones:
        found[key_of(by, one)].append(one)
    ranked = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    if by in ("day", "month"):
        ranked, top = sorted(found.items()), 400
    elif by == "weekday":
        ranked, top = sorted(found.items(), key=lambda each: IN_ORDER.index(each[0])), 7
    return [{by: key, **of_key(form, group)} for key, group in ranked[:top]]


def percentile(percent: int, millis: list[int]) -> float:
    """The least one that so many do not exceed."""
    return sorted(millis)[-(-percent * len(millis) // 100) - 1] / 1000


def is_within(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether rows are equal, and percentiles within 0.8 %."""
    return rows == [
        {name: pytest.approx(each, rel=0.008) if name in PERCENTILES else each for name, each in row.items()}
        for row in expected
    ]


def of_key(form: Form, group: list[Truth]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "requests": len(group),
        "bytes_sent": sum(one.sent for one in group),
        **{f"{first}xx": sum(one.status[0] == first for one in group) for first in "2345"},
        "other": 0,
    }
    if "millis" not in form.lacks:
        shown["mean"] = round(sum(one.millis for one in group) / len(group) / 1000, 6)
        shown["slowest"] = max(one.millis for one in group) / 1000
        for name in PERCENTILES:
            shown[name] = percentile(int(name[1:]), [one.millis for one in group])
    return shown


def answer(
    form: Form, ones: list[Truth], options: Mapping[str, Any], cuts: tuple[int, ...] = ()
) -> dict[str, Any]:
    data = (form.header + "".join(form.write(one) + "\n" for one in ones)).encode()
    if form.name in GIVEN:
        options = {**options, "format": GIVEN[form.name]}
    return run_job(JOB, Objects([data], "plain"), cuts, options=options)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_every_format_gives_what_was_written_by_every_key(form: Form) -> None:
    ones = requests(1)
    for by in KEYS:
        found = answer(form, ones, {"by": by, "top": 4}, (777, 5000))
        assert is_within(found["top"], top_of(by, form, seen(form, ones), 4))
        assert found["formats"] == {form.name: len(ones)}
        named = "not a log line" if form.header[:2] == "#S" and form.name != "columns" else form.name
        assert found["object_formats"] == {named: 1}
        assert (found["lines"], found["malformed_lines"]) == (len(ones) + form.header.count("\n"), 0)
        of_all = of_key(form, seen(form, ones))
        assert is_within([{name: found[name] for name in of_all}], [of_all])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_percentiles_are_within_a_percent(form: Form) -> None:
    ones = requests(2, 300)
    found = answer(form, ones, {"by": "weekday"})
    groups = {row["weekday"]: row for row in found["top"]}
    by_hour = answer(form, ones, {"format": "auto"})["hours"]
    if "millis" in form.lacks:
        assert not {"p50", "mean"} & {*found, *found["top"][0], *by_hour["0"]}
        return
    for shown, group in [
        (found, ones),
        *((row, [one for one in ones if key_of("weekday", one) == day]) for day, row in groups.items()),
        *(
            (by_hour[str(hour)], [one for one in ones if one.when.astimezone(UTC).hour == hour])
            for hour in range(24)
        ),
    ]:
        for percent in (50, 95, 99) if group else ():
            exact = percentile(percent, [one.millis for one in group])
            assert shown[f"p{percent}"] == pytest.approx(exact, rel=0.008)


def paged(seed: int, pages: int = 300) -> list[Truth]:
    """Requests of many pages: one of each, and more of some."""
    choose = Random(seed)
    ones = requests(seed, 4 * pages)
    return [
        one._replace(
            path=f"/{number if number < pages else int(choose.paretovariate(0.5)) % pages}",
            millis=int(choose.lognormvariate(5, 2)),
            sent=choose.randrange(1 << 44),
        )
        for number, one in enumerate(ones)
    ]


@pytest.mark.parametrize("order", ["requests", "bytes", "p50", "p95", "p99"])
@pytest.mark.parametrize("shards", [Shards("part", len(JOB.parts), "run"), Shards("key", 3, "run")])
def test_the_first_pages_in_any_order_are_those_of_all(order: str, shards: Shards) -> None:
    """However many requests a page has where order is requests or bytes, or some where it is a percentile;
    steps stand for times, so of two that are within 1.6 % either may come first."""
    ones = paged(8)
    by_path = defaultdict[str, list[Truth]](list)
    for one in ones:
        by_path[one.path].append(one)
    form = next(form for form in FORMS if form.name == "alb")
    all_rows = {path: {"path": path, **of_key(form, group)} for path, group in by_path.items()}
    data = "".join(alb(one) + "\n" for one in ones).encode()
    options = {"by": "path", "order": order, "top": 7, **({"least": 5} if order[0] == "p" else {})}
    found = run_job(JOB, Objects([data], "plain"), [9000, 40_000], shards=shards, options=options)
    assert is_within(found["top"], [all_rows[row["path"]] for row in found["top"]])
    name = "bytes_sent" if order == "bytes" else order
    allowed = [row for row in all_rows.values() if order[0] != "p" or row["requests"] >= 5]
    best = sorted((row[name] for row in allowed), reverse=True)[:7]
    assert [row[name] for row in found["top"]] == (
        pytest.approx(best, rel=0.016) if order[0] == "p" else best
    )
    assert len(allowed) > 7


@pytest.mark.parametrize("table", ["C", "Python"])
def test_pages_that_take_several_passes_have_all_their_times(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "".join(alb(one) + "\n" for one in paged(9, 40)).encode()
    options = {"by": "path", "order": "p95", "least": 2, "top": 50}
    cuts = range(3000, len(data), 3000)  # a block has few keys
    whole = run_job(JOB, Objects([data], "plain"), options=options)
    if table == "C":
        monkeypatch.setattr(c_counts, "limits", lambda _columns: Limits(60, 1 << 20))
    else:
        monkeypatch.setattr(counts, "table_type", lambda: python_counts.Table)
        monkeypatch.setattr(python_counts, "LIMITS", Limits(60 * 11, 1 << 20))
    assert run_job(JOB, Objects([data], "plain"), cuts, options=options) == whole
    by_requests = run_job(JOB, Objects([data], "plain"), cuts, options={"by": "path", "top": 50})
    monkeypatch.undo()
    assert by_requests == run_job(JOB, Objects([data], "plain"), options={"by": "path", "top": 50})


def test_a_nul_in_a_key_makes_no_inner_one() -> None:
    line = '{"time": "2026-11-22T10:00:00Z", "status": 200, "path": "/a\\u00007", "request_time": %s}\n'
    data = (line % "1.5" + line.replace("\\u00007", "") % "2.5").encode()
    found = run_job(JOB, Objects([data], "plain"), options={"by": "path"})
    assert [(row["path"], row["requests"], row["slowest"]) for row in found["top"]] == [
        ("/a", 1, 2.5),
        ("/a\\x007", 1, 1.5),
    ]


@pytest.mark.parametrize(
    ("options", "takes"),
    [
        ({"from": "2026-10-31"}, lambda one: one.when >= datetime(2026, 10, 31, tzinfo=UTC)),
        ({"to": "2026-11-01T10:15"}, lambda one: one.when < datetime(2026, 11, 1, 10, 15, tzinfo=UTC)),
        ({"from": "2036-10-31T12:00Z"}, lambda _: False),
        ({"status": "5xx"}, lambda one: one.status[0] == "5"),
        ({"status": "404"}, lambda one: one.status == "404"),
        ({"method": "POST"}, lambda one: one.method == "POST"),
        ({"path": "/api"}, lambda one: one.path.startswith("/api")),
        ({"path": "*/b*.js"}, lambda one: fnmatchcase(one.path, "*/b*.js")),
        ({"path": "/a*"}, lambda one: fnmatchcase(one.path, "/a*")),
        ({"client": "192.0.2.0/26"}, lambda one: one.client == "192.0.2.1"),
        ({"client": "192.0.2.77"}, lambda one: one.client == "192.0.2.77"),
        ({"client": "2001:db8::/32"}, lambda _: False),
        ({"host": "WWW.example.com", "method": "GET"}, lambda one: (one.host[0], one.method) == ("w", "GET")),
    ],
    ids=lambda given: str(given) if isinstance(given, dict) else "",
)  # fmt: skip
def test_filters_take_what_they_say(options: dict[str, Any], takes: Callable[[Truth], bool]) -> None:
    ones = requests(3)
    form = next(form for form in FORMS if form.name == "json")
    taken = [one for one in ones if takes(one)]
    found = answer(form, ones, {"by": "path", **options})
    assert is_within(found["top"], top_of("path", form, taken))
    assert found["requests"] == len(taken)
    assert found["filtered_out"] == len(ones) - len(taken)
    by_hour = answer(form, ones, options)
    assert sum(hour["requests"] for hour in by_hour["hours"].values()) == len(taken)


@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.name in ("combined", "alb")], ids=lambda form: form.name
)
def test_the_default_formats_give_the_default_hours(form: Form) -> None:
    """All paths are short."""
    ones = requests(4)
    default, asked_for = answer(form, ones, {}), answer(form, ones, {"format": "auto"})
    for hour in asked_for["hours"].values():
        for name in ("p50", "p95", "p99"):
            hour.pop(name, None)
    assert asked_for["hours"] == default["hours"]


def is_read(line: bytes) -> bool:
    return all(oracle.read_line(each.removesuffix(b"\r")) for each in oracle.lines_of(line))


@given(LOGS)
@settings(max_examples=50, deadline=None)
def test_a_line_that_the_default_reads_is_read_the_same(log: bytes) -> None:
    """Lines of its formats; what it calls malformed may have another format. Paths that are shortened have
    more of their beginning there."""
    lines = [line for line in log.splitlines(keepends=True) if is_read(line)]
    data = b"".join(line for line in lines if len(line) < 300 and b" bytes, SHA-256 " not in line)
    expected = oracle.answer(data)
    found = run_job(JOB, Objects([data], "plain"), [40], options={"format": "auto"})
    for hour in found["hours"].values():
        for name in ("p50", "p95", "p99"):
            hour.pop(name, None)
    assert {name: found[name] for name in expected} == expected


def test_objects_of_several_formats_are_named_however_they_are_cut() -> None:
    """By their first lines; lines of other formats behind it count, too."""
    ones = requests(6, 4)
    texts = ["".join(form.write(one) + "\n" for one in ones) for form in FORMS[:10]]
    objects = [*texts, texts[0] + texts[1], "ELB test file\n" + texts[6], "\0" + texts[0], ""]
    stored = Objects([text.encode() for text in objects], "plain")
    whole = run_job(JOB, stored, options={"by": "path"})
    assert whole["object_formats"] == {
        "alb": 1, "cloudfront": 1, "combined": 1, "combined with request time": 2,
        "combined with virtual host": 1, "common": 2, "common with virtual host": 1, "elb": 1,
        "not a log line": 2, "s3": 1,
    }  # fmt: skip
    assert whole["formats"]["common"] == 12
    for cut in (1, 50, 333):
        cuts = range(cut, sum(map(len, objects)), 97)
        assert run_job(JOB, stored, cuts, options={"by": "path"}) == whole


@pytest.mark.parametrize(
    "header",
    [
        IIS,
        CLOUDFRONT.replace("date time", "time date"),
        CLOUDFRONT.replace("cs-method cs(Host)", "cs(Host) cs-method"),
        "#Fields: timestamp c-ip sc-status",
    ],
)
def test_other_columns_are_refused_and_the_sentence_is_the_option(header: str) -> None:
    data = f"#Version: 1.0\n{header}\n{cloudfront(requests(1)[0])}\n".encode()
    with pytest.raises(SourceNotText, match="is in W3C's extended log format, with other columns") as refused:
        run_job(JOB, Objects([data], "plain"), options={"by": "path"})
    option = str(refused.value).partition("format='")[2].removesuffix("'")
    assert option == header
    assert run_job(JOB, Objects([data], "plain"), options={"format": option})["header_lines"] == 2


def test_more_columns_behind_the_known_ones_are_read() -> None:
    data = f"#Version: 1.0\n{CLOUDFRONT} one another\n{cloudfront(requests(1)[0])}\tx\ty\n".encode()
    assert run_job(JOB, Objects([data], "plain"), options={"by": "path"})["formats"] == {"cloudfront": 1}


def test_a_real_time_log_is_read_by_its_columns() -> None:
    line = "1764065700.123\t192.0.2.9\t0.001\t404\t77\tGET\thttps\tExample.com\t/x?y\t1.250\tcurl/8\n"
    columns = "timestamp c-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem"
    options = {"by": "path", "format": f"#Fields: {columns} time-taken cs-user-agent", "host": "example.com"}
    found = run_job(JOB, Objects([line.encode() + b"short\tline\n"], "plain"), options=options)
    (row,) = found["top"]
    assert (row["path"], row["4xx"], row["bytes_sent"], row["slowest"]) == ("/x", 1, 77, 1.25)
    assert found["malformed_lines"] == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            b"Feb  6 12:14:14 lb haproxy[1]: 1.2.3.4:3 [06/Feb/2009:12:14:14.655] in be/s 1/2 200 5 -",
            "haproxy",
        ),
        (b"<134>Feb  6 12:14:14 lb sshd[1]: hello", "syslog"),
        (b"1286536309.450    180 192.0.2.1 TCP_MISS/200 411 GET http://a/ - DIRECT/1.2.3.4 -", "squid"),
        (b"[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 1] AH1: no file", "apache_error_log"),
        (b"2026/11/22 10:00:00 [error] 1#1: *1 open() failed", "nginx_error_log"),
        (b'[2026-11-22T10:00:00.000Z] "GET /a HTTP/1.1" 200 - 0 1 2', "envoy"),
        (b"2026-11-22 10:00:00,123 INFO [main] started", "java"),
        (b"CEF:0|a|b|1|2|c|3|d", "cef"),
        (b"2 123456789010 eni-1235b8ca123456789 172.31.16.139", "vpc_flow_log"),
        (b"2026-11-22 10:00:00 1.2.3.4 GET /a - 80", "w3c_extended"),
        (b'{"level":"info","msg":"x"}', "json_without_request"),
        (b'1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1x', None),
    ],
)
def test_a_format_that_is_not_read_is_named(line: bytes, code: str | None) -> None:
    found = JOB.map(
        Span(0, len(line)),
        input_of_bytes([line]),
        Context(JOB.shards("run"), JOB.read_options({"by": "path"}), {}),
    ).findings
    assert set(found) == {"malformed_lines", *([code] if code else [])}


@pytest.mark.parametrize("file", ["16-common-log-format/common.log", "22-classic-elb/classic.log"])
def test_the_field_is_read_with_the_option_that_the_warning_names(file: str) -> None:
    data = (FIELD / file).read_bytes()
    found = run_job(JOB, Objects([data], "plain"), [100, 200], options={"format": "auto"})
    assert hours(found) == expected_hours(Path(file).parent.name)
    assert found["malformed_lines"] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"by": "path", "top": 2},
        {"by": "agent", "status": "4xx"},
        {"by": "day", "from": "2026-10-31", "path": "/a*"},
        {"format": "auto", "client": "192.0.2.0/24"},
        {"by": "weekday", "format": CUSTOM},
        {"by": "status", "format": IIS},
        {"by": "host", "order": "p95", "least": 2, "top": 1},
        {"by": "client", "order": "bytes", "top": 2},
    ],
    ids=str,
)
def test_the_laws_hold(options: dict[str, Any]) -> None:
    objects = {
        form.name: (form.header + "".join(form.write(one) + "\n" for one in requests(5, 3))).encode()
        for form in FORMS
        if not form.header or (form.name == "columns") == (options.get("format") == IIS)
    }
    check_job(JOB, objects, examples=8, options=options)


HOSTILE = [
    b'{"time": 1e999, "status": 200}',
    b'{"time": "2026-11-22T10:00:00+99:99", "status": 200}',
    b"{" + b'"a":{' * 5000,
    b'{"time_iso8601": "0001-01-01T00:00:00+23:59", "status": "200", "request_uri": "\\ud800"}',
    b'{"status": "200", "msec": 99999999999999999999999}',
    b'1.2.3.4 - - [31/Dec/9999:23:59:59 -2300] "GET /\xff HTTP/1.1" 200 999999999999999',
    b"2026-13-01\t10:00:00\t" + b"x\t" * 20,
    b":" * 100_000 + b" " + b":" * 100_000 + b' - - [22/Nov/2026:10:00:00 +0000] "" 200 -',
    b'1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET /' + b"\\" * 100_001 + b' HTTP/1.1" 200 1',
    b'1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET /' + b"a" * 100_000 + b' HTTP/1.1" 200 1',
]


MEAN: list[dict[str, Any]] = [
    {"path": "/" + "a" * (1 << 20)},
    {"path": "/\\", "agent": "\\"},
    {"path": '/"', "agent": '"', "referrer": '"'},
    {"path": "/\0b", "agent": "\0"},
    {"path": "/\udcff\udc80", "agent": "\udcff"},
    {"path": "/\t \r", "agent": "\t"},
    {"path": ""},
    {"client": "2001:db8::1"},
    {"client": ":" * 3000, "host": "[" * 3000},
    {"sent": -1},
    {"sent": 10**15},
    {"sent": 10**400},
    {"millis": -1000},
    {"millis": 10**15},
    {"status": "7"},
    {"status": "99999"},
    {"method": "\x1b[2J"},
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_hostile_values_of_every_format_are_requests_or_malformed(form: Form) -> None:
    """Every line counts once, however it is cut, and no value reaches another key."""
    (one,) = requests(7, 1)
    lines = [form.write(one._replace(**mean)) for mean in MEAN]
    text = form.header + "".join(line + "\n" for line in [*lines, form.write(one)])
    stored = Objects([text.encode(errors="surrogateescape")], "plain")
    options = {"by": "path", "order": "bytes", **({"format": GIVEN[form.name]} if form.name in GIVEN else {})}
    found = run_job(JOB, stored, options=options)
    assert found["lines"] == text.count("\n")
    assert found["requests"] + found["malformed_lines"] + found["header_lines"] == found["lines"]
    assert found["requests"] == sum(row["requests"] for row in found["top"]) >= 2
    assert all(len(row["path"]) < 500 for row in found["top"])
    assert (
        run_job(JOB, stored, [1000, 500_000, 1_060_000], options={**options, "order": "requests"})["requests"]
        == found["requests"]
    )
    networks = {**options, "client": "2001:db8::/32"}
    assert run_job(JOB, stored, options=networks)["requests"] == 1


@pytest.mark.parametrize("by", ["hour", "path", "day", "host", "client"])
def test_hostile_lines_are_requests_or_malformed(by: str) -> None:
    data = b"\n".join(HOSTILE)
    found = run_job(JOB, Objects([data], "plain"), [100, 1000], options={"by": by, "format": "auto"})
    assert found["lines"] == len(HOSTILE)
    assert found["malformed_lines"] + sum(found["formats"].values()) == len(HOSTILE)
    assert found["formats"]["common"] >= 2
    assert len(json.dumps(found)) < 50_000


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"by": "pth"}, "Did you mean path?"),
        ({"from": "yesterday"}, "from takes a day or a minute of UTC"),
        ({"to": "2026-02-30"}, "to takes a day or a minute of UTC"),
        ({"status": "6"}, "status takes three digits"),
        ({"path": ""}, "path is empty"),
        ({"client": "192.0.2.0/99"}, "client takes an address, a network"),
        ({"top": 0}, "top takes a whole number"),
        ({"order": "p95"}, "order is for keys other than hours: set by"),
        ({"by": "path", "least": 3}, "least is for order=p50, p95 or p99"),
        ({"by": "path", "order": "slow"}, "order"),
        ({"top": 51}, "top is at most 50 by hour"),
        ({"format": "combined"}, "format takes auto or a log_format of nginx"),
        (
            {"format": "#Fields: date time"},
            "format: #Fields: needs date and time, or timestamp, and sc-status",
        ),
        ({"format": "$time_local$status"}, "after $time_local there must be a character"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        JOB.read_options(options)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_complete_sums_are_by_hour_only() -> None:
    """Said before anything is sent, too."""
    check_keep("access_log", JOB, "all", {"format": "auto"})
    with pytest.raises(RunError, match=r"leave out keep \(--all\), or the option by"):
        check_keep("access_log", JOB, "all", {"by": "path"})
    JOB.check_keep("all", JOB.read_options({"format": "auto"}))
    with pytest.raises(InvalidRequest, match="keep: complete sums are by hour and path: leave out keep "):
        JOB.check_keep("all", JOB.read_options({"by": "path"}))
