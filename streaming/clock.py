"""One clock for every viewer: CLOCK_MONOTONIC nanoseconds to RTP ticks and NTP time.

Both are linear in capture time, so a sender report made from them lets a browser line up sound and picture.
Pure; the process's one offset between the monotonic and the wall clock is an argument.
"""

from __future__ import annotations

import time

VIDEO_RATE = 90_000  # RFC 6184 section 8.2.1
AUDIO_RATE = 48_000  # RFC 7587 section 4.1
NS = 1_000_000_000
_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970


def ticks(pts_ns: int, rate: int) -> int:
    """RTP ticks of `rate` Hz at `pts_ns`, not yet reduced to 32 bits."""
    return pts_ns * rate // NS


def wall_offset_ns() -> int:
    """What to add to CLOCK_MONOTONIC for Unix time (ns). Read once: a stepped clock must not tear media."""
    return time.time_ns() - time.monotonic_ns()


def ntp(monotonic_ns: int, offset_ns: int) -> int:
    """The 64-bit NTP timestamp (RFC 3550 section 4) of a monotonic time."""
    seconds, rest = divmod(monotonic_ns + offset_ns, NS)
    return ((seconds + _NTP_EPOCH_S) & 0xFFFFFFFF) << 32 | (rest << 32) // NS


def abs_send_time(ntp_timestamp: int) -> int:
    """The 24-bit time, 6.18 fixed point, of the abs-send-time header extension."""
    return ntp_timestamp >> 14 & 0xFFFFFF


def round_trip_ns(ntp_timestamp: int, last_report: int, delay: int) -> int | None:
    """The way to a receiver and back (RFC 3550 section 6.4.1): LSR and DLSR of its report, in 1/65536 s, which came in
    at `ntp_timestamp`. None when it has had no report yet, or says what cannot be."""
    way = (ntp_timestamp >> 16) - last_report - delay & 0xFFFFFFFF
    return way * NS >> 16 if last_report and way < 10 << 16 else None
