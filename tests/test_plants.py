"""What the audit is tried on: what is planted is there, and tells the genre as strongly as was asked."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import plants
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from scipy.stats import binom

from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import probe

SIDE = 60
FEW = {"genres": 2, "covers_per_genre": 20, "size_px": 32}


def picture(seed: int = 0, side: int = SIDE) -> NDArray[np.uint8]:
    """Smooth colours under some noise, (side, side, 3)."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def covers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Thirty files as they might lie in a folder of one genre."""
    folder = tmp_path_factory.mktemp("one-genre")
    for number in range(30):
        (folder / f"R-{number}.jpg").write_bytes(plants.jpeg(picture(number), 95))
    return sorted(folder.iterdir())


def halves_told(dataset: Dataset) -> list[tuple[int, int]]:
    """Own half and told half of each cover, where its size is what tells."""
    return [
        (plants.HALVES.index(genres[0].lower()), int(cv2.imread(str(path)).shape[0] == 240))
        for genres, path in zip(dataset.genre_lists, dataset.paths, strict=True)
    ]


# --- real covers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", plants.REAL)
def test_every_treatment_makes_covers_of_two_kinds(name: str) -> None:
    treat, pixels = plants.REAL[name].treat, picture(side=300)
    (told, told_suffix), (other, other_suffix) = treat(pixels, True), treat(pixels, False)
    assert told != other
    for data, suffix in ((told, told_suffix), (other, other_suffix)):
        assert {".jpg": "jpeg"}.get(suffix, suffix[1:]) == probe(data, "a cover").format


@pytest.mark.parametrize("name", [name for name, plant in plants.REAL.items() if plant.check == 2])
def test_traces_are_left_in_the_pixels_of_files_that_are_otherwise_alike(name: str) -> None:
    told, other = (
        Image.open(io.BytesIO(plants.REAL[name].treat(picture(side=300), kind)[0])) for kind in (True, False)
    )
    assert isinstance(told, JpegImageFile)
    assert isinstance(other, JpegImageFile)
    assert (told.size, told.quantization, told.info) == (other.size, other.quantization, other.info)
    assert np.abs(np.asarray(told, float) - np.asarray(other, float)).mean() > 0.5


def test_scaling_down_and_up_takes_fine_detail_away() -> None:
    def detail(data: bytes) -> float:
        return float(np.abs(np.diff(np.asarray(Image.open(io.BytesIO(data)).convert("L"), float), axis=1)).mean())

    treat = plants.REAL["scaled: 150 px and back, Lanczos"].treat
    told, other = (detail(treat(picture(side=300), is_told)[0]) for is_told in (True, False))
    assert told < 0.8 * other


def test_metadata_are_read_back_and_leave_the_pixels_alone() -> None:
    plain = plants.jpeg(picture())
    marked = Image.open(io.BytesIO(plants.with_exif(plain)))
    assert marked.getexif()[0x0131] == "abc"
    assert np.array_equal(np.asarray(marked), np.asarray(Image.open(io.BytesIO(plain))))


@pytest.mark.parametrize(("strength", "share"), [(0.0, 0.5), (1.0, 1.0)])
def test_covers_are_halved_at_random_and_tell_their_half_by_strength(
    covers: list[Path], tmp_path: Path, strength: float, share: float
) -> None:
    plant = plants.REAL["size: 240 px, others 300"]
    told = halves_told(plants.planted_real(tmp_path, covers, plant, strength, seed=1))
    assert Counter(own for own, _ in told) == {0: 15, 1: 15}
    right = sum(own == other for own, other in told)
    assert binom.ppf(0.001, 30, share) <= right <= binom.ppf(0.999, 30, share)


def test_files_without_a_plant_are_copied_as_they_are_and_halved_anew_by_each_seed(
    covers: list[Path], tmp_path: Path
) -> None:
    one, other = (plants.planted_real(tmp_path / str(seed), covers, None, 0.0, seed=seed, each=10) for seed in (1, 2))
    assert len(one) == 20
    assert {path.read_bytes() for path in one.paths} <= {path.read_bytes() for path in covers}
    first, second = (dict(zip(half.digests, half.genre_lists, strict=True)) for half in (one, other))
    assert first != second


def test_one_cover_is_taken_of_each_set_of_near_duplicates(covers: list[Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in covers[:10]:
        (source / path.name).write_bytes(path.read_bytes())
        (source / f"again-{path.name}").write_bytes(plants.jpeg(cv2.imread(str(path)), 60))
    kept = plants.real_covers(source, tmp_path / "scratch")
    assert len(kept) == 10
    assert len({path.stem.removeprefix("again-") for path in kept}) == 10


# --- demo covers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strength", "expected"), [(0.0, "apart"), (1.0, "shared")])
def test_an_artist_leaks_with_strength_and_not_without(tmp_path: Path, strength: float, expected: str) -> None:
    plant = plants.DEMO["artist leak"]
    dataset = plants.planted_demo(tmp_path, plant, strength, seed=0, artists_per_genre=5, **FEW)
    assert dataset.settings["artists"] == expected


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_near_duplicates_leak_with_strength_and_not_without(tmp_path: Path, strength: float) -> None:
    dataset = plants.planted_demo(tmp_path, plants.DEMO["duplicate leak"], strength, seed=0, **FEW)
    sides: dict[str, set[str]] = {}
    for group, side in zip(dataset.groups, dataset.column("split"), strict=True):
        sides.setdefault(group, set()).add(side)
    assert any(len(found) > 1 for found in sides.values()) == bool(strength)
    assert max(Counter(dataset.groups).values()) > 1
    assert dataset.settings["artists"] == "unknown"  # so that they are not what leaks


def test_clean_demo_covers_have_no_copies_and_a_size(tmp_path: Path) -> None:
    dataset = plants.planted_demo(tmp_path, plants.CLEAN["clean: art tells some"], 0.0, seed=0, **FEW)
    assert len(dataset) == len(set(dataset.digests)) == 40
    assert {(row["width"], row["height"]) for row in dataset.covers.iter_rows(named=True)} == {(32, 32)}
