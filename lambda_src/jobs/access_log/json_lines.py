"""The fields of a request in a line of JSON, by the names that servers give them."""

from collections.abc import Mapping
from typing import Any

Names = Mapping[str, tuple[str, ...]]
"""The names that a field may have; the first one that is there counts. ``peer`` is a client with its port,
``url`` has a path and maybe a host, and what takes time is in ``seconds``, ``millis`` or ``nanos``."""

Known = Mapping[str, tuple[str, int]]
"""The field that each name stands for, and its rank among the names of that field."""

NAMES: Names = {
    "time": ("time_iso8601", "time_local", "@timestamp", "timestamp", "time", "msec", "ts", "requestTime"),
    "client": (
        *("remote_addr", "client_ip", "clientip", "client", "remote_ip", "ip"),
        *("remoteAddr", "remoteIP", "remoteIp", "clientIp", "clientIP"),
    ),
    "forwarded": ("http_x_forwarded_for", "x_forwarded_for"),
    "host": ("host", "http_host", "server_name"),
    "request": ("request",),
    "method": ("request_method", "method", "httpMethod", "requestMethod"),
    "path": ("request_uri", "uri", "path", "url", "resourcePath", "requestUri"),
    "status": ("status", "status_code", "statusCode"),
    "bytes": ("body_bytes_sent", "bytes_sent", "bytes", "size", "responseLength"),
    "referrer": ("http_referer", "http_referrer", "referer", "referrer"),
    "agent": ("http_user_agent", "user_agent", "agent", "userAgent", "ua"),
    "seconds": ("request_time", "rt"),
    "millis": ("request_time_ms", "response_time_ms", "duration_ms", "latency_ms"),
}
"""Those of nginx, Caddy and the gateways of AWS, and similar ones."""

_CLOUDFLARE: Names = {
    "time": ("EdgeStartTimestamp",),
    "client": ("ClientIP",),
    "host": ("ClientRequestHost",),
    "method": ("ClientRequestMethod",),
    "path": ("ClientRequestPath", "ClientRequestURI"),
    "status": ("EdgeResponseStatus",),
    "bytes": ("EdgeResponseBytes",),
    "referrer": ("ClientRequestReferer",),
    "agent": ("ClientRequestUserAgent",),
}
_TRAEFIK: Names = {
    "time": ("StartUTC", "StartLocal", "time"),
    "client": ("ClientHost",),
    "host": ("RequestHost",),
    "method": ("RequestMethod",),
    "path": ("RequestPath",),
    "status": ("DownstreamStatus",),
    "bytes": ("DownstreamContentSize",),
    "referrer": ("request_Referer",),
    "agent": ("request_User-Agent",),
    "nanos": ("Duration",),
}
_ENVOY: Names = {
    "time": ("start_time",),
    "peer": ("downstream_remote_address",),
    "forwarded": ("x_forwarded_for",),
    "host": ("authority",),
    "method": ("method",),
    "path": ("path",),
    "status": ("response_code",),
    "bytes": ("bytes_sent",),
    "agent": ("user_agent",),
    "millis": ("duration",),
}
_CLOUDFRONT: Names = {
    "date": ("date",),
    "clock": ("time",),
    "time": ("timestamp(ms)", "timestamp"),
    "client": ("c-ip",),
    "host": ("x-host-header", "cs(Host)"),
    "method": ("cs-method",),
    "path": ("cs-uri-stem",),
    "status": ("sc-status",),
    "bytes": ("sc-bytes",),
    "referrer": ("cs(Referer)",),
    "agent": ("cs(User-Agent)",),
    "seconds": ("time-taken",),
}
_AZURE: Names = {
    "time": ("time", "timeStamp"),
    "client": ("clientIp", "clientIP"),
    "host": ("hostName", "host"),
    "method": ("httpMethod",),
    "url": ("requestUri",),
    "status": ("httpStatusCode", "httpStatus"),
    "bytes": ("responseBytes", "sentBytes"),
    "referrer": ("referer",),
    "agent": ("userAgent",),
}
_FRONT_DOOR: Names = {**_AZURE, "seconds": ("timeTaken",)}
"""The time that others of Azure take has another unit in each version of them."""
_GOOGLE: Names = {
    "time": ("timestamp",),
    "client": ("remoteIp",),
    "method": ("requestMethod",),
    "url": ("requestUrl",),
    "status": ("status",),
    "bytes": ("responseSize",),
    "referrer": ("referer",),
    "agent": ("userAgent",),
    "seconds": ("latency",),
}
_CADDY: Names = {
    **{field: names for field, names in NAMES.items() if field not in ("request", "millis")},
    "seconds": ("duration",),
}


