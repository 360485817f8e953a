"""The fields of a request in a line of JSON, by the names that servers give them."""

from collections.abc import Mapping
from typing import Any

Names = Mapping[str, tuple[str, ...]]
"""The names that a field may have; the first one that is there counts. ``peer`` is a client with its port,
``url`` has a path and maybe a host, and what takes time is in ``seconds``, ``millis`` or ``nanos``."""

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
_BY_A_NAME = {
    "EdgeResponseStatus": _CLOUDFLARE,
    "DownstreamStatus": _TRAEFIK,
    "response_code": _ENVOY,
    "sc-status": _CLOUDFRONT,
}
"""Servers that are known by a name that others do not have."""

_HEADERS = {"referer": "referer", "user-agent": "user_agent"}
"""The headers of a request that are used. The client chooses their names, so no other may become a field."""

_WRAPPERS = ("log", "message", "MESSAGE")


def fields_of(found: Mapping[str, Any]) -> dict[str, bytes]:
    """The fields that a line has."""
    found, names = _flat(found)
    fields: dict[str, bytes] = {}
    for field, candidates in names.items():
        for name in candidates:
            value = found.get(name)
            if isinstance(value, str):
                fields[field] = value.encode(errors="backslashreplace")
                break
            if isinstance(value, int | float) and not isinstance(value, bool):
                fields[field] = b"%d" % value if isinstance(value, int) else f"{value:.6f}".encode()
                break
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


def _flat(found: Mapping[str, Any]) -> tuple[Mapping[str, Any], Names]:
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
        return {**firsts, **inner, **found}, _CADDY
    if isinstance(inner := found.get("httpRequest"), dict):
        latency = inner.get("latency")
        seconds = latency.removesuffix("s") if isinstance(latency, str) else None
        return {**found, **inner, "latency": seconds}, _GOOGLE
    if isinstance(inner := found.get("properties"), dict) and "httpMethod" in inner:
        return {**found, **inner}, _FRONT_DOOR if "httpStatusCode" in inner else _AZURE
    return found, NAMES
