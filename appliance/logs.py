"""Structured logs on standard error: one JSON object a line, or readable text on a terminal."""

from __future__ import annotations

import logging
import sys
import time

import structlog

from appliance.settings import Settings


def configure(service: str, settings: Settings) -> None:
    """Send structlog's and the standard library's records the same way, with the service's name."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())

    def name_service(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    shared: list[structlog.typing.Processor] = [
        name_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if text
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


class OncePerSecond:
    """Counts repeated incidents and says when one line about them is due (style of a counter dumper)."""

    def __init__(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._last = -interval_s
        self._count = 0

    def hit(self, now: float | None = None) -> int:
        """Count one; returns how many stand behind the line to log now, or 0 when it is too early (`now` in s)."""
        moment = time.monotonic() if now is None else now
        self._count += 1
        if moment - self._last < self._interval_s:
            return 0
        self._last, count, self._count = moment, self._count, 0
        return count
