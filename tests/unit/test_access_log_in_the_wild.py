"""Logs as people have them: behind proxies, in containers and syslog, of other servers. As in
``test_access_log_asked``, the requests come first, and are written in each format."""

import json
from datetime import UTC
from typing import Any

import pytest

from fanfold.testing import Objects, run_job
from lambda_src.errors import InvalidRequest, SourceNotText
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Span
from lambda_src.jobs.access_log import JOB
from tests.unit.test_access_log_asked import (
    KEYS,
    Form,
    Truth,
    alb,
    bracketed,
    combined,
    common,
    is_within,
    json_line,
    requests,
    seen,
    top_of,
    utc,
)

UNTIMED = frozenset({"host", "millis"})


def docker(line: str) -> str:
    return json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-12-31T23:59:59.9Z"})


def listed(one: Truth) -> str:
    return combined(one).replace(" ", ", 10.0.0.1, 10.0.0.2 ", 1)


def ingress(one: Truth) -> str:
    rest = "[shop-web-80] [] 10.0.0.1:80 612 0.001 200 0fd2"
    return f"{combined(one)} 431 {one.millis / 1000:.3f} {rest}"


def traefik(one: Truth) -> str:
    return f'{combined(one)} 17 "web@docker" "http://10.0.0.1:80" {one.millis}ms'


