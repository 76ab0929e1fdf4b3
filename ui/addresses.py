"""The address that pupils are told: one they can reach, whatever the teacher's own browser was pointed at."""

from __future__ import annotations

import ipaddress


def base_url(scheme: str, host: str, port: int, addresses: list[str]) -> str:
    """The pages' address for others; `host` is the Host header of the one who asks, `addresses` the kit's own.

    A loopback host means the teacher's browser runs on the kit itself: others need the kit's own address.
    """
    name = host.rsplit(":", 1)[0].strip("[]")
    if addresses and _is_loopback(name):
        own = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        return f"{scheme}://{own}:{port}"
    return f"{scheme}://{host}"


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
