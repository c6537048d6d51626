"""The event that a Function URL makes of a request: payload format 2.0."""

import base64
import json
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

DOMAIN = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-2.on.aws"


def function_url_event(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A request as JSON; ``target`` is path and query string as they stand in the request line."""
    path, _, query = target.partition("?")
    given = {name.lower(): value for name, value in (headers or {}).items()}
    now = time.time()
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "host": DOMAIN,
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-amzn-tls-version": "TLSv1.3",
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            **given,
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": DOMAIN.partition(".")[0],
            "domainName": DOMAIN,
            "domainPrefix": DOMAIN.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": given.get("user-agent", "test"),
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if pairs := parse_qsl(query, keep_blank_values=True):
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        # The real ones join repeated parameters by commas here; only the raw string tells them apart.
        event["queryStringParameters"] = {name: ",".join(found) for name, found in values.items()}
    if body:
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return json.dumps(event).encode()
