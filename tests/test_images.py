"""The one decoder: every kind of cover it reads, every fault it tells."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image, ImageCms

from sleevenotes.covers.images import CoverInfo, Pixels, decode, encode, probe, resize, sha256
from sleevenotes.errors import CoverError, EmptyCover, NotACover, OversizedCover, TruncatedCover

ORIENTATION = 0x0112


def drawn(height: int = 29, width: int = 37, seed: int = 0) -> Pixels:
    """Draw something like a cover: gradients, a noisy square, a hard edge."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = x * 255 / max(1, width - 1), y * 255 / max(1, height - 1)
    pixels = np.stack([red, green, (x * y) % 256], axis=-1).astype(np.uint8)
    rng = np.random.default_rng(seed)
    box = pixels[height // 4 : height // 2, width // 4 : width // 2]
    box[...] = rng.integers(0, 256, box.shape)
    return pixels


def saved(picture: Image.Image | Pixels, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture.convert("RGB"))


def mean_difference(a: Pixels, b: Pixels) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def decode_or_none(data: bytes) -> Pixels | None:
    """Decode, or refuse as is due; any other exception is a bug."""
    try:
        return decode(data, max_pixels=1_000_000)
    except CoverError:
        return None


PICTURE = Image.fromarray(drawn())

COVERS: dict[str, bytes] = {
    "jpeg": saved(PICTURE, "JPEG", exif=exif(6)),
    "progressive jpeg": saved(PICTURE, "JPEG", progressive=True),
    "jpeg with restarts": saved(PICTURE, "JPEG", restart_marker_blocks=2),
    "grey jpeg": saved(PICTURE.convert("L"), "JPEG"),
    "cmyk jpeg": saved(PICTURE.convert("CMYK"), "JPEG"),
    "png": saved(PICTURE, "PNG"),
    "palette png": saved(PICTURE.quantize(16), "PNG", transparency=b"\0\x80"),
    "16-bit png": saved(Image.fromarray(drawn()[..., 0].astype(np.uint16) * 257), "PNG"),
    "webp": saved(PICTURE, "WEBP", exif=exif(6)),
    "lossless webp": saved(PICTURE, "WEBP", lossless=True),
    "moving webp": saved(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(90)]),
    "gif": saved(PICTURE.quantize(32), "GIF"),
    "bmp": saved(PICTURE, "BMP"),
    "tiff": saved(PICTURE, "TIFF"),
    "deflated tiff": saved(PICTURE, "TIFF", compression="tiff_deflate"),
    "float tiff": saved(Image.fromarray(drawn()[..., 0].astype(np.float32)), "TIFF"),
    "lab tiff": saved(Image.frombytes("LAB", PICTURE.size, drawn().tobytes()), "TIFF"),
    "avif": saved(PICTURE, "AVIF", exif=exif(6)),
}


# -- every kind of cover ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COVERS)
def test_decode_gives_upright_rgb_that_the_header_announced(name: str) -> None:
    info = probe(COVERS[name], name)
    pixels = decode(COVERS[name])
    assert pixels.shape == (info.height, info.width, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert info.format in name
    assert (info.width, info.height) == ((29, 37) if "exif" in Image.open(io.BytesIO(COVERS[name])).info else (37, 29))


@pytest.mark.parametrize("name", ["png", "lossless webp", "bmp", "tiff", "deflated tiff"])
def test_lossless_kinds_give_back_every_pixel(name: str) -> None:
    np.testing.assert_array_equal(decode(COVERS[name]), drawn())


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_encode_and_decode_are_a_round_trip(format: str) -> None:
    smooth = resize(drawn(), 64)
    data = encode(smooth, format, quality=95)
    assert probe(data, "cover") == CoverInfo(format, 64, 64)
    assert mean_difference(decode(data), smooth) < (0.01 if format == "png" else 6)


def test_encode_refuses_what_it_does_not_write() -> None:
    with pytest.raises(CoverError, match=r"encode: unknown format 'jpg'.*Did you mean 'jpeg'\?"):
        encode(drawn(), "jpg")


@pytest.mark.parametrize(
    ("format", "suffix"),
    [("jpeg", ".jpg"), ("png", ".png"), ("webp", ".webp"), ("gif", ".gif"), ("tiff", ".tiff"), ("avif", ".avif")],
)
def test_suffix_is_the_usual_one(format: str, suffix: str) -> None:
    assert CoverInfo(format, 1, 1).suffix == suffix


def test_the_bytes_tell_the_kind_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(COVERS["png"])
    np.testing.assert_array_equal(decode(tmp_path / "cover.jpg"), drawn())


def test_sha256_is_that_of_the_bytes() -> None:
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# -- JPEG ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 31), (97, 131), (300, 300)])
@pytest.mark.parametrize("progressive", [False, True])
def test_fast_path_and_pillow_agree(subsampling: str, size: tuple[int, int], progressive: bool) -> None:
    data = saved(drawn(*size), "JPEG", subsampling=subsampling, quality=85, progressive=progressive)
    assert mean_difference(decode(data), by_pillow(data)) < 0.05


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_covers_are_turned_as_exif_says(orientation: int, format: str) -> None:
    plain = decode(saved(drawn(), format, **({"quality": 100} if format == "AVIF" else {})))
    lying = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain),  # EXIF 6 says "turn clockwise", so it was stored turned the other way
        7: plain.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(plain, -1),
    }[orientation]
    data = saved(np.ascontiguousarray(lying), format, quality=100, lossless=True, exif=exif(orientation))
    info = probe(data, "cover")
    assert (info.width, info.height) == (37, 29)
    assert mean_difference(decode(data), plain) < 6


