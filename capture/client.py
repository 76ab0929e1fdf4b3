"""What ui uses of capture: stills, by the bus. Safe from any thread. Imports no codec."""

from __future__ import annotations

from appliance import bus
from appliance.messages import GetStill, Still
from appliance.settings import Settings

SERVICE = "capture"


class CaptureClient:
    def __init__(self, settings: Settings, *, timeout_s: float = 2.0) -> None:
        self._folder = settings.bus
        self._timeout_s = timeout_s

    def still(self) -> Still:
        """The camera's picture of now as JPEG. Raises appliance.bus.CommandRefused (`unavailable`: no picture yet)
        and appliance.bus.BusError when the service does not answer in time."""
        reply = bus.call(self._folder, SERVICE, GetStill(), timeout_s=self._timeout_s)
        if not isinstance(reply, Still):
            raise bus.BusError(f"unexpected reply {type(reply).__name__}")
        return reply
