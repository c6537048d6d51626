"""API keys: which are good, compared in constant time."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from application.errors import ConfigurationError


class ApiKeys:
    """The keys that open the service; none means that it is open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        # Digests have one length, so that a comparison tells nothing of a key's.
        self._digests = tuple(sha256(key).digest() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, given: bytes) -> str | None:
        """A name for the key that was given, which tells nothing of it, or None; compares with all."""
        digest = sha256(given).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return sha256(digest).hexdigest()[:16] if any(matches) else None


def parse_keys(text: str | None) -> ApiKeys:
    """The keys of API_KEY, separated by commas; raises ConfigurationError where it is set and has none."""
    if text is None:
        return ApiKeys(())
    keys = [part.strip().encode() for part in text.split(",") if part.strip()]
    if not keys:
        raise ConfigurationError(
            "API_KEY is set, but no key is in it: write one, or several with commas between, "
            "or do not set it."
        )
    return ApiKeys(keys)
