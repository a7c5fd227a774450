"""Properties of files: what a header tells, and numbers made of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, PngImagePlugin

from sleevenotes.covers.dataset import Dataset, from_columns
from sleevenotes.covers.images import JpegForm, Pixels, encode
from sleevenotes.covers.properties import (
    MARKS,
    SWAYED,
    FileProperties,
    estimated_quality,
    file_properties,
    matrix,
    properties_of,
    shape_of,
)
from sleevenotes.errors import CoverError, NotACover


def noise(height: int = 24, width: int = 40, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def saved(format: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(noise()).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(mode: str = "RGB", **options: object) -> FileProperties:
    return file_properties(saved("jpeg", mode, **options), "cover.jpg")


def column(properties: list[FileProperties], name: str) -> list[float]:
    columns, values = matrix(properties)
    return values[:, columns.index(name)].tolist()


# quality


def test_the_quality_of_libjpegs_own_tables_is_exact_from_1_to_100():
    for quality in range(1, 101):
        found = jpeg(quality=quality).jpeg
        assert found is not None
        assert (found.quality, found.chroma_quality) == (quality, quality)


def test_tables_are_those_that_pillow_reads():
    data = saved("jpeg", quality=37)
    with Image.open(BytesIO(data)) as picture:
        tables = {number: tuple(table) for number, table in picture.quantization.items()}
    found = file_properties(data, "a.jpg").jpeg
    assert found is not None
    assert (found.luma, found.chroma, found.tables) == (tables[0], tables[1], 2)


@settings(max_examples=50)
@given(st.integers(3, 97), st.integers(0, 2**32 - 1))
def test_a_table_near_to_libjpegs_is_judged_near(quality: int, seed: int):
    found = jpeg(quality=quality).jpeg
    assert found is not None
    shaken = np.array(found.luma) + np.random.default_rng(seed).integers(-1, 2, 64)
    assert abs(estimated_quality(tuple(shaken.clip(1, 255).tolist())) - quality) <= 4


def test_without_a_table_there_is_no_quality():
    assert np.isnan(estimated_quality(()))


# headers


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_subsampling_and_scans_are_read(subsampling, progressive):
    data = encode(noise(), "jpeg", jpeg=JpegForm(subsampling, progressive))
    found = file_properties(data, "a.jpg").jpeg
    assert found is not None
    assert (found.subsampling, found.progressive) == (subsampling, progressive)


def test_an_unknown_subsampling_is_refused():
    with pytest.raises(CoverError, match=r"encode: unknown subsampling '420'.*Did you mean '4:2:0'\?"):
        encode(noise(), "jpeg", jpeg=JpegForm("420"))


def test_what_encode_wrote_before_it_writes_still():
    assert encode(noise(), "jpeg", quality=85) == saved("jpeg", quality=85)
    assert encode(noise(), "webp", quality=85) == saved("webp", quality=85)


def test_a_grey_jpeg_has_one_table_and_no_quality_of_colours():
    found = jpeg("L", quality=70).jpeg
    assert found is not None
    assert (found.subsampling, found.tables, found.quality) == ("gray", 1, 70)
    assert np.isnan(found.chroma_quality)


def test_what_a_jpeg_carries_is_told():
    exif = Image.Exif()
    exif[0x0131] = "a program"
    icc, xmp = b"a profile", b"<x:xmpmeta/>"
    plain = jpeg()
    full = jpeg(exif=exif, icc_profile=icc, comment=b"words", xmp=xmp, dpi=(300, 300))
    inks = jpeg("CMYK")
    assert plain.marks == {"JFIF"}
    assert full.marks == {"JFIF", "EXIF", "ICC profile", "comment", "XMP"}
    assert inks.marks is not None
    assert "Adobe marker" in inks.marks
    assert plain.jpeg is not None
    assert full.jpeg is not None
    assert (plain.jpeg.density, full.jpeg.density, full.jpeg.density_unit) == (1, 300, 1)


def test_what_a_png_and_a_webp_carry_is_told():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "words")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    exif = Image.Exif()
    exif[0x0131] = "a program"
    png = file_properties(saved("png", pnginfo=info, exif=exif, icc_profile=b"a profile"), "a.png")
    webp = file_properties(saved("webp", exif=exif), "a.webp")
    assert png.marks == {"comment", "XMP", "EXIF", "ICC profile"}
    assert webp.marks == {"EXIF"}
    assert png.jpeg is webp.jpeg is None


def test_what_a_file_can_not_have_is_nan():
    columns, values = matrix([file_properties(saved("gif"), "a.gif")])
    missing = {name for name, value in zip(columns, values[0], strict=True) if np.isnan(value)}
    assert {"JPEG quality (luma)", "number of JPEG tables", "progressive JPEG", *MARKS} <= missing
    assert not missing & {"width", "bytes per pixel", "format", "shape of the file name"}


def test_a_turned_cover_has_the_size_at_which_it_is_shown():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = jpeg(exif=exif)
    assert (found.width, found.height) == (24, 40)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_is_read_as_far_as_it_goes_or_refused(data):
    whole = saved("jpeg", comment=b"words")
    at = data.draw(st.integers(2, 700))
    broken = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + data.draw(st.integers(0, 8)) :]
    found = None
    with suppress(CoverError):
        found = file_properties(broken, "broken.jpg")
    assert matrix([found] if found else [])[1].shape[0] in (0, 1)


def test_no_cover_is_refused_by_name():
    with pytest.raises(NotACover, match=r"page\.jpg: an HTML page"):
        file_properties(b"<html></html>", "folder/page.jpg")


# names


def test_folders_before_a_name_tell_nothing():
    data = saved("png")
    names = ["Rock/R-12-abc.png", "Pop\\R-12-abc.png", "R-12-abc.png", "https://example.org/a/R-12-abc.png"]
    assert len({file_properties(data, name) for name in names}) == 1


@pytest.mark.parametrize(
    ("name", "stem", "ending", "shape"),
    [
        ("R-4080454-1354.jpeg", "R-4080454-1354", ".jpeg", "A-9-9.jpeg"),
        ("Vol. 2", "Vol. 2", "", "Aa. 9"),
        (".png", ".png", "", ".a"),
        ("a_b c.JPG", "a_b c", ".JPG", "a_a a.JPG"),
    ],
)
def test_names_are_taken_apart(name, stem, ending, shape):
    found = replace(jpeg(), name=name)
    assert (found.stem, found.ending, found.shape) == (stem, ending, shape)


@settings(max_examples=50)
@given(st.text("Ab9 -_é東", max_size=12))
def test_the_shape_of_a_shape_is_itself(text: str):
    assert shape_of(shape_of(text)) == shape_of(text)


def test_shares_in_a_name_are_of_its_stem():
    found = [replace(jpeg(), name="AB-12_34 x.jpg"), replace(jpeg(), name="東京.jpg")]
    assert column(found, "length of the file name") == [10, 2]
    assert column(found, "digits in the file name") == pytest.approx([0.4, 0])
    assert column(found, "letters in the file name") == pytest.approx([0.3, 1])
    assert column(found, "capitals in the file name") == pytest.approx([2 / 3, 0])
    for sign in ("dashes", "underscores", "spaces"):
        assert column(found, f"{sign} in the file name") == [1, 0]


# numbers


def test_words_are_coded_by_how_common_they_are():
    found = [replace(jpeg(), format=name) for name in ("png", "jpeg", "gif", "jpeg")]
    assert column(found, "format") == [2, 0, 1, 0]


def test_a_matrix_has_a_row_a_file_and_names_for_all_columns():
    columns, values = matrix([jpeg(), jpeg("L")])
    assert values.shape == (2, len(columns))
    assert values.dtype == np.float32
    assert len(set(columns)) == len(columns)
    assert {*SWAYED} <= {*columns}
    assert matrix([])[1].shape == (0, len(columns))


def test_a_dataset_is_read_under_the_names_that_its_covers_had(tmp_path: Path):
    dataset = one_cover(tmp_path)
    assert [each.name for each in properties_of(dataset).files] == ["R-1-a.jpeg"]
    table = properties_of(dataset)
    assert table.values.shape == (1, len(table.columns))


def test_in_a_harmonised_dataset_the_old_names_are_gone(tmp_path: Path):
    dataset = one_cover(tmp_path)
    (tmp_path / "harmonise.json").write_text("{}", encoding="utf-8")
    assert [each.name for each in properties_of(dataset).files] == ["000001.jpg"]


def one_cover(folder: Path) -> Dataset:
    (folder / "images").mkdir()
    (folder / "images" / "000001.jpg").write_bytes(saved("jpeg"))
    return from_columns(folder, {"file_name": ["images/000001.jpg"], "genres": ["rock"], "source": ["Rock/R-1-a.jpeg"]})
