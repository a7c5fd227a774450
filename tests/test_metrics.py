from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from sleevenotes.errors import EvaluationError
from sleevenotes.judge import metrics as m, weighing

Case = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int64]]  # truth, proba, weights (3, n)
Metric = Callable[..., NDArray[np.float64]]

ONE_GENRE: dict[str, Metric] = {
    "accuracy": m.accuracy,
    "top 2": partial(m.top_k_accuracy, k=2),
    "balanced accuracy": m.balanced_accuracy,
}
EITHER: dict[str, Metric] = {
    "log loss": m.log_loss,
    "brier": m.brier,
    "precision": m.precision,
    "recall": m.recall,
    "recall, nan": partial(m.recall, zero=np.nan),
    "f1": m.f1,
    "macro f1": m.macro_f1,
    "micro f1": m.micro_f1,
    "average precision": m.average_precision,
    "roc auc": m.roc_auc,
    "calibration error": m.calibration_error,
    "calibration error, 3 bins": partial(m.calibration_error, bins=3),
    "reliability": lambda *given: np.stack(m.reliability(*given)[:2], axis=-1),
    "area under risk": lambda truth, proba, *weights: m.area_under_risk(*sureness(truth, proba), *weights),
    "among surest": lambda truth, proba, *weights: m.among_surest(
        *sureness(truth, proba), *weights, shares=(0.2, 0.5, 1)
    ),
}
MANY_GENRES: dict[str, Metric] = {
    "label ranking": m.label_ranking_average_precision,
    "micro average precision": m.micro_average_precision,
    "micro roc auc": m.micro_roc_auc,
}


laws = settings(max_examples=40, deadline=None)  # machines are slow at times, and that is no error
against_scikit_learn = settings(laws, max_examples=15)  # which takes milliseconds a figure


