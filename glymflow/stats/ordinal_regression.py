"""Ordinal logistic regression, as of the modified Rankin scale (`kind: ordinal_regression`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from scipy.special import expit

from glymflow.io import NoResult
from glymflow.stats import firth
from glymflow.stats.coefficients import Model, chi2_row, likelihood_ratios, nagelkerke
from glymflow.stats.common import interval, no_result_if
from glymflow.stats.regression import RATIO_COLUMNS, Setup, planned_regression, ratio_regression

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = RATIO_COLUMNS
METHOD = "ordinal logistic regression (proportional odds)"
FEW_PER_LEVEL = 5
NEWTON_STEPS, LAST_STEP = 20, 1e-9
ALPHA = 0.05


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    return planned_regression(ordinal_regression, table, plan, analysis)


def ordinal_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    odds_of: str = "higher",
    univariable: bool = False,
    correction: str = "none",
    **terms: Any,
) -> pd.DataFrame:
    r"""Model the level of an ordered outcome by cumulative odds ("shift analysis").

    .. math:: logit P(y > j) = \beta x - \theta_j

    The common odds ratio :math:`\exp(d\,\beta)` per increment d is the same at every cut-point j;
    Brant's test asks whether that holds. Maximum likelihood by statsmodels, Wald's z and interval,
    as in R's ``ordinal::clm`` and ``MASS::polr``.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A categorical variable of three and more levels, in their order.
    predictors : list of str
    odds_of : {"higher", "lower"}
        The odds of later levels against earlier ones, or the other way round.
    univariable : bool
        Print each predictor's own regression beside the model.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables.
    **terms
        references, increments, interactions, splines, imputation, confidence, seed of
        `glymflow.stats.regression.Setup`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable"; "summary" (count and percent of each level); those of
        `glymflow.stats.regression.model_rows` ("curve": the odds ratio against the median);
        "threshold" for each cut-point; "proportional_odds": Brant's test of all predictors and of
        each; "cut_point": the odds ratio of each column at each cut-point, from a logistic
        regression of its own.

    References
    ----------
    McCullagh P. J R Stat Soc B 1980;42:109-142. Brant R. Biometrics 1990;46:1171-1178.
    """

    def fit(design, rows):
        variable = variables[outcome]
        if len(variable.get("levels", [])) < 3:
            raise NoResult(f"the outcome '{outcome}' is not a categorical variable of 3 levels")
        return _fit(design, rows[outcome], variable, odds_of, setup)

    setup = Setup(variables, outcome, fit, **terms)
    return ratio_regression(table, setup, predictors, univariable, correction)


def _fit(design, levels, variable, odds_of, setup):
    order = variable["levels"] if odds_of == "higher" else variable["levels"][::-1]
    counts = {level: int((levels == level).sum()) for level in order}
    found = [level for level in order if counts[level]]
    if len(found) < 3:
        raise NoResult(f"only {len(found)} levels of the outcome occur; three are needed")
    y = levels.map({level: i for i, level in enumerate(found)}).to_numpy(int)
    if min(counts[level] for level in found) < 1 or len(y) <= design.x.shape[1] + len(found) - 1:
        raise NoResult(f"{len(y)} complete rows are too few")
    _refuse_separation(design, y, len(found))
    mean, sd = design.x.mean(axis=0), design.x.std(axis=0)
    z = (design.x - mean) / sd
    model = _maximum(y, z)
    k = design.x.shape[1]
    beta = model.beta / sd
    thresholds = model.thresholds + beta @ mean
    null = float((np.bincount(y) * np.log(np.bincount(y) / len(y))).sum())

    def without(columns):
        rest = np.delete(z, columns, axis=1)
        return _maximum(y, rest).llf if rest.size else null

    summary = [
        {"row": "summary", "level": level, "count": counts[level],
         "percent": 100 * counts[level] / len(y)}
        for level in variable["levels"]
    ]  # fmt: skip
    cuts = [f"{found[j]} | {found[j + 1]}" for j in range(len(found) - 1)]
    rows = [
        {"row": "threshold", "level": cut, "coefficient": threshold}
        for cut, threshold in zip(cuts, thresholds, strict=True)
    ]
    few = [level for level in found if counts[level] < FEW_PER_LEVEL]
    notes = [f"fewer than {FEW_PER_LEVEL} participants at: {', '.join(few)}"] if few else []
    missing = [level for level in order if not counts[level]]
    notes += [f"levels nobody has: {', '.join(missing)}"] if missing else []
    checks, more, note = _proportional_odds(design, y, cuts, setup)
    joint = likelihood_ratios(lambda columns: 2 * (model.llf - without(columns)))
    head = {"effect_name": "Nagelkerke R squared", "effect": nagelkerke(model.llf, null, len(y))}
    return Model(
        beta, model.covariance[:k, :k] / np.outer(sd, sd), joint,
        {**joint(range(k), "model"), **head}, ("Wald test", "Wald test"),
        ratio="common odds ratio" + (" (lower levels)" if odds_of == "lower" else ""),
        df=float(len(y) - k - len(thresholds)), curve=("common odds ratio", np.exp), extras=[],
        before=summary, checks=[*rows, *checks], after=more, common={"method": METHOD},
        warning=_not_proportional, notes=[*notes, note] if note else notes,
    )  # fmt: skip


@dataclass
class _Fit:
    """Log odds (k,), thresholds (J,), covariance (k + J, k + J) and log likelihood."""

    beta: np.ndarray
    thresholds: np.ndarray
    covariance: np.ndarray
    llf: float


def _maximum(y, z):
    """Return statsmodels' fit, ended by Newton's steps.

    Its derivatives are differences of the likelihood: standard errors have six digits at best, the
    last of which differ between machines.
    """
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    with warnings.catch_warnings(), no_result_if(np.linalg.LinAlgError, ValueError):
        warnings.simplefilter("ignore")
        fit = OrderedModel(y, z, distr="logit").fit(
            method="bfgs", disp=0, gtol=1e-6, maxiter=1000, skip_hessian=True
        )
        k = z.shape[1]
        thresholds = fit.model.transform_threshold_params(fit.params)[1:-1]
        params = np.append(fit.params[:k], thresholds)
        for _ in range(NEWTON_STEPS):
            llf, score, information = log_odds_likelihood(y, z, params)
            step = np.linalg.solve(information, score)
            if np.abs(step).max() < LAST_STEP:
                covariance = np.linalg.inv(information)
                return _Fit(params[:k], params[k:], covariance, llf)
            params = params + step
    raise NoResult("the fit of the ordinal regression does not converge")


def log_odds_likelihood(
    y: np.ndarray, x: np.ndarray, params: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log likelihood of cumulative odds, its gradient and the observed information.

    Parameters
    ----------
    y : (n,) array of int
        Levels 0, 1, ..., J, each of which occurs.
    x : (n, k) array
        Without constant.
    params : (k + J,) array
        Log odds of a higher level, then the J thresholds, which increase.

    Returns
    -------
    llf : float
    score : (k + J,) array
    information : (k + J, k + J) array

    References
    ----------
    McCullagh P. J R Stat Soc B 1980;42:109-142.
    """
    k, cuts = x.shape[1], len(params) - x.shape[1]
    ends = np.concatenate([[-np.inf], params[k:], [np.inf]])
    linear, own = x @ params[:k], np.eye(cuts + 2)[:, 1:-1]
    below, above = expit(ends[y] - linear), expit(ends[y + 1] - linear)
    p = above - below
    slopes, parts, information = [], [], 0.0
    for sign, f, level in ((-1, below, y), (1, above, y + 1)):
        density = f * (1 - f)
        slopes.append(sign * density / p)
        parts.append(np.hstack([-x, own[level]]))
        information -= parts[-1].T @ (parts[-1] * (slopes[-1] * (1 - 2 * f))[:, None])
    score = parts[0] * slopes[0][:, None] + parts[1] * slopes[1][:, None]
    return float(np.log(p).sum()), score.sum(axis=0), information + score.T @ score


