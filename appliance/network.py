"""Which of this machine's addresses the kit uses: for what it prints, advertises and binds."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence

import ifaddr

ANY = ("0.0.0.0", "::")


def addresses(interfaces: Sequence[str]) -> list[str]:
    """IPv4 addresses of the named interfaces; of all but the loopback when none is named."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if not isinstance(ip.ip, str):
                continue
            wanted = adapter.name in interfaces if interfaces else not ipaddress.ip_address(ip.ip).is_loopback
            if wanted:
                found.append(ip.ip)
    return found


def reachable_addresses(http_host: str, interfaces: Sequence[str]) -> list[str]:
    """Where a browser finds the pages: the bound address, or all chosen ones when bound to every address."""
    if http_host not in ANY:
        return [http_host]
    return addresses(interfaces) or ["127.0.0.1"]


def page_url(host: str, port: int, path: str = "/") -> str:
    """An http URL, without a port where it is the usual one and with brackets around IPv6."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}{'' if port == 80 else f':{port}'}{path}"


class PortUnavailable(Exception):
    """The pages cannot be served there; the message says why."""


def check_port(host: str, port: int) -> None:
    """Raise PortUnavailable unless `host`:`port` (TCP) can be bound now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "another program uses this port; set http_port (or PREAU_HTTP_PORT) to a free one",
            errno.EACCES: "this port needs root; set http_port (or PREAU_HTTP_PORT) above 1023",
            errno.EADDRNOTAVAIL: "this machine has no such address; correct http_host (or PREAU_HTTP_HOST)",
        }
        reason = reasons.get(error.errno or 0, str(error))
        raise PortUnavailable(f"cannot serve pages on {host} port {port}: {reason}") from None
