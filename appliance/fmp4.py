"""Fragmented MP4 of one H.264 and one AAC or Opus track, as HLS and Media Source Extensions want it.

Pure: access units and times in, bytes out. ISO/IEC 14496-12 (movie fragments), -14 (esds), -15 (avcC), "Encapsulation
of Opus in ISO Base Media File Format" (dOps); codec names by RFC 6381. There are no B-frames, so presentation and
decoding times are the same. Parameter sets stand in the sample entry only (`avc1`): who sees them change starts a new
initialisation segment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from appliance.boxes import box, full_box, media, movie_header, track_header
from appliance.messages import AudioFormat, Packet

VIDEO_TRACK, AUDIO_TRACK = 1, 2
VIDEO_TIMESCALE = 90_000  # ticks per second
_SPS, _PPS, _DELIMITER = 7, 8, 9  # nal_unit_type (H.264 table 7-1)
_SYNC, _NOT_SYNC = 0x02000000, 0x01010000  # sample flags (14496-12, 8.8.3.1)
_BASE_IS_MOOF = 0x020000
_TRUN_FIELDS = 0x000701  # data offset; duration, size and flags of each sample
_PROFILE_HIGH = 100


class Video(msgspec.Struct, frozen=True):
    """What a decoder must know of the video track: pixels, and the parameter sets without start codes."""

    width: int
    height: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


class Audio(msgspec.Struct, frozen=True):
    """What a decoder must know of the audio track; `config` is the AudioSpecificConfig, empty for Opus. Its timescale
    is `rate`."""

    rate: int
    channels: int
    config: bytes
    codec: Literal["aac", "opus"] = "aac"


# An Opus decoder gives two channels whatever comes: packets may change between one and two (RFC 7587 section 3.4).
OPUS = Audio(48_000, 2, b"", "opus")


class Sample(NamedTuple):
    """One frame as it stands in mdat; `duration` in its track's timescale."""

    data: bytes
    duration: int
    keyframe: bool


class Run(NamedTuple):
    """Samples of one track that follow each other; `start` is the first one's decode time in its timescale."""

    track: int
    start: int
    samples: Sequence[Sample]


def audio_of(packet: Packet) -> Audio | None:
    """The track that a packet of sound belongs to; None when it cannot stand in one (AAC without its configuration)."""
    match packet.format:
        case AudioFormat(rate=rate, channels=channels, config=config) if packet.codec == "aac" and config:
            return Audio(rate, channels, config)
        case AudioFormat() if packet.codec == "opus":
            return OPUS
        case _:
            return None


def split_annex_b(data: bytes) -> Iterator[bytes]:
    """The NAL units of a byte stream (H.264 annex B), without start codes and trailing zero bytes."""
    start = data.find(b"\0\0\1")
    while start >= 0:
        end = data.find(b"\0\0\1", start + 3)
        unit = data[start + 3 : end if end >= 0 else len(data)].rstrip(b"\0")
        if unit:
            yield unit
        start = end