BROKEN_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03"


@pytest.mark.parametrize("bad", [b"Exif\0\0", b"Exif\0\0nonsense" * 3, BROKEN_EXIF])
def test_broken_exif_breaks_no_cover(bad: bytes) -> None:
    data = saved(PICTURE, "JPEG", exif=bad)
    np.testing.assert_array_equal(decode(data), decode(saved(PICTURE, "JPEG")))


def test_an_orientation_that_does_not_exist_is_upright() -> None:
    assert decode(saved(PICTURE, "JPEG", exif=exif(9))).shape == (29, 37, 3)


def test_grey_jpeg_has_three_equal_channels() -> None:
    pixels = decode(COVERS["grey jpeg"])
    assert (pixels == pixels[..., :1]).all()
    assert mean_difference(pixels, by_pillow(COVERS["grey jpeg"])) < 0.05


def test_cmyk_and_ycck_jpegs_are_inverted_as_adobe_does() -> None:
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:, 8:, 0] = 255  # paper on the left, cyan on the right
    cmyk = saved(Image.frombytes("CMYK", (16, 16), ink.tobytes()), "JPEG", quality=100)
    ycck = simplejpeg.encode_jpeg(255 - ink, quality=100, colorspace="CMYK", colorsubsampling="444")
    assert simplejpeg.decode_jpeg_header(cmyk)[2] == "CMYK"
    assert simplejpeg.decode_jpeg_header(ycck)[2] == "YCCK"
    for data in (cmyk, ycck):
        pixels = decode(data).astype(int)
        assert np.abs(pixels[:, :6] - [255, 255, 255]).max() <= 3
        assert np.abs(pixels[:, 10:] - [0, 255, 255]).max() <= 3


def test_rgb_jpeg_without_ycbcr_is_read() -> None:
    assert mean_difference(decode(saved(PICTURE, "JPEG", keep_rgb=True, quality=100)), drawn()) < 2


def test_a_whole_jpeg_with_harmless_faults_is_read() -> None:
    whole = saved(PICTURE, "JPEG", progressive=False)
    pixels = decode(whole)
    bad_profile = b"\xff\xe2" + struct.pack(">H", 30) + b"ICC_PROFILE\0\x02\x01" + bytes(14)
    faulty = {
        "bytes after the end": whole + b"\0" * 500 + b"<!-- cached -->",
        "bytes before the end": whole[:-2] + bytes(10) + whole[-2:],
        "one piece of a profile in two": whole[:2] + bad_profile + whole[2:],
    }
    for fault, data in faulty.items():
        np.testing.assert_array_equal(decode(data), pixels, err_msg=fault)


