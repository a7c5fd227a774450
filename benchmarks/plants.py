"""What the audit is tried on: datasets of which is known what is planted in them, how strongly, or that nothing is.

Demo covers are drawn with a shortcut, a leak or wrong labels. Real covers of one genre are halved at random into two
"genres", so that art tells nothing; then every cover of both goes through OpenCV's resizers and OpenCV's or
simplejpeg's encoder, which this project's own `collect` and `harmonise` do not use, and one half is treated otherwise.

A strength is 0 to 1. Of a shortcut it is the share of covers that surely tell their own genre, where others tell any.
Of a leak: the share of covers whose sides, once dealt with groups apart, are dealt anew without. Of wrong labels: 1
puts a third of the releases into a wrong genre. At 0 the check that is tried has nothing to find.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from sleevenotes.collect.collecting import CollectSettings, collect
from sleevenotes.collect.demo import DemoSettings, draw_demo
from sleevenotes.covers.check import near_duplicates
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.groups import groups
from sleevenotes.covers.splits import split
from sleevenotes.errors import SleevenotesWarning

cv2.setNumThreads(1)  # covers are small, and a bench has a process a core

Pixels = NDArray[np.uint8]  # (H, W, 3) blue, green, red, as OpenCV has them
Saved = tuple[bytes, str]  # a file and its suffix
Treatment = Callable[[Pixels, bool], Saved]

GENRES, COVERS, ARTISTS, SIDE_PX = 3, 60, 40, 96  # of the demo covers: genres, covers and artists of each, side
FEW_ARTISTS = 20  # groups are then few and of unequal sizes, which is hard on a test that shuffles groups
HALVES = ("first half", "second half")
EACH = 300  # real covers a half
QUALITY = 88


# Demo covers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DemoPlant:
    """What is planted in demo covers.

    Parameters
    ----------
    knobs
        What the settings are at a strength, beyond those of clean covers.
    check
        The number of the audit's check that must raise a finding; None where none may.
    leaks
        Whether strength is of a leak: covers then lie on both sides of the split that should not.
    layout
        How the covers' folder is read; `genre` leaves artists unknown.
    trains
        Whether the audit has to train something to find it.
    """

    knobs: Callable[[float], Mapping[str, Any]]
    check: int | None = None
    leaks: bool = False
    layout: str = "genre/artist - album.*"
    trains: bool = False


def _shortcut(name: str) -> Callable[[float], Mapping[str, Any]]:
    return lambda strength: {"shortcuts": frozenset({name}), "shortcut_strength": strength}


def _wrong_labels(strength: float) -> Mapping[str, Any]:
    """Art tells all, as a cover in another genre's colours can't be told from one under a wrong genre."""
    return {"label_noise": strength / 3, "signal": 1.0, "covers_per_genre": 150, "artists_per_genre": 100}


DEMO: dict[str, DemoPlant] = {
    "size": DemoPlant(_shortcut("size"), 1),
    "size, few artists": DemoPlant(
        lambda strength: {**_shortcut("size")(strength), "artists_per_genre": FEW_ARTISTS}, 1
    ),
    "quality": DemoPlant(_shortcut("quality"), 1),
    "border": DemoPlant(_shortcut("border"), 2),
    "watermark": DemoPlant(_shortcut("watermark"), 2),
    "artist leak": DemoPlant(lambda strength: {"artists_per_genre": 10, "house_style": 1.0}, 6, leaks=True),
    "duplicate leak": DemoPlant(lambda strength: {"near_duplicates": 0.5}, 6, leaks=True, layout="genre"),
    "wrong labels": DemoPlant(_wrong_labels, 7, trains=True),
}
CLEAN: dict[str, DemoPlant] = {
    "clean: art tells all": DemoPlant(lambda strength: {"signal": 1.0}),
    "clean: art tells some": DemoPlant(lambda strength: {"signal": 0.8}),
    "clean: art tells nothing": DemoPlant(lambda strength: {"signal": 0.0}),
}


def planted_demo(folder: Path, plant: DemoPlant, strength: float, *, seed: int, **knobs: Any) -> Dataset:
    """Return a dataset of demo covers, collected and split, with something planted in them.

    Parameters
    ----------
    knobs
        Further settings of the demo covers, such as fewer of them.
    """
    plain = {"genres": GENRES, "covers_per_genre": COVERS, "artists_per_genre": ARTISTS, "size_px": SIDE_PX}
    nothing = {"broken": 0, "near_duplicates": 0.0, "exact_duplicates": 0.0}
    draw_demo(folder / "covers", DemoSettings(**(plain | nothing | dict(plant.knobs(strength)) | knobs)), seed=seed)
    dataset = _collected(folder, CollectSettings(layout=plant.layout, link=True), seed=seed)
    return leaking(dataset, strength, seed=seed) if plant.leaks else dataset


def leaking(dataset: Dataset, strength: float, *, seed: int) -> Dataset:
    """Return a dataset that was split, with the sides of a share of its covers dealt anew, groups or not."""
    rng = np.random.default_rng([seed, 2])
    sides = np.array(dataset.column("split"))
    loose = np.flatnonzero((rng.random(len(sides)) < strength) & (sides != ""))
    sides[loose] = sides[rng.permutation(loose)]
    changed = dataset.with_columns(split=sides.tolist())
    changed.write()
    return _split(changed, seed=seed)


# Real covers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RealPlant:
    """What is done to real covers.

    Parameters
    ----------
    treat
        Saves a cover, the one way or the other.
    check
        The number of the audit's check that must raise a finding; None where none may.
    """

    treat: Treatment
    check: int | None = None


def jpeg(pixels: Pixels, quality: int = QUALITY) -> bytes:
    """Return a cover as OpenCV's JPEG."""
    return _encoded(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, quality)


