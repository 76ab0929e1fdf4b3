"""The names of a kit's processes. Pure.

A service is one process, except streaming, of which there are as many as the setting `streaming_processes` says:
`streaming`, `streaming-2`, `streaming-3`. The first is the one where publishers come in. A process's name is its
name on the bus, in logs and in what watches over the kit; its counters are those of the service.
"""

from __future__ import annotations

from collections.abc import Iterable

STREAMING = "streaming"
MOST_STREAMING = 16


def streaming(number: int) -> str:
    """The name of one streaming process; they count from 1."""
    return STREAMING if number == 1 else f"{STREAMING}-{number}"


def named(services: Iterable[str], streaming_processes: int) -> tuple[str, ...]:
    """The processes of `services`, in their order."""
    own = tuple(streaming(number) for number in range(1, streaming_processes + 1))
    return tuple(name for service in services for name in (own if service == STREAMING else (service,)))


def service(name: str) -> str:
    """Which service, and so which module, a process runs."""
    return name.partition("-")[0]


def number(name: str) -> int:
    """Which of its service's processes it is, from 1 on."""
    return int(name.partition("-")[2] or 1)
