from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from copies import COPIES
from duplicates import DESIGNS, Judged
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from sleevenotes.covers.duplicates import LUMA, Components, Pair, Thumbnails, clusters, find, hashes
from sleevenotes.covers.images import Pixels, decode, encode, resize

SIDE = 160
COVERS = 40
HARD = {("photographed again", 2): 0.6, ("black and white", 2): 0.8}  # the least share of copies to be found
WHOLE = np.array([[0.0, 0.0, 1.0, 1.0]])


def cover(rng: np.random.Generator) -> Pixels:
    """A picture with a coarse ground, some shapes, and lines of type."""
    ground = rng.integers(30, 226, (5, 5, 3)).astype(np.uint8)
    pixels = resize(ground, SIDE).copy()
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(6):
        cx, cy, r = rng.integers((0, 0, 8), (SIDE, SIDE, 40))
        inside = (
            (x - cx) ** 2 + (y - cy) ** 2 < r**2 if rng.random() < 0.5 else (abs(x - cx) < r) & (abs(y - cy) < r / 2)
        )
        pixels[inside] = rng.integers(0, 256, 3)
    return typed(pixels, rng, top=int(rng.integers(5, SIDE - 30)))


def typed(pixels: Pixels, rng: np.random.Generator, *, top: int, height: int = 12, color: int = 250) -> Pixels:
    """The same with a line of bars like letters."""
    bars = rng.random(SIDE // 4) < 0.5
    bars[:4] = bars[-4:] = False
    done = pixels.copy()
    done[top : top + height, np.repeat(bars, 4)] = color
    return done


def jpeg(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return decode(encode(pixels, "jpeg", quality=int(rng.integers(30, 91))))


def resized(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return resize(pixels, round(SIDE * 2 ** rng.uniform(-1, 1)))


def cropped(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    top, left, bottom, right = (rng.uniform(0.03, 0.08, 4) * SIDE).astype(int)
    return pixels[top : SIDE - bottom, left : SIDE - right]


def bordered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    wide = int(rng.uniform(0.03, 0.08) * SIDE)
    framed = np.full((SIDE + 2 * wide, SIDE + 2 * wide, 3), rng.choice([0, 255]), np.uint8)
    framed[wide:-wide, wide:-wide] = pixels
    return framed


def letterboxed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    wide = int(rng.uniform(0.1, 0.2) * SIDE)
    framed = np.zeros((SIDE + 2 * wide, SIDE, 3), np.uint8)
    framed[wide:-wide] = pixels
    return framed


def stickered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    done, side = pixels.copy(), int(rng.uniform(0.15, 0.3) * SIDE)
    top, left = rng.integers(0, SIDE - side, 2)
    done[top : top + side, left : left + side] = rng.integers(0, 256, 3)
    return done


def shaded(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    shade = 255 * (pixels / 255) ** (2 ** rng.uniform(-0.5, 0.5)) * rng.uniform(0.9, 1.1, 3)
    return np.clip(shade, 0, 255).astype(np.uint8)


def thumbnails(covers: list[Pixels]) -> Thumbnails:
    return np.stack([resize(pixels, 64) for pixels in covers])


def ends(pairs: list[Pair]) -> set[tuple[int, int]]:
    return {(pair.a, pair.b) for pair in pairs}


@pytest.fixture(scope="module")
def covers() -> list[Pixels]:
    rng = np.random.default_rng(5)
    return [cover(rng) for _ in range(COVERS)]


@pytest.mark.parametrize("change", [jpeg, resized, cropped, bordered, letterboxed, stickered, shaded])
def test_find_finds_the_same_cover_changed_and_no_others(
    covers: list[Pixels], change: Callable[[Pixels, np.random.Generator], Pixels]
) -> None:
    rng = np.random.default_rng(7)
    pairs = find(thumbnails(covers + [change(pixels, rng) for pixels in covers]))
    wanted = {(index, index + COVERS) for index in range(COVERS)}
    assert ends(pairs) <= wanted
    assert len(ends(pairs)) >= 0.95 * COVERS
    assert all(0 <= pair.distance <= 80 and 0.6 < pair.similarity <= 1 for pair in pairs)


@pytest.mark.parametrize("strength", [1, 2])
@pytest.mark.parametrize("kind", COPIES)
def test_find_finds_copies_as_collections_hold_them_and_no_others(
    covers: list[Pixels], kind: str, strength: int
) -> None:
    rng = np.random.default_rng(8)
    pairs = find(thumbnails(covers + [COPIES[kind](pixels, strength, rng) for pixels in covers]))
    wanted = {(index, index + COVERS) for index in range(COVERS)}
    assert ends(pairs) <= wanted
    assert len(ends(pairs)) >= HARD.get((kind, strength), 0.95) * COVERS


def test_find_finds_a_design_printed_in_other_inks(covers: list[Pixels]) -> None:
    rng = np.random.default_rng(9)
    paper, ink, red = np.array([240, 240, 235]), np.array([20, 20, 25]), np.array([200, 30, 30])
    masks = [(pixels @ LUMA > np.median(pixels @ LUMA))[:, :, None] for pixels in covers[:20]]
    black = [np.where(mask, paper, ink).astype(np.uint8) for mask in masks]
    colored = [jpeg(np.where(mask, paper - 20, red).astype(np.uint8), rng) for mask in masks]
    assert ends(find(thumbnails(black + colored))) == {(index, index + 20) for index in range(20)}


def test_what_was_seen_by_eye_does_not_contradict_itself() -> None:
    lines = [line.split("\t") for line in DESIGNS.read_text(encoding="utf-8").splitlines()]
    assert {verdict for verdict, *_ in lines} == {"same", "series", "different"}
    assert all(len(names) > 1 for _, *names in lines)
    designs = [name for verdict, *names in lines if verdict == "same" for name in names]
    assert len(designs) == len(set(designs))
    judged = Judged()
    assert {judged.verdict(*names) for verdict, *names in lines if verdict == "different"} == {"different"}
    assert judged.verdict(designs[0], designs[1]) == "same"
    assert judged.verdict(designs[0], designs[-1]) == ""


def test_find_finds_nothing_among_different_covers(covers: list[Pixels]) -> None:
    assert find(thumbnails(covers)) == []


def test_find_tells_black_covers_with_different_type_apart_and_joins_one_saved_twice() -> None:
    rng = np.random.default_rng(1)
    black = np.full((SIDE, SIDE, 3), 8, np.uint8)
    tops = [20, 20, 20, 70, 70, 120]
    titles = [typed(black, rng, top=top, color=200) for top in tops]
    again = [jpeg(pixels, rng) for pixels in titles]
    assert ends(find(thumbnails(titles + again))) == {(index, index + len(tops)) for index in range(len(tops))}


def test_find_tells_covers_of_one_series_with_different_pictures_apart(covers: list[Pixels]) -> None:
    series = []
    for pixels in covers:
        framed = np.full((SIDE, SIDE, 3), (200, 40, 40), np.uint8)
        framed[40:140, 30:130] = resize(pixels, 100)
        series.append(typed(framed, np.random.default_rng(0), top=12))  # the same logo on all
    assert find(thumbnails(series)) == []


def test_find_joins_plain_covers_only_where_they_are_equal() -> None:
    plain = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 3, 0, 250, 252)]
    assert find(np.stack(plain)) == [Pair(0, 2, 0, 1.0)]


def test_find_joins_equal_thumbnails_without_comparing(covers: list[Pixels]) -> None:
    some = thumbnails(covers[:3])
    assert find(np.concatenate([some, some[[1, 1]]])) == [Pair(1, 3, 0, 1.0), Pair(1, 4, 0, 1.0)]


def test_find_tells_a_large_cluster_by_pairs_enough_to_join_it(covers: list[Pixels]) -> None:
    rng = np.random.default_rng(2)
    many = [jpeg(shaded(covers[0], rng), rng) for _ in range(30)]
    pairs = find(thumbnails([*many, *covers[1:4]]))
    assert clusters(33, pairs) == [list(range(30))]
    assert len(pairs) < 30 * 29 / 2  # 435 pairs, of which the first 256 are compared


def test_find_finds_the_same_whatever_the_order(covers: list[Pixels]) -> None:
    rng = np.random.default_rng(3)
    all_of_them = thumbnails(covers[:15] + [cropped(pixels, rng) for pixels in covers[:15]])
    order = rng.permutation(30)
    turned = {tuple(sorted((int(order[pair.a]), int(order[pair.b])))) for pair in find(all_of_them[order])}
    assert turned == ends(find(all_of_them))


def test_find_takes_none_and_one() -> None:
    assert find(np.zeros((0, 64, 64, 3), np.uint8)) == []
    assert find(np.zeros((1, 64, 64, 3), np.uint8)) == []


def test_find_reports_how_far_it_is(covers: list[Pixels]) -> None:
    told: list[tuple[int, int]] = []
    rng = np.random.default_rng(4)
    find(thumbnails(covers + [jpeg(pixels, rng) for pixels in covers]), progress=lambda done, n: told.append((done, n)))
    assert told[-1][0] == told[-1][1] > 0


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((2, 64, 64), np.uint8, r"uint8 \(2, 64, 64\)"),
        ((2, 64, 32, 3), np.uint8, "Expected uint8"),
        ((2, 64, 64, 3), np.float32, "float32"),
        ((2, 60, 60, 3), np.uint8, "60 px. Expected a multiple of 8"),
        ((2, 16, 16, 3), np.uint8, "at least 32"),
    ],
)
def test_find_refuses_what_are_no_thumbnails(shape: tuple[int, ...], dtype: type, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find(np.zeros(shape, dtype))


def distance(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> int:
    return int(np.bitwise_count(a ^ b).sum())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), gain=st.sampled_from([0.5, 2.0]), offset=st.integers(-50, 50))
def test_hashes_are_blind_to_brightness_and_contrast(seed: int, gain: float, offset: int) -> None:
    luma = np.random.default_rng(seed).normal(128, 40, (1, 64, 64)).astype(np.float32)
    assert distance(hashes(luma, WHOLE), hashes(gain * luma + np.float32(offset), WHOLE)) <= 2  # rounding near zero


def test_hashes_of_a_window_are_those_of_the_cover_cropped_so(covers: list[Pixels]) -> None:
    luma = np.stack([pixels @ LUMA for pixels in covers[:10]])
    window = np.array([[0.1, 0.2, 0.9, 0.8]])
    inner = luma[:, SIDE // 5 : SIDE * 4 // 5, SIDE // 10 : SIDE * 9 // 10]
    found, wanted = hashes(luma, window), hashes(np.repeat(np.repeat(inner, 4, axis=1), 3, axis=2), WHOLE)
    assert found.shape == (4, 10)
    assert distance(found, wanted) <= 0.01 * 255 * 10


def test_hashes_of_unlike_covers_differ_in_half_their_bits(covers: list[Pixels]) -> None:
    words = hashes(np.stack([pixels @ LUMA for pixels in covers]), WHOLE)
    apart = [distance(words[:, i], words[:, j]) for i in range(COVERS) for j in range(i)]
    assert 115 < np.mean(apart) < 140
    assert min(apart) > 80


@given(n=st.integers(1, 12), data=st.data())
def test_components_are_what_any_chain_of_joins_reaches(n: int, data: st.DataObject) -> None:
    joins = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12))
    parts = Components(n)
    reach = np.eye(n, dtype=int)
    for i, j in joins:
        parts.join(i, j)
        reach[i, j] = reach[j, i] = 1
    reach = np.linalg.matrix_power(reach.astype(float), n) > 0
    assert all((parts.find(i) == parts.find(j)) == reach[i, j] for i in range(n) for j in range(n))
    assert sorted(index for members in parts.members() for index in members) == list(range(n))
    assert all(members == sorted(members) for members in parts.members())


def test_clusters_are_of_two_covers_or_more() -> None:
    pairs = [Pair(1, 2, 0, 1.0), Pair(0, 5, 3, 0.9), Pair(2, 4, 9, 0.8)]
    assert clusters(7, pairs) == [[0, 5], [1, 2, 4]]
    assert clusters(3, []) == []