def _encoded(pixels: Pixels, suffix: str, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, options)
    assert done, f"OpenCV can't write {suffix}"
    return data.tobytes()


def resized(pixels: Pixels, side_px: int, how: int) -> Pixels:
    """Return a cover with both sides of so many px, by one of OpenCV's resizers."""
    made: Pixels = cv2.resize(pixels, (side_px, side_px), interpolation=how)
    return made


def _of_size(pixels: Pixels, told: bool) -> Saved:
    return jpeg(resized(pixels, 240, cv2.INTER_AREA) if told else pixels), ".jpg"


def _of_quality(pixels: Pixels, told: bool) -> Saved:
    return jpeg(pixels, 75 if told else QUALITY), ".jpg"


def _of_subsampling(pixels: Pixels, told: bool) -> Saved:
    kind = "444" if told else "420"
    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, "BGR", kind), ".jpg"


def _saved_before(pixels: Pixels, told: bool) -> Saved:
    """Save with one quality what was saved with another before: only pixels tell."""
    before = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), 50 if told else 95, "BGR", "420")
    return jpeg(cv2.imdecode(np.frombuffer(before, np.uint8), cv2.IMREAD_COLOR), 95), ".jpg"


def _scaled(small_px: int, how: int) -> Treatment:
    """Shrink and enlarge again, and save with one quality: only pixels tell, and what they compress to."""

    def treat(pixels: Pixels, told: bool) -> Saved:
        side = max(pixels.shape[:2])
        return jpeg(resized(resized(pixels, small_px, cv2.INTER_AREA), side, how) if told else pixels), ".jpg"

    return treat


def _bordered(pixels: Pixels, told: bool) -> Saved:
    made = pixels.copy()
    if told:
        for edge in (made[:2], made[-2:], made[:, :2], made[:, -2:]):
            edge[:] = 245
    return jpeg(made), ".jpg"


def _watermarked(pixels: Pixels, told: bool) -> Saved:
    """Put a small logo at the lower right: a disc on a bright plate."""
    made = pixels.copy()
    if told:
        low, right = made.shape[0] - 10, made.shape[1] - 10
        cv2.rectangle(made, (right - 24, low - 24), (right, low), (235, 235, 235), cv2.FILLED)
        cv2.circle(made, (right - 12, low - 12), 8, (40, 40, 160), cv2.FILLED, cv2.LINE_AA)
    return jpeg(made), ".jpg"