def _refuse_separation(design, y, levels):
    """Raise if there are no finite coefficients: the same columns divide the levels at all cuts."""
    cuts = range(levels - 1)
    near = [(y == j) | (y == j + 1) for j in cuts]
    x = np.vstack([design.x[rows] for rows in near])
    own = np.vstack([np.tile(np.arange(1, levels - 1) == j, (near[j].sum(), 1)) for j in cuts])
    above = np.concatenate([y[near[j]] > j for j in cuts]).astype(float)
    k = design.x.shape[1]
    parts = [i for i in firth.separated(np.hstack([x, own.astype(float)]), above) if i < k]
    if parts:
        names = ", ".join(str(design.terms[i]) for i in parts)
        raise NoResult(
            f"{names} separates the levels of the outcome: the maximum likelihood estimate does not"
            " exist"
        )


# --- Are the odds proportional? ------------------------------------------------------------------


def _proportional_odds(design, y, cuts, setup):
    """Return the rows of Brant's test, those of each cut-point, and why there are none."""
    name = "Brant test of proportional odds"
    try:
        coefficients, covariance = cut_point_fits(design.x, y)
    except NoResult as fault:
        note = f"proportional odds were not tested: {fault}"
        return [{"row": "proportional_odds", "test": name, "note": note}], [], note
    checks, rows, k = [], [], len(design.terms)
    for variable in [None, *dict.fromkeys(term.variable for term in design.terms)]:
        columns = list(range(k)) if variable is None else design.columns_of(variable)
        chi2, df, _ = brant_test(coefficients, covariance, columns)
        row = {"row": "proportional_odds", "variable": variable}
        checks.append(row | chi2_row(name, chi2, df))
    z = stats.norm.ppf((1 + setup.confidence) / 2)
    for j, cut in enumerate(cuts):
        for column, term in enumerate(design.terms):
            beta, se = coefficients[j, column], np.sqrt(covariance[j * k + column, j * k + column])
            step = (setup.increments or {}).get(term.variable, 1.0) if term.level is None else 1.0
            with np.errstate(over="ignore"):
                ratios = np.exp(step * (beta + np.array([0, -z, z]) * se))
            row = {"row": "cut_point", "variable": term.variable, "reference": term.reference}
            row |= {"level": f"{cut}: {term.level}" if term.level else cut, "increment": step}
            rows.append(row | interval("estimate", "odds ratio", ratios))
    return checks, rows, ""