def _known(names: Names) -> Known:
    return {name: (field, rank) for field, ranked in names.items() for rank, name in enumerate(ranked)}


_OF_ANY, _OF_CADDY, _OF_GOOGLE = _known(NAMES), _known(_CADDY), _known(_GOOGLE)
_OF_AZURE, _OF_FRONT_DOOR = _known(_AZURE), _known(_FRONT_DOOR)
_BY_A_NAME = {
    "EdgeResponseStatus": _known(_CLOUDFLARE),
    "DownstreamStatus": _known(_TRAEFIK),
    "response_code": _known(_ENVOY),
    "sc-status": _known(_CLOUDFRONT),
}
"""Servers that are known by a name that others do not have."""

_HEADERS = {"referer": "referer", "user-agent": "user_agent"}
"""The headers of a request that are used. The client chooses their names, so no other may become a field."""

_WRAPPERS = ("log", "message", "MESSAGE")


def fields_of(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The fields that a line has."""
    found, known = _flat(found)
    fields: dict[str, bytes] = {}
    ranks: dict[str, int] = {}
    for name, value in found.items():
        if name not in known:
            continue
        field, rank = known[name]
        if ranks.get(field, rank) < rank:
            continue
        if isinstance(value, str):
            fields[field] = value.encode(errors="backslashreplace")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            fields[field] = b"%d" % value if isinstance(value, int) else f"{value:.6f}".encode()
        else:
            continue
        ranks[field] = rank
    if "method" in fields and fields.get("request", b"").startswith(b"/"):
        fields.setdefault("path", fields.pop("request"))
    if fields.get("status") == b"0":  # the client had left
        fields["status"] = b"-"
    return fields


def wrapped_line(found: Mapping[str, Any]) -> bytes | None:
    """The line of another log that a container, journald or a collector of logs has put into an object."""
    for name in _WRAPPERS:
        line = found.get(name)
        if isinstance(line, str):
            return line.encode(errors="backslashreplace").removesuffix(b"\n").removesuffix(b"\r")
    return None


def _flat(found: Mapping[str, Any]) -> tuple[Mapping[str, Any], Known]:
    """The names and values without the object of its own that some have, and what their names mean."""
    for name, server in _BY_A_NAME.items():
        if name in found:
            return found, server
    if isinstance(inner := found.get("request"), dict):
        headers = inner.get("headers")
        firsts = {
            field: values[0]
            for name, values in (headers.items() if isinstance(headers, dict) else ())
            if (field := _HEADERS.get(name.lower())) and isinstance(values, list) and values
        }
        return {**firsts, **inner, **found}, _OF_CADDY
    if isinstance(inner := found.get("httpRequest"), dict):
        latency = inner.get("latency")
        seconds = latency.removesuffix("s") if isinstance(latency, str) else None
        return {**found, **inner, "latency": seconds}, _OF_GOOGLE
    if isinstance(inner := found.get("properties"), dict) and "httpMethod" in inner:
        return {**found, **inner}, _OF_FRONT_DOOR if "httpStatusCode" in inner else _OF_AZURE
    return found, _OF_ANY
