"""Pictures with faults: what touches no pixel is read, what does is refused, and what is not read is called so."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sleevenotes.covers.images import Pixels, decode, probe
from sleevenotes.covers.jpeg_faults import FEW_BYTES
from sleevenotes.covers.other_files import EXPORT
from sleevenotes.errors import CoverError, NotACover, TruncatedCover


def drawn(mode: str = "RGB", size: tuple[int, int] = (70, 50)) -> Image.Image:
    """Stripes and noise, so that every block of a JPEG holds something."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 90, (size[1], size[0], 4)) + np.linspace(0, 160, size[0]).astype(int)[None, :, None]
    return Image.fromarray(pixels.astype(np.uint8), "RGBA").convert(mode)


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes, *, sound: bool = True) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (not sound)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(color_type: int, depth: int, rows: bytes, size: tuple[int, int], *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# -- transparency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "row", "key", "expected"),
    [
        (1, b"\x50", 0, [255, 255, 255, 255]),
        (1, b"\x50", 1, [0, 255, 0, 255]),
        (2, b"\x1b", 1, [0, 255, 170, 255]),
        (4, b"\x05\x0f", 5, [0, 255, 0, 255]),
        (8, b"\x05\x09\x0a\xff", 9, [5, 255, 10, 255]),
        (16, struct.pack(">4H", 0, 12_345, 32_896, 65_535), 12_345, [0, 255, 128, 255]),
        (16, struct.pack(">4H", 0, 256, 257, 258), 257, [0, 1, 255, 1]),
    ],
)
def test_grey_with_a_transparent_shade_is_laid_on_white(depth: int, row: bytes, key: int, expected: list[int]) -> None:
    data = png(0, depth, b"\0" + row, (4, 1), chunk(b"tRNS", struct.pack(">H", key)))
    assert decode(data)[0].tolist() == [[value] * 3 for value in expected]


def test_grey_of_16_bits_is_as_bright_with_a_transparent_shade_as_without() -> None:
    values = np.linspace(0, 65_535, 64 * 64).astype(">u2").reshape(64, 64)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    key = chunk(b"tRNS", struct.pack(">H", 12_345))
    np.testing.assert_array_equal(decode(png(0, 16, rows, (64, 64), key)), decode(png(0, 16, rows, (64, 64))))


def test_a_transparent_colour_of_16_bits_is_laid_on_white() -> None:
    rows = b"\0" + struct.pack(">6H", 257, 514, 771, 1_028, 1_285, 1_542)
    data = png(2, 16, rows, (2, 1), chunk(b"tRNS", struct.pack(">3H", 257, 514, 771)))
    assert decode(data)[0].tolist() == [[255, 255, 255], [4, 5, 6]]


# -- metadata ----------------------------------------------------------------------------------------------------------

LARGE = zlib.compress(bytes(3_000_000))
METADATA = {
    "a large text": chunk(b"zTXt", b"note\0\0" + LARGE),
    "a large XMP packet": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "a large profile": chunk(b"iCCP", b"icc\0\0" + LARGE),
    "a profile of an unknown method": chunk(b"iCCP", b"icc\0\7" + zlib.compress(b"x")),
    "a text of an unknown method": chunk(b"zTXt", b"note\0\7" + zlib.compress(b"x")),
    "a profile that is no zlib stream": chunk(b"iCCP", b"icc\0\0garbage"),
    "a text with a wrong checksum": chunk(b"tEXt", b"note\0text", sound=False),
    "a profile with a wrong checksum": chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"x"), sound=False),
    "a gamma that is too short": chunk(b"gAMA", b"\0"),
    "a size in metres that is too short": chunk(b"pHYs", b"\0"),
    "a chunk of its own kind": chunk(b"zzZz", b"\0" * 9, sound=False),
}


@pytest.mark.parametrize("where", ["before the pixels", "after them"])
@pytest.mark.parametrize("name", METADATA)
def test_metadata_never_damages_a_png(name: str, where: str) -> None:
    data = saved(drawn(), "PNG")
    at = data.index(b"IDAT") - 4 if where == "before the pixels" else data.index(b"IEND") - 4
    np.testing.assert_array_equal(decode(data[:at] + METADATA[name] + data[at:]), decode(data))


def test_damage_beside_faulty_metadata_is_damage_still() -> None:
    data = saved(drawn(), "PNG")
    at = data.index(b"IDAT") - 4
    faulty = bytearray(data[:at] + METADATA["a large text"] + data[at:])
    faulty[faulty.index(b"IDAT") + 90] ^= 1
    with pytest.raises(TruncatedCover, match="wrong checksum of the IDAT chunk"):
        decode(bytes(faulty))
    with pytest.raises(TruncatedCover, match="cut off"):
        decode(bytes(faulty[:-400]))


