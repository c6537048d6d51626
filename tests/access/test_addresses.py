"""Whose request it is, whatever a client writes into its headers."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.access.addresses import Client, parse_address, parse_proxies
from application.errors import ConfigurationError

PROXIES = "10.0.0.5, 192.168.0.0/16, fd00::/8"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["1.2.3.4"], "203.0.113.7"),
        ("10.0.0.6", ["1.2.3.4"], "10.0.0.6"),
        ("10.0.0.5", [], "10.0.0.5"),
        ("10.0.0.5", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.5", ["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.5", ["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.5", ["9.9.9.9, 1.2.3.4, 192.168.3.4"], "1.2.3.4"),
        ("10.0.0.5", ["192.168.3.4,10.0.0.5"], "192.168.3.4"),
        ("10.0.0.5", ["1.2.3.4:50123"], "1.2.3.4"),
        ("10.0.0.5", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.0.0.5", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.5", ["2001:DB8:0::1"], "2001:db8::1"),
        ("10.0.0.5", ["::ffff:1.2.3.4"], "1.2.3.4"),
        ("::ffff:10.0.0.5", ["1.2.3.4"], "1.2.3.4"),
        ("fd00::1", ["2001:db8::1, fd12::9"], "2001:db8::1"),
        ("fe80::1%eth0", ["1.2.3.4"], "fe80::1"),
        ("10.0.0.5", ["1.2.3.4, unknown"], "10.0.0.5"),
        ("10.0.0.5", ["1.2.3.4, nonsense, 192.168.1.1"], "192.168.1.1"),
        ("10.0.0.5", ["1.2.3.4,"], "10.0.0.5"),
        ("10.0.0.5", [""], "10.0.0.5"),
        ("10.0.0.5", ["[2001:db8::1"], "10.0.0.5"),
        ("10.0.0.5", ["1.2.3.4:"], "10.0.0.5"),
        ("10.0.0.5", ["1.2.3.4:port"], "10.0.0.5"),
        ("10.0.0.5", ["[2001:db8::1]443"], "10.0.0.5"),
        ("testclient", ["1.2.3.4"], "testclient"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert parse_proxies(PROXIES).client(peer, forwarded, "", "http") == Client(client, is_https=False)


@given(
    peer=st.ip_addresses().map(str),
    forwarded=st.lists(st.text(max_size=80) | st.ip_addresses().map(str), max_size=5),
)
def test_without_trusted_proxies_no_header_is_believed(peer: str, forwarded: list[str]) -> None:
    expected = parse_address(peer)
    for scheme in ("http", "https"):
        found = parse_proxies("").client(peer, forwarded, "https", scheme)
        assert found == Client(str(expected), scheme == "https")


@given(
    forged=st.lists(st.text(alphabet=st.characters(codec="latin-1"), max_size=60), max_size=5),
    real=st.ip_addresses(v=4),
)
def test_what_a_client_forges_never_hides_the_address_that_a_proxy_saw(
    forged: list[str], real: object
) -> None:
    proxies = parse_proxies("127.0.0.1")
    if real == ip_address("127.0.0.1"):
        return
    assert proxies.client("127.0.0.1", [*forged, str(real)], "", "http").address == str(real)
    joined = ", ".join([*forged, str(real)])
    assert proxies.client("127.0.0.1", [joined], "", "http").address == str(real)


@given(st.text(max_size=60))
def test_whatever_is_read_as_an_address_is_one(text: str) -> None:
    found = parse_address(text)
    assert found is None or ip_address(str(found)) == found


@pytest.mark.parametrize(
    ("peer", "proto", "scheme", "is_https"),
    [
        ("10.0.0.5", "https", "http", True),
        ("10.0.0.5", "http", "http", False),
        ("10.0.0.5", "", "http", False),
        ("10.0.0.5", "", "https", True),
        ("203.0.113.7", "https", "http", False),
        ("203.0.113.7", "http", "https", True),
    ],
)
def test_https_is_what_the_connection_or_a_trusted_proxy_says(
    peer: str, proto: str, scheme: str, is_https: bool
) -> None:
    assert parse_proxies(PROXIES).client(peer, ["1.2.3.4"], proto, scheme).is_https is is_https


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_limits_take_the_64_of_an_ipv6_address(address: str, network: str) -> None:
    assert Client(address, is_https=False).network == network


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "*"])
def test_proxies_that_are_not_understood_are_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TRUSTED_PROXIES.*such as 10\.0\.0\.5,192"):
        parse_proxies(text)
