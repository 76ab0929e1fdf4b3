"""Which local addresses media may use: the chosen interfaces' ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import ifaddr


def addresses_by_interface() -> dict[str, list[str]]:
    """The machine's addresses as text, per interface name."""
    return {
        adapter.name: [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips]
        for adapter in ifaddr.get_adapters()
    }


def choose(interfaces: Mapping[str, Iterable[str]], names: Sequence[str], peer: str) -> list[str]:
    """The addresses to gather host candidates on.

    With `names`, all of those interfaces; else every address, loopback ones only when `peer` (the signalling
    client's address) is on loopback itself. IPv6 link-local addresses need a zone that SDP cannot carry.
    """
    local = is_loopback(peer)
    result = []
    for name, addresses in interfaces.items():
        if names and name not in names:
            continue
        for text in addresses:
            address = ipaddress.ip_address(text)
            if not address.is_link_local and (names or local or not address.is_loopback):
                result.append(text)
    return result


def is_loopback(peer: str) -> bool:
    """Whether `peer` is a loopback address, also one mapped into IPv6."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