def test_a_png_stays_the_right_way_up_and_in_its_colours_beside_faulty_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lab = Image.new("RGB", (4, 4), (200, 60, 30))
    profile = _profile() + bytes(1_500_000)
    data = saved(lab.resize((6, 4)), "PNG", exif=exif, icc_profile=_profile())
    at = data.index(b"IDAT") - 4
    large = data[: data.index(b"iCCP") - 4] + chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile)) + data[at:]
    if b"eXIf" not in large:
        large = large.replace(data[at:], data[data.index(b"eXIf") - 4 :])
    np.testing.assert_array_equal(decode(large), decode(data))
    assert probe(large, "x").height == 6
    assert abs(int(decode(data)[0, 0, 1]) - 60) > 3  # the profile is not sRGB


def _profile() -> bytes:
    """A profile whose gamma is 1: 60 is far brighter in it than in sRGB."""
    from test_images import rgb_profile

    return rgb_profile(gamma=1.0)


@pytest.mark.parametrize(
    "segment",
    [
        *((0xE2, b"ICC_PROFILE\0"), (0xE0, b"JFIF\0"), (0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0"), (0xEE, b"Ad")),
        *((0xE2, b"MPF\0\0"), (0xEC, b""), (0xFE, b"")),
    ],
)
def test_metadata_never_damages_a_jpeg(segment: tuple[int, bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(drawn(), "JPEG", exif=exif)
    marker, body = segment
    faulty = data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]
    np.testing.assert_array_equal(decode(faulty), decode(data))
    assert decode(faulty).shape == (70, 50, 3)


# -- warnings of the JPEG decoder --------------------------------------------------------------------------------------

KINDS = {
    "4:2:0": (drawn(), {"subsampling": 2}),
    "4:4:4": (drawn(), {"subsampling": 0}),
    "grey": (drawn("L"), {}),
    "ink": (drawn("CMYK"), {}),
}


def with_restarts(kind: str, padding: bytes = b"", *, at: int = 2) -> bytes:
    """A JPEG with a restart marker after each row of blocks, and padding before one of these."""
    picture, options = KINDS[kind]
    data = saved(picture, "JPEG", restart_marker_rows=1, quality=90, **options)
    marker = data.index(b"\xff" + bytes([0xD0 + at]), data.index(b"\xff\xda"))
    return data[:marker] + padding + data[marker:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padding", [b"\x124Vx\x124", bytes(FEW_BYTES), b"\0"])
def test_padding_before_a_restart_marker_is_read_past(kind: str, padding: bytes) -> None:
    np.testing.assert_array_equal(decode(with_restarts(kind, padding)), decode(with_restarts(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_many_bytes_before_a_restart_marker_are_damage(kind: str) -> None:
    with pytest.raises(TruncatedCover, match="extraneous bytes before marker 0xd2"):
        decode(with_restarts(kind, bytes(FEW_BYTES + 100)))


@pytest.mark.parametrize("kind", KINDS)
def test_damage_beside_padding_is_damage_still(kind: str) -> None:
    data, padding = with_restarts(kind), b"\x124Vx\x124"
    first, second = (data.index(marker, data.index(b"\xff\xda")) for marker in (b"\xff\xd0", b"\xff\xd1"))
    padded = data[:first] + padding + data[first:]
    shorter = padded[: second + len(padding) - 20] + padded[second + len(padding) :]
    swapped = bytearray(padded)
    swapped[second + len(padding) + 1] = 0xD3
    for damaged in (shorter, bytes(swapped), padded[:-40]):
        with pytest.raises(TruncatedCover):
            decode(damaged)


def test_a_jpeg_that_lacks_nothing_but_its_end_is_read() -> None:
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        data = saved(drawn(), "JPEG", **options)
        np.testing.assert_array_equal(decode(data[:-2]), decode(data))
        with pytest.raises(TruncatedCover, match="cut off after"):
            decode(data[:-40])


def test_a_progressive_jpeg_that_lacks_a_scan_is_cut_off() -> None:
    data = saved(drawn(), "JPEG", progressive=True)
    scans = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    tables = [data.rindex(b"\xff\xc4", 0, scan) for scan in scans[1:]]
    assert len(scans) > 3
    for end in (*scans[1:], *tables):
        with pytest.raises(TruncatedCover):
            decode(data[:end])


# -- kinds that are not read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "an HEIC picture"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"gimp xcf v011\0", "a GIMP file (XCF)"),
        (b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31", "an InDesign document"),
        (b"%PDF-1.7", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript file"),
        (b'<svg xmlns="x"/>', "an SVG drawing, which has no pixels"),
        (b"\xff\x0a" + bytes(20), "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeimage/openraster", "a Krita file"),
        (b"P5\n3 3 255\n", "a PPM, PGM or PBM picture"),
        (b"\0\0\1\0", "an icon"),
        (b"v/1\x01", "a picture of high dynamic range (EXR or HDR)"),
        (b"qoif", "a picture of a kind that is not read"),
    ],
)
def test_a_picture_of_another_kind_is_named_with_what_to_do(head: bytes, words: str) -> None:
    with pytest.raises(NotACover) as caught:
        decode(head + bytes(50), where="a.jpg")
    expected = "A JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF was expected"
    assert str(caught.value) == f"a.jpg: {words}. {expected}. {EXPORT}."


def test_a_pointer_and_a_note_of_macos_are_told_from_the_picture() -> None:
    with pytest.raises(NotACover, match=r"a Git LFS pointer instead of the picture\..*`git lfs pull`\.$"):
        decode(b"version https://git-lfs.github.com/spec/v1\noid sha256:00")
    with pytest.raises(NotACover, match=r"a note of macOS beside a file.*without `\._` before it\.$"):
        decode(b"\0\x05\x16\x07\0\2\0\0Mac OS X")


@pytest.mark.parametrize(
    "head", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"\xff\xd8\xff\xe0", b"BM" + bytes(12) + b"("]
)
def test_no_message_is_written_as_python_writes_it(head: bytes) -> None:
    for rest in (b"\xe9t\xe9", bytes(40), b"some text", bytes(range(256))):
        with pytest.raises(CoverError) as caught:
            decode(head + rest, where="a.jpg")
        assert not any(sign in str(caught.value) for sign in ("b'", 'b"', "\\x", "Error", "object at"))


def tiff(compression: str, mode: str = "RGB") -> bytearray:
    return bytearray(saved(drawn(mode, (400, 300)), "TIFF", compression=compression))


def compressed_as(data: bytearray, method: int) -> bytes:
    """A TIFF that says that it is compressed in another way."""
    at = int.from_bytes(data[4:8], "little") + 2
    while int.from_bytes(data[at : at + 2], "little") != 259:
        at += 12
    data[at + 8 : at + 10] = method.to_bytes(2, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("method", "name"), [(50_001, "WebP"), (50_002, "JPEG XL"), (34_712, "JPEG 2000"), (999, "method 999")]
)
def test_a_tiff_that_is_compressed_in_a_way_that_is_not_read_is_called_so(method: int, name: str) -> None:
    with pytest.raises(NotACover) as caught:
        decode(compressed_as(tiff("tiff_lzw"), method), where="a.tif")
    assert str(caught.value) == f"a.tif: a sort of TIFF that is not read (compressed as {name}). {EXPORT}."


def test_what_libtiff_says_does_not_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for method in (50_001, 34_925, 8, 6):
        with pytest.raises(CoverError):
            decode(compressed_as(tiff("tiff_lzw"), method))
    assert capfd.readouterr().err == ""


def test_what_pillow_logs_does_not_reach_stderr(tmp_path: Path) -> None:
    data = tiff("tiff_lzw")
    at = int.from_bytes(data[4:8], "little") + 2
    while int.from_bytes(data[at : at + 2], "little") != 277:  # samples per pixel
        at += 12
    data[at + 8 : at + 10] = b"\xff\xff"
    (tmp_path / "a.tif").write_bytes(data)
    code = "import sys, pathlib, sleevenotes.covers.images as i; i.decode(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.tif")], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("Traceback")
    assert "a.tif: " in done.stderr.splitlines()[-1]


def test_a_damaged_fax_is_told() -> None:
    data = tiff("group4", "1")
    whole = decode(bytes(data))
    damaged = bytearray(data)
    for at in range(200, 3_000, 97):
        damaged[at] ^= 0xFF
    with pytest.raises(TruncatedCover, match=r"libtiff found [\d,]+ faults in its data, the first in Fax"):
        decode(bytes(damaged))
    np.testing.assert_array_equal(decode(bytes(data)), whole)


def test_an_avif_whose_transparency_is_declined_is_called_not_read() -> None:
    data = bytearray(saved(drawn("RGBA"), "AVIF"))
    associations = data.index(b"ipma") + 4
    second = data.index(b"\0\2\4\1", associations)  # the alpha item and its four properties, the first of them its size
    data[second + 3] = data[second + 4]
    with pytest.raises(NotACover) as caught:
        decode(bytes(data), where="a.avif")
    assert str(caught.value).endswith(f"its transparency or structure is not as the standard has it). {EXPORT}.")
    with pytest.raises(TruncatedCover, match="cut off after"):
        decode(bytes(data[:-90]))


def test_pixels_of_ordinary_covers_do_not_change() -> None:
    rgb: Pixels = np.asarray(drawn())
    np.testing.assert_array_equal(decode(saved(drawn(), "PNG")), rgb)
    np.testing.assert_array_equal(decode(saved(drawn(), "TIFF", compression="tiff_lzw")), rgb)
