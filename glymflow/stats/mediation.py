"""Mediation: how much of an effect goes through one or more mediators (`kind: mediation`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import (
    check_continuous,
    interval,
    joined,
    no_result_if,
    planned,
    row_of_test,
    tidy,
)
from glymflow.stats.design import adjust_rows, build_design, check_named, read_variables

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "row", "path", "predictor", "outcome", "reference", "n", "missing", "test"),
    *("statistic_name", "statistic", "df", "p", "p_adjusted", "correction", "estimate_name"),
    *("estimate", "estimate_low", "estimate_high", "percentile_low", "percentile_high", "se"),
    *("sobel_z", "sobel_p", "effect_name", "effect", "effect_low", "effect_high"),
    *("n_bootstrap", "failed", "confidence", "note"),
]
COEFFICIENT = "t test of the coefficient, ordinary least squares"
BOOTSTRAP = {
    "bca": "bootstrap of participants (BCa interval)",
    "percentile": "bootstrap of participants (percentile interval)",
}
CHUNK = 500  # resamples at a time
MOST_FAILED = 0.05


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned mediation analysis."""
    return planned(mediation, table, analysis, variables=plan["variables"], seed=plan["seed"])


def mediation(
    table: pd.DataFrame,
    *,
    variables: dict,
    predictor: str,
    mediators: Sequence[str],
    outcome: str,
    covariates: Sequence[str] = (),
    references: dict | None = None,
    n_bootstrap: int = 5000,
    interval: str = "bca",
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    r"""Split the effect of X on Y into the part through mediators M and the rest.

    Linear models with the same covariates C throughout:

    .. math:: M_j = a_j X + C, \quad Y = c' X + \sum_j b_j M_j + C, \quad Y = c X + C

    The indirect effects are :math:`a_j b_j`; :math:`c = c' + \sum_j a_j b_j`. Several mediators are
    parallel: each b is adjusted for the other mediators. Associations, not proof of causes: the
    models cannot tell which of X, M, Y comes first.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    predictor : str
        X: continuous or of two levels.
    mediators : list of str
        M: continuous.
    outcome : str
        Y: continuous.
    covariates : list of str
        C: any.
    references : dict, optional
        Reference level by variable.
    n_bootstrap : int
        Resamples of participants.
    interval : {"bca", "percentile"}
        Which interval stands at the indirect effects; the percentile one is given beside it.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of the mediators' p for their number.
    confidence : float
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        `COLUMNS`: rows "path" (a, b, c, c'; t test; effect is the standardised coefficient), "test"
        per mediator (indirect effect; bootstrap p, Sobel's beside it; effect is the completely
        standardised indirect effect), "total" (all mediators together), "proportion" (indirect
        / total effect; none where they have opposite signs).

    References
    ----------
    Hayes AF. Introduction to mediation, moderation, and conditional process analysis. 3rd ed.
    Guilford 2022. Preacher KJ, Hayes AF. Behav Res Methods 2008;40:879-891. Efron B. J Am Stat
    Assoc 1987;82:171-185 (BCa). Sobel ME. Sociol Methodol 1982;13:290-312.
    """
    mediators = list(mediators)
    check_named(references, [predictor, *covariates], "reference")
    base = {"predictor": predictor, "outcome": outcome, "confidence": confidence}
    try:
        data = _read(
            table, variables, (predictor, mediators, outcome, list(covariates)), references
        )
        rows = _paths(data, confidence)
        rows += _bootstrapped(data, rows, n_bootstrap, interval, confidence, seed)
        count = {"n": len(data["y"]), "missing": data["missing"]}
        rows = [{**count, **row} for row in rows]
        rows[0]["note"] = joined(*data["notes"])
    except NoResult as fault:
        note = f"no mediation: {fault}"
        rows = [{"row": "test", "variable": name, "path": "ab", "note": note} for name in mediators]
    results = tidy([{**base, **row} for row in rows], COLUMNS)
    adjust_rows(results, results["row"] == "test", correction)
    return results


def _read(table, variables, roles, references):
    """Return the columns: constant, X, C; M; Y."""
    predictor, mediators, outcome, covariates = roles
    names = [predictor, *mediators, outcome, *covariates]
    as_what = ["predictor", *["mediator"] * len(mediators), "outcome"]
    as_what += ["covariate"] * len(covariates)
    for place, name in enumerate(names):
        if name in names[:place]:
            earlier = as_what[names.index(name)]
            raise NoResult(f"'{name}' is used both as {earlier} and as {as_what[place]}")
    check_continuous(variables, *mediators, outcome)
    values, notes = read_variables(table, variables, names)
    complete = values.dropna()
    if len(complete) < 5:
        raise NoResult(f"{len(complete)} complete rows")
    y = complete[outcome].to_numpy(float)
    if np.ptp(y) == 0:
        raise NoResult(f"the outcome '{outcome}' is constant")
    # all of the right-hand sides at once: what is collinear there has no paths
    design = build_design(complete, variables, [predictor, *mediators, *covariates], references)
    if len(design.columns_of(predictor)) != 1:
        raise NoResult(f"the predictor '{predictor}' has more than two levels")
    middle = [design.columns_of(name)[0] for name in mediators]
    rest = [i for i in range(design.x.shape[1]) if i not in middle]
    return {
        "x": np.column_stack([np.ones(len(y)), design.x[:, rest]]),
        "m": design.x[:, middle],
        "y": y,
        "names": (predictor, mediators, outcome),
        "term": design.terms[0],
        "missing": len(values) - len(y),
        "notes": [f"{name}: {note}" for name, note in {**notes, **design.notes}.items()],
    }


def _paths(data, confidence):
    """Fit the models; rows a and b per mediator, then c and c'."""
    import statsmodels.api as sm

    x, m, y = data["x"], data["m"], data["y"]
    predictor, mediators, _ = data["names"]
    with no_result_if(np.linalg.LinAlgError):
        whole = sm.OLS(y, np.column_stack([x, m])).fit()
        total = sm.OLS(y, x).fit()
        firsts = [sm.OLS(column, x).fit() for column in m.T]
    sd = {"x": x[:, 1].std(ddof=1), "y": y.std(ddof=1)}
    if whole.rsquared > 1 - 1e-12:
        raise NoResult("predictor and mediators determine the outcome: nothing is left to test")
    rows = []
    for j, (name, first) in enumerate(zip(mediators, firsts, strict=True)):
        if first.rsquared > 1 - 1e-12:
            raise NoResult(f"the predictor determines the mediator '{name}'")
        spread = m[:, j].std(ddof=1)
        rows.append(_path_row("a", name, first, 1, sd["x"] / spread, confidence))
        rows.append(_path_row("b", name, whole, x.shape[1] + j, spread / sd["y"], confidence))
    scale = sd["x"] / sd["y"]
    rows.append(_path_row("c", predictor, total, 1, scale, confidence))
    rows.append(_path_row("c'", predictor, whole, 1, scale, confidence))
    term = data["term"]
    return [{**row, "reference": term.reference} for row in rows]


def _path_row(path, name, fit, column, scale, confidence):
    values = np.array([fit.params[column], *fit.conf_int(1 - confidence)[column]])
    return {
        "row": "path",
        "variable": name,
        "path": path,
        **row_of_test(COEFFICIENT, "t", fit.tvalues[column], fit.pvalues[column], df=fit.df_resid),
        "se": fit.bse[column],
        **interval("estimate", "B", values),
        **interval("effect", "beta", values * scale),
    }


# --- Bootstrap -----------------------------------------------------------------------------------


def indirect_effects(
    x: np.ndarray, m: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Indirect and total effects under many weightings of the rows at once.

    All sums of squares and products of a weighting are one row of a matrix product, so that a
    resample is not a loop over its participants.

    Parameters
    ----------
    x : (n, 2 + q) array
        Constant, X, covariates.
    m : (n, k) array
    y : (n,) array
    weights : (b, n) array
        How often each row counts in each of b resamples.

    Returns
    -------
    indirect : (b, k) array
        a_j b_j; NaN where a resample has no fit.
    total : (b,) array
        c.
    """
    z = np.column_stack([x, m, y])
    z[:, 1:] = (z[:, 1:] - z[:, 1:].mean(axis=0)) / z[:, 1:].std(axis=0)
    size, p, k = z.shape[1], x.shape[1], m.shape[1]
    products = np.einsum("ni,nj->nij", z, z).reshape(len(z), -1)
    cross = (weights @ products).reshape(-1, size, size)
    left = cross[:, : p + k, : p + k]
    # a resample of too few different people, or with X constant, has no fit
    good = np.linalg.cond(left) < 1e10
    indirect = np.full((len(weights), k), np.nan)
    total = np.full(len(weights), np.nan)
    cross, left = cross[good], left[good]
    first = np.linalg.solve(cross[:, :p, :p], cross[:, :p, p:])
    second = np.linalg.solve(left, cross[:, : p + k, -1:])[..., 0]
    scale = y.std() / x[:, 1].std()
    indirect[good] = first[:, 1, :k] * second[:, p:] * scale
    total[good] = first[:, 1, k] * scale
    return indirect, total


def _bootstrapped(data, paths, n_bootstrap, kind, confidence, seed):
    """Rows of the indirect effects and proportions."""
    x, m, y = data["x"], data["m"], data["y"]
    n, k = m.shape
    rng = np.random.default_rng(seed)
    draws, jack = [], []
    for start in range(0, n_bootstrap, CHUNK):
        count = min(CHUNK, n_bootstrap - start)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=count).astype(float)
        draws.append(_statistics(*indirect_effects(x, m, y, weights)))
    for start in range(0, n, CHUNK):
        weights = np.ones((min(CHUNK, n - start), n))
        weights[range(len(weights)), range(start, start + len(weights))] = 0
        jack.append(_statistics(*indirect_effects(x, m, y, weights)))
    draws, jack = np.concatenate(draws), np.concatenate(jack)
    whole = _statistics(*indirect_effects(x, m, y, np.ones((1, n))))[0]
    failed = int(np.isnan(draws).any(axis=1).sum())
    draws = draws[np.isfinite(draws).all(axis=1)]
    if failed > MOST_FAILED * n_bootstrap:
        raise NoResult(f"{failed} of {n_bootstrap} resamples could not be fitted")
    jack = jack[np.isfinite(jack).all(axis=1)]
    rows = []
    for j in range(2 * (k + 1)):
        limits = bootstrap_limits(whole[j], draws[:, j], jack[:, j], confidence)
        low, high = limits["percentile"]
        row = {"n_bootstrap": n_bootstrap, "failed": failed, "note": limits["note"]}
        row |= {"percentile_low": low, "percentile_high": high, "test": BOOTSTRAP[kind]}
        values = (whole[j], *limits[kind])
        if j <= k:
            p = 2 * min((draws[:, j] <= 0).mean(), (draws[:, j] >= 0).mean())
            row |= {"p": min(max(p, 2 / (len(draws) + 1)), 1.0), "se": draws[:, j].std(ddof=1)}
            rows.append(row | _indirect_row(data, paths, j, values))
        else:
            rows.append(row | _proportion_row(data, paths, j - k - 1, values))
    return rows


def _statistics(indirect, total):
    """Columns: indirect effects, their sum; the same as shares of the total effect."""
    both = np.column_stack([indirect, indirect.sum(axis=1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([both, both / total[:, None]])


def bootstrap_limits(value: float, draws: np.ndarray, jack: np.ndarray, confidence: float) -> dict:
    """Percentile and BCa limits.

    Parameters
    ----------
    value : float
        The statistic in the sample.
    draws : (b,) array
        In the resamples.
    jack : (n,) array
        With one row left out each.
    confidence : float

    Returns
    -------
    dict
        percentile, bca: (low, high); note where BCa cannot be had.

    References
    ----------
    Efron B. Better bootstrap confidence intervals. J Am Stat Assoc 1987;82:171-185.
    """
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    result = {"percentile": tuple(np.quantile(draws, tails)), "bca": (np.nan, np.nan), "note": ""}
    below = ((draws < value).sum() + (draws == value).sum() / 2) / len(draws)
    gaps = jack.mean() - jack
    spread = (gaps**2).sum()
    if not 0 < below < 1 or not spread > 0:
        return {**result, "note": "no BCa interval: the statistic is at the edge of its resamples"}
    bias = stats.norm.ppf(below)
    acceleration = (gaps**3).sum() / (6 * spread**1.5)
    shifted = bias + stats.norm.ppf(tails)
    levels = stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))
    return {**result, "bca": tuple(np.quantile(draws, levels))}


def _indirect_row(data, paths, j, values):
    predictor, mediators, _ = data["names"]
    scale = data["x"][:, 1].std() / data["y"].std()
    row = interval("estimate", "indirect effect", values)
    row |= interval("effect", "completely standardised indirect effect", np.array(values) * scale)
    if j == len(mediators):
        return {**row, "row": "total", "variable": predictor, "path": "sum of ab"}
    a, b = paths[2 * j], paths[2 * j + 1]
    se = np.hypot(a["estimate"] * b["se"], b["estimate"] * a["se"])
    z = a["estimate"] * b["estimate"] / se
    row |= {"sobel_z": z, "sobel_p": 2 * stats.norm.sf(abs(z))}
    return {**row, "row": "test", "variable": mediators[j], "path": "ab"}


def _proportion_row(data, paths, j, values):
    predictor, mediators, _ = data["names"]
    total = paths[-2]
    row = {"row": "proportion", "variable": predictor, "path": "sum of ab / c"}
    if j < len(mediators):
        row |= {"variable": mediators[j], "path": "ab / c"}
    direct = total["estimate"] * (1 - values[0])
    if values[0] < 0 or direct * total["estimate"] < 0:
        note = "no proportion: the indirect effect and the rest of the effect have opposite signs"
        nothing = dict.fromkeys(("test", "percentile_low", "percentile_high"))
        return {**row, **nothing, "note": note}
    row |= interval("estimate", "proportion mediated", values)
    if total["estimate_low"] <= 0 <= total["estimate_high"]:
        row["note"] = "the interval of the total effect includes 0: a proportion of it means little"
    else:
        row["note"] = ""
    return row
