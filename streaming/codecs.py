"""Which codecs the kit sends and takes in: H.264 and Opus, of those that aiortc knows."""

from __future__ import annotations

from aiortc import RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecCapability


def preferences(kind: str) -> list[RTCRtpCodecCapability]:
    """The codecs we send, best first; with RTX (RFC 4588) for those who offer it."""
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    if kind == "audio":
        return [codec for codec in codecs if codec.mimeType.lower() == "audio/opus"]
    h264 = [codec for codec in codecs if codec.mimeType.lower() == "video/h264"]
    best_first = sorted(h264, key=lambda codec: codec.parameters["profile-level-id"] != "42e01f")
    return [*best_first, *(codec for codec in codecs if codec.mimeType.lower() == "video/rtx")]


def receivable(kind: str) -> list[RTCRtpCodecCapability]:
    """The codecs we take in, best first; without RTX, so that publishers resend on the same SSRC."""
    return [codec for codec in preferences(kind) if not codec.mimeType.lower().endswith("/rtx")]
