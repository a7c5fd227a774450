"""How much a fault in a JPEG affects its pixels: what libjpeg warns of may be nothing, or half the picture.

libjpeg-turbo stops at its first warning, or says nothing of any. Here the parts of a file are looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FEW_BYTES = 16
"""Padding before a restart marker that says nothing of the pixels; wrecked covers have hundreds of bytes there."""

END = b"\xff\xd9"

_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_SOI, _EOI, _SOS, _DRI = 0xD8, 0xD9, 0xDA, 0xDD
_SEQUENTIAL = (0xC0, 0xC1)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_WIDTH = 65_500
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])", re.DOTALL)


@dataclass(frozen=True)
class _Segment:
    """A marker with what belongs to it, `data[begin:end]`; of a scan, without its entropy-coded data."""

    marker: int
    begin: int
    end: int


def is_padding_only(data: bytes, decode_strictly: Callable[[bytes], object]) -> bool:
    """Return whether nothing is wrong with a JPEG but a few bytes of padding before restart markers.

    Every interval between restart markers is decoded as a JPEG of its own. So the pixels are whole if each of them
    has all its blocks, at most `FEW_BYTES` are left over, and the markers are in order.

    Parameters
    ----------
    data
        A whole JPEG.
    decode_strictly
        Decodes a JPEG, and raises a `ValueError` with libjpeg's words at its first warning.
    """
    header = _header(data)
    frame = next((each for each in header if each.marker in _FRAMES), None)
    restart = next((each for each in header if each.marker == _DRI), None)
    if frame is None or restart is None or frame.marker not in _SEQUENTIAL or header[-1].marker != _SOS:
        return False
    height, width, factors = _size(data, frame)
    interval = int.from_bytes(data[restart.begin + 4 : restart.begin + 6])
    if not interval or not width or not height or data[header[-1].begin + 4] != len(factors):
        return False
    block_width, block_height = 8 * max(x for x, _ in factors), 8 * max(y for _, y in factors)
    if len(factors) == 1:
        block_width = block_height = 8
    blocks = -(-width // block_width) * -(-height // block_height)
    parts = _intervals(data, header[-1].end)
    if parts is None or len(parts) != -(-blocks // interval) or interval * block_width > _MOST_WIDTH:
        return False
    start = bytearray(data[: header[-1].end])
    start[restart.begin + 4 : restart.begin + 6] = b"\0\0"
    for number, part in enumerate(parts):
        inside = min(interval, blocks - number * interval) * block_width
        start[frame.begin + 5 : frame.begin + 9] = block_height.to_bytes(2) + inside.to_bytes(2)
        try:
            decode_strictly(bytes(start) + part + END)
        except ValueError as error:
            left_over = _EXTRANEOUS.search(str(error))
            if left_over is None or int(left_over[1]) > FEW_BYTES:
                return False
    return True


def has_all_scans(data: bytes) -> bool:
    """Return whether the scans that a JPEG begins cover every coefficient of every component to the last bit."""
    missing: dict[int, set[int]] = {}
    for segment in _segments(data):
        if segment.marker in _FRAMES:
            count = data[segment.begin + 9]
            parts = range(segment.begin + 10, segment.begin + 10 + 3 * count, 3)
            missing = {data[part]: {*range(64)} for part in parts}
        elif segment.marker == _SOS:
            count = data[segment.begin + 4]
            first, last, bits = data[segment.begin + 5 + 2 * count : segment.begin + 8 + 2 * count]
            for part in range(segment.begin + 5, segment.begin + 5 + 2 * count, 2):
                if not bits & 15:
                    missing.get(data[part], set()).difference_update(range(first, last + 1))
    return bool(missing) and not any(missing.values())


def without_metadata(data: bytes) -> Iterator[bytes]:
    """Yield a JPEG without the segments that say nothing of its pixels; EXIF, which may turn it, goes last."""
    header = _header(data)
    if header and header[-1].marker == _SOS:
        for kept in ({0xE1, 0xEE}, {0xEE}):
            segments = (each for each in header if not 0xE0 <= each.marker <= 0xEF or each.marker in kept)
            inside = b"".join(data[each.begin : each.end] for each in segments if each.marker != 0xFE)
            yield data[:2] + inside + data[header[-1].end :]


def _header(data: bytes) -> list[_Segment]:
    """Return the segments up to the first scan."""
    found = []
    for segment in _segments(data):
        found.append(segment)
        if segment.marker == _SOS:
            break
    return found


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield all segments that are whole, as far as they follow one another."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker in (_SOI, _EOI) or end > len(data) or end < at + 4:
            return
        yield _Segment(marker, at, end)
        at = end
        if marker == _SOS:
            following = _NEXT_MARKER.search(data, end)
            if following is None:
                return
            at = following.start()


def _size(data: bytes, frame: _Segment) -> tuple[int, int, list[tuple[int, int]]]:
    """Return height, width, and the sampling factors of each component, across and down."""
    at = frame.begin
    factors = [data[at + 11 + 3 * number] for number in range(data[at + 9])]
    height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
    return height, width, [(factor >> 4, factor & 15) for factor in factors]


def _intervals(data: bytes, begin: int) -> list[bytes] | None:
    """Return what lies between the restart markers of the first scan; None if they, or its end, are out of order."""
    end = _NEXT_MARKER.search(data, begin)
    if end is None or end[1] != END[1:]:
        return None
    parts, at = [], begin
    for number, marker in enumerate(_RESTART.finditer(data, begin, end.start())):
        if marker[1][0] != 0xD0 + number % 8:
            return None
        parts.append(data[at : marker.start()])
        at = marker.end()
    return [*parts, data[at : end.start()]]
