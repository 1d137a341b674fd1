r"""Multiple imputation by chained equations, and Rubin's rules, on data frames and arrays.

Own code: statsmodels' MICE takes numbers only, no levels, and draws from NumPy's global generator.

References
----------
Rubin DB. Multiple imputation for nonresponse in surveys. Wiley 1987. Van Buuren S. Flexible
imputation of missing data. 2nd ed. CRC 2018. Barnard J, Rubin DB. Biometrika 1999;86:948-955. Li
KH, Raghunathan TE, Rubin DB. J Am Stat Assoc 1991;86:1065-1073. Little RJ. J Bus Econ Stat
1988;6:287-296 (predictive mean matching).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult

DONORS = 5
RIDGE = 1e-5  # of the squares of each predictor, as in mice


def impute(
    values: pd.DataFrame, levels: dict, *, sets: int, iterations: int, seed: int
) -> Iterator[pd.DataFrame]:
    """Fill missing values again and again by chained equations with predictive mean matching.

    Each incomplete variable is regressed on all others (levels as indicators); the coefficients are
    drawn from their distribution, and a missing value is that of one of the `DONORS` rows whose
    predictions are nearest. A variable with levels is predicted by its indicators together.

    Parameters
    ----------
    values : DataFrame
        Numbers, NaN for missing, and levels as text, None for missing.
    levels : dict of str to list of str
        The levels of each variable that has any.
    sets, iterations : int
        Completed tables, and rounds before each.
    seed : int

    Yields
    ------
    DataFrame
        Without missing values.

    Raises
    ------
    NoResult
        If a variable has fewer known values than donors.
    """
    gaps = values.isna()
    order = [name for name in values if gaps[name].any()]
    order.sort(key=lambda name: int(gaps[name].sum()))
    for name in order:
        if (~gaps[name]).sum() <= DONORS:
            raise NoResult(f"'{name}' has too few known values to be imputed from")
    rng = np.random.default_rng(seed)
    for _ in range(sets):
        filled = values.copy()
        for name in order:
            known = values.loc[~gaps[name], name].to_numpy()
            filled.loc[gaps[name], name] = rng.choice(known, int(gaps[name].sum()))
        for _ in range(iterations if order else 0):
            for name in order:
                missing = gaps[name].to_numpy()
                x = _columns(filled.drop(columns=name), levels)
                y = _columns(filled[[name]], levels)
                chosen = _matched(y[~missing], x[~missing], x[missing], rng)
                known = filled.loc[~gaps[name], name].to_numpy()
                filled.loc[gaps[name], name] = known[chosen]
        yield filled


def _columns(frame, levels):
    """Return standardised columns: numbers, and indicators of the levels but the first."""
    columns = []
    for name in frame:
        if name in levels:
            columns += [(frame[name] == level).to_numpy(float) for level in levels[name][1:]]
        else:
            columns.append(frame[name].to_numpy(float))
    x = np.column_stack(columns) if columns else np.zeros((len(frame), 0))
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _matched(y, x, wanted, rng):
    """Return for each wanted row the number of a known row with a prediction nearby."""
    exog = np.column_stack([np.ones(len(x)), x])
    squares = exog.T @ exog
    inverse = np.linalg.inv(squares + RIDGE * np.diag(np.diag(squares)))
    best = inverse @ exog.T @ y
    df = max(len(y) - exog.shape[1], 1)
    root = np.linalg.cholesky((inverse + inverse.T) / 2)
    spread = np.sqrt(((y - exog @ best) ** 2).sum(axis=0) / rng.chisquare(df))
    drawn = best + root @ rng.standard_normal(best.shape) * spread
    known = exog @ best  # as mice: known rows by the best, missing ones by the drawn coefficients
    target = np.column_stack([np.ones(len(wanted)), wanted]) @ drawn
    far = ((target[:, None, :] - known[None, :, :]) ** 2).sum(axis=2)
    far += 1e-12 * rng.random(far.shape)  # ties in any order
    near = np.argpartition(far, DONORS - 1, axis=1)[:, :DONORS]
    return near[np.arange(len(near)), rng.integers(DONORS, size=len(near))]


@dataclass
class Pooled:
    """Estimates of several completed tables, put together by Rubin's rules.

    Attributes
    ----------
    estimates : (k,) array
    within, between, total : (k, k) array
        Covariances.
    sets : int
    df_complete : float
        Residual degrees of freedom, had nothing been missing.
    """

    estimates: np.ndarray
    within: np.ndarray
    between: np.ndarray
    total: np.ndarray
    sets: int
    df_complete: float

    def contrast(self, weights: np.ndarray) -> dict:
        """Return estimate, se, df (Barnard and Rubin) and fraction of missing information."""
        within, between = (float(weights @ part @ weights) for part in (self.within, self.between))
        total = float(weights @ self.total @ weights)
        share = (1 + 1 / self.sets) * between / total
        old = (self.sets - 1) / share**2 if share > 0 else np.inf
        complete = self.df_complete
        observed = np.inf
        if np.isfinite(complete):
            observed = (complete + 1) / (complete + 3) * complete * (1 - share)
        df = 1 / (1 / old + 1 / observed) if min(old, observed) < np.inf else np.inf
        increase = (1 + 1 / self.sets) * between / within
        return {
            "estimate": float(weights @ self.estimates),
            "se": np.sqrt(total),
            "df": df,
            "fmi": (increase + 2 / (df + 3)) / (increase + 1),
        }

    def joint(self, columns: list[int]) -> tuple[float, float, float]:
        """Test that some estimates are 0 (D1): F, its second degrees of freedom, p.

        The degrees of freedom are those of large samples, and at most those of the complete table.
        """
        part, k, m = np.ix_(columns, columns), len(columns), self.sets
        inverse, q = np.linalg.inv(self.within[part]), self.estimates[columns]
        increase = (1 + 1 / m) * np.trace(self.between[part] @ inverse) / k
        f, t = float(q @ inverse @ q / (k * (1 + increase))), k * (m - 1)
        if increase <= 0:
            below = self.df_complete
        elif t > 4:
            below = 4 + (t - 4) * (1 + (1 - 2 / t) / increase) ** 2
        else:
            below = t * (1 + 1 / k) * (1 + 1 / increase) ** 2 / 2
        below = min(below, self.df_complete)
        p = stats.chi2.sf(f * k, k) if np.isinf(below) else stats.f.sf(f, k, below)
        return f, float(below), float(p)


def pool(
    estimates: list[np.ndarray], covariances: list[np.ndarray], df_complete: float = np.inf
) -> Pooled:
    """Put the estimates of completed tables together by Rubin's rules.

    Parameters
    ----------
    estimates : list of (k,) array
    covariances : list of (k, k) array
    df_complete : float
        Residual degrees of freedom of the complete table.
    """
    q, m = np.array(estimates), len(estimates)
    within, between = np.mean(covariances, axis=0), np.atleast_2d(np.cov(q.T, ddof=1))
    return Pooled(q.mean(axis=0), within, between, within + (1 + 1 / m) * between, m, df_complete)
