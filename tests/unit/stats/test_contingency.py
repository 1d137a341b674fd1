"""Fisher's exact test of r x c tables against R's fisher.test, and against all tables."""

import itertools

import numpy as np
import pytest
from scipy import special, stats

from glymflow.stats import contingency
from glymflow.stats.contingency import fisher_exact

R = 1e-6


@pytest.mark.parametrize(
    ("table", "p"),
    [
        # fisher.test(matrix(c(...), rows, byrow = TRUE), workspace = 2e8)$p.value
        ([[5, 3, 2], [2, 6, 4], [1, 2, 9], [4, 4, 4]], 0.118740426875),
        ([[20, 31], [14, 9], [5, 2]], 0.101339265731),
        ([[3, 1, 0, 2, 4], [2, 2, 5, 1, 0], [0, 3, 1, 1, 6]], 0.0125110291083),
        ([[1, 1], [1, 1], [2, 1]], 1.0),
    ],
)
def test_r(table, p):
    assert fisher_exact(np.array(table)) == (pytest.approx(p, rel=R), 0.0)
    assert fisher_exact(np.transpose(table))[0] == pytest.approx(p, rel=R)


def test_two_by_two_is_scipys():
    table = np.array([[22, 75], [5, 50]])
    assert fisher_exact(table)[0] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)


def test_all_tables_one_by_one():
    table = np.array([[3, 1, 2], [0, 4, 1], [2, 2, 2]])
    rows, columns = table.sum(axis=1), table.sum(axis=0)

    def logs(counts):
        return special.gammaln(np.asarray(counts) + 1.0).sum()

    p = 0.0
    for a, b, c, d in itertools.product(range(7), repeat=4):
        other = np.array([[a, b, rows[0] - a - b], [c, d, rows[1] - c - d]])
        other = np.vstack([other, columns - other.sum(axis=0)])
        if (other >= 0).all() and logs(other) >= logs(table) - 1e-7:
            p += np.exp(logs(rows) + logs(columns) - logs(table.sum()) - logs(other))
    assert fisher_exact(table)[0] == pytest.approx(p, rel=1e-9)


def test_too_many_tables_are_simulated(monkeypatch):
    table = np.array([[5, 3, 2], [2, 6, 4], [1, 2, 9], [4, 4, 4]])
    monkeypatch.setattr(contingency, "MOST_STEPS", 10)
    p, error = fisher_exact(table, seed=3)
    assert abs(p - 0.118740426875) < 4 * error
    assert error == pytest.approx(np.sqrt(p * (1 - p) / contingency.RESAMPLES))
    assert fisher_exact(table, seed=3) == (p, error)
