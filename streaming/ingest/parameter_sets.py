"""As much of H.264's parameter sets and slice headers as tells how large a picture is (H.264 section 7.3). Pure."""

from __future__ import annotations

from collections.abc import Iterable

# Profiles whose SPS goes on with the chroma format (7.3.2.1.1).
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_LONGEST_EXP_GOLOMB = 32
LARGEST_SIDE = 16_384


class ParameterError(ValueError):
    """The bytes are not the parameter set or slice header that they should be."""


class _Bits:
    """Reads a NAL unit's payload bit by bit, emulation prevention bytes (7.4.1) taken out."""

    def __init__(self, payload: bytes) -> None:
        self._data = payload.replace(b"\x00\x00\x03", b"\x00\x00")
        self._position = 0

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte, bit = divmod(self._position, 8)
            if byte >= len(self._data):
                raise ParameterError("the unit is cut short")
            value = value << 1 | self._data[byte] >> (7 - bit) & 1
            self._position += 1
        return value

    def ue(self) -> int:
        """An unsigned Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _LONGEST_EXP_GOLOMB:
                raise ParameterError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.read(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def sps_id(sps: bytes) -> int:
    """seq_parameter_set_id of an SPS. Raises ParameterError, as all of these do."""
    return _Bits(sps[4:]).ue()


def pps_ids(pps: bytes) -> tuple[int, int]:
    """pic_parameter_set_id and seq_parameter_set_id of a PPS."""
    bits = _Bits(pps[1:])
    return bits.ue(), bits.ue()


def slice_pps_id(unit: bytes) -> int:
    """pic_parameter_set_id of a slice (7.3.3)."""
    bits = _Bits(unit[1:64])
    bits.ue()
    bits.ue()
    return bits.ue()


def size(sps: bytes) -> tuple[int, int]:
    """Width and height of the pictures in pixels, as they are shown."""
    bits = _Bits(sps[1:])
    profile = bits.read(8)
    bits.read(16)
    bits.ue()
    chroma, separate = 1, 0
    if profile in _WITH_CHROMA:
        chroma = bits.ue()
        separate = bits.read(1) if chroma == 3 else 0
        bits.ue()
        bits.ue()
        bits.read(1)
        if bits.read(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.ue()
    _skip_order(bits)
    bits.ue()
    bits.read(1)
    width, height = (bits.ue() + 1) * 16, (bits.ue() + 1) * 16
    frames_only = bits.read(1)
    if not frames_only:
        height *= 2
        bits.read(1)
    bits.read(1)
    if bits.read(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        across = 2 if chroma in (1, 2) and not separate else 1
        down = (2 if chroma == 1 and not separate else 1) * (1 if frames_only else 2)
        width -= across * (left + right)
        height -= down * (top + bottom)
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise ParameterError("a picture of no possible size")
    return width, height


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if not bits.read(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last


def _skip_order(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.read(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue() & 0xFF):
            bits.se()


def picture_size(slice_unit: bytes, spss: Iterable[bytes], ppss: Iterable[bytes]) -> tuple[int, int]:
    """Width and height of the picture that a slice belongs to."""
    wanted = slice_pps_id(slice_unit)
    by_pps = dict(pps_ids(pps) for pps in ppss)
    by_sps = {sps_id(sps): sps for sps in spss}
    if by_pps.get(wanted) not in by_sps:
        raise ParameterError("the slice's parameter sets are missing")
    return size(by_sps[by_pps[wanted]])
