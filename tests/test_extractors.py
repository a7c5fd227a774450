"""Extractors: views of covers, parts that stand one after the other, and what a card makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sleevenotes.covers.images import resize
from sleevenotes.errors import ModelError
from sleevenotes.learn.extractors import (
    BOXES,
    MIRRORED,
    VIEWS,
    ColorExtractor,
    ComposedExtractor,
    GradientExtractor,
    ViewedExtractor,
    averaged,
    built,
    seen,
)


@pytest.fixture
def covers() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def test_the_whole_cover_at_its_own_size_is_the_cover_itself(covers: np.ndarray):
    assert np.array_equal(seen(covers, "whole", 64), covers)


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_cut_squeezed_and_mirrored_by_hand(covers: np.ndarray, view: str):
    left, top, right, bottom = (round(64 * share) for share in BOXES[view.removesuffix(MIRRORED)])
    cut = covers[:, top:bottom, left:right]
    expected = cut if cut.shape[1] == 40 else np.stack([resize(cover, 40) for cover in cut])
    expected = expected[:, :, ::-1] if view.endswith(MIRRORED) else expected
    got = seen(covers, view, 40)
    assert got.flags.c_contiguous
    assert np.array_equal(got, expected)


def test_boxes_lie_within_the_cover_and_are_squares():
    for left, top, right, bottom in BOXES.values():
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert right - left == pytest.approx(bottom - top)


def test_colours_do_not_change_in_a_mirror_and_edges_do(covers: np.ndarray):
    for extractor, same in ((ColorExtractor(), True), (GradientExtractor(), False)):
        plain, mirrored = (ViewedExtractor(extractor, (view,), 64) for view in ("whole", "whole" + MIRRORED))
        assert np.allclose(plain.features(covers), mirrored.features(covers)) == same


def test_features_of_several_views_are_their_mean(covers: np.ndarray):
    views = ("whole", "middle", "top left" + MIRRORED)
    each = [ViewedExtractor(GradientExtractor(), (view,), 64).features(covers) for view in views]
    together = ViewedExtractor(GradientExtractor(), views, 64).features(covers)
    assert np.array_equal(together, averaged(each))
    assert np.allclose(together, np.mean(each, axis=0), atol=1e-6)


def test_parts_stand_one_after_the_other(covers: np.ndarray):
    parts = [ViewedExtractor(ColorExtractor(), size_px=64), ViewedExtractor(GradientExtractor(), size_px=64)]
    features = ComposedExtractor(parts).features(covers)
    assert features.shape == (3, 512 + 324)
    assert np.array_equal(features[:, :512], parts[0].features(covers))
    assert np.array_equal(features[:, 512:], parts[1].features(covers))


def test_keys_tell_everything_that_features_depend_on():
    color, gradients = ColorExtractor(), GradientExtractor()
    viewed = [
        ViewedExtractor(color, size_px=64),
        ViewedExtractor(gradients, size_px=64),
        ViewedExtractor(color, size_px=128),
        ViewedExtractor(color, ("middle",), 64),
        ViewedExtractor(color, ("middle", "whole"), 64),
        ViewedExtractor(color, ("middle" + MIRRORED,), 64),
    ]
    composed = [ComposedExtractor([viewed[0], viewed[1]]), ComposedExtractor([viewed[1], viewed[0]])]
    keys = [extractor.key for extractor in (*viewed, *composed)]
    assert len(set(keys)) == len(keys)
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-+") for key in keys)


def test_a_card_that_names_a_file_that_is_gone_or_an_unknown_kind_is_refused(tmp_path: Path):
    network = {
        "name": "n",
        "kind": "network",
        "file": "parts/n.onnx",
        "size_px": 64,
        "views": ["whole"],
        "rooted": False,
        "network": {"sha256": "0" * 64},
    }
    with pytest.raises(ModelError, match=r"n\.onnx: not there\. Train the model again"):
        built([network], tmp_path, 64).features(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(ModelError, match=r"kind 'sound'\. A network, color or gradients was expected\. Train"):
        built([network | {"kind": "sound"}], tmp_path, 64)
