from __future__ import annotations

from ipaddress import ip_network

import pytest

from web.asking.addresses import client_address, is_here

PROXY = (ip_network("10.0.0.0/8"), ip_network("127.0.0.0/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # no proxy of ours: what it says about others is its own
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # the reader wrote the first one
        ("10.0.0.2", "6.6.6.6, 198.51.100.1, 10.0.0.3", "198.51.100.1"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "198.51.100.1, nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (None, "198.51.100.1", "local"),
    ],
)
def test_only_the_operators_proxies_are_believed(peer: str | None, forwarded: str, address: str) -> None:
    assert client_address(peer, {"x-forwarded-for": forwarded}, PROXY) == address


def test_many_hops_cost_nothing() -> None:
    assert client_address("10.0.0.2", {"x-forwarded-for": "10.0.0.1, " * 100_000 + "10.0.0.1"}, PROXY) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("::1", True), ("198.51.100.1", False), ("local", False), ("2001:db8::/64", False)],
)
def test_whoever_is_on_this_machine_is_here(address: str, here: bool) -> None:
    assert is_here(address) is here
