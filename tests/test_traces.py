"""Traces: each sees what it is named after, stays where it is when only the art changes, and is worked out once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from sleevenotes.collect.demo import NAMES as DEMO_GENRES, DemoSettings, draw_cover
from sleevenotes.collect.flaws import framed
from sleevenotes.covers import traces as module
from sleevenotes.covers.dataset import Dataset
from sleevenotes.covers.images import Pixels, decode, encode, resize
from sleevenotes.covers.traces import GROUPS, NAMES, SWAYED, VERSION, dataset_traces, traces
from sleevenotes.errors import CoverError


def told(pixels: Pixels) -> dict[str, float]:
    return dict(zip(NAMES, traces(pixels).tolist(), strict=True))


def compressed(pixels: Pixels, quality: int) -> Pixels:
    return decode(encode(pixels, "jpeg", quality=quality))


@pytest.fixture(scope="module")
def arts() -> list[Pixels]:
    """Drawn covers of any genre, 200 px, that were never compressed."""
    drawn = DemoSettings(size_px=200)
    return [
        draw_cover(np.random.default_rng([3, k]), genre=DEMO_GENRES[k % 10], settings=drawn).pixels for k in range(12)
    ]


# --- the whole --------------------------------------------------------------------------------------------------------


def test_every_trace_has_one_group_and_the_swayed_ones_are_among_them():
    assert len(set(NAMES)) == len(NAMES) == sum(map(len, GROUPS.values()))
    assert set(NAMES) > SWAYED


@settings(max_examples=25)
@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_any_cover_has_finite_traces(shape: tuple[int, int], kind: int, seed: int):
    rng = np.random.default_rng(seed)
    flat = np.broadcast_to(rng.integers(0, 256, 3), (*shape, 3)).astype(np.uint8)
    noisy = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    two = np.where(np.arange(shape[1])[:, None] < shape[1] // 2, flat, 255 - flat)
    found = traces((flat, noisy, two, noisy // 100)[kind])
    assert found.shape == (len(NAMES),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_cover_and_its_copy_in_other_memory_have_the_same_traces(arts: list[Pixels]):
    turned = np.ascontiguousarray(arts[0].transpose(1, 0, 2)).transpose(1, 0, 2)
    assert np.array_equal(traces(turned), traces(arts[0]))


def test_a_large_cover_is_looked_at_in_its_middle_on_the_grid_of_its_blocks(arts: list[Pixels]):
    large = compressed(np.tile(arts[0], (4, 4, 1)), 60)
    assert large.shape[0] == 800
    assert told(large)["block borders across"] > 0.3
    assert told(large)["quantisation step"] == pytest.approx(told(compressed(arts[0], 60))["quantisation step"], abs=1)


# --- compression ------------------------------------------------------------------------------------------------------


def test_blocks_show_the_more_the_stronger_a_cover_was_compressed_and_not_before(arts: list[Pixels]):
    for name in ("block borders across", "block borders down"):
        means = [np.mean([told(art)[name] for art in arts])]
        means += [np.mean([told(compressed(art, quality))[name] for art in arts]) for quality in (90, 70, 40)]
        assert abs(means[0]) < 0.05
        assert np.all(np.diff(means) > 0.03)


def test_blocks_that_were_shifted_by_a_crop_are_told_from_those_in_place(arts: list[Pixels]):
    in_place = [told(compressed(art, 40)) for art in arts]
    cropped = [told(compressed(art, 40)[3:, 5:]) for art in arts]
    for before, after in zip(in_place, cropped, strict=True):
        assert after["block borders across"] < 0.1 > before["borders of shifted blocks"]
    assert np.median([after["borders of shifted blocks"] for after in cropped]) > 0.3


def test_blocks_of_another_size_leave_a_rhythm_that_is_not_theirs(arts: list[Pixels]):
    def foreign(pixels: Pixels) -> float:
        return told(pixels)["interpolation rhythm"]

    grown = [foreign(resize(compressed(art, 30), 280)) for art in arts]
    assert np.mean(grown) > np.mean([foreign(art) for art in arts]) + 0.2


@pytest.mark.parametrize(("quality", "step"), [(75, 5.8), (50, 11.8), (30, 19.6)])
def test_the_step_of_quantisation_is_that_of_the_jpeg(arts: list[Pixels], quality: int, step: float):
    # means of the standard luma table's 11, 12, 12, 10, 14, scaled as libjpeg scales it, rounded
    found = [told(compressed(art, quality))["quantisation step"] for art in arts]
    assert np.median(found) == pytest.approx(step, abs=0.7)


def test_what_was_never_quantised_has_no_step_and_lacks_nothing_on_the_grid(arts: list[Pixels]):
    for art in arts:
        plain = told(art)
        assert plain["quantisation step"] < 2.5
        assert abs(plain["high frequencies quantised"]) < 0.15
        assert told(compressed(art, 50))["high frequencies quantised"] < -0.2


def test_thinned_out_chroma_is_told_and_grey_covers_have_none(arts: list[Pixels]):
    rng = np.random.default_rng(0)
    noisy = [np.clip(art + rng.normal(0, 12, art.shape), 0, 255).astype(np.uint8) for art in arts]
    for art in noisy:
        assert told(compressed(art, 90))["chroma bandwidth"] < told(art)["chroma bandwidth"] - 0.5
    greyed = np.repeat(arts[0][..., :1], 3, axis=2)
    assert told(greyed)["chroma bandwidth"] == 0


# --- scaling ----------------------------------------------------------------------------------------------------------


def test_enlarging_bends_the_end_of_the_spectrum_and_ends_it_sooner(arts: list[Pixels]):
    rng, changes = np.random.default_rng(1), []
    for art in arts:
        grained = np.clip(art + rng.normal(0, 6, (*art.shape[:2], 1)), 0, 255).astype(np.uint8)
        before, after = told(grained), told(resize(resize(grained, 120), 200))
        assert after["bend at Nyquist"] < before["bend at Nyquist"] - 0.1
        assert after["energy above 3/4 Nyquist"] < before["energy above 3/4 Nyquist"] - 1
        assert after["corners of the spectrum"] < before["corners of the spectrum"] - 0.5
        assert after["spectral end"] < before["spectral end"] - 0.05
        changes.append(after["bend at Nyquist"] - before["bend at Nyquist"])
    assert np.median(changes) < -1.5


def test_a_stronger_contrast_moves_no_trace_that_is_said_to_be_free_of_it(arts: list[Pixels]):
    kept = ("spectral slope", "bend at 3/4 Nyquist", "bend at Nyquist", "corners of the spectrum")
    rng = np.random.default_rng(1)
    art = np.clip(arts[0] * 0.5 + 60 + rng.normal(0, 8, arts[0].shape), 0, 255).astype(np.uint8)
    strong, faint = told(art), told((art // 2 + 50).astype(np.uint8))
    for name in kept:
        assert strong[name] == pytest.approx(faint[name], abs=0.15)


# --- noise, borders, levels, colour -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [2, 5, 12])
def test_the_noise_is_that_which_was_added(sigma: float):
    rng = np.random.default_rng(2)
    slope = np.linspace(60, 190, 160)[:, None, None] + np.zeros((160, 160, 3))
    noisy = np.clip(slope + rng.normal(0, sigma, (160, 160, 1)), 0, 255).astype(np.uint8)
    assert np.exp(told(noisy)["noise"]) == pytest.approx(sigma + 0.1, rel=0.06)
    assert told(noisy)["grain of even areas"] == pytest.approx(0, abs=0.1)
    assert told(resize(noisy, 260))["grain of even areas"] > 0.4


@pytest.mark.parametrize("width", [1, 4, 9])
def test_a_frame_is_measured_on_all_sides(arts: list[Pixels], width: int):
    found = [told(compressed(framed(art, (0, 0, 1, 1), width, np.array([250, 250, 250]))[0], 90)) for art in arts]
    assert np.median([one["frame width"] * 200 for one in found]) == pytest.approx(width, abs=1)
    assert np.median([one["rim lightness"] for one in found]) == pytest.approx(0.98, abs=0.02)
    assert np.median([one["rim step depth"] for one in found]) == width
    assert np.median([one["rim step"] for one in found]) > 1.5
    assert np.median([told(art)["rim step"] for art in arts]) < 0.2


def test_bars_above_and_below_are_letterboxing_and_bars_all_round_are_not(arts: list[Pixels]):
    art = np.clip(arts[0], 20, 235)
    art[:, [0, 1, -2, -1]] = np.random.default_rng(0).integers(20, 235, (200, 4, 3))
    boxed = art.copy()
    boxed[:24], boxed[-24:] = 0, 0
    found = told(boxed)
    assert found["bars above and below"] == pytest.approx(0.12, abs=0.01)
    assert found["bars left and right"] == found["frame width"] == 0
    assert found["frame lightness"] == -1
    turned = told(np.ascontiguousarray(boxed.transpose(1, 0, 2)))
    assert turned["bars left and right"] == pytest.approx(0.12, abs=0.01)
    boxed[:, :24], boxed[:, -24:] = 0, 0
    assert told(boxed)["bars above and below"] == 0


def test_stretched_contrast_leaves_gaps(arts: list[Pixels]):
    rng = np.random.default_rng(1)
    art = np.clip(arts[1] * 0.6 + 40 + rng.normal(0, 6, arts[1].shape), 0, 255).astype(np.uint8)
    stretched = np.clip((art.astype(float) - 30) * 1.3, 0, 255).astype(np.uint8)
    assert told(stretched)["gaps in the histogram"] > told(art)["gaps in the histogram"] + 1


def test_grey_covers_are_monochrome(arts: list[Pixels]):
    greyed = np.repeat(arts[0][..., :1], 3, axis=2)
    assert told(compressed(greyed, 85))["monochrome"] == 1
    assert told(greyed)["colour"] == pytest.approx(0, abs=1e-3)
    assert told(np.full((40, 40, 3), (200, 30, 30), np.uint8))["monochrome"] == 0


# --- of a dataset -----------------------------------------------------------------------------------------------------


def test_traces_of_a_dataset_are_in_the_order_of_its_table_and_worked_out_once(
    copied: Dataset, monkeypatch: pytest.MonkeyPatch
):
    part = copied.where([index % 9 == 4 for index in range(len(copied))])
    steps: list[tuple[int, int]] = []
    found = dataset_traces(part, progress=lambda *done: steps.append(done))
    assert np.array_equal(found, np.stack([traces(decode(path)) for path in part.paths]))
    assert steps[-1] == (len(part), len(part))

    def never(pixels: Pixels) -> None:
        raise AssertionError("worked out twice")

    monkeypatch.setattr(module, "traces", never)
    backwards = Dataset(part.folder, part.covers.reverse())
    assert np.array_equal(dataset_traces(backwards), found[::-1])


def test_no_covers_have_no_traces(copied: Dataset):
    assert dataset_traces(copied.where([False] * len(copied))).shape == (0, len(NAMES))


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing", "other traces"])
def test_kept_traces_that_are_damaged_or_others_are_made_again(copied: Dataset, damage: bytes | str):
    part = copied.where([index < 3 for index in range(len(copied))])
    before = dataset_traces(part)
    path = part.cache / f"traces-{VERSION}.npz"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        np.savez(path, digests=np.array(part.digests), traces=np.zeros((3, 2), np.float32))
    assert np.array_equal(dataset_traces(part), before)


def test_a_cover_that_cannot_be_decoded_is_told(copied: Dataset, tmp_path: Path):
    part = copied.where([index < 3 for index in range(len(copied))]).with_columns(sha256=[""] * 3)
    part.path(1).write_bytes(b"<html>404</html>")
    with pytest.raises(CoverError, match="an HTML page"):
        dataset_traces(part)