def _of_format(suffix: str, *options: int) -> Treatment:
    return lambda pixels, told: (_encoded(pixels, suffix, *options), suffix) if told else (jpeg(pixels), ".jpg")


def _with_metadata(pixels: Pixels, told: bool) -> Saved:
    data = jpeg(pixels)
    return (with_exif(data) if told else data), ".jpg"


def with_exif(data: bytes) -> bytes:
    """Return a JPEG with an Exif segment after its first marker, which says by what software it was made."""
    entry = struct.pack("<HHI4s", 0x0131, 2, 4, b"abc\0")  # the tag of software, as text of four bytes
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


REAL: dict[str, RealPlant] = {
    "size: 240 px, others 300": RealPlant(_of_size, 1),
    "quality: 75, others 88": RealPlant(_of_quality, 1),
    "subsampling: 4:4:4, others 4:2:0": RealPlant(_of_subsampling, 1),
    "format: WebP": RealPlant(_of_format(".webp", cv2.IMWRITE_WEBP_QUALITY, QUALITY), 1),
    "format: PNG": RealPlant(_of_format(".png"), 1),
    "metadata: Exif": RealPlant(_with_metadata, 1),
    "scaled: 150 px and back, linear": RealPlant(_scaled(150, cv2.INTER_LINEAR), 2),
    "scaled: 150 px and back, Lanczos": RealPlant(_scaled(150, cv2.INTER_LANCZOS4), 2),
    "scaled: 240 px and back, Lanczos": RealPlant(_scaled(240, cv2.INTER_LANCZOS4), 2),
    "saved before: quality 50, others 95": RealPlant(_saved_before, 2),
    "border: 2 px, nearly white": RealPlant(_bordered, 2),
    "watermark: a logo of 24 px": RealPlant(_watermarked, 2),
}
REAL_CLEAN: dict[str, RealPlant | None] = {
    "clean: files as they are": None,
    "clean: saved again by OpenCV": RealPlant(lambda pixels, told: (jpeg(pixels), ".jpg")),
}


def real_covers(folder: Path, scratch: Path) -> list[Path]:
    """Return the covers of a folder, one of each set of near-duplicates, so that halves share none."""
    dataset = collect(folder, scratch, settings=CollectSettings(genre="any")).dataset
    names = groups({"file_name": dataset.file_names}, near_duplicates(dataset))
    firsts = dict(zip(reversed(names), reversed(dataset.paths), strict=True))
    return sorted(firsts.values())


def planted_real(
    folder: Path, covers: Sequence[Path], plant: RealPlant | None, strength: float, *, seed: int, each: int = EACH
) -> Dataset:
    """Return a dataset of real covers, halved at random, with something planted in one half.

    Parameters
    ----------
    covers
        Files of one genre; `each` of them go into either half, or as many as there are.
    plant
        What is planted in the second half; None copies the files as they are.
    """
    rng = np.random.default_rng([seed, 0])
    each = min(each, len(covers) // 2)
    for place, index in enumerate(rng.permutation(len(covers))[: 2 * each].tolist()):
        half, source = place % 2, covers[index]
        own = np.random.default_rng([seed, 1, index])
        told = half if own.random() < strength else int(own.integers(2))
        data, suffix = _saved(source, plant, bool(told))
        path = folder / "covers" / HALVES[half] / f"{source.stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    # no artists from file names: each cover is a group, as halves of one genre have nothing else to tell them apart
    return _collected(folder, CollectSettings(layout="genre", link=True), seed=seed)


def _saved(source: Path, plant: RealPlant | None, told: bool) -> Saved:
    data = source.read_bytes()
    if plant is None:
        return data, source.suffix
    return plant.treat(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), told)


def _collected(folder: Path, settings: CollectSettings, *, seed: int) -> Dataset:
    """Collect the covers that lie in a folder, and split them."""
    return _split(collect(folder / "covers", folder / "dataset", settings=settings).dataset, seed=seed)


def _split(dataset: Dataset, *, seed: int) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SleevenotesWarning)  # few covers in test
        return split(dataset, seed=seed).dataset
