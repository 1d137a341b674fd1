"""What a fitted regression tells of its coefficients: estimates, intervals, tests, as rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from glymflow.stats.common import interval, no_result_if


@dataclass
class Model:
    """A fitted model. Its parameters: those of `extras` (the constant), then the design's columns.

    Attributes
    ----------
    coefficients, covariance : (m,) and (m, m) array
    joint : callable
        Row that tests columns of the design together; second argument "levels", "spline", "bends".
    head : dict
        What the row "model" has.
    words : (str, str)
        Test of a coefficient, and of another contrast.
    estimation : str
        How it was fitted.
    ratio : str
        What exp(coefficient) is called; without one, coefficients are B.
    degrees : callable, optional
        Degrees of freedom of t of a contrast; without it z.
    contrast : callable, optional
        Estimate, se and more of a contrast, instead of those of coefficients and covariance.
    columns : callable, optional
        Test of a column and `limits` of its coefficient, where they are not Wald's.
    standard : (m,) array, optional
        Factors of the standardised coefficients.
    df : float
        Residual degrees of freedom, for completed tables.
    curve : (str, callable), optional
        What a spline's curve shows, from the linear predictor; relative to the median if the model
        has no constant.
    extras, before, after : list of dict
        Rows of the first parameters; rows before the row "model", and after all others.
    checks : list of dict
        Rows before `after`, which completed tables have too: mean values, the median of p.
    warning : callable, optional
        Note of the model from p of the first check.
    common : dict
        What all rows have.
    notes : list of str
        Of the row "model".
    inflated : bool
        Note large variance inflation.
    fit : object
        As the library returns it.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    joint: Callable[[list[int], str], dict]
    head: dict
    words: tuple[str, str]
    estimation: str = "maximum likelihood"
    ratio: str = ""
    degrees: Callable[[np.ndarray], float] | None = None
    contrast: Callable[[np.ndarray], dict] | None = None
    columns: Callable[[int], dict] | None = None
    standard: np.ndarray | None = None
    df: float = np.inf
    curve: tuple[str, Callable] | None = None
    extras: list = field(default_factory=lambda: [{"row": "constant"}])
    before: list = field(default_factory=list)
    after: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    warning: Callable[[float], str] | None = None
    common: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    inflated: bool = True
    fit: Any = None

    def estimate(self, weights: np.ndarray) -> dict:
        """Return estimate, se and degrees of freedom of a contrast of the parameters."""
        if self.contrast:
            return self.contrast(weights)
        value = float(weights @ self.coefficients)
        se = float(np.sqrt(weights @ self.covariance @ weights))
        return {
            "estimate": value,
            "se": se,
            "df": self.degrees(weights) if self.degrees else np.inf,
        }

    def effect(self, weights: np.ndarray, confidence: float, step: float = 1.0) -> dict:
        """Return estimate (a ratio per step), interval and test of a contrast."""
        found = self.estimate(weights)
        value, se, df = found["estimate"], found["se"], found["df"]
        half = stats.t.ppf((1 + confidence) / 2, df) * se
        row = {
            "test": self.words[1],
            "statistic_name": "t" if self.degrees else "z",
            "statistic": value / se,
            "p": float(2 * stats.t.sf(abs(value / se), df)),
            "coefficient": value,
            "se": se,
            "fmi": found.get("fmi"),
            **({"df": df} if self.degrees else {}),
        }
        return row | self._values(value, (value - half, value + half), step)

    def parameter(self, i: int, confidence: float, step: float = 1.0) -> dict:
        """Return estimate, interval and test of a parameter."""
        if self.columns:
            row = dict(self.columns(i))
            return row | self._values(row["coefficient"], row.pop("limits"), step)
        row = self.effect(np.eye(len(self.coefficients))[i], confidence, step)
        row["test"] = self.words[0]
        if self.standard is not None and np.isfinite(self.standard[i]):
            keys = ("estimate", "estimate_low", "estimate_high")
            row |= interval("effect", "beta", [row[key] * self.standard[i] for key in keys])
        return row

    def _values(self, value, limits, step):
        values = np.array([step * value, *sorted(step * limit for limit in limits)])
        if not self.ratio:
            return interval("estimate", "B", values)
        with np.errstate(over="ignore"):
            return interval("estimate", self.ratio, np.exp(values))


def f_row(test: str, f: float, df: int, below: float, p: float) -> dict:
    """Return what a row of an F test has."""
    return {"test": test, "statistic_name": "F", "statistic": float(f), "df": df,
            "df_error": below, "p": float(p)}  # fmt: skip


def chi2_row(test: str, chi2: float, df: int) -> dict:
    """Return what a row of a chi-square test has."""
    return {"test": test, "statistic_name": "chi2", "statistic": float(chi2), "df": df,
            "p": float(stats.chi2.sf(chi2, df))}  # fmt: skip


def least_squares(x: np.ndarray, y: np.ndarray, robust: str = "none") -> Any:
    """Fit by ordinary least squares, with HC3 standard errors if asked for; statsmodels' result."""
    import statsmodels.api as sm

    how = {"cov_type": robust, "use_t": True} if robust != "none" else {}
    with no_result_if(np.linalg.LinAlgError):
        return sm.OLS(y, x).fit(**how)


def likelihood_ratios(
    ratio: Callable[[list[int]], float], name: str = "likelihood ratio test"
) -> Callable[[list[int], str], dict]:
    """Return `Model.joint` by likelihood ratios.

    Parameters
    ----------
    ratio : callable
        Chi-square of some columns: twice what the log-likelihood loses without them.
    name : str
    """
    words = {"levels": ", all levels", "spline": ", spline", "bends": ", bends of the spline"}

    def joint(columns, what):
        test = name + words.get(what, " of the model")
        return chi2_row(test, ratio(list(columns)), len(columns))

    return joint


def nagelkerke(loglik: float, null: float, n: int) -> float:
    """Return Nagelkerke's R squared (Biometrika 1991;78:691-692)."""
    return float(-np.expm1(2 * (null - loglik) / n) / -np.expm1(2 * null / n))
