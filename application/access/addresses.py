"""The client's address: the peer's, or what trusted proxies say of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from application.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What one subscriber of IPv6 has at least; a limit by single addresses would be none.
IPV6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request: an address, or another name of the peer where it has none, and whether by https.

    ``is_function`` says that it is the Lambda function itself, which nobody else can pretend to be.
    """

    address: str
    is_https: bool
    is_function: bool = False

    @property
    def network(self) -> str:
        """What limits are counted by: an IPv4 address, or the /64 of an IPv6 one."""
        address = parse_address(self.address)
        if isinstance(address, IPv6Address):
            return str(ip_network((int(address), IPV6_PREFIX), strict=False))
        return self.address


class TrustedProxies:
    """The networks whose word about a client's address counts."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def client(self, peer: str, forwarded_for: Iterable[str], forwarded_proto: str, scheme: str) -> Client:
        """The client behind the peer, by the values of X-Forwarded-For and the last of X-Forwarded-Proto.

        It is the rightmost address that is no trusted proxy's. What is left of something unreadable
        is not believed: then it is the proxy that passed it on.
        """
        nearest = parse_address(peer)
        if nearest is None:
            return Client(peer, scheme == "https")
        if not self.trusts(nearest):
            return Client(str(nearest), scheme == "https")
        for entry in reversed(",".join(forwarded_for).split(",")):
            found = parse_address(entry)
            if found is None:
                break
            nearest = found
            if not self.trusts(found):
                break
        return Client(str(nearest), (forwarded_proto or scheme) == "https")


def parse_proxies(text: str) -> TrustedProxies:
    """The addresses and networks of TRUSTED_PROXIES, separated by commas; raises ConfigurationError."""
    try:
        return TrustedProxies([ip_network(part.strip()) for part in text.split(",") if part.strip()])
    except ValueError:
        raise ConfigurationError(
            "TRUSTED_PROXIES is not understood: write addresses and networks with commas between, "
            "such as 10.0.0.5,192.168.0.0/16,fd00::/8; a network has no bits set beyond its prefix."
        ) from None


def parse_address(text: str) -> Address | None:
    """An address, with a port or brackets or not, IPv4 also where it is mapped into IPv6; None for others."""
    text = text.strip()
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        if not _is_port(colon + port):
            return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.scope_id:
            return IPv6Address(int(address))
    return address


def _is_port(text: str) -> bool:
    return text[:1] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6