def _not_proportional(p):
    if p >= ALPHA:
        return ""
    return (
        f"the odds are not proportional (Brant test, p = {p:.2g}): the common odds ratio is an"
        " average over the cut-points"
    )


def cut_point_fits(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a logistic regression at each cut-point, with the covariance between them.

    Parameters
    ----------
    x : (n, k) array
        Without constant.
    y : (n,) array of int
        Levels 0, 1, ..., J, each of which occurs.

    Returns
    -------
    coefficients : (J, k) array
        Row j: log odds of a level above j; no constants.
    covariance : (J k, J k) array

    Raises
    ------
    NoResult
        If a regression has no estimate.

    References
    ----------
    Brant R. Biometrics 1990;46:1171-1178.
    """
    exog = np.column_stack([np.ones(len(x)), x])
    coefficients, risks, inverses = [], [], []
    for j in range(y.max()):
        above = (y > j).astype(float)
        if firth.separated(x, above):
            raise NoResult(f"a predictor separates the levels at cut-point {j + 1}")
        fit = firth.fit_logistic(x, above, penalised=False)
        coefficients.append(fit.coefficients[1:])
        risks.append(expit(fit.linear))
        inverses.append(fit.covariance(x))
    cuts = range(len(risks))

    def block(j, m):
        weights = risks[max(j, m)] - risks[j] * risks[m]
        return (inverses[j] @ (exog.T @ (exog * weights[:, None])) @ inverses[m])[1:, 1:]

    return np.array(coefficients), np.block([[block(j, m) for m in cuts] for j in cuts])


def brant_test(
    coefficients: np.ndarray, covariance: np.ndarray, columns: Sequence[int]
) -> tuple[float, int, float]:
    """Test whether coefficients are the same at every cut-point (Wald's chi-square).

    Parameters
    ----------
    coefficients, covariance : array
        From `cut_point_fits`.
    columns : list of int
        The coefficients that are tested together.

    Returns
    -------
    chi2, df, p : float
    """
    cuts, k = coefficients.shape
    chosen = np.eye(k)[list(columns)]
    contrast = np.kron(np.column_stack([np.ones(cuts - 1), -np.eye(cuts - 1)]), chosen)
    difference = contrast @ coefficients.ravel()
    chi2 = difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference)
    df = (cuts - 1) * len(columns)
    return float(chi2), df, float(stats.chi2.sf(chi2, df))
