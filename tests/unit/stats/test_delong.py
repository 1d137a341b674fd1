"""DeLong's areas and covariance against their definition."""

import numpy as np
import pytest

from glymflow.io import NoResult
from glymflow.stats.delong import auc_covariance, auc_interval, delong_test


class TestDelong:
    def test_definition(self):
        rng = np.random.default_rng(0)
        events, others = rng.integers(0, 6, (2, 12)), rng.integers(0, 5, (2, 9))
        auc, covariance = auc_covariance(events, others)
        wins = (events[:, :, None] > others[:, None]) + (events[:, :, None] == others[:, None]) / 2
        expected = np.cov(wins.mean(axis=2)) / 12 + np.cov(wins.mean(axis=1)) / 9
        assert auc == pytest.approx(wins.mean(axis=(1, 2)))
        assert covariance == pytest.approx(expected)

    def test_same_marker_twice(self):
        events, others = np.array([[1, 2, 3, 9.0]] * 2), np.array([[0, 2, 1.0]] * 2)
        with pytest.raises(NoResult, match="do not differ"):
            delong_test(events, others)

    def test_sign(self):
        rng = np.random.default_rng(2)
        events, others = rng.normal(0.5, 1, (2, 40)), rng.normal(size=(2, 30))
        forward, back = (
            delong_test(e, o) for e, o in ((events, others), (events[::-1], others[::-1]))
        )
        assert forward[0] == pytest.approx(-back[0])
        assert forward[1] == pytest.approx(-back[2])
        assert forward[4] == pytest.approx(back[4])


def test_ties_are_half():
    assert auc_interval([1, 1], [1, 1, 1])[0] == 0.5


def test_no_interval_where_the_groups_do_not_overlap():
    auc, *limits = auc_interval([4, 5, 6], [1, 2, 3])
    assert auc == 1
    assert np.isnan(limits).all()


def test_one_event_has_an_area_and_no_spread():
    auc, covariance = auc_covariance([3], [1, 2, 4])
    assert auc == pytest.approx([2 / 3])
    assert np.isnan(covariance).all()
