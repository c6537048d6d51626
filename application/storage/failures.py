"""What the S3 client's errors mean, in words that name neither endpoint nor key."""

from collections.abc import Iterator
from contextlib import contextmanager

from application.errors import StorageUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into StorageUnavailable, except FileNotFoundError."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise unavailable(error) from error


def is_refusal(error: Exception) -> bool:
    """True when the server answered that these credentials may not."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    # A refused listing is a GenericError; only its text has the status.
    return isinstance(error, PermissionDeniedError | UnauthenticatedError) or "403 Forbidden" in str(error)


def unavailable(error: Exception) -> StorageUnavailable:
    """Say in a few words what went wrong; the client's own text has the endpoint in it."""
    from obstore.exceptions import InvalidPathError

    if is_refusal(error):
        return StorageUnavailable("The storage refused our credentials, or they may not read the datasets.")
    if isinstance(error, InvalidPathError):
        return StorageUnavailable("The storage cannot be listed: a key in it has an empty or dotted part.")
    if "NoSuchBucket" in str(error):
        return StorageUnavailable("The storage has no bucket of the name that is configured.")
    # The first is all that there is of a HEAD.
    if "redirect without LOCATION" in str(error) or "AuthorizationHeaderMalformed" in str(error):
        return StorageUnavailable("The storage's bucket is in another region: DATASET_REGION is to name it.")
    return StorageUnavailable("The storage does not answer.")
