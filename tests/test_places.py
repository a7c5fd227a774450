"""Places: a mark at one spot stands out, by itself and where the genres look different; nothing does without one."""

from __future__ import annotations

import numpy as np
import pytest

from sleevenotes.collect.demo import NAMES as DEMO_GENRES, DemoSettings, draw_cover
from sleevenotes.collect.flaws import plant, watermark_cells
from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.covers.places import GRID, PLACES, SIZE_PX, Places, boxes, places

K = 3
N = 150
TRUTH = np.arange(N) % K
FOLD = np.arange(N) // K % 5


@pytest.fixture(scope="module")
def arts() -> list[Pixels]:
    """Drawn covers whose motif and palette mostly are their genre's."""
    drawn = DemoSettings(genres=K, size_px=SIZE_PX)
    return [
        draw_cover(np.random.default_rng([5, k]), genre=DEMO_GENRES[k % K], settings=drawn).pixels for k in range(N)
    ]


def marked(arts: list[Pixels], share: float) -> Pixels:
    """Covers of which a share bears its genre's bar code, as JPEGs give them back."""
    rng = np.random.default_rng(0)
    mark = frozenset(["watermark"])
    made = [
        plant(art, (0, 0, 1, 1), int(genre), mark, SIZE_PX)[0] if rng.random() < share else art
        for art, genre in zip(arts, TRUTH, strict=True)
    ]
    return np.stack([decode(encode(cover, "jpeg", quality=80)) for cover in made])


def overlaps_mark(found: Places) -> bool:
    left, top, right, bottom = found.box[found.best] * SIZE_PX
    cells = watermark_cells(SIZE_PX, SIZE_PX)
    across, down = (cells[0][1].start, cells[-1][1].stop), (cells[0][0].start, cells[0][0].stop)
    return bool(left < across[1] and right > across[0] and top < down[1] and bottom > down[0])


@pytest.mark.parametrize("share", [1, 1 / 3])
def test_a_mark_is_found_where_it_is_even_on_a_third_of_the_covers(arts: list[Pixels], share: float):
    found = places(marked(arts, share), TRUTH, FOLD, K)
    assert overlaps_mark(found)
    assert found.p < 0.01
    assert found.standout > 6
    assert found.score[found.best] > np.median(found.score) + 0.08


def test_no_place_stands_out_where_only_the_look_of_genres_differs(arts: list[Pixels]):
    found = places(np.stack(arts), TRUTH, FOLD, K)
    assert found.p > 0.05
    assert found.standout < 5


def test_colour_and_brightness_of_a_genre_are_not_seen():
    rng = np.random.default_rng(1)
    noisy = rng.integers(0, 100, (60, SIZE_PX, SIZE_PX, 3))
    truth, fold = np.arange(60) % 2, np.arange(60) // 2 % 3
    bright = np.where(truth[:, None, None, None] == 1, noisy + np.array([90, 60, 120]), noisy).astype(np.uint8)
    found = places(bright, truth, fold, 2)
    assert found.p > 0.05
    assert np.median(found.score) == pytest.approx(0.5, abs=0.1)


def test_p_is_spread_evenly_where_there_is_nothing():
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    covers = np.stack([resize(cover, SIZE_PX) for cover in coarse])
    ps = []
    for seed in range(10):
        truth = np.random.default_rng(seed).permutation(60) % 2
        ps.append(places(covers, truth, np.arange(60) % 3, 2, shuffles=19, seed=seed + 100).p)
    assert 0.3 < np.mean(ps) < 0.75
    assert min(ps) >= 0.05


def test_covers_of_one_group_are_shuffled_as_one():
    """One picture many times in one group is no evidence, however many covers the group has."""
    rng = np.random.default_rng(3)
    covers = rng.integers(0, 256, (80, SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    groups = [f"g{k // 10}" for k in range(80)]
    for k in range(80):
        covers[k, 40:60, 40:60] = np.random.default_rng(k // 10 % 4).integers(0, 256, (20, 20, 3))
    truth = np.array([0, 1, 0, 1, 0, 1, 0, 1]).repeat(10)
    fold = np.arange(8).repeat(10) // 4
    alone = places(covers, truth, fold, 2)
    together = places(covers, truth, fold, 2, groups=groups)
    assert alone.p < 0.02 < together.p


def test_the_same_seed_gives_the_same_and_folds_may_have_any_numbers(arts: list[Pixels]):
    covers = np.stack(arts)
    first, second = (places(covers, TRUTH, fold, K, shuffles=9, seed=4) for fold in (FOLD, FOLD * 7 + 3))
    assert np.array_equal(first.score, second.score)
    assert (first.p, first.best, first.shuffles) == (second.p, second.best, 9)


def test_places_cover_all_of_a_cover():
    box = boxes()
    assert box.shape == (PLACES, 4)
    assert PLACES == GRID**2 == 225
    assert box.min() == 0
    assert box.max() == 1
    assert np.allclose(box[:, 2:] - box[:, :2], 1 / 8)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"pixels": np.zeros((N, 64, 64, 3), np.uint8)}, r"\(150, 64, 64, 3\)\. Expected uint8"),
        ({"truth": TRUTH[1:]}, "149 genres of them"),
        ({"truth": np.zeros(N, int)}, r"truth: \[0\]"),
        ({"fold": np.ones(N, int)}, "fold: one only"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong: dict[str, np.ndarray], told: str):
    given = {"pixels": np.zeros((N, SIZE_PX, SIZE_PX, 3), np.uint8), "truth": TRUTH, "fold": FOLD} | wrong
    with pytest.raises(ValueError, match=told):
        places(*given.values(), K)
