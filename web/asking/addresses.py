"""Where a request comes from, believing only the proxies that the operator named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(peer: str | None, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """Return the address of whoever asks: the last one in ``X-Forwarded-For`` that is no trusted proxy.

    ``peer`` is the other end of the connection. An IPv6 address counts as its /64, which is what one subscriber has;
    a peer without an address (a Unix socket) is itself: ``local``.
    """
    address = _parsed(peer)
    if address is None:
        return "local"
    hops: list[Address | None] = []
    if _is_in(address, trusted):
        hops = [_parsed(hop) for hop in headers.get("x-forwarded-for", "").split(",")[-20:]]
    while hops and _is_in(address, trusted):
        hop = hops.pop()
        if hop is None:
            break
        address = hop
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def is_here(address: str) -> bool:
    """Return whether ``client_address`` found somebody on this very machine."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


def _parsed(text: str | None) -> Address | None:
    try:
        address = ip_address((text or "").strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
