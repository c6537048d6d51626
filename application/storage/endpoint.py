"""The server that has a bucket: AWS's of a region, or any S3-compatible one."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from application.errors import ConfigurationError

REGION = "eu-west-2"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, with its path if it has one; ``is_virtual``: each bucket has a host of its own there."""

    region: str
    host: str
    is_encrypted: bool
    is_virtual: bool

    def url(self, bucket: str) -> str:
        """Where the bucket is asked for."""
        host = f"{bucket}.{self.host}" if self.is_virtual else self.host
        return f"{'https' if self.is_encrypted else 'http'}://{host}"


def find_endpoint(
    bucket: str, region: str | None, url: str | None, environment: Mapping[str, str]
) -> Endpoint:
    """The endpoint by what is given, else by AWS's own variables; raises ConfigurationError.

    Found once, for obstore and DuckDB must not each find another server in the environment.
    """
    where = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION
    custom = url or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    parts = urlsplit((custom or f"https://s3.{where}.amazonaws.com").rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError("AWS_ENDPOINT_URL is not an http:// or https:// URL.")
    # A dot in a bucket's name does not fit the certificate of a virtual host.
    is_virtual = not custom and "." not in bucket
    return Endpoint(where, parts.netloc + parts.path, parts.scheme == "https", is_virtual)