def traefik_json(one: Truth) -> str:
    found = {
        "ClientAddr": f"{one.client}:2817", "ClientHost": one.client, "RequestHost": one.host,
        "RequestAddr": f"{one.host}:80", "RequestMethod": one.method, "RequestPath": f"{one.path}?q=1",
        "DownstreamStatus": int(one.status), "DownstreamContentSize": one.sent, "OriginStatus": 200,
        "Duration": one.millis * 1_000_000, "StartUTC": f"{utc(one)}.123456789Z", "level": "info",
        "request_Referer": one.referrer, "request_User-Agent": one.agent, "time": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    return json.dumps(found)


def cloudflare(one: Truth, time: Any = None) -> str:
    found = {
        "ClientIP": one.client, "ClientRequestHost": one.host, "ClientRequestMethod": one.method,
        "ClientRequestURI": f"{one.path}?q=1", "EdgeEndTimestamp": "2027-01-01T00:00:00Z",
        "EdgeResponseBytes": one.sent, "EdgeResponseStatus": int(one.status),
        "EdgeStartTimestamp": time or f"{utc(one)}Z", "RayID": "3a6050bcbe121a87",
        "ClientRequestReferer": one.referrer, "ClientRequestUserAgent": one.agent,
    }  # fmt: skip
    return json.dumps(found)


def front_door(one: Truth) -> str:
    properties = {
        "httpMethod": one.method, "requestUri": f"https://{one.host}:443{one.path}?q=1",
        "clientIp": one.client, "userAgent": one.agent, "httpStatusCode": one.status,
        "responseBytes": str(one.sent), "timeTaken": f"{one.millis / 1000:.3f}", "referer": one.referrer,
        "timeToFirstByte": "0.001", "httpVersion": "2.0.0.0",
    }  # fmt: skip
    return json.dumps(
        {"time": f"{utc(one)}.4031700Z", "category": "FrontDoorAccessLog", "properties": properties}
    )


def envoy_json(one: Truth) -> str:
    found = {
        "start_time": f"{utc(one)}.123Z", "method": one.method, "path": f"{one.path}?q=1",
        "response_code": int(one.status), "bytes_sent": one.sent, "bytes_received": 7, "duration": one.millis,
        "authority": f"{one.host}:443", "downstream_remote_address": f"{one.client}:2817",
        "x_forwarded_for": "203.0.113.99", "user_agent": one.agent, "protocol": "HTTP/2",
    }  # fmt: skip
    return json.dumps(found)


def cloudfront_json(one: Truth) -> str:
    day, clock = utc(one).split("T")
    found = {
        "date": day, "time": clock, "x-edge-location": "FRA2-C1", "sc-bytes": str(one.sent),
        "c-ip": one.client, "cs-method": one.method, "cs(Host)": "d1.cloudfront.net",
        "cs-uri-stem": one.path, "sc-status": one.status, "cs(Referer)": one.referrer,
        "cs(User-Agent)": one.agent, "x-host-header": one.host, "time-taken": f"{one.millis / 1000:.3f}",
    }  # fmt: skip
    return json.dumps(found)


def gateway(one: Truth) -> str:
    found = {
        "requestId": "x", "ip": one.client, "requestTime": bracketed(one)[1:-1], "httpMethod": one.method,
        "routeKey": "$default", "path": one.path, "status": one.status, "responseLength": str(one.sent),
    }  # fmt: skip
    return json.dumps(found)


def millis_json(one: Truth) -> str:
    found = json.loads(json_line(one))
    del found["time_iso8601"]
    return json.dumps({**found, "timestamp": int(one.when.timestamp() * 1000) + 7})


def short_json(one: Truth) -> str:
    """As people name fields in a log_format."""
    found = {"ts": one.when.isoformat(), "ip": one.client, "host": one.host, "method": one.method}
    found |= {"uri": f"{one.path}?q=1", "status": one.status, "bytes": str(one.sent)}
    return json.dumps({**found, "referer": one.referrer, "ua": one.agent, "rt": f"{one.millis / 1000:.3f}"})


def app_json(one: Truth) -> str:
    found = json.loads(json_line(one))
    del found["request_time"]
    return json.dumps({**found, "duration_ms": one.millis + 0.0})


NOT_IN_ENVOY = frozenset({"referrer"})
NOT_IN_GATEWAY = frozenset({"referrer", "agent", "host", "millis"})

FORMS = [
    Form("combined with X-Forwarded-For", listed, UNTIMED),
    Form(
        "combined with X-Forwarded-For",
        lambda one: combined(one).replace(" ", ",10.0.0.1 ", 1),
        UNTIMED,
    ),
    Form(
        "combined with virtual host with X-Forwarded-For",
        lambda one: f"{one.host}:443 {listed(one)}",
        frozenset({"millis"}),
    ),
    Form(
        "combined with virtual host",
        lambda one: f"{one.host} {combined(one).replace(' bob ', ' - ')}",
        frozenset({"millis"}),
    ),
    Form(
        "common with request time",
        lambda one: f"{common(one)} {one.millis / 1000:.3f}",
        frozenset({"host", "agent", "referrer"}),
    ),
    Form("common", lambda one: f"{common(one)} 12345", frozenset({"host", "agent", "referrer", "millis"})),
    Form("combined with request time", ingress, frozenset({"host"})),
    Form("combined with request time", traefik, frozenset({"host"})),
    Form("combined in syslog", lambda one: f"Nov  5 10:15:00 web1 nginx: {combined(one)}", UNTIMED),
    Form("combined in syslog", lambda one: f"<190>Nov 25 10:15:00 web1 nginx: {combined(one)}", UNTIMED),
    Form("combined in syslog", lambda one: f"Nov 25 10:15:00 web1 nginx[17]: {combined(one)}", UNTIMED),
    Form(
        "combined in syslog",
        lambda one: f"<134>1 2026-11-25T10:15:00.1Z web1 nginx 17 - - {combined(one)}",
        UNTIMED,
    ),
    Form(
        "combined in syslog",
        lambda one: f'<134>1 2026-11-25T10:15:00Z web1 nginx - ID4 [a@1 b="c d"] {combined(one)}',
        UNTIMED,
    ),
    Form(
        "combined in syslog",
        lambda one: f"2026-11-25T10:15:00.123456+01:00 web1 nginx[17]: {combined(one)}",
        UNTIMED,
    ),
    Form("json in syslog", lambda one: f"Nov 25 10:15:00 web1 nginx: {json_line(one)}"),
    Form(
        "combined in CRI", lambda one: f"2026-11-25T10:15:00.123456789Z stdout F {combined(one)}", UNTIMED
    ),
    Form("json in CRI", lambda one: f"2026-11-25T10:15:00.123456789+01:00 stderr F {json_line(one)}"),
    Form("combined behind a time", lambda one: f"2026-11-25T10:15:00.123456789Z {combined(one)}", UNTIMED),
    Form("combined behind a name", lambda one: f"[pod/web-7/nginx] {combined(one)}", UNTIMED),
    Form("json behind a name", lambda one: f"web-1  | {json_line(one)}"),
    Form("combined in journald", lambda one: f"MESSAGE={combined(one)}", UNTIMED),
    Form("combined in json", lambda one: docker(combined(one)), UNTIMED),
    Form("json in json", lambda one: docker(json_line(one))),
    Form("alb in json", lambda one: docker(alb(one)), frozenset({"referrer"})),
    Form(
        "combined in json",
        lambda one: json.dumps({"@timestamp": "2027-01-01T00:00:00Z", "message": combined(one)}),
        UNTIMED,
    ),
    Form(
        "combined in json",
        lambda one: json.dumps({"__REALTIME_TIMESTAMP": "1764065700123456", "MESSAGE": combined(one)}),
        UNTIMED,
    ),
    Form("json", traefik_json),
    Form("json", cloudflare, frozenset({"millis"})),
    Form("json", lambda one: cloudflare(one, int(one.when.timestamp())), frozenset({"millis"})),
    Form("json", lambda one: cloudflare(one, int(one.when.timestamp()) * 10**9 + 5), frozenset({"millis"})),
    Form("json", front_door),
    Form("json", envoy_json, NOT_IN_ENVOY),
    Form("json", cloudfront_json),
    Form("json", gateway, NOT_IN_GATEWAY),
    Form("json", millis_json),
    Form("json", short_json),
    Form("json", app_json),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}: {form.write.__name__}")
def test_a_format_of_the_wild_gives_what_was_written(form: Form) -> None:
    ones = requests(11, 60)
    text = "".join(form.write(one) + "\n" for one in ones)
    for by in KEYS:
        found = run_job(JOB, Objects([text.encode()], "plain"), (777, 5000), options={"by": by, "top": 4})
        assert found["formats"] == {form.name: len(ones)}
        assert is_within(found["top"], top_of(by, form, seen(form, ones), 4))


REQUEST = '[25/Nov/2026:10:15:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8"'


def answer(text: str, **options: Any) -> dict[str, Any]:
    stored = Objects([text.encode(errors="surrogateescape")], "plain")
    return run_job(JOB, stored, options={"by": "path", **options})


@pytest.mark.parametrize(
    ("head", "client", "host", "kind"),
    [
        ("192.0.2.1 - -", "192.0.2.1", "-", ""),
        ("192.0.2.1 - John Q Public", "192.0.2.1", "-", ""),
        ("192.0.2.1 ident John Q Public", "192.0.2.1", "-", ""),
        ("2001:db8::1 - -", "2001:db8::1", "-", ""),
        ("unix: - -", "unix:", "-", ""),
        ("dialup7.isp.example - -", "dialup7.isp.example", "-", ""),
        ("www.example.com:443 dialup7.isp.example - -", "dialup7.isp.example", "www.example.com", "host"),
        ("www.example.com:443 unix: - -", "unix:", "www.example.com", "host"),
        ("www.example.com fe80::1%eth0 - bob", "fe80::1%eth0", "www.example.com", "host"),
        ("www.example.com 192.0.2.1 ident bob smith", "192.0.2.1", "www.example.com", "host"),
        ("www.example.com 192.0.2.1 -", "192.0.2.1", "www.example.com", "host"),
        ("192.0.2.1, 10.0.0.1 - -", "192.0.2.1", "-", "list"),
        ("192.0.2.1, 10.0.0.1, 10.0.0.2 - bob", "192.0.2.1", "-", "list"),
        ("192.0.2.1,10.0.0.1 - bob", "192.0.2.1", "-", "list"),
        ("2001:db8::1, ::ffff:10.0.0.1 - bob", "2001:db8::1", "-", "list"),
        ("www.example.com 192.0.2.1, 10.0.0.1 - bob", "192.0.2.1", "www.example.com", "both"),
        ("web1 17 42 192.0.2.1 - bob", "192.0.2.1", "-", "behind"),
        ("web1 17 192.0.2.1, 10.0.0.1 - bob", "192.0.2.1", "-", "behind both"),
    ],
)
def test_the_client_is_found_behind_whatever_comes_first(
    head: str, client: str, host: str, kind: str
) -> None:
    named = {
        "": "combined",
        "host": "combined with virtual host",
        "list": "combined with X-Forwarded-For",
        "both": "combined with virtual host with X-Forwarded-For",
        "behind": "combined behind other fields",
        "behind both": "combined behind other fields with X-Forwarded-For",
    }
    found = answer(f"{head} {REQUEST}", by="client")
    assert found["formats"] == {named[kind]: 1}
    assert found["top"][0]["client"] == client
    assert answer(f"{head} {REQUEST}", by="host")["top"][0]["host"] == host


@pytest.mark.parametrize(
    ("fields", "millis"),
    [
        (" 0.123", 123),
        (' "-" 0.123', 123),
        (' "192.0.2.1, 10.0.0.1" "0.123"', 123),
        (" 0.123 .", None),
        (" 0.100 0.123", None),  # which of both is the request's?
        (" 0.123 -", None),
        (' "0.100" "0.123"', None),
        (' "0.100, 0.050" "0.160"', None),
        (' "-" rt=0.123 uct="0.001" urt="0.100"', 123),
        (' uct="0.001" urt="0.100, 0.020" rt=0.123', 123),
        (' "x rt=9.000" rt=0.123', 123),  # a client chooses what is within quotes
        (' "rt=9.000"', None),
        (' "\\" rt=9.000 \\"" x=1', None),
        (" rt=0.1234", None),
        (" rt=123.000ms", None),
        (" request_time=0.123,upstream=9.000", 123),
        (" 12345", None),
        (" 431 0.123 [shop-web-80] [] 10.0.0.1:80 612 0.100 200 0fd2", 123),
        (' 17 "web@docker" "http://10.0.0.1:80" 123ms', 123),
        (' 17 "-" "-" 0ms', 0),
    ],
)
def test_a_response_time_is_read_where_it_can_be_nothing_else(fields: str, millis: int | None) -> None:
    found = answer(f"192.0.2.1 - - {REQUEST}{fields}")
    assert found.get("slowest") == (None if millis is None else millis / 1000)
    assert found["formats"] == {"combined" + (" with request time" if millis is not None else ""): 1}


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("other_time", '192.0.2.1 - - [25/nov./2026:10:15:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x"'),
        ("other_time", '192.0.2.1 - - [25/Dez/2026:10:15:00 +0000] "GET / HTTP/1.1" 200 1'),
        ("other_time", '192.0.2.1 - - [25/Nov/2026:10:15:00 CET] "GET / HTTP/1.1" 200 1 "-" "x"'),
        ("other_time", '192.0.2.1 - - [25/Nov/2026:10:15:00.123 +0000] "GET / HTTP/1.1" 200 1'),
        ("other_time", '192.0.2.1 - - [2026-11-25T10:15:00+01:00] "GET / HTTP/1.1" 200 1'),
        ("alb_connection", "2026-11-25T10:15:00.514108Z 203.0.113.1 36280 443 TLSv1.2 ECDHE 4.036 - Success"),
        (
            "network_load_balancer",
            "tls 2.0 2026-11-25T10:15:00 net/lb/c6 g3d 192.0.2.1:51341 10.0.0.1:443 5 2 98 246 -",
        ),
        ("cloudfront_real_time", "1764065700.123\t192.0.2.9\t0.001\t404\t77\tGET"),
        (
            "iis_native",
            "192.0.2.1, -, 11/25/26, 10:15:00, W3SVC2, WEB1, 10.0.0.1, 31, 200, 1, 200, 0, GET, /, -,",
        ),
        ("haproxy", "haproxy[1]: 192.0.2.1:33 [25/Nov/2026:10:15:00.655] in be/s1 10/0/30 200 2750 -"),
        ("haproxy", "192.0.2.1:33 [25/Nov/2026:10:15:00.655] in be/s1 10/0/30/69/109 200 2750 - -"),
        ("haproxy", "2026-11-25T10:15:00Z lb haproxy[1]: 192.0.2.1:33 [25/Nov/2026:10:15:00.655] in"),
        ("logfmt", 'at=info method=GET path="/a" host=x.example status=200 bytes=13'),
        ("logfmt", '2026-11-25T10:15:00.1+00:00 heroku[router]: at=info method=GET path="/a" status=200'),
        ("ltsv", "time:2026-11-25T10:15:00Z\thost:192.0.2.1\tstatus:200\treq:GET / HTTP/1.1"),
        ("container", '2026-11-25T10:15:00.1Z stdout P 192.0.2.1 - - [25/Nov/2026:10:15:00 +0000] "GET /a'),
        ("journald", "__REALTIME_TIMESTAMP=1764065700123456"),
        ("syslog", "2026-11-25T10:15:00+01:00 web1 sshd[1]: hello"),
        ("json_not_valid", '{"time": "2026-11-25T10:15:00Z", "status": 200, "agent": "\\x22"}'),
        ("json_not_valid", '{"time": "2026-11-25T10:15:00Z", "status": 000}'),
        ("json_not_valid", '{"status": 200}{"status": 200}'),
        ("json_without_request", '{"records": [{"time": "2026-11-25T10:15:00Z"}]}'),
        ("json_array", '[{"time": "2026-11-25T10:15:00Z", "status": 200},'),
        ("json_array", '{"time": "2026-11-25T10:15:00Z", "status": 200},'),
        (
            "json_without_request",
            '{"log": "part of a line", "stream": "stdout", "time": "2026-11-25T10:15:00Z"}',
        ),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(code: str, line: str) -> None:
    good = f"192.0.2.1 - - {REQUEST}\n"
    source = input_of_bytes([f"{good}{line}\n".encode()])
    context = Context(JOB.shards("run"), JOB.read_options({"by": "path"}), {})
    found = JOB.map(Span(0, source.size_bytes), source, context).findings
    assert set(found) == {"malformed_lines", code}
    assert found[code].first == found["malformed_lines"].first
    assert (first := found[code].first)
    assert first.offset == len(good)


def test_requests_without_a_time_are_noticed_where_a_percentile_is_asked_for() -> None:
    """In what the filters take."""
    texts = [f"192.0.2.1 - - {REQUEST}{fields}\n" for fields in (" 0.123", " 12345", "", " 0.1 0.2")]
    source = input_of_bytes(["".join([*texts, *texts]).replace("GET /a", "GET /b", 2).encode()])
    for options, count in (({}, 0), ({"order": "p95"}, 6), ({"order": "p95", "path": "/a"}, 5)):
        context = Context(JOB.shards("run"), JOB.read_options({"by": "path", **options}), {})
        found = JOB.map(Span(0, source.size_bytes), source, context).findings.get("untimed")
        assert (found.found if found else 0) == count
        if found and found.first:
            assert found.first.offset == len(texts[0]) + (0 if count == 6 else len(texts[1]))


STATEMENT = """log_format main escape=json '$remote_addr - $remote_user [$time_local] $host "$request" '
    '$status $body_bytes_sent $upstream_response_time $request_time '
    '"$http_referer" "$http_user_agent" $msec';"""
OF_APACHE = r'LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D %I %k" vhost'


def of_statement(one: Truth) -> str:
    return (
        f'{one.client} - - {bracketed(one)} {one.host} "{one.method} {one.path} HTTP/2.0" {one.status} '
        f'{one.sent} 0.001, 0.002 : 0.003 {one.millis / 1000:.3f} "{one.referrer}" "{one.agent}" 1.0'
    )


def of_apache(one: Truth) -> str:
    return f"{one.host}:443 {combined(one)} {one.millis}000 431 3"


def of_percents(one: Truth) -> str:
    asked = f"{one.client}, 10.0.0.1|{one.method}|{one.path}?q=1"
    return f"{utc(one)}+0000|{asked}|{one.status}|{one.sent}|{one.millis}"


CUSTOM = [
    (STATEMENT, Form("custom", of_statement)),
    (STATEMENT, Form("custom in CRI", lambda one: f"2026-11-25T10:15:00Z stdout F {of_statement(one)}")),
    (STATEMENT, Form("custom in json", lambda one: docker(of_statement(one)))),
    (OF_APACHE, Form("custom", of_apache)),
    (
        "%{%Y-%m-%dT%H:%M:%S%z}t|%{X-Forwarded-For}i|%m|%U%q|%s|%B|%{ms}T",
        Form("custom", of_percents, frozenset({"host", "agent", "referrer"})),
    ),
    (
        "${http_x_forwarded_for} - $remote_user [$time_local] \"$request\" $status $body_bytes_sent",
        Form(
            "custom",
            lambda one: common(one).replace(" ", ", 10.0.0.1 ", 1),
            UNTIMED | {"agent", "referrer"},
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("log_format", "form"), CUSTOM, ids=lambda given: getattr(given, "name", ""))
def test_formats_as_they_stand_in_configurations_are_read(log_format: str, form: Form) -> None:
    ones = requests(12, 60)
    text = "".join(form.write(one) + "\n" for one in ones)
    for by in (by for by in KEYS if by not in form.lacks):
        found = answer(text, by=by, top=4, format=log_format)
        assert found["formats"] == {form.name: len(ones)}
        assert is_within(found["top"], top_of(by, form, seen(form, ones), 4))


NO_CLIENTS = ("192.0.2", "192.0.2.", "192.0.2.*", "192.0.2.1:80", "192.0.2.1,192.0.2.2", "a b", "1/2")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"from": "2026-11-25", "to": "2026-11-25"},
            "to=2026-11-25 is not after from=2026-11-25: to is the first time not counted",
        ),
        ({"from": "2026-11-25T10:15", "to": "2026-11-25T10:15Z"}, "is not after from"),
        ({"path": "/a?b=*"}, "path has no ?: paths end before it"),
        ({"by": "client", "format": "$real_ip [$time_local] $status"}, "by=client needs $remote_addr"),
        ({"path": "/a", "format": "[$time_local] $status"}, "path needs $request in format"),
        (
            {"by": "path", "order": "p95", "format": '[$time_local] "$request" $status'},
            "order=p95 needs $request_time in format: write it in place of the variable that has it",
        ),
        ({"by": "agent", "format": "#Fields: date time sc-status"}, "needs the column cs(User-Agent)"),
        ({"format": "%h %{%H:%M}t %s"}, "format: %{%H:%M}t is no time that is known: take %t"),
        *(({"client": client}, f"or a name, not {client!r}") for client in NO_CLIENTS),
        *(({"client": client}, None) for client in ("192.0.2.1", "::1", "unix:", "a.example", "-", "::/0")),
        ({"host": "www.example.com:443"}, "host has no port: write www.example.com"),
        ({"host": "[2001:db8::1]:443"}, "host has no port: write [2001:db8::1]"),
        *(({"host": host}, None) for host in ("www.example.com", "[2001:db8::1]", "::1", "-", "my-bucket")),
        ({"method": "get"}, "method takes one as logs have it, such as GET, not 'get'"),
        ({"path": "api/"}, "path begins with / or *, which is any text, not as 'api/'"),
        *(({"path": path}, None) for path in ("/api", "*.js", "-", "*", "https://a/*", "a.example:443")),
        ({"format": "%t%D %s"}, None),
        ({"format": "$a$a $time_local $status"}, "after $a there must be a character that ends it"),
        ({"format": "$status $time_local$a $a"}, "after $time_local there must be"),
        ({"format": "log_format main;"}, "format takes auto or a log_format of nginx"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(options: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        JOB.read_options(options)
        return
    with pytest.raises(InvalidRequest) as refused:
        JOB.read_options(options)
    assert sentence in str(refused.value)


def test_columns_that_change_within_an_object_end_the_run() -> None:
    """Wherever its blocks begin; the same columns once more are no change."""
    columns = "#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken"
    line = "2026-11-25 10:15:00 192.0.2.1 GET /a 200 31\n"
    twice = f"{columns}\n{line}{columns}\n{line}"
    assert answer(twice, format=columns)["requests"] == 2
    changed = f"{columns}\n{line}{columns.replace('time-taken', 'sc-bytes')}\n{line}"
    for cuts in ([], [150]):
        with pytest.raises(SourceNotText, match=r"other columns than format says: '#Fields: .* sc-bytes'"):
            run_job(JOB, Objects([changed.encode()], "plain"), cuts, options={"format": columns})


def test_an_address_of_ipv4_is_taken_also_where_it_is_written_as_ipv6() -> None:
    lines = "".join(
        f"{client} - - {REQUEST}\n" for client in ("192.0.2.7", "::ffff:192.0.2.8", "::ffff:10.0.0.1")
    )
    assert answer(lines, client="192.0.2.0/24")["requests"] == 2
    assert answer(lines, client="192.0.2.8")["requests"] == 1
    assert answer(lines, client="::ffff:0:0/96")["requests"] == 2


@pytest.mark.parametrize(
    ("line", "client", "path", "status"),
    [
        (
            '{"start_time": "2026-11-25T10:15:00Z", "response_code": 0, "path": null, "method": null, '
            '"x_forwarded_for": "192.0.2.7,10.0.0.1"}',
            "192.0.2.7",
            "-",
            "-",
        ),
        (
            '{"time": "25/Nov/2026:10:15:00 +0000", "remoteIP": "192.0.2.7", "request": "/a?b", '
            '"method": "GET", "status": "404"}',
            "192.0.2.7",
            "/a",
            "404",
        ),
        (
            '{"time": "25/Nov/2026:10:15:00 +0000", "ip": "192.0.2.7", "request": "/garbage", "status": 400}',
            "192.0.2.7",
            "-",
            "400",
        ),
        (
            '{"time": "2016-12-31T23:59:60Z", "ip": "192.0.2.7", "path": "/a", "status": 200}',
            "192.0.2.7",
            "/a",
            "200",
        ),
        (
            '{"timeStamp": "2026-11-25T10:15:00+00:00", "properties": {"clientIP": "192.0.2.7", '
            '"httpMethod": "GET", "requestUri": "/a", "httpStatus": 200, "timeTaken": 205}}',
            "192.0.2.7",
            "/a",
            "200",
        ),
    ],
)  # fmt: skip
def test_odd_objects_are_read_as_what_they_say(line: str, client: str, path: str, status: str) -> None:
    for by, key in (("client", client), ("path", path), ("status", status)):
        found = answer(line, by=by)
        assert found["formats"] == {"json": 1}
        assert found["top"][0][by] == key


@pytest.mark.parametrize("millis", [1, 7, 123, 1285, 59_999])
def test_no_percentile_exceeds_the_slowest(millis: int) -> None:
    """Of all, and of a key, though a step is as wide as 1.6 %."""
    found = answer(f"192.0.2.1 - - {REQUEST} {millis / 1000:.3f}\n")
    for one in (found, found["top"][0]):
        assert 0.992 * one["slowest"] <= one["p50"] == one["p99"] <= one["slowest"] == millis / 1000


COLUMNS = "#Fields: date time c-ip cs-method cs-uri sc-status cs(Host) x-host-header cs(User-Agent)"
ROW = "2026-11-25 10:15:00 192.0.2.1 GET /a?b 200 d1.cloudfront.net www.example.com"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (f"192.0.2.1 - - {REQUEST}\n", {}),
        (f"www.example.com 192.0.2.1 - - {REQUEST}\n", {}),
        (json.dumps({"time": "2026-11-25T10:15:00Z", "status": 200, "ip": "192.0.2.1"}) + "\n", {}),
        (f"2026-11-25T10:15:00.1Z stdout F 192.0.2.1 - - {REQUEST}\n", {}),
        (f"192.0.2.1 - - {REQUEST}\n", {"format": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'}),
        (f"{COLUMNS}\n{ROW} x\n", {"format": COLUMNS}),
    ],
)
def test_a_byte_order_mark_is_part_of_no_line(text: str, options: dict[str, Any]) -> None:
    """Also within an object, where files were put end to end."""
    marked = "\ufeff" + text + "\ufeff" + text
    with_marks, without = (answer(each, by="client", **options) for each in (marked, text + text))
    assert {**with_marks, "bytes": 0} == {**without, "bytes": 0}
    assert [(row["client"], row["requests"]) for row in without["top"]] == [("192.0.2.1", 2)]


@pytest.mark.parametrize("time", [20261125101500, 202611251015, 17640657001234, 99999999999])
def test_a_date_in_digits_is_no_time_since_1970(time: int) -> None:
    found = answer(json.dumps({"time": time, "status": 200}) + "\n")
    assert (found["requests"], found["malformed_lines"]) == (0, 1)


@pytest.mark.parametrize("line", ["", "x", f"192.0.2.1 - - {REQUEST}"])
def test_a_line_may_begin_with_any_number_of_byte_order_marks(line: str) -> None:
    found = answer("\ufeff" * 2000 + line + "\n" + f"192.0.2.1 - - {REQUEST}\n" * 9, by="client")
    assert (found["requests"], found["malformed_lines"]) == ((10, 0) if "192" in line else (9, 1))


def test_columns_may_have_quotes_and_the_host_is_the_one_that_was_asked_for() -> None:
    agents = ("x", '"Mozilla/5.0 (X11; Linux)"', '"-"', 'a"b')
    text = f"{COLUMNS}\n" + "".join(f"{ROW} {agent}\n" for agent in agents) + f"{ROW} two words\n"
    found = answer(text, by="agent", format=COLUMNS, host="www.example.com", path="/a")
    assert sorted(row["agent"] for row in found["top"]) == ["-", "Mozilla/5.0 (X11; Linux)", 'a"b', "x"]
    assert (found["requests"], found["malformed_lines"]) == (4, 1)


def test_the_option_in_a_message_is_whole_for_a_hundred_columns_and_bounded_for_more() -> None:
    columns = COLUMNS + "".join(f" cs(X-Header-Of-Ours-{number})" for number in range(100))
    with pytest.raises(SourceNotText) as refused:
        answer(f"{columns}\n{ROW}\n")
    option = str(refused.value).partition("format='")[2].removesuffix("'")
    assert option == columns
    assert answer(f"{columns}\n{ROW} x{' -' * 100}\n", format=option)["requests"] == 1
    with pytest.raises(SourceNotText) as refused:
        answer(f"{columns * 1000}\n{ROW}\n")
    assert len(str(refused.value)) < 5000


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}: {form.write.__name__}")
def test_without_options_a_line_of_the_wild_is_counted_or_the_warning_names_the_option(form: Form) -> None:
    ones = requests(13, 30)
    text = "".join(form.write(one) + "\n" for one in ones).encode()
    context = Context(JOB.shards("run"), JOB.read_options({}), {})
    found = JOB.map(Span(0, len(text)), input_of_bytes([text]), context).findings
    if not found["malformed_lines"].found:
        for hour, shown in run_job(JOB, Objects([text], "plain"))["hours"].items():
            of_hour = [one for one in ones if one.when.astimezone(UTC).hour == int(hour)]
            assert shown["bytes_sent"] == sum(one.sent for one in of_hour)
            assert sum(shown["status"].values()) == len(of_hour)
        return
    assert found["malformed_lines"].found == len(ones)
    (named,) = found.keys() - {"malformed_lines"}
    assert found[named].found == len(ones)
    assert "format=auto" in JOB.concerns[named].many


def test_a_host_in_json_has_no_port() -> None:
    for host, key in (
        ("A.example:8080", "a.example"),
        ("2001:db8::1", "2001:db8::1"),
        ("a.example", "a.example"),
    ):
        line = json.dumps({"time": "2026-11-25T10:15:00Z", "status": 200, "host": host})
        assert answer(line, by="host")["top"][0]["host"] == key
