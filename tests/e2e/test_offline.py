"""A whole lesson sends nothing to any address outside the kit's network: counted behind its only route out."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys

import pytest

from tests.network import TwoHosts, unavailable

STRANGER = "192.0.2.1"  # RFC 5737: an address that is nobody's
OWN = [
    ipaddress.ip_network("10.213.0.0/24"),
    ipaddress.ip_network("224.0.0.0/24"),  # RFC 5771: multicast that no router forwards (mDNS, IGMP)
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("ff02::/16"),  # RFC 4291: link-local multicast (neighbour discovery)
]


def outside(address: str) -> bool:
    return not any(ipaddress.ip_address(address) in network for network in OWN)


@pytest.mark.root
def test_nothing_leaves_the_kits_network() -> None:
    if reason := unavailable():
        pytest.skip(reason)
    with TwoHosts(routed=True) as hosts:
        sniffer = subprocess.Popen(
            [*hosts.right, sys.executable, "-m", "tests.e2e.sniffer", "veth0"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert sniffer.stdout
        assert sniffer.stdout.readline() == "ready\n"
        lesson = subprocess.run(
            [*hosts.left, sys.executable, "-m", "tests.e2e.offline_lesson", hosts.left_address, hosts.interface],
            stdout=subprocess.PIPE, text=True, check=True, timeout=90,
        )  # fmt: skip
        # That the count sees what it should is shown by one datagram to a stranger.
        send = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'?', ('{STRANGER}', 9))"
        subprocess.run([*hosts.left, sys.executable, "-c", send], check=True)
        counted = json.loads(sniffer.communicate(timeout=10)[0])
    assert json.loads(lesson.stdout.splitlines()[-1]) == {"watched": True, "foreign": []}
    assert {address: count for address, count in counted.items() if outside(address)} == {STRANGER: 1}