def parameter_sets(access_unit: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The SPS and the PPS in an Annex B access unit, as two tuples, empty where there are none."""
    units = [unit for unit in split_annex_b(access_unit) if unit[0] & 31 in (_SPS, _PPS)]
    return (
        tuple(unit for unit in units if unit[0] & 31 == _SPS),
        tuple(unit for unit in units if unit[0] & 31 == _PPS),
    )


def avc_sample(access_unit: bytes) -> bytes:
    """An Annex B access unit with four-byte lengths instead of start codes (14496-15, 5.3.4.2).

    Parameter sets and access unit delimiters are left out: the sample entry and the sample's bounds say the same.
    """
    pieces: list[bytes] = []
    for unit in split_annex_b(access_unit):
        if unit[0] & 31 not in (_SPS, _PPS, _DELIMITER):
            pieces += (struct.pack(">I", len(unit)), unit)
    return b"".join(pieces)


def codecs(video: Video | None, audio: Audio | None) -> str:
    """The `codecs` parameter for the tracks there are (RFC 6381): ``avc1.42c01f,mp4a.40.2``."""
    names = [f"avc1.{video.sps[0][1:4].hex()}"] if video else []
    if audio:
        names.append("opus" if audio.codec == "opus" else f"mp4a.40.{audio.config[0] >> 3}")
    return ",".join(names)


def video_entry(video: Video) -> bytes:
    """The avc1 sample entry with its avcC (14496-15, 5.4.2 and 5.3.3.1)."""
    profile, compatibility, level = video.sps[0][1:4]
    record = struct.pack(">BBBBBB", 1, profile, compatibility, level, 0xFF, 0xE0 | len(video.sps))
    record += b"".join(struct.pack(">H", len(unit)) + unit for unit in video.sps)
    record += struct.pack(">B", len(video.pps))
    record += b"".join(struct.pack(">H", len(unit)) + unit for unit in video.pps)
    if profile == _PROFILE_HIGH:
        record += b"\xfd\xf8\xf8\x00"  # High is 4:2:0 with 8 bits by definition, no SPS extension
    return box(
        b"avc1", struct.pack(">6xH16xHHIIIH", 1, video.width, video.height, 0x480000, 0x480000, 0, 1),
        bytes(32), struct.pack(">Hh", 24, -1), box(b"avcC", record),
    )  # fmt: skip


def _descriptor(tag: int, body: bytes) -> bytes:
    """An MPEG-4 descriptor (14496-1, 8.3.3) with the length in four bytes, as every writer in the field does."""
    size = len(body)
    return bytes((tag, 0x80 | size >> 21 & 127, 0x80 | size >> 14 & 127, 0x80 | size >> 7 & 127, size & 127)) + body


def audio_entry(audio: Audio) -> bytes:
    """The mp4a sample entry with its esds (14496-14, 5.6), or the Opus one with its dOps (4.3 there)."""
    if audio.codec == "opus":
        # No pre-skip: this is the middle of a stream, whose first packets somebody else decoded.
        specific = box(b"dOps", struct.pack(">BBHIhB", 0, audio.channels, 0, audio.rate, 0, 0))
        return _sound_entry(b"Opus", audio, specific)
    decoder = struct.pack(">BBBHII", 0x40, 0x15, 0, 0, 0, 0) + _descriptor(5, audio.config)
    stream = struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    return _sound_entry(b"mp4a", audio, full_box(b"esds", 0, 0, _descriptor(3, stream)))


def _sound_entry(kind: bytes, audio: Audio, specific: bytes) -> bytes:
    """An AudioSampleEntry (14496-12, 12.2.3) around the box that its codec defines."""
    head = struct.pack(">6xH8xHHHHI", 1, audio.channels, 16, 0, 0, audio.rate << 16 & 0xFFFFFFFF)
    return box(kind, head, specific)


def _track(track: int, timescale: int, handler: bytes, entry: bytes, width: int, height: int) -> bytes:
    nothing = struct.pack(">I", 0)
    table = box(
        b"stbl", full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, nothing), full_box(b"stsc", 0, 0, nothing),
        full_box(b"stsz", 0, 0, nothing, nothing), full_box(b"stco", 0, 0, nothing),
    )  # fmt: skip
    header = track_header(track, 0, width, height, volume=handler == b"soun")
    return box(b"trak", header, media(timescale, 0, handler, table))


def init_segment(video: Video | None, audio: Audio | None) -> bytes:
    """ftyp and moov for a part: what a player reads before any fragment."""
    tracks, extends = list[bytes](), list[bytes]()
    if video:
        tracks.append(_track(VIDEO_TRACK, VIDEO_TIMESCALE, b"vide", video_entry(video), video.width, video.height))
        extends.append(full_box(b"trex", 0, 0, struct.pack(">5I", VIDEO_TRACK, 1, 0, 0, 0)))
    if audio:
        tracks.append(_track(AUDIO_TRACK, audio.rate, b"soun", audio_entry(audio), 0, 0))
        extends.append(full_box(b"trex", 0, 0, struct.pack(">5I", AUDIO_TRACK, 1, 0, 0, 0)))
    return box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6avc1mp41cmfchlsf") + box(
        b"moov", movie_header(1000, 0, AUDIO_TRACK + 1), *tracks, box(b"mvex", *extends)
    )


def _traf(run: Run, data_offset: int) -> bytes:
    """tfhd, tfdt version 1 and one trun (14496-12, 8.8.7, 8.8.12, 8.8.8)."""
    table = bytearray()
    for sample in run.samples:
        table += struct.pack(">III", sample.duration, len(sample.data), _SYNC if sample.keyframe else _NOT_SYNC)
    return box(
        b"traf", full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", run.track)),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", run.start)),
        full_box(b"trun", 0, _TRUN_FIELDS, struct.pack(">Ii", len(run.samples), data_offset), bytes(table)),
    )  # fmt: skip


def fragment(sequence: int, runs: Sequence[Run]) -> bytes:
    """moof and mdat with the samples of `runs`, track after track; `sequence` grows by one a fragment."""
    runs = [run for run in runs if run.samples]
    header = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))
    # 8 for moof; a traf has the same size whatever the offset in it.
    moof_size = 8 + len(header) + sum(len(_traf(run, 0)) for run in runs)
    offset = moof_size + 8
    fragments = []
    for run in runs:
        fragments.append(_traf(run, offset))
        offset += sum(len(sample.data) for sample in run.samples)
    payload = (sample.data for run in runs for sample in run.samples)
    return box(b"moof", header, *fragments) + box(b"mdat", *payload)
