"""AWS credentials from wherever they are, kept fresh, for the S3 client and for DuckDB alike."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from application.errors import StorageUnavailable
from application.telemetry.redaction import hide

if TYPE_CHECKING:
    from obstore.store import S3Credential

_NOT_FOUND = (
    "No AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "or give the task or instance a role."
)
_NOT_FETCHED = "The AWS credentials could not be fetched."
_EARLY = timedelta(minutes=5)
_RECHECK = timedelta(seconds=30)
_STATIC = timedelta(minutes=10)
_FAILURE = timedelta(seconds=2)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key, its secret, and when they end (None: never said)."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    expires_at: datetime | None


class CredentialProvider:
    """Finds credentials at first use and renews them five minutes before they expire, in any thread."""

    def __init__(self, profile: str | None = None, now: Callable[[], datetime] = _now) -> None:
        self._profile = profile
        self._now = now
        self._lock = Lock()
        self._held: Credentials | None = None
        self._check_at = datetime.max.replace(tzinfo=UTC)
        self._failed: tuple[datetime, str] | None = None

    def get(self) -> Credentials:
        """Return credentials that are valid now."""
        held = self._held
        if held is not None and self._is_valid(held):
            if self._now() < self._check_at or not self._lock.acquire(blocking=False):
                return held
        else:
            self._lock.acquire()
        try:
            return self._refreshed()
        finally:
            self._lock.release()

    def __call__(self) -> "S3Credential":
        """Return the credentials as obstore wants them."""
        found = self.get()
        # obstore asks again for whatever ends within five minutes, so it holds no copy of its own for long.
        soon = self._now() + timedelta(minutes=1)
        return {
            "access_key_id": found.key,
            "secret_access_key": found.secret,
            "token": found.token,
            "expires_at": soon,
        }

    def _refreshed(self) -> Credentials:
        """Look for credentials again, under the lock; what is still valid outlives a failure to renew it."""
        held = self._held
        if held is not None and self._is_valid(held) and self._now() < self._check_at:
            return held
        if self._failed is not None and self._now() < self._failed[0]:
            raise StorageUnavailable(self._failed[1])
        try:
            found, lasting = _find(self._profile)
        except StorageUnavailable as error:
            if held is None or not self._is_valid(held):
                # Looking takes seconds where nothing answers; not every request need wait for it.
                self._failed = (self._now() + _FAILURE, str(error))
                raise
            found, lasting = held, False
        hide(found.key, found.secret, found.token)
        self._check_at = _next_check(found, lasting, self._now())
        self._held, self._failed = found, None
        return found

    def _is_valid(self, credentials: Credentials) -> bool:
        return credentials.expires_at is None or self._now() < credentials.expires_at


def _next_check(credentials: Credentials, lasting: bool, now: datetime) -> datetime:
    if lasting:
        return datetime.max.replace(tzinfo=UTC)
    if credentials.expires_at is None:
        return now + _STATIC
    # Near the end, again soon: a role's endpoint may hand out the old ones until a little before they expire.
    return max(credentials.expires_at - _EARLY, now + min(_RECHECK, (credentials.expires_at - now) / 2))


def _find(profile: str | None) -> tuple[Credentials, bool]:
    """Return credentials from the first source that has any, and whether they last as long as the process."""
    environment = os.environ
    profile = profile or environment.get("AWS_PROFILE") or None
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if profile is None and key and secret:
        return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN") or None, None), True
    return _ask_botocore(profile), False


def _ask_botocore(profile: str | None) -> Credentials:
    """Return the credentials of a profile, shared file, container or instance role."""
    # 0.3 s to import, and not needed where keys are in the environment, as on Lambda.
    import botocore.session
    from botocore.exceptions import ProfileNotFound

    try:
        credentials = botocore.session.Session(profile=profile).get_credentials()
        frozen = None if credentials is None else credentials.get_frozen_credentials()
    except ProfileNotFound as error:
        raise StorageUnavailable("The AWS profile that AWS_PROFILE names was not found.") from error
    except Exception as error:
        # botocore's sources raise RuntimeError, ClientError and KeyError beside its own exceptions.
        raise StorageUnavailable(_NOT_FETCHED) from error
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise StorageUnavailable(_NOT_FOUND)
    # botocore has no public name for it; obstore's and s3fs's providers read the same attribute.
    expires_at = getattr(credentials, "_expiry_time", None)
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token, expires_at)
