"""Texts sent compressed (RFC 9110, section 8.4.1.3) to clients that take it: the playlist of three hours is ten times
smaller then, and is asked for again every few seconds while a lesson is live."""

from __future__ import annotations

import gzip
from functools import lru_cache

from flask import Response, request

WORTH_BYTES = 1000
LEVEL = 6
KEPT = 8  # texts that a class watching the same lesson asks for again and again


def pack(response: Response) -> None:
    """Compress the body of a 200 where the client takes it. To be done before the tag is made: it is another then."""
    response.vary.add("Accept-Encoding")
    data = response.get_data()
    if len(data) >= WORTH_BYTES and request.accept_encodings.quality("gzip") > 0:
        response.set_data(_packed(data))
        response.headers["Content-Encoding"] = "gzip"


@lru_cache(KEPT)
def _packed(data: bytes) -> bytes:
    return gzip.compress(data, LEVEL, mtime=0)
