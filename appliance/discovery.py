"""Found on the network: the kit's name and its web service by multicast DNS (RFC 6762, RFC 6763).

`Advertiser.run` belongs to one thread. It announces ``NAME.local`` and ``ROOM._http._tcp`` on the chosen interfaces,
takes another name where one is taken, says whether a lesson is live, follows changes of address, and withdraws
everything at the end (goodbye packets).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import structlog
from zeroconf import (  # type: ignore[attr-defined]  # AddressResolverIPv4 is public, but not in __all__
    AddressResolverIPv4,
    Error,
    IPVersion,
    ServiceInfo,
    Zeroconf,
)

from appliance import network
from appliance.settings import Settings

log = structlog.get_logger()

SERVICE = "_http._tcp.local."
CHECK_S = 5.0
PROBE_MS = 750  # RFC 6762, section 8.1: three probes, 250 ms apart
MOST_NAMES = 20


class Advertiser:
    """What the kit says of itself on the network. `live` is asked each time something is announced."""

    def __init__(self, settings: Settings, live: Callable[[], bool]) -> None:
        self._settings = settings
        self._live = live
        self._changed = threading.Event()
        self.host: str | None = None
        self.name: str | None = None

    def lesson_changed(self) -> None:
        """Announce afresh, soon. Any thread."""
        self._changed.set()

    def run(self, stopping: threading.Event) -> None:
        """Advertise until `stopping` is set; without a usable interface, try again every CHECK_S seconds."""
        while not stopping.is_set():
            chosen = self._addresses()
            if not chosen:
                stopping.wait(CHECK_S)
                continue
            try:
                self._advertise(chosen, stopping)
            except (OSError, Error) as error:
                log.warning("not advertised on the network", reason=str(error) or type(error).__name__)
                stopping.wait(CHECK_S)

    def _addresses(self) -> list[str]:
        return sorted(network.reachable_addresses(self._settings.http_host, self._settings.ice_interfaces))

    def _advertise(self, chosen: list[str], stopping: threading.Event) -> None:
        """Register on these addresses; returns when they change or the end has come."""
        with Zeroconf(interfaces=chosen, ip_version=IPVersion.V4Only) as link:
            self.host = self._free_host(link, chosen)
            live = self._live()
            info = self._info(chosen, live)
            link.register_service(info, allow_name_change=True)
            self.name = info.name
            log.info("advertised", host=self.host, name=info.name, addresses=chosen)
            waited_s = 0.0
            while not stopping.is_set():
                self._changed.wait(0.2)
                waited_s += 0.2
                if self._changed.is_set() or self._live() != live:
                    self._changed.clear()
                    if self._live() != live:
                        live = self._live()
                        info = self._info(chosen, live, info.name)
                        link.update_service(info)
                if waited_s >= CHECK_S:
                    waited_s = 0.0
                    if self._addresses() != chosen:
                        break
            link.unregister_service(info)

    def _free_host(self, link: Zeroconf, own: list[str]) -> str:
        """NAME.local., or NAME-2.local. and so on where another machine answers to the first."""
        for number in range(1, MOST_NAMES + 1):
            suffix = "" if number == 1 else f"-{number}"
            host = f"{self._settings.kit_name}{suffix}.local."
            resolver = AddressResolverIPv4(host)
            if not resolver.request(link, PROBE_MS) or set(resolver.parsed_addresses()) <= set(own):
                return host
            log.warning("name taken on the network", host=host, by=resolver.parsed_addresses())
        raise OSError(f"{MOST_NAMES} names beginning with {self._settings.kit_name} are taken")

    def _info(self, chosen: list[str], live: bool, name: str | None = None) -> ServiceInfo:
        return ServiceInfo(
            SERVICE,
            name or f"{self._settings.room}.{SERVICE}",
            addresses=[socket.inet_aton(address) for address in chosen],
            port=self._settings.http_port,
            properties={"path": "/", "room": self._settings.room, "lesson": "live" if live else "none"},
            server=self.host,
        )
