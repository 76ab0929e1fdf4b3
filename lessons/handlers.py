"""Which method carries out which command of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from appliance.bus import CommandRefused
from appliance.messages import Command, Reply

# A handler takes the one kind of command that it stands under, and raises CommandRefused.
Handlers = Mapping[type[Any], Callable[[Any], Reply]]


def dispatch(handlers: Handlers, command: Command) -> Reply:
    """Carry out one command. Raises CommandRefused, also for a kind that nobody here handles."""
    handler = handlers.get(type(command))
    if handler is None:
        raise CommandRefused("invalid", "the lessons service does not know this command")
    return handler(command)