def sureness(truth: NDArray[Any], proba: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether the likeliest genre is right, and how likely it is not."""
    return m.likeliest_right(truth, proba), 1 - proba.max(axis=1)


def close(one: Any, two: Any) -> bool:
    return bool(np.allclose(one, two, rtol=1e-9, atol=1e-9, equal_nan=True))


@st.composite
def cases(draw: st.DrawFn, many: bool = False, unknown: bool = False) -> Case:
    """Few covers on a coarse scale of probas, so that ties and genres without a cover are common."""
    n, k = draw(st.integers(1, 14)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.sampled_from([2, 4, 1000]))
    proba = rng.integers(0, steps, size=(n, k)) / steps
    if many:
        return rng.integers(-unknown, 2, size=(n, k)), proba, rng.integers(0, 4, size=(3, n))
    proba = (proba + 1 / steps) / (proba + 1 / steps).sum(axis=1, keepdims=True)
    return rng.integers(0, k, size=n), proba, rng.integers(0, 4, size=(3, n))


def every_metric(case: Case) -> dict[str, Metric]:
    return EITHER | (ONE_GENRE if case[0].ndim == 1 else MANY_GENRES)


any_case = st.booleans().flatmap(lambda many: cases(many=many, unknown=many))
known_case = st.booleans().flatmap(lambda many: cases(many=many))


# ------------------------------------------------------------------------------------------- laws of weights


@laws
@given(any_case)
def test_whole_weights_are_repeated_covers(case: Case) -> None:
    truth, proba, weights = case
    for name, metric in every_metric(case).items():
        values = metric(truth, proba, weights)
        for row, value in zip(weights, values, strict=True):
            if row.any():
                repeated = metric(np.repeat(truth, row, axis=0), np.repeat(proba, row, axis=0))
                assert close(value, repeated), name


@laws
@given(any_case)
def test_many_weightings_at_once_are_each_by_itself(case: Case) -> None:
    truth, proba, weights = case
    for name, metric in every_metric(case).items():
        at_once = metric(truth, proba, weights)
        assert close(at_once, np.stack([metric(truth, proba, row) for row in weights])), name
        assert close(metric(truth, proba), metric(truth, proba, np.ones(len(truth)))), name


@laws
@given(any_case, st.floats(0.01, 100))
def test_only_proportions_of_weights_matter(case: Case, scale: float) -> None:
    truth, proba, weights = case
    for name, metric in every_metric(case).items():
        assert close(metric(truth, proba, weights * scale), metric(truth, proba, weights)), name


@laws
@given(any_case, st.integers(0, 1000))
def test_order_of_covers_does_not_matter(case: Case, seed: int) -> None:
    truth, proba, weights = case
    order = np.random.default_rng(seed).permutation(len(truth))
    for name, metric in every_metric(case).items():
        assert close(metric(truth[order], proba[order], weights[:, order]), metric(truth, proba, weights)), name


@laws
@given(any_case)
def test_figures_stay_in_their_range(case: Case) -> None:
    truth, proba, _ = case
    greatest = {"log loss": 40.0, "brier": 2.0}
    for name, metric in every_metric(case).items():
        value = metric(truth, proba)
        assert np.all(np.isnan(value) | ((value >= -1e-12) & (value <= greatest.get(name, 1.0) + 1e-12))), name


@laws
@given(cases())
def test_resamples_in_small_blocks_are_the_same(case: Case) -> None:
    truth, proba, weights = case
    with pytest.MonkeyPatch.context() as patch:
        whole = {name: metric(truth, proba, weights) for name, metric in every_metric(case).items()}
        patch.setattr(weighing, "BLOCK", 1)
        for name, metric in every_metric(case).items():
            assert close(metric(truth, proba, weights), whole[name]), name


def test_weights_of_nothing_are_no_number() -> None:
    truth, proba, nothing = np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), np.zeros((2, 2))
    for name in ("log loss", "brier", "macro f1", "average precision", "roc auc", "calibration error", "recall, nan"):
        assert np.isnan(EITHER[name](truth, proba, nothing)).all(), name
    for name in ("precision", "recall", "f1", "micro f1"):
        assert (EITHER[name](truth, proba, nothing) == 0).all(), name
    for name, metric in ONE_GENRE.items():
        assert np.isnan(metric(truth, proba, nothing)).all(), name
    assert np.isnan(m.label_ranking_average_precision([[1, 0]], [[0.9, 0.1]], [0.0]))


def test_memory_stays_flat_however_many_resamples() -> None:
    rng = np.random.default_rng(0)
    n, k = 10_000, 5
    truth, proba = rng.integers(k, size=n), rng.dirichlet(np.ones(k), size=n)
    weights = rng.poisson(1, size=(60, n)).astype(np.uint16)
    metrics: list[Metric] = [m.average_precision, m.roc_auc, m.calibration_error, m.confusion, m.f1]
    for metric in metrics:
        tracemalloc.start()
        try:
            metric(truth, proba, weights)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 24e6, f"{metric} took {peak / 1e6:.0f} MB"  # all weights as floats are 4.8 MB a copy


# ------------------------------------------------------------------------------------------- equal to scikit-learn


@against_scikit_learn
@given(cases())
def test_one_genre_figures_equal_scikit_learn(case: Case) -> None:
    truth, proba, weights = case
    k, said = proba.shape[1], m.predicted(proba)
    every = list(range(k))
    for row in (np.ones(len(truth)), weights[0].astype(float)):
        if not row.any():
            continue
        weighted = {"sample_weight": row}
        seen = np.unique(np.concatenate([truth[row > 0], said[row > 0]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns where a genre is nowhere
            expected = {
                "accuracy": (m.accuracy, sk.accuracy_score(truth, said, **weighted)),
                "balanced": (
                    m.balanced_accuracy,
                    sk.balanced_accuracy_score(truth[row > 0], said[row > 0], sample_weight=row[row > 0]),
                ),
                "log loss": (m.log_loss, sk.log_loss(truth, proba, labels=every, **weighted)),
                "brier": (
                    m.brier,
                    sk.brier_score_loss(truth, proba, labels=every, scale_by_half=False, **weighted)
                    if k > 2
                    else 2 * sk.brier_score_loss(truth, proba[:, 1], labels=every, pos_label=1, **weighted),
                ),
                "confusion": (m.confusion, sk.confusion_matrix(truth, said, labels=every, **weighted)),
                "macro f1": (
                    m.macro_f1,
                    sk.f1_score(truth, said, labels=seen, average="macro", zero_division=0, **weighted),
                ),
                "micro f1": (
                    m.micro_f1,
                    sk.f1_score(truth, said, labels=every, average="micro", zero_division=0, **weighted),
                ),
            }
            for zero in (0.0, np.nan):
                by_genre = sk.precision_recall_fscore_support(
                    truth, said, labels=every, zero_division=zero, average=None, **weighted
                )
                for name, figure, values in zip("prf", (m.precision, m.recall, m.f1), by_genre, strict=False):
                    expected[f"{name} {zero}"] = (partial(figure, zero=zero), values)
        for name, (metric, value) in expected.items():
            assert close(metric(truth, proba, row), value), name


@against_scikit_learn
@given(known_case)
def test_ranking_of_covers_equals_scikit_learn(case: Case) -> None:
    truth, proba, weights = case
    k = proba.shape[1]
    genres = truth if truth.ndim == 2 else truth[:, None] == np.arange(k)
    for row in (np.ones(len(truth)), weights[0].astype(float)):
        precision, auc = m.average_precision(truth, proba, row), m.roc_auc(truth, proba, row)
        for g in range(k):
            own, others = row[genres[:, g] > 0].sum(), row[genres[:, g] == 0].sum()
            expected = sk.average_precision_score(genres[:, g], proba[:, g], sample_weight=row) if own else np.nan
            assert close(precision[g], expected)
            expected = sk.roc_auc_score(genres[:, g], proba[:, g], sample_weight=row) if own and others else np.nan
            assert close(auc[g], expected)


@against_scikit_learn
@given(cases(many=True), st.floats(0, 1))
def test_figures_of_any_number_of_genres_equal_scikit_learn(case: Case, threshold: float) -> None:
    truth, proba, weights = case
    said = (proba >= threshold).astype(int)
    for row in (np.ones(len(truth)), weights[0].astype(float)):
        if not row.any():
            continue
        held, each = truth.ravel(), np.repeat(row, truth.shape[1])
        micro = m.micro_average_precision(truth, proba, row), m.micro_roc_auc(truth, proba, row)
        if each[held == 1].any():
            assert close(micro[0], sk.average_precision_score(held, proba.ravel(), sample_weight=each))
        if each[held == 1].any() and each[held == 0].any():
            assert close(micro[1], sk.roc_auc_score(held, proba.ravel(), sample_weight=each))
        ranking = sk.label_ranking_average_precision_score(truth, proba, sample_weight=row)
        assert close(m.label_ranking_average_precision(truth, proba, row), ranking)
        scored = {"sample_weight": row, "zero_division": 0}
        assert close(
            m.micro_f1(truth, proba, row, thresholds=threshold), sk.f1_score(truth, said, average="micro", **scored)
        )
        seen = np.flatnonzero((row[:, None] * (truth + said)).sum(axis=0))
        macro = m.macro_f1(truth, proba, row, thresholds=threshold)
        if len(seen):
            assert close(macro, sk.f1_score(truth, said, labels=seen, average="macro", **scored))
        else:
            assert np.isnan(macro)
        limits = np.full(proba.shape[1], threshold)
        for metric, theirs in ((m.precision, sk.precision_score), (m.recall, sk.recall_score), (m.f1, sk.f1_score)):
            assert close(metric(truth, proba, row, thresholds=limits), theirs(truth, said, average=None, **scored)), (
                metric.__name__
            )


@against_scikit_learn
@given(cases())
def test_top_k_equals_scikit_learn_without_ties(case: Case) -> None:
    truth, proba, _ = case
    proba = proba + np.random.default_rng(0).random(proba.shape)
    every = list(range(proba.shape[1]))
    for k in every[1:-1]:
        assert close(m.top_k_accuracy(truth, proba, k=k), sk.top_k_accuracy_score(truth, proba, k=k, labels=every))
    assert close(m.top_k_accuracy(truth, proba, k=1), m.accuracy(truth, proba))


def test_log_loss_clips_as_scikit_learn_does_for_each_floating_type() -> None:
    for kind in (np.float32, np.float64):
        proba = np.array([[1, 0], [1, 0], [0.5, 0.5]], dtype=kind)
        assert float(m.log_loss([0, 1, 0], proba)) == pytest.approx(sk.log_loss([0, 1, 0], proba), rel=1e-6)
    assert float(m.log_loss([1], [[1, 0]])) == pytest.approx(36.04, abs=0.01)  # −ln 2⁻⁵²


# ------------------------------------------------------------------------------------------- what is unknown


@laws
@given(cases(many=True, unknown=True))
def test_a_genre_is_judged_on_the_covers_of_which_it_is_known(case: Case) -> None:
    truth, proba, weights = case
    figures: list[Metric] = [m.average_precision, m.roc_auc, m.precision, m.recall, m.f1, partial(m.f1, thresholds=0.3)]
    for g, column in enumerate(truth.T):
        known = column >= 0
        for metric in figures if known.any() else []:
            alone = metric(column[known, None], proba[known][:, [g]], weights[:, known])
            assert close(metric(truth, proba, weights)[:, g], alone[:, 0])


@laws
@given(cases(many=True, unknown=True))
def test_a_cover_is_judged_on_the_genres_that_are_known_of_it(case: Case) -> None:
    truth, proba, _ = case
    for metric in (m.log_loss, m.brier, m.label_ranking_average_precision, m.calibration_error):
        for row, answer in zip(truth, proba, strict=True):
            known = row >= 0
            if known.any():
                assert close(metric([row], [answer]), metric([row[known]], [answer[known]])), metric
    pairs = truth >= 0
    if pairs.any():
        held, claimed = truth[pairs][:, None], proba[pairs][:, None]  # each pair as a cover of one genre
        for metric in (m.micro_f1, m.micro_average_precision, m.micro_roc_auc, m.calibration_error):
            assert close(metric(truth, proba), metric(held, claimed)), metric


def test_what_is_known_of_no_cover_is_no_number() -> None:
    truth, proba = [[-1, -1]], [[0.9, 0.1]]
    for name in ("log loss", "brier", "macro f1", "average precision", "roc auc", "area under risk", "among surest"):
        assert np.isnan(EITHER[name](np.array(truth), np.array(proba))).all(), name
    assert np.isnan(m.micro_roc_auc(truth, proba))
    assert np.isnan(m.micro_average_precision(truth, proba))
    assert m.ranking_precision(truth, proba).tolist() == [1.0]


# ------------------------------------------------------------------------------------------- worked by hand


def test_equal_probas_score_as_a_fair_draw() -> None:
    shrug = np.full((6, 4), 0.25)
    truth = [0, 1, 2, 3, 3, 3]
    for k in range(1, 5):
        assert float(m.top_k_accuracy(truth, shrug, k=k)) == pytest.approx(k / 4)
    assert float(m.top_k_accuracy(truth, shrug, k=9)) == 1
    assert m.roc_auc(truth, shrug).tolist() == [0.5] * 4
    assert m.average_precision(truth, shrug) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert float(m.accuracy(truth, shrug)) == pytest.approx(1 / 6)  # the first genre is named, so that confusion fits
    assert m.confusion(truth, shrug)[:, 0].tolist() == [1, 1, 1, 3]


def test_tie_at_the_border_of_top_k_counts_by_its_chance() -> None:
    # one genre is surer, three share the two places that are left: 2/3
    assert float(m.top_k_accuracy([1], [[0.4, 0.2, 0.2, 0.2]], k=3)) == pytest.approx(2 / 3)


def test_genres_without_covers_are_left_out_of_balanced_accuracy_but_not_of_recall() -> None:
    proba = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]
    assert m.recall([0, 1, 0], proba).tolist() == [0.5, 1.0, 0.0]
    assert float(m.balanced_accuracy([0, 1, 0], proba)) == 0.75


def test_average_precision_and_roc_auc_of_five_covers() -> None:
    # from the surest on: right, wrong, right, wrong, right
    truth = np.array([0, 1, 0, 1, 0])
    proba = np.array([0.9, 0.8, 0.7, 0.6, 0.5])[:, None] * [1, -1] + [0, 1]
    assert float(m.average_precision(truth, proba)[0]) == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert float(m.roc_auc(truth, proba)[0]) == pytest.approx((2 + 1 + 0) / 6)
    # the cover at the top counts three times: its precision too
    weighted = m.average_precision(truth, proba, [3, 1, 1, 1, 1])[0]
    assert float(weighted) == pytest.approx((3 * 1 + 4 / 5 + 5 / 7) / 5)


def test_calibration_error_of_ten_bins_is_the_usual_one_where_covers_fill_them() -> None:
    rng = np.random.default_rng(0)
    sure = np.sort(rng.uniform(0.5, 1, 200))
    truth = (rng.random(200) > sure).astype(int)
    proba = np.stack([sure, 1 - sure], axis=1)
    usual = np.mean([abs(c.mean() - (t == 0).mean()) for c, t in zip(sure.reshape(10, -1), truth.reshape(10, -1))])  # noqa: B905
    assert float(m.calibration_error(truth, proba)) == pytest.approx(usual)
    bins = m.reliability(truth, proba)
    assert bins.mass.tolist() == [20.0] * 10
    assert bins.confidence == pytest.approx(sure.reshape(10, -1).mean(axis=1))


def test_claim_across_a_cut_counts_on_both_sides() -> None:
    # three covers in two bins: the middle one, wrong, lies half in each
    bins = m.reliability([0, 1, 0], [[0.6, 0.4], [0.7, 0.3], [0.8, 0.2]], bins=2)
    assert bins.mass.tolist() == [1.5, 1.5]
    assert bins.accuracy == pytest.approx([1 / 1.5, 1 / 1.5])
    assert bins.confidence == pytest.approx([(0.6 + 0.35) / 1.5, (0.35 + 0.8) / 1.5])


def test_equal_claims_are_mixed_evenly() -> None:
    bins = m.reliability([0, 0, 1, 1], [[0.8, 0.2]] * 4, bins=2)
    assert bins.accuracy.tolist() == [0.5, 0.5]
    assert float(m.calibration_error([0, 0, 1, 1], [[0.8, 0.2]] * 4)) == pytest.approx(0.3)


def test_calibration_of_any_number_of_genres_is_over_pairs() -> None:
    truth, proba = [[1, 0], [1, 1]], [[0.9, 0.1], [0.9, 0.1]]
    bins = m.reliability(truth, proba, bins=2)
    assert bins.confidence == pytest.approx([0.1, 0.9])
    assert bins.accuracy.tolist() == [0.5, 1.0]
    assert float(m.calibration_error(truth, proba, bins=2)) == pytest.approx((0.4 + 0.1) / 2)


def test_brier_and_log_loss_of_any_number_of_genres_are_means_over_genres() -> None:
    truth, proba = [[1, 0]], [[0.5, 0.75]]
    assert float(m.brier(truth, proba)) == pytest.approx((0.25 + 0.5625) / 2)
    assert float(m.log_loss(truth, proba)) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_answering_only_where_it_is_sure_by_hand() -> None:
    right, risk = [1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4]
    assert m.among_surest(right, risk, shares=(0.25, 0.5, 0.625, 1)).tolist() == [1.0, 0.5, 0.6, 0.5]
    assert float(m.area_under_risk(right, risk)) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    # a cover that counts three times holds three fifths of the surest
    assert float(m.among_surest(right, risk, [1, 3, 1, 1], shares=(4 / 6,))[0]) == pytest.approx(1 / 4)
    # equal risks are one: whatever share is answered, half of it is wrong
    assert m.among_surest(right, [0.2] * 4, shares=(0.25, 0.5)).tolist() == [0.5, 0.5]
    assert float(m.area_under_risk(right, [0.2] * 4)) == 0.5
    assert np.isnan(m.likeliest_right([[-1, 1]], [[0.9, 0.1]])[0])


def test_ranking_of_no_genre_or_all_is_right() -> None:
    assert m.ranking_precision([[0, 0], [1, 1]], [[0.9, 0.1], [0.9, 0.1]]).tolist() == [1, 1]


def test_ranking_in_small_blocks_is_the_same() -> None:
    rng = np.random.default_rng(0)
    truth, proba = rng.integers(0, 2, (50, 6)), rng.integers(0, 4, (50, 6)) / 4
    whole = m.ranking_precision(truth, proba)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weighing, "BLOCK", 100)
        assert m.ranking_precision(truth, proba).tolist() == whole.tolist()


def test_thresholds_are_one_a_genre_and_reached_when_equal() -> None:
    truth, proba = [[1, 1], [0, 1]], [[0.3, 0.6], [0.2, 0.4]]
    assert m.recall(truth, proba, thresholds=[0.3, 0.5]).tolist() == [1.0, 0.5]
    assert m.recall(truth, proba).tolist() == [0.0, 0.5]


def test_mean_over_genres_leaves_out_the_unknown() -> None:
    assert np.isnan(m.over_genres([np.nan, np.nan]))
    assert float(m.over_genres([0.25, np.nan, 0.75])) == 0.5


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("truth", "proba", "message"),
    [
        ([], np.empty((0, 2)), "truth of shape \\(0,\\) and proba of shape \\(0, 2\\)"),
        ([0, 1], [[0.5, 0.5]], "Truth is \\(n,\\) or \\(n, K\\)"),
        ([0], [0.5], "with at least one cover"),
        ([2], [[0.5, 0.5]], "Whole numbers from 0 to 1 were expected"),
        ([-1], [[0.5, 0.5]], "Whole numbers from 0 to 1 were expected"),
        ([0.5], [[0.5, 0.5]], "Whole numbers from 0 to 1 were expected"),
        ([np.nan], [[0.5, 0.5]], "Whole numbers from 0 to 1 were expected"),
        ([[1, 2]], [[0.5, 0.5]], "Whole numbers from -1 to 1 were expected"),
        ([[1, -2]], [[0.5, 0.5]], "Whole numbers from -1 to 1 were expected"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "not finite in 1 covers, the first in row 1"),
    ],
)
def test_answers_that_do_not_fit_are_refused(truth: Any, proba: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        m.log_loss(truth, proba)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "an array of shape \\(1,\\)"),
        (np.ones((1, 1, 2)), "\\(n,\\) or \\(B, n\\) with n = 2"),
        (np.empty((0, 2)), "an array of shape \\(0, 2\\)"),
        ([1, -1], "negative or not finite"),
        ([1, np.inf], "negative or not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        m.accuracy([0, 1], [[0.5, 0.5], [0.1, 0.9]], weights)


def test_figures_refuse_the_other_kind_of_truth() -> None:
    with pytest.raises(EvaluationError, match="One genre a cover"):
        m.accuracy([[1, 0]], [[0.5, 0.5]])
    with pytest.raises(EvaluationError, match="Any number of genres"):
        m.ranking_precision([1], [[0.5, 0.5]])
    with pytest.raises(EvaluationError, match="There the likeliest genre is predicted"):
        m.f1([1], [[0.5, 0.5]], thresholds=0.5)
    with pytest.raises(EvaluationError, match="one for each of 2 genres"):
        m.f1([[1, 0]], [[0.5, 0.5]], thresholds=[0.5, 0.5, 0.5])


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(EvaluationError, match="k = 0"):
        m.top_k_accuracy([1], [[0.5, 0.5]], k=0)
    with pytest.raises(EvaluationError, match="0 bins"):
        m.calibration_error([1], [[0.5, 0.5]], bins=0)
    with pytest.raises(EvaluationError, match="One score a cover"):
        m.average([[1.0]])
    with pytest.raises(EvaluationError, match=r"shares \[0\.0\]\. Shares above 0"):
        m.among_surest([1.0], [0.5], shares=[0.0])
    with pytest.raises(EvaluationError, match=r"right of shape \(1,\) and risk of shape \(2,\)"):
        m.area_under_risk([1.0], [0.5, 0.5])
