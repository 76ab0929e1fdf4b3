"""Media that comes in by WHIP (RFC 9725): RTP back to whole frames, published on the bus as one more source.

Nothing is decoded and nothing encoded again. All but `publisher` and `sources` is pure: packets and times in, frames
and feedback out. Belongs to the service's loop.
"""
