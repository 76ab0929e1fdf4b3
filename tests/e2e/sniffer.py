"""Counts the IP destinations of all that arrives on an interface: ``python -m tests.e2e.sniffer INTERFACE``.

Says ``ready``; at the end of its standard input prints one JSON object, packets by destination, and ends. Needs root.
"""

from __future__ import annotations

import ipaddress
import json
import select
import socket
import sys
from collections import Counter

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, ETH_P_ARP = 0x0003, 0x0800, 0x86DD, 0x0806


def destination(protocol: int, packet: bytes) -> str | None:
    """Where a packet wants to go (RFC 791, RFC 8200); None for ARP, which no router passes on."""
    if protocol == ETH_P_IP:
        return str(ipaddress.IPv4Address(packet[16:20]))
    if protocol == ETH_P_IPV6:
        return str(ipaddress.IPv6Address(packet[24:40]))
    return None if protocol == ETH_P_ARP else f"protocol {protocol:#06x}"


def main(interface: str) -> None:
    seen: Counter[str] = Counter()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as tap:
        tap.bind((interface, ETH_P_ALL))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([tap, sys.stdin], [], [])
            if tap in ready:
                packet, (_, protocol, kind, *_) = tap.recvfrom(65536)
                where = destination(protocol, packet)
                if where and kind != socket.PACKET_OUTGOING:
                    seen[where] += 1
            elif sys.stdin in ready:
                break
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
