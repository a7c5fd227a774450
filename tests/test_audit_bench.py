"""The audit's test bench, in short: what is planted is found by the check that must find it, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import audit as bench
import plants
import pytest

from sleevenotes.collect.demo import DemoSettings, draw_demo

REENCODED = ("saved before: quality 50, others 95", "subsampling: 4:4:4, others 4:2:0")


@pytest.mark.parametrize("plant", ["size", "quality", "border", "watermark", "duplicate leak"])
def test_what_is_planted_on_demo_covers_is_found_by_its_check(plant: str):
    case = bench.Case("demo", plant, 1.0, seed=101)
    assert case.check in {check for check, _ in bench.tried(case)["raised"].values()}


@pytest.mark.parametrize(("plant", "seed"), [(plant, seed) for seed, plant in enumerate(plants.CLEAN, start=101)])
def test_nothing_is_raised_where_nothing_was_planted(plant: str, seed: int):
    assert bench.tried(bench.Case("demo", plant, 0.0, seed))["raised"] == {}


@pytest.fixture(scope="module")
def covers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Covers of one genre, to be halved at random and written anew by encoders that are not the project's."""
    folder = tmp_path_factory.mktemp("covers")
    plain = {"near_duplicates": 0.0, "exact_duplicates": 0.0, "broken": 0}
    draw_demo(folder, DemoSettings(genres=1, covers_per_genre=160, size_px=150, **plain), seed=7)
    return sorted(folder.rglob("*.*g"))


@pytest.mark.parametrize("plant", REENCODED)
def test_a_plant_by_another_encoder_is_found_by_its_check(plant: str, covers: list[Path]):
    case = bench.Case("real", plant, 1.0, seed=3)
    assert case.check in {check for check, _ in bench.tried(case, covers)["raised"].values()}


def test_one_genre_halved_at_random_is_clean(covers: list[Path]):
    assert bench.tried(bench.Case("real", "clean: saved again by OpenCV", 0.0, seed=3), covers)["raised"] == {}
