"""A kit and tablets, each a host of its own; all that a tablet sends and gets goes through a relay (tests.relay).

Network namespaces joined by TUN devices: what one host sends comes out of the descriptor of its device, packet by
packet, whatever the protocol. So pages, sockets and media share a weak line as they do in life, and nobody's addresses
are translated. Needs root and /dev/net/tun.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from struct import pack

from tests import network
from tests.network import ip
from tests.relay import Line, Relay

TUN = Path("/dev/net/tun")
KIT_ADDRESS = "10.216.0.1"
INTERFACE = "kit0"  # the kit's own: its address stays whatever happens to tablets
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


def unavailable() -> str:
    """Why this cannot be had here; empty when it can."""
    if reason := network.unavailable():
        return reason
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"no TUN devices here: {error}"
    return ""


class KitHost(network.Hosts):
    """The kit's namespace. `prefix` runs a program there: the kit, and whoever makes tablets."""

    def __init__(self) -> None:
        self.name = f"preau{os.getpid()}kit"
        self.names = (self.name,)
        self.prefix = ["ip", "netns", "exec", self.name]

    def _build(self) -> None:
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "link", "add", INTERFACE, "type", "veth", "peer", "name", "nowhere")
        ip("-n", self.name, "address", "add", f"{KIT_ADDRESS}/32", "dev", INTERFACE)
        for end in (INTERFACE, "nowhere"):
            ip("-n", self.name, "link", "set", end, "up")
        ip("-n", self.name, "route", "add", "default", "dev", INTERFACE)  # else Chromium gathers nothing there


class Tablet:
    """`prefix` runs a program on it, `relay` is its line."""

    def __init__(self, name: str, relay: Relay) -> None:
        self.prefix = ["ip", "netns", "exec", name]
        self.relay = relay


@contextmanager
def tablet(number: int, line: Line, seed: int = 1) -> Iterator[Tablet]:
    """Tablet `number` (1 to 200) and its line; to be called by a program on the kit's host."""
    name, address = f"preau{os.getpid()}t{number}", f"10.216.0.{number + 1}"
    with ExitStack() as stack:
        ip("netns", "add", name)
        stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False, capture_output=True)
        ip("-n", name, "link", "set", "lo", "up")
        here, there = (stack.enter_context(_device(f"{side}{number}")) for side in ("near", "far"))
        ip("link", "set", f"far{number}", "netns", name)
        ip("address", "add", KIT_ADDRESS, "peer", address, "dev", f"near{number}")
        ip("link", "set", f"near{number}", "up")
        ip("-n", name, "address", "add", address, "peer", KIT_ADDRESS, "dev", f"far{number}")
        ip("-n", name, "link", "set", f"far{number}", "up")
        ip("-n", name, "route", "add", "default", "dev", f"far{number}")
        yield Tablet(name, stack.enter_context(Relay(here, there, line, seed)))


@contextmanager
def _device(name: str) -> Iterator[int]:
    """A TUN device's descriptor; the device lives as long."""
    descriptor = os.open(TUN, os.O_RDWR)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        yield descriptor
    finally:
        os.close(descriptor)
