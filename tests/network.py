"""Two network namespaces joined by a veth pair, for tests and benches that run as root; lo otherwise."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Hosts:
    """Network namespaces for the length of a `with`; `names` are theirs. What derives from it builds them."""

    names: Sequence[str] = ()

    def __enter__(self) -> Self:
        try:
            self._build()
        except subprocess.CalledProcessError:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _build(self) -> None:
        """Make the namespaces and what joins them. Raises CalledProcessError."""
        raise NotImplementedError

    def _remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


class TwoHosts(Hosts):
    """`left` and `right` are command prefixes that run a program on either host.

    `interface` is the left host's interface, the addresses are theirs. With `routed` all that the left host sends
    elsewhere goes to the right one, which forwards nothing. Without root both hosts are this one and everything stays
    on lo.
    """

    def __init__(self, *, routed: bool = False) -> None:
        self.separate = os.geteuid() == 0
        self._routed = routed
        tag = f"preau{os.getpid()}"
        left, right = f"{tag}l", f"{tag}r"
        self.names = (left, right) if self.separate else ()
        self.interface = "veth0" if self.separate else "lo"
        self.left_address = "10.213.0.1" if self.separate else "127.0.0.1"
        self.right_address = "10.213.0.2" if self.separate else "127.0.0.1"
        self.left = ["ip", "netns", "exec", left] if self.separate else []
        self.right = ["ip", "netns", "exec", right] if self.separate else []

    def _build(self) -> None:
        if not self.names:
            return
        left, right = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", left, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", right)
        for name, address in zip(self.names, (self.left_address, self.right_address), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "veth0")
            ip("-n", name, "link", "set", "veth0", "up")
        if self._routed:
            ip("-n", left, "route", "add", "default", "via", self.right_address)


class ThreeHosts(Hosts):
    """A kit and a tablet with no network between them but a third host, which forwards no packets. Needs root.

    `kit`, `middle` and `tablet` are command prefixes, as in TwoHosts. The middle host has an address on either side.
    """

    interface = "veth0"
    kit_address, middle_kit_side = "10.214.0.1", "10.214.0.2"
    tablet_address, middle_tablet_side = "10.215.0.1", "10.215.0.2"

    def __init__(self) -> None:
        tag = f"preau{os.getpid()}"
        self.names = (f"{tag}k", f"{tag}m", f"{tag}t")
        self.kit, self.middle, self.tablet = (["ip", "netns", "exec", name] for name in self.names)

    def _build(self) -> None:
        kit, middle, tablet = self.names
        for name in self.names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        sides = (
            (kit, self.kit_address, "veth0", self.middle_kit_side),
            (tablet, self.tablet_address, "veth1", self.middle_tablet_side),
        )
        for name, own, near, other in sides:
            ip("-n", name, "link", "add", "veth0", "type", "veth", "peer", "name", near, "netns", middle)
            for host, address, device in ((name, own, "veth0"), (middle, other, near)):
                ip("-n", host, "address", "add", f"{address}/24", "dev", device)
                ip("-n", host, "link", "set", device, "up")
            # Chromium gathers nothing where no route leads out.
            ip("-n", name, "route", "add", "default", "via", other)


def unavailable() -> str:
    """Why network namespaces cannot be made here; empty when they can."""
    if os.geteuid():
        return "needs root: makes network namespaces"
    name = f"preau{os.getpid()}try"
    try:
        ip("netns", "add", name)
        ip("netns", "exec", name, "true")
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"no network namespaces here: {said}"
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return ""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
