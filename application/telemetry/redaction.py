"""Keeps keys, signatures and passwords out of whatever is written for operators."""

import os
import re
import threading
from collections import deque
from urllib.parse import quote

HIDDEN = "***"
# A shorter value would hide half of every line; such keys are hidden by where they stand alone.
SHORTEST = 6
# Roles renew their credentials; those of the last hours are enough.
MOST_KNOWN = 256

_SECRET_VARIABLE = re.compile(r"(SECRET|PASSWORD|TOKEN|API_KEYS?|ACCESS_KEY|ACCESS_KEY_ID)$", re.IGNORECASE)
_API_KEY = r"(?:x-)?api[-_]?key"
_PARAMETERS = (
    r"x-amz-(?:signature|credential|security-token)|awsaccesskeyid|signature|credential|sig"
    rf"|{_API_KEY}|(?:access_?|session_?|security_?)?token|password|secret"
)
_HEADERS = rf"(?:proxy-)?authorization|{_API_KEY}|x-amz-security-token|cookie"
_CREDENTIALS = r"authorization|(?:aws_)?secret_?access_?key|(?:aws_)?session_?token"
_ELEMENTS = (
    r"AWSAccessKeyId|SignatureProvided|StringToSign(?:Bytes)?|CanonicalRequest(?:Bytes)?"
    r"|SecretAccessKey|SessionToken"
)
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Query parameters, and the parts of an Authorization header that look like them.
        (rf"\b({_PARAMETERS})(=|%3D)[^&\s\"'<>,;)]+", rf"\1\2{HIDDEN}"),
        # Headers, as text or as the pairs that ASGI and HTTP libraries print.
        (
            rf"\b({_HEADERS})(['\"]?\s*[:,]\s*(?:b?['\"])?)(?:(?:bearer|basic|aws4-hmac-sha256)\s+)?[^\s'\",]+",
            rf"\1\2{HIDDEN}",
        ),
        # Credentials, as JSON and in files of settings.
        (
            rf"\b({_CREDENTIALS})(['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",&]+",
            rf"\1\2{HIDDEN}",
        ),
        # A user in a URL; a longer scheme would be looked for from each of its dots.
        (r"\b([a-z][a-z0-9+.-]{0,30}://)[^/\s@'\"]*@", rf"\1{HIDDEN}@"),
        # DuckDB's CREATE SECRET, which its syntax errors show.
        (r"\b(KEY_ID|SECRET|SESSION_TOKEN)(\s+)'(?:[^']|'')*'", rf"\1\2'{HIDDEN}'"),
        # What S3 answers to a wrong signature, and STS to a right one.
        (rf"<({_ELEMENTS})>[^<]*<", rf"<\1>{HIDDEN}<"),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", HIDDEN),
    )
)
# All of them need one of these; most texts have none.
_SUSPICIOUS = re.compile(r"[=:<'@%]|AKIA|ASIA", re.IGNORECASE)
_age: deque[str] = deque(maxlen=MOST_KNOWN)
_known: tuple[str, ...] = ()
_lock = threading.Lock()


def hide(*secrets: str | None) -> None:
    """Hide these values wherever they come up from now on."""
    global _known  # noqa: PLW0603 - one process, one log
    new = [text for text in secrets if text and len(text) >= SHORTEST and text not in _known]
    if not new:
        return
    encoded = [quote(text, safe="") for text in new]
    with _lock:
        _age.extend(dict.fromkeys(new + encoded))
        # The longest first, lest a shorter one leave a part of it.
        _known = tuple(sorted(_age, key=len, reverse=True))


def hide_environment() -> None:
    """Hide the values of all environment variables that are named like secrets; lists are split at commas."""
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name):
            hide(value, *(part.strip() for part in value.split(",")))


def redact(text: str) -> str:
    """The text without keys, signatures and passwords."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