def test_a_damaged_jpeg_is_told_and_not_half_read() -> None:
    whole = saved(drawn(97, 131), "JPEG", quality=90)
    closed_early = whole[: len(whole) // 2] + b"\xff\xd9"
    assert by_pillow(closed_early).shape == (97, 131, 3)  # Pillow fills the rest with grey and says nothing
    with pytest.raises(TruncatedCover, match=r"abba\.jpg: damaged within its [\d,]+ bytes \(.*premature end"):
        decode(closed_early, where="abba.jpg")
    restarts = saved(drawn(97, 131), "JPEG", restart_marker_blocks=3)
    lost = restarts.index(b"\xff\xd3")
    with pytest.raises(TruncatedCover, match="extraneous bytes before marker 0xd4"):
        decode(restarts[:lost] + restarts[lost + 2 :])


def test_a_12_bit_jpeg_is_told_to_be_of_a_sort_that_is_not_read() -> None:
    data = bytearray(saved(PICTURE, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(NotACover, match=r"a sort of JPEG that is not read \(cannot handle 12-bit layers\)"):
        decode(bytes(data))


# -- depth, transparency, frames -------------------------------------------------------------------------------------


def test_transparency_is_laid_on_white() -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0] = [200, 100, 0, 255]
    rgba[1] = [200, 100, 0, 128]
    for format in ("PNG", "WEBP", "TIFF"):
        pixels = decode(saved(Image.fromarray(rgba), format, **({"lossless": True} if format == "WEBP" else {})))
        np.testing.assert_array_equal(pixels[0, 0], [200, 100, 0])
        np.testing.assert_allclose(pixels[1, 0], [227, 177, 127], atol=1)
        np.testing.assert_array_equal(pixels[2:], 255)


def test_grey_with_alpha_and_colour_keys_are_laid_on_white() -> None:
    la = Image.merge("LA", [Image.new("L", (2, 1), 100), Image.new("L", (2, 1), 0)])
    la.putpixel((0, 0), (100, 255))
    assert decode(saved(la, "PNG")).tolist() == [[[100] * 3, [255] * 3]]
    grey = Image.new("L", (2, 1), 7)
    grey.putpixel((0, 0), 100)
    assert decode(saved(grey, "PNG", transparency=7)).tolist() == [[[100] * 3, [255] * 3]]
    color = Image.new("RGB", (2, 1), (1, 2, 3))
    color.putpixel((0, 0), (9, 8, 7))
    assert decode(saved(color, "PNG", transparency=(1, 2, 3))).tolist() == [[[9, 8, 7], [255] * 3]]


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_palette_with_transparent_entries_is_laid_on_white(transparency: int | bytes) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    assert decode(saved(picture, "PNG", transparency=transparency)).tolist() == [[[10, 20, 30], [255] * 3]]


def test_one_bit_png_is_black_and_white() -> None:
    picture = Image.new("1", (2, 1))
    picture.putpixel((1, 0), 1)
    assert decode(saved(picture, "PNG")).tolist() == [[[0] * 3, [255] * 3]]


def png(color_type: int, depth: int, rows: bytes, size: tuple[int, int]) -> bytes:
    """Write a PNG by hand, of sorts that Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_pngs_are_scaled_to_8_bits() -> None:
    grey = png(0, 16, b"\0" + struct.pack(">3H", 0, 257 * 100, 65_535), (3, 1))
    assert decode(grey).tolist() == [[[0] * 3, [100] * 3, [255] * 3]]
    color = png(2, 16, b"\0" + struct.pack(">3H", 257 * 10, 257 * 200, 65_535), (1, 1))
    assert decode(color).tolist() == [[[10, 200, 255]]]
    with_alpha = png(6, 16, b"\0" + struct.pack(">4H", 0, 0, 0, 0), (1, 1))
    assert decode(with_alpha).tolist() == [[[255] * 3]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 0.5, 1, np.nan, -3]], np.float32), [0, 128, 255, 0, 0]),
        (np.array([[0, 100, 255, np.inf, -np.inf]], np.float32), [0, 100, 255, 255, 0]),
        (np.array([[0, 257 * 100, 65_535, 0, 0]], np.float32), [0, 100, 255, 0, 0]),
        (np.array([[0, 100, 200, -5, 0]], np.int32), [0, 100, 200, 0, 0]),
        (np.array([[0, 257 * 100, 65_535, 257, 0]], np.uint16), [0, 100, 255, 1, 0]),
    ],
)
def test_deep_tiffs_are_scaled_to_8_bits(values: np.ndarray, expected: list[int]) -> None:
    assert decode(saved(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == expected


def test_first_frame_of_a_gif_is_taken() -> None:
    frames = [Image.new("RGB", (5, 4), color) for color in ("red", "blue")]
    pixels = decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert (pixels == [255, 0, 0]).all()


def test_bottom_up_and_top_down_bmps_are_upright() -> None:
    upward = COVERS["bmp"]
    rows = np.frombuffer(upward[54:], np.uint8).reshape(29, -1)
    downward = upward[:22] + struct.pack("<i", -29) + upward[26:54] + rows[::-1].tobytes()
    np.testing.assert_array_equal(decode(downward), drawn())


def test_cmyk_tiff_is_not_inverted() -> None:
    paper = Image.new("CMYK", (2, 2), (0, 0, 0, 0))
    assert (decode(saved(paper, "TIFF")) == 255).all()


# -- colour profiles -------------------------------------------------------------------------------------------------


def profile(space: bytes, tags: dict[bytes, bytes], *, connection: bytes = b"XYZ ") -> bytes:
    """Write a small ICC 2.1 profile."""
    table, bodies, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += tag + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    d50 = struct.pack(">3i", 63_190, 65_536, 54_061)
    head = struct.pack(">I4sI4s4s4s", at + len(bodies), b"none", 0x02100000, b"mntr", space, connection)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + d50
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65_536) for v in (x, y, z)))


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


SRGB_COLORANTS = {b"rXYZ": (0.436, 0.222, 0.014), b"gXYZ": (0.385, 0.717, 0.097), b"bXYZ": (0.143, 0.061, 0.714)}
WHITE = {b"wtpt": xyz(0.9642, 1, 0.8249)}


def rgb_profile(order: str = "rgb", gamma: float = 2.2) -> bytes:
    """Write a profile with the primaries of sRGB in another order."""
    colorants = [xyz(*SRGB_COLORANTS[f"{letter}XYZ".encode()]) for letter in order]
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True))
    return profile(b"RGB ", tags | {tag: curve(gamma) for tag in (b"rTRC", b"gTRC", b"bTRC")} | WHITE)


def ink_profile() -> bytes:
    """Write a CMYK profile in which paper is white and any full ink is black."""
    steps = bytes(range(256))
    corners = b"".join(bytes([255 if corner == 0 else 0, 128, 128]) for corner in range(16))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return profile(b"CMYK", {b"A2B0": table + steps * 4 + corners + steps * 3} | WHITE, connection=b"Lab ")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_profile_is_converted_to_srgb(format: str) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    data = saved(red, format, icc_profile=rgb_profile("grb"), quality=100)
    np.testing.assert_allclose(decode(data)[8, 8], [0, 255, 0], atol=4)


def test_a_profile_is_converted_to_srgb_in_palettes_and_behind_alpha() -> None:
    red = Image.new("RGB", (2, 2), (255, 0, 0))
    swapped = rgb_profile("grb")
    np.testing.assert_allclose(decode(saved(red.quantize(2), "PNG", icc_profile=swapped))[0, 0], [0, 255, 0], atol=3)
    glass = red.convert("RGBA")
    glass.putpixel((0, 0), (255, 0, 0, 0))
    pixels = decode(saved(glass, "PNG", icc_profile=swapped))
    np.testing.assert_allclose(pixels[0], [[255, 255, 255], [0, 255, 0]], atol=3)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_grey_profile_is_converted_to_srgb(format: str) -> None:
    linear = profile(b"GRAY", {b"kTRC": curve(1.0)} | WHITE)
    pixels = decode(saved(Image.new("L", (16, 16), 55), format, icc_profile=linear, quality=100))
    np.testing.assert_allclose(pixels, 127, atol=2)  # 255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055)


def test_a_grey_cover_with_an_rgb_profile_is_converted_too() -> None:
    pixels = decode(saved(Image.new("L", (2, 2), 55), "PNG", icc_profile=rgb_profile(gamma=1.0)))
    np.testing.assert_allclose(pixels, 127, atol=3)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_an_ink_profile_is_converted_to_srgb(format: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    np.testing.assert_allclose(decode(saved(cyan, format, quality=100))[8, 8], [0, 255, 255], atol=2)
    np.testing.assert_allclose(
        decode(saved(cyan, format, quality=100, icc_profile=ink_profile()))[8, 8], [0, 0, 0], atol=4
    )


@pytest.mark.parametrize(
    "bad", [b"nonsense", rgb_profile()[:140], ink_profile(), profile(b"GRAY", {b"kTRC": curve(1)})]
)
def test_a_broken_or_foreign_profile_is_left_aside(bad: bytes) -> None:
    np.testing.assert_array_equal(decode(saved(PICTURE, "PNG", icc_profile=bad)), drawn())


def test_a_profile_that_says_srgb_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(decode(saved(PICTURE, "PNG", icc_profile=srgb)), drawn())
    plain, marked = saved(PICTURE, "JPEG"), saved(PICTURE, "JPEG", icc_profile=srgb)
    np.testing.assert_array_equal(decode(plain), decode(marked))


def test_lab_is_converted_to_srgb() -> None:
    white = Image.frombytes("LAB", (1, 1), bytes([255, 0, 0]))
    np.testing.assert_allclose(decode(saved(white, "TIFF")), 255, atol=1)


# -- faults ----------------------------------------------------------------------------------------------------------


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "abba.jpg").touch()
    with pytest.raises(EmptyCover, match=r"^abba\.jpg: an empty file\. A JPEG, PNG, .* or AVIF was expected\.$"):
        decode(tmp_path / "abba.jpg")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="..."/>', "an SVG drawing"),
        (b'\xef\xbb\xbf{"error": 404}', "a JSON text"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "an HEIC picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "an MP4 file"),
        (b"\xff\x0a" + bytes(20), "a JPEG XL picture"),
        (b"ID3\x04", "a piece of music"),
        (b"GIF88a" + bytes(20), "no picture, as it begins with the bytes 47 49 46 38 38 61 00 00"),
        (b"BMW is a brand of cars", "no picture"),
        (b"P6 1 1 255 abc", "a PPM, PGM or PBM picture"),  # Pillow would read it; we don't
        (b"just a text", "no picture, as it begins with 'just a text'"),
    ],
)
def test_what_is_no_cover_is_called_by_its_name(data: bytes, words: str) -> None:
    for ask in (lambda: decode(data, where="abba.jpg"), lambda: probe(data, "abba.jpg")):
        with pytest.raises(NotACover, match=rf"^abba\.jpg: {words}.*A JPEG, PNG, WebP, .* was expected\."):
            ask()


def test_a_cover_cut_off_is_told_with_its_length() -> None:
    data = saved(drawn(97, 131), "JPEG")[:1_500]
    with pytest.raises(TruncatedCover) as caught:
        decode(data, where="abba.jpg")
    assert str(caught.value) == "abba.jpg: cut off after 1,500 bytes. A whole JPEG was expected. Fetch it again."
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", COVERS)
def test_a_cover_cut_off_anywhere_is_whole_or_refused(name: str) -> None:
    data, whole = COVERS[name], decode(COVERS[name])
    for length in range(0, len(data), 1 if len(data) < 1_200 else 7):
        pixels = decode_or_none(data[:length])
        if pixels is not None:
            np.testing.assert_array_equal(pixels, whole)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_gives_pixels_or_a_cover_error(data: st.DataObject) -> None:
    cover = bytearray(COVERS[data.draw(st.sampled_from(sorted(COVERS)))])
    flips = st.tuples(st.integers(0, len(cover) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(flips, min_size=1, max_size=6)):
        cover[at] = value
    damaged = bytes(cover[: data.draw(st.integers(len(cover) // 2, len(cover)))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = decode_or_none(damaged)
        if pixels is not None:
            info = probe(damaged, "cover")
            assert pixels.shape == (info.height, info.width, 3)
            assert pixels.dtype == np.uint8


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", *(cover[:16] for cover in COVERS.values())]), st.binary(max_size=300))
def test_any_bytes_give_pixels_or_a_cover_error(head: bytes, rest: bytes) -> None:
    pixels = decode_or_none(head + rest)
    assert pixels is None or pixels.ndim == 3


def test_damage_in_a_png_is_told_by_its_checksum() -> None:
    data = bytearray(COVERS["png"])
    data[data.index(b"IDAT") + 60] ^= 1
    with pytest.raises(TruncatedCover, match=r"damaged within its [\d,]+ bytes \(wrong checksum of the IDAT chunk"):
        decode(bytes(data))


def test_an_oversized_cover_is_refused_before_it_is_decoded() -> None:
    huge = png(0, 8, b"", (40_000, 30_000))  # not a pixel in it: decoding would fail otherwise
    with pytest.raises(OversizedCover) as caught:
        decode(huge, where="wall.png")
    assert str(caught.value) == (
        "wall.png: 40,000 × 30,000 pixels, 1,200.0 megapixels. No more than 64 megapixels are read. Scale it down."
    )
    with pytest.raises(OversizedCover, match=r"37 × 29 pixels.*No more than 0\.001 megapixels"):
        decode(COVERS["png"], max_pixels=1_000)
    assert decode(COVERS["png"], max_pixels=37 * 29).shape == (29, 37, 3)


@pytest.mark.parametrize("format", ["GIF", "BMP", "WEBP"])
def test_the_limit_holds_for_headers_that_lie(format: str) -> None:
    data = bytearray(saved(PICTURE.quantize(8) if format == "GIF" else PICTURE, format, lossless=True))
    at, size = {
        "GIF": (6, struct.pack("<HH", 60_000, 60_000)),
        "BMP": (18, struct.pack("<ii", 60_000, 60_000)),
        "WEBP": (21, struct.pack("<I", 16_383 | 16_383 << 14)),
    }[format]
    data[at : at + len(size)] = size
    with pytest.raises(OversizedCover, match=r"[\d,]{6,} pixels.*No more than 64 megapixels"):
        decode(bytes(data))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CoverError, match=r"^abba\.jpg: there is no such file\. Check its name"):
        decode(tmp_path / "abba.jpg")
    with pytest.raises(CoverError, match=r"there is no such file|can't be read"):
        decode(tmp_path / ("a" * 300 + ".jpg"))
    with pytest.raises(CoverError, match=r"the file can't be read"):
        decode(Path("abba\0.jpg"))


def test_a_folder_or_a_pipe_is_told(tmp_path: Path) -> None:
    (tmp_path / "pop").mkdir()
    with pytest.raises(CoverError, match=r"^pop: a folder\. A JPEG"):
        decode(tmp_path / "pop")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CoverError, match=r"^pipe: no ordinary file"):
            decode(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "abba.jpg").write_bytes(COVERS["jpeg"])
    (tmp_path / "abba.jpg").chmod(0)
    with pytest.raises(CoverError, match=r"abba\.jpg: the file can't be read \(Permission denied\)"):
        decode(tmp_path / "abba.jpg")


def test_an_avif_without_a_decoder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sleevenotes.covers.images.features.check", lambda name: False)
    with pytest.raises(NotACover, match=r"an AVIF, and this Pillow was built without AVIF.*Install Pillow's wheel"):
        decode(COVERS["avif"])


# -- resizing --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60))
def test_resize_has_the_size_that_was_asked_for(height: int, width: int, to_height: int, to_width: int) -> None:
    assert resize(drawn(height, width), (to_height, to_width)).shape == (to_height, to_width, 3)
    assert resize(drawn(height, width), to_width).shape == (to_width, to_width, 3)


@given(st.integers(0, 255), st.integers(1, 50), st.integers(1, 50))
def test_resize_keeps_an_even_colour(value: int, size: int, to: int) -> None:
    assert (resize(np.full((size, size, 3), value, np.uint8), to) == value).all()


def test_resize_gives_an_array_of_its_own() -> None:
    pixels = drawn()
    resize(pixels, (29, 37))[...] = 0
    np.testing.assert_array_equal(pixels, drawn())


@pytest.mark.parametrize(("size", "to"), [((300, 300), 224), ((600, 580), 224), ((150, 149), 224), ((301, 77), 64)])
def test_resize_agrees_with_antialiased_bicubic_in_torch(size: tuple[int, int], to: int) -> None:
    import torch

    pixels = drawn(*size)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()  # B, C, H, W
    resized = torch.nn.functional.interpolate(tensor, (to, to), mode="bicubic", antialias=True, align_corners=False)
    expected = resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    assert mean_difference(resize(pixels, to), expected) < 1


# -- manners ---------------------------------------------------------------------------------------------------------


def test_decoding_in_threads_gives_the_same_pixels() -> None:
    covers = list(COVERS.values()) * 20
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(decode, covers))
    for cover, pixels in zip(covers[: len(COVERS)], in_threads, strict=False):
        np.testing.assert_array_equal(decode(cover), pixels)


def test_metadata_that_pillow_frowns_at_is_read_in_silence() -> None:
    data = saved(PICTURE, "JPEG", exif=BROKEN_EXIF)
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(io.BytesIO(data)) as picture:
        picture.getexif()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).shape == (29, 37, 3)


def test_decoding_does_not_import_torch() -> None:
    code = "import sys, sleevenotes.covers.images; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False"]


def real_covers() -> list[Path]:
    folder = os.environ.get("SLEEVENOTES_COVERS", "")
    endings = {".jpg", ".jpeg", ".png", ""}
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in endings and path.is_file())


@pytest.mark.skipif("SLEEVENOTES_COVERS" not in os.environ, reason="SLEEVENOTES_COVERS names no folder of real covers")
def test_real_covers_decode_as_pillow_decodes_them() -> None:
    covers = [path.read_bytes() for path in real_covers()[::40]]
    plain = [data for data in covers if b"ICC_PROFILE" not in data and b"Exif" not in data]
    assert plain
    assert max(mean_difference(decode(data), by_pillow(data)) for data in plain) < 0.1
