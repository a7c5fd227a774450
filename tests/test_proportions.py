"""Shares of which only the numbers are known."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy.stats import binomtest, chi2_contingency

from sleevenotes.errors import EvaluationError
from sleevenotes.judge.proportions import holm, two_shares, wilson


@given(st.integers(1, 2000), st.data())
def test_wilson_agrees_with_scipy(n, data):
    hits = data.draw(st.integers(0, n))
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.integers(1, 99), st.integers(1, 99))
def test_two_shares_agree_with_the_chi_square_test_of_a_table(first, second):
    expected = chi2_contingency([[first, 100 - first], [second, 100 - second]], correction=False).pvalue
    assert two_shares(first / 100, second / 100, 100) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_makes_a_p_smaller_nor_changes_their_order(ps):
    corrected = holm(ps)
    assert all(p <= new <= 1 for p, new in zip(ps, corrected, strict=True))
    assert max(corrected) <= max(1.0, len(ps) * max(ps))
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    assert sorted(corrected) == [corrected[index] for index in order]


def test_a_share_that_is_none_is_refused():
    with pytest.raises(EvaluationError, match=r"a share of 1\.2 of 10 covers"):
        wilson(1.2, 10)
    with pytest.raises(EvaluationError, match="1 cover or more"):
        wilson(0.5, 0)
