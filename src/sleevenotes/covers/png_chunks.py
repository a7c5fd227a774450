"""The chunks of a PNG: which of them are damaged, what it is without its metadata, and the profile in it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PROFILE_BYTES = 8_000_000
OF_PIXELS = frozenset({b"tRNS", b"eXIf"})
"""Chunks that decide how a PNG looks, beside those that no PNG can do without: transparency, and which way it is up."""


@dataclass(frozen=True)
class Chunk:
    """A chunk as it lies in a file: at which byte, its kind, what is in it, and whether its checksum is right."""

    at: int
    kind: bytes
    body: memoryview
    end: int

    def is_sound(self, data: bytes) -> bool:
        """Return whether the chunk's checksum is right."""
        return zlib.crc32(memoryview(data)[self.at + 4 : self.end - 4]) == int.from_bytes(data[self.end - 4 : self.end])


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks that are whole."""
    view, at = memoryview(data), len(SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4])
        if end > len(data):
            return
        yield Chunk(at, data[at + 4 : at + 8], view[at + 8 : end - 4], end)
        at = end


def without_metadata(data: bytes) -> bytes:
    """Return a PNG with those of its chunks that decide how it looks, and what follows the last whole one."""
    kept, end = [SIGNATURE], len(SIGNATURE)
    for chunk in chunks(data):
        end = chunk.end
        is_critical = chunk.kind[:1].isupper()
        if is_critical or (chunk.kind in OF_PIXELS and (chunk.kind == b"tRNS" or chunk.is_sound(data))):
            kept.append(data[chunk.at : chunk.end])
    return b"".join(kept) + data[end:]


def profile_of(data: bytes) -> bytes:
    """Return the ICC profile in a PNG; empty if there is none, or none that can be read."""
    chunk = next((chunk for chunk in chunks(data) if chunk.kind == b"iCCP"), None)
    if chunk is None or not chunk.is_sound(data):
        return b""
    _, _, rest = bytes(chunk.body).partition(b"\0")
    if rest[:1] != b"\0":  # the only method of compression there is
        return b""
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(rest[1:], MOST_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if unpacking.eof else b""
