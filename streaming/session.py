"""What a WHEP session and a WHIP session have in common: names, entity tag, ICE. Belongs to the service's loop."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from streaming.aiortc_private import Connection
from streaming.offer import Fragment, Offer, check_restart, write_fragment
from streaming.sharing import ID_BYTES


class Session:
    """`session` is its public id, `owner` the viewer who may touch it, `name` theirs for people."""

    def __init__(self, owner: str, name: str, offer: Offer, connection: Connection) -> None:
        self.session = secrets.token_urlsafe(ID_BYTES)
        self.etag = secrets.token_hex(8)
        self.owner, self.name = owner, name
        self.connected = False
        self.closed = False
        self.opened_ns = 0
        self.ice_fragment: str | None = None
        self._offer = offer
        self._username = offer.username
        self._connection = connection

    async def answer(self, addresses: Sequence[str]) -> str:
        """The SDP answer. Raises NEGOTIATION_ERRORS."""
        return await self._connection.answer(self._offer, addresses)

    async def trickle(self, fragment: Fragment) -> None:
        for candidate in fragment.candidates:
            await self._connection.add_candidate(candidate, self._offer.mid)

    def restarts_ice(self, fragment: Fragment) -> bool:
        """Whether the fragment belongs to other ICE credentials than those in use (RFC 9725 section 4.3.3)."""
        return fragment.username not in (None, self._username)

    async def restart_ice(self, fragment: Fragment, addresses: Sequence[str]) -> str:
        """Begin ICE anew; returns the kit's fragment, and the session has a new entity tag. Raises OfferError."""
        username, password = check_restart(fragment)
        own = await self._connection.restart_ice(username, password, addresses)
        self._username, self.etag = username, secrets.token_hex(8)
        self.ice_fragment = write_fragment(self._offer.mids, self._offer.kinds[0], *own)
        await self.trickle(fragment)
        return self.ice_fragment
