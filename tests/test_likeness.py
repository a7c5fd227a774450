"""Likeness: covers compared with those that were learnt from, and kernel regression on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from sleevenotes.errors import ModelError
from sleevenotes.learn import blends
from sleevenotes.learn.extractors import (
    ColorExtractor,
    ComposedExtractor,
    GradientExtractor,
    LikenessExtractor,
    ViewedExtractor,
)
from sleevenotes.learn.heads import LIKENESS_PENALTIES, fit_likeness
from sleevenotes.learn.likeness import Likeness


def drawn(n: int = 80, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of which no line tells the genre: it is whether two of them have the same sign."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (n, 2)).astype(np.float32)
    return features, (features[:, 0] * features[:, 1] > 0).astype(np.int64)


def test_covers_are_two_apart_in_the_mean_and_wholly_like_themselves():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(5, 3, (40, 7)).astype(np.float32), rng.normal(0, 0.01, (40, 30)).astype(np.float32)]
    likeness = Likeness.of(blocks)
    told = likeness.features(np.concatenate(blocks, axis=1))
    assert told.dtype == np.float32
    assert np.allclose(np.diag(told), 1, atol=1e-5)
    assert np.allclose(told, told.T, atol=1e-5)
    assert -np.log(told).mean() == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("width", [3, 60])  # fewer features than covers, and more
def test_all_components_leave_every_distance_as_it_is(width: int):
    features = np.random.default_rng(0).normal(0, 1, (40, width)).astype(np.float32)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    expected = rbf_kernel(standardised, gamma=0.7 / width)
    assert np.allclose(Likeness.of([features], 0.7).features(features), expected, atol=1e-4)


def test_networks_count_alike_however_many_features_they_have():
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, (40, 3)).astype(np.float32), rng.normal(0, 1, (40, 3)).astype(np.float32)
    wide = np.repeat(two, 50, axis=1)
    narrow = Likeness.of([one, two]).features(np.concatenate([one, two], axis=1))
    assert np.allclose(narrow, Likeness.of([one, wide]).features(np.concatenate([one, wide], axis=1)), atol=1e-4)


def test_a_feature_that_never_changes_tells_nothing():
    features = np.random.default_rng(0).normal(0, 1, (40, 4)).astype(np.float32)
    constant = np.concatenate([features, np.full((40, 1), 3, np.float32)], axis=1)
    likeness = Likeness.of([constant])
    assert np.isfinite(likeness.features(constant)).all()
    moved = constant + np.array([0, 0, 0, 0, 9], np.float32)
    assert np.allclose(likeness.features(constant), likeness.features(moved), atol=1e-5)


def test_heads_agree_with_scikit_learn_for_every_penalty():
    features, truth = drawn()
    told = Likeness.of([features]).features(features)
    centre = np.eye(len(truth)) - 1 / len(truth)
    for penalty, head in zip(LIKENESS_PENALTIES, fit_likeness(told, truth, task="single", genres=2), strict=True):
        targets = np.where(truth[:, None] == np.arange(2), 1.0, -1.0)
        solver = KernelRidge(alpha=penalty, kernel="precomputed").fit(
            centre @ told @ centre, targets - targets.mean(axis=0)
        )
        expected = centre @ told @ centre @ solver.dual_coef_ + targets.mean(axis=0)
        assert np.allclose(head.logits(told), expected, atol=1e-3)


def test_what_no_line_can_tell_is_told_by_likeness():
    features, truth = drawn(200)
    fold = np.arange(200) % 5
    told = Likeness.of([features], 2.0).features(features)
    accuracy = {}
    for kind, given in (("linear", features), ("likeness", told)):
        form = blends.tuned(given, truth, fold, kind=kind, task="single", genres=2)  # type: ignore[arg-type]
        accuracy[kind] = (form.answers.argmax(axis=1) == truth).mean()
    assert accuracy["linear"] < 0.65
    assert accuracy["likeness"] > 0.85


def test_out_of_fold_no_cover_is_compared_with_one_of_its_fold():
    features, truth = drawn()
    fold = np.arange(80) % 4
    told = Likeness.of([features]).features(features)
    # between covers of one fold that learn together it is asked, so that only one fold's answers can be looked at
    for number in range(4):
        own = fold == number
        only = told.copy()
        only[np.ix_(own, own)] += 1  # what is never asked
        answers = [blends._likeness_answers(k, truth, fold, task="single", genres=2)[1.0][own] for k in (told, only)]
        assert np.array_equal(*answers)


def test_genres_that_are_unknown_of_a_cover_do_not_learn_from_it():
    features, first = drawn()
    truth = np.stack([first, 1 - first], axis=1)
    truth[:30, 1] = -1
    told = Likeness.of([features]).features(features)
    (head,) = fit_likeness(told, truth, task="multi", genres=2, penalties=[1.0])
    assert not head.weight[1, :30].any()
    (alone,) = fit_likeness(told[30:, 30:], truth[30:, 1:], task="multi", genres=1, penalties=[1.0])
    assert np.allclose(head.weight[1, 30:], alone.weight[0], atol=1e-5)


def test_a_saved_likeness_gives_the_same_numbers_and_a_damaged_one_is_told(tmp_path: Path):
    covers = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    of = [ViewedExtractor(ColorExtractor(), size_px=64), ViewedExtractor(GradientExtractor(), size_px=64)]
    likeness = Likeness.of([part.features(covers) for part in of])
    likeness.save(tmp_path / "l.safetensors")
    kept = LikenessExtractor(of, Likeness.load(tmp_path / "l.safetensors"))
    first = LikenessExtractor(of, likeness)
    assert kept.key == first.key
    assert np.array_equal(kept.features(covers), first.features(covers))
    assert kept.widths == [512, 324]
    assert np.array_equal(ComposedExtractor([of[0], kept]).features(covers)[:, 512:], first.features(covers))
    (tmp_path / "l.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"l\.safetensors: it is damaged, .* Train the model again"):
        Likeness.load(tmp_path / "l.safetensors")


def test_covers_that_the_components_do_not_come_from_seem_no_more_like_the_others():
    features = np.random.default_rng(0).normal(0, 1, (300, 400)).astype(np.float32)
    known, others = features[:200], features[200:]
    of_all = Likeness.of([features], components=60).features(others)[:, :200]
    of_known = Likeness.of([known], components=60).features(others)
    assert of_known.mean() == pytest.approx(of_all.mean(), rel=0.05)


def test_a_likeness_of_an_earlier_version_is_told_as_one(tmp_path: Path):
    Likeness.of([drawn()[0]]).save(tmp_path / "l.safetensors")
    kept = load_file(tmp_path / "l.safetensors")
    save_file({name: array for name, array in kept.items() if name != "squares"}, tmp_path / "l.safetensors")
    with pytest.raises(ModelError, match=r"no squares in it, so that an earlier version wrote it.*Train the model"):
        Likeness.load(tmp_path / "l.safetensors")
