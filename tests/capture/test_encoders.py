"""What the encoders make is what the bus promises, with FFmpeg as judge."""

from fractions import Fraction

import av
import numpy as np

from appliance.messages import Packet
from capture import timecode
from capture.demo import DemoPicture, tone
from capture.encoders import AAC_SAMPLES, OPUS_LOOK_AHEAD, OPUS_SAMPLES, AudioEncoder, VideoEncoder, video_frame
from capture.frames import FRAME_NS, HEIGHT, SAMPLE_RATE, RawFrame
from capture.rungs import Rung, ladder

START = 1_790_000_000_000_000_000


TOP, SAVING = ladder(1_500_000, 400_000)


def encoded(count: int, keyframes: set[int], rung: Rung = TOP) -> list[Packet]:
    encoder, picture = VideoEncoder(7, rung), DemoPicture("x")
    packets = []
    for n in range(count):
        frame = RawFrame(picture.draw(START + n * FRAME_NS), 5_000_000_000 + n * FRAME_NS)
        packets += encoder.encode(video_frame(frame), frame.pts_ns, n in keyframes)
    return packets


def test_one_access_unit_a_picture_without_delay() -> None:
    packets = encoded(40, {0, 17})
    assert [p.seq for p in packets] == list(range(40))
    assert [p.pts_ns for p in packets] == [5_000_000_000 + n * FRAME_NS for n in range(40)]
    assert [p.seq for p in packets if p.keyframe] == [0, 17]


def test_keyframes_bring_their_parameter_sets_in_constrained_baseline() -> None:
    for packet in encoded(20, {0, 10}):
        kinds = [unit[0] & 0x1F for unit in packet.data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
        assert ({7, 8, 5} <= set(kinds)) is packet.keyframe
        if packet.keyframe:
            sps = packet.data[packet.data.index(b"\x67") :]
            assert (sps[1], sps[2] & 0xC0) == (66, 0xC0)


def test_pictures_decode_to_their_time() -> None:
    decoder = av.CodecContext.create("h264", "r")
    times = []
    for packet in encoded(30, {0}):
        frames = decoder.decode(av.Packet(packet.data))
        times += [timecode.read(np.ascontiguousarray(f.to_ndarray()[:HEIGHT])) for f in frames]
    expected = [(START + n * FRAME_NS) // 1_000_000 for n in range(30)]
    assert times
    assert times == expected[: len(times)]


def sound_packets(codec: str, seconds: float) -> list[Packet]:
    encoder = AudioEncoder(codec, 7)
    packets: list[Packet] = []
    for n in range(int(seconds * 50)):
        packets += encoder.encode(tone(START + n * 20_000_000, 960), 5_000_000_000 + n * 20_000_000)
    return packets


def test_audio_packets_follow_each_other_without_a_hole() -> None:
    for codec, length in (("opus", OPUS_SAMPLES), ("aac", AAC_SAMPLES)):
        packets = sound_packets(codec, 2.0)
        steps = {b.pts_ns - a.pts_ns for a, b in zip(packets, packets[1:], strict=False)}
        assert all(abs(step - length * 1_000_000_000 // SAMPLE_RATE) <= 1 for step in steps)
        assert abs(len(packets) - 2.0 * SAMPLE_RATE / length) < 3


def test_the_beep_decodes_where_it_was_played() -> None:
    """The clap at START + 1 s must come out of each codec within 3 ms of its place: Opus counts what is encoded."""
    for codec, late in (("opus", OPUS_LOOK_AHEAD), ("aac", 0)):
        packets = sound_packets(codec, 2.0)
        assert (packets[0].pts_ns == 5_000_000_000) == (codec == "opus")
        decoder = av.CodecContext.create("opus" if codec == "opus" else "aac", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        decoder.sample_rate, decoder.layout = SAMPLE_RATE, "mono"
        if codec == "aac":
            decoder.extradata = packets[0].format.config  # type: ignore[union-attr]
        samples = []
        for packet in packets:
            unit = av.Packet(packet.data)
            unit.time_base = Fraction(1, SAMPLE_RATE)
            samples += [np.atleast_2d(frame.to_ndarray())[0].astype(float) for frame in decoder.decode(unit)]
        line = np.concatenate(samples)
        line /= np.abs(line).max()
        start = (6_000_000_000 - packets[0].pts_ns) * SAMPLE_RATE // 1_000_000_000 + late
        window = line[start - 2400 : start + 2400]
        onset = np.flatnonzero(np.abs(window) > 0.2)[0] - 2400
        assert abs(onset) < 0.003 * SAMPLE_RATE, codec


def test_the_saving_rung_is_a_quarter_of_the_picture() -> None:
    packets = encoded(30, {0}, SAVING)
    assert packets[0].rung == "360p"
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    sizes = {(f.width, f.height) for p in packets for f in decoder.decode(av.Packet(p.data))}
    assert sizes == {(640, 360)}
    assert sum(len(p.data) for p in packets) * 8 < 1.3 * SAVING.bitrate


def test_speech_carries_a_copy_of_the_packet_before() -> None:
    """RFC 6716: configurations 0 to 15 have SILK, where the second bit after the first byte tells of such a copy."""
    rng = np.random.default_rng(1)
    time = np.arange(SAMPLE_RATE * 2) / SAMPLE_RATE
    pulses = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 30))
    voice = pulses * (1 + np.sin(2 * np.pi * 3 * time)) + rng.normal(0, 0.02, len(time))
    samples = (voice / np.abs(voice).max() * 12_000).astype(np.int16)
    packets = AudioEncoder("opus", 7).encode(samples, 0)
    copies = [p for p in packets if p.data[0] >> 3 < 16 and p.data[1] >> 6 & 1]
    assert len(copies) > len(packets) // 3
