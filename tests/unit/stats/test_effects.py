"""Effect sizes: values that can be worked out, and what must hold for any data.

Against R they are tested where they are used: test_compare_groups.py, test_compare_paired.py,
test_correlate.py.
"""

import numpy as np
import pytest
from scipy import stats

from glymflow.stats import effects


def test_epsilon_squared_does_not_depend_on_the_order_within_groups():
    samples = [np.array([3.0, 1, 2, 8]), np.array([4.0, 9, 5]), np.array([7.0, 6, 0])]
    back = [sample[::-1] for sample in samples]
    assert effects.epsilon_squared(samples) == effects.epsilon_squared(back)


def test_swapped_groups_invert_the_odds_ratio():
    ratio = effects.odds_ratio([[22, 75], [5, 50]])
    back = effects.odds_ratio([[5, 50], [22, 75]])
    assert ratio == pytest.approx([1 / back[0], 1 / back[2], 1 / back[1]])


def test_interval_of_g_covers_the_truth():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        _, low, high = effects.hedges_g(rng.normal(size=12), rng.normal(0.8, size=15))
        covered += low < 0.8 < high
    assert 180 <= covered <= 199


def test_equal_groups_have_no_effect():
    values = np.array([1.0, 2, 4, 7, 11])
    for effect in (effects.hedges_g, effects.rank_biserial, effects.hodges_lehmann):
        estimate, low, high = effect(values, values)
        assert estimate == pytest.approx(0, abs=1e-12)
        assert low == pytest.approx(-high)
        assert low < 0 < high


def test_hedges_g_is_the_difference_over_the_pooled_sd_made_smaller():
    first, second = np.array([1.0, 2, 3]), np.array([3.0, 4, 5])  # both have an SD of 1
    # J(4) = gamma(2) / (sqrt(2) gamma(1.5))
    assert effects.hedges_g(first, second)[0] == pytest.approx(
        2 / (np.sqrt(2) * np.sqrt(np.pi) / 2)
    )


def test_eta_squared_is_the_share_of_the_sum_of_squares():
    samples = [np.array([1.0, 2, 3]), np.array([2.0, 4, 6]), np.array([5.0, 7, 9])]
    everything = np.concatenate(samples)
    between = sum(3 * (s.mean() - everything.mean()) ** 2 for s in samples)
    share = between / ((everything - everything.mean()) ** 2).sum()
    statistic = stats.f_oneway(*samples).statistic
    estimate, low, high = effects.eta_squared(statistic, 2, 6)
    assert estimate == pytest.approx(share)
    assert low < estimate < high


def test_hodges_lehmann_moves_with_the_second_group():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 20))
    plain, moved = effects.hodges_lehmann(first, second), effects.hodges_lehmann(first, second + 3)
    assert np.subtract(moved, plain) == pytest.approx([3, 3, 3])


def test_risk_difference_and_cramers_v():
    table = [[30, 10], [10, 30]]
    estimate, low, high = effects.risk_difference(table)
    assert estimate == pytest.approx(10 / 40 - 30 / 40)
    assert -1 < low < estimate < high < 0
    assert effects.cramers_v(table)[0] == pytest.approx(0.5)  # phi of a 2 x 2 table
    assert effects.cramers_v([[20, 20], [20, 20]])[0] == 0


def test_paired_effects_of_one_sign():
    differences = np.array([1.0, 2, 3, 4, 5, 6])
    assert effects.cohen_dz(differences)[0] == pytest.approx(3.5 / np.std(differences, ddof=1))
    assert effects.matched_rank_biserial(differences) == (1, 1, 1)
    # the smallest mean of two of them is 1, the largest 6: P(rank sum 0) = 1 / 64
    assert effects.pseudomedian(differences, confidence=1 - 2 / 64) == (3.5, 1, 6)


def test_fisher_z():
    r, low, high = effects.fisher_z(0.5, 28)
    assert np.arctanh([low, high]) == pytest.approx(
        np.arctanh(r) + np.array([-1, 1]) * 1.959964 / 5
    )
    _, narrower, _ = effects.fisher_z(0.5, 28, covariates=5)
    assert narrower < low
    assert np.isnan(effects.fisher_z(0.5, 3)[1:]).all()
    assert np.isnan(effects.fisher_z(1.0, 30)[1:]).all()
