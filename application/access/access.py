"""The parts of access that the settings make, opened and closed together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from application.access.addresses import TrustedProxies, parse_proxies
from application.access.client_downloads import ClientDownloads
from application.access.keys import ApiKeys, parse_keys

if TYPE_CHECKING:
    from application.access.limiter import RateLimiter


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, and how much of it; None for a limit that is off."""

    keys: ApiKeys
    proxies: TrustedProxies
    limiter: "RateLimiter | None"
    downloads: ClientDownloads | None
    on_lambda: bool

    def start(self) -> None:
        """Begin what shows in the log whether it works."""
        if self.limiter:
            self.limiter.probe()

    def close(self) -> None:
        """Let go of what is held."""
        if self.limiter:
            self.limiter.close()


def open_access(
    api_key: str | None,
    trusted_proxies: str,
    rate_limit: str,
    rate_limit_storage: str,
    client_downloads: int,
    *,
    on_lambda: bool,
) -> Access:
    """The parts by the settings' words; connects to nothing yet. Raises ConfigurationError."""
    keys, proxies = parse_keys(api_key), parse_proxies(trusted_proxies)
    limiter = None
    if rate_limit:
        # Most services have no limit, and start sooner without the library.
        from application.access.limiter import open_limiter

        limiter = open_limiter(rate_limit, rate_limit_storage)
    downloads = ClientDownloads(client_downloads) if client_downloads else None
    return Access(keys, proxies, limiter, downloads, on_lambda)
