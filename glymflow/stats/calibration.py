"""How well a logistic regression predicts: goodness of fit, calibration, discrimination."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import special, stats

from glymflow.io import NoResult
from glymflow.stats import firth
from glymflow.stats.common import find_root, joined
from glymflow.stats.delong import auc_interval

MOST_FAILED = 0.2  # share of resamples without a fit above which nothing is corrected
NO_SLOPE = "no slope: the predicted risks separate events from non-events"


def calibration_rows(
    x: np.ndarray, y: np.ndarray, fit: firth.LogisticFit, penalised: bool, options: dict
) -> list[dict]:
    """Make the rows "fit" of a model.

    Parameters
    ----------
    x, y : arrays
        Predictors without constant, and outcome (0, 1).
    fit : glymflow.stats.firth.LogisticFit
    penalised : bool
        Firth's fit: risks are those with the constant refitted (`firth.intercept_corrected`).
    options : dict
        groups (of the Hosmer-Lemeshow test), n_bootstrap (0: nothing is corrected), seed.

    Returns
    -------
    list of dict
        Hosmer-Lemeshow test, Brier score, calibration slope and intercept and area under the curve
        as they are in the same data, then corrected for optimism by the bootstrap (Harrell).

    References
    ----------
    Hosmer DW, Lemeshow S. Commun Stat A 1980;9:1043-1069. Cox DR. Biometrika 1958;45:562-565.
    Harrell FE, Lee KL, Mark DB. Stat Med 1996;15:361-387.
    """
    linear = firth.intercept_corrected(fit, y) if penalised else fit.linear
    apparent = _measures(linear, y)
    low, high = auc_interval(linear[y == 1], linear[y == 0])[1:3]
    rows = [hosmer_lemeshow(special.expit(linear), y, options["groups"])]
    for name, value in apparent.items():
        rows.append({"row": "fit", "test": "in the same data", "estimate_name": name})
        rows[-1] |= {"estimate": value, "note": "" if np.isfinite(value) else NO_SLOPE}
    rows[-1] |= {"estimate_low": low, "estimate_high": high}
    return rows + _corrected(x, y, penalised, apparent, options)


def hosmer_lemeshow(risk: np.ndarray, y: np.ndarray, groups: int = 10) -> dict:
    """Compare observed and expected events in groups of risk, cut at its quantiles (type 7).

    Parameters
    ----------
    risk, y : (n,) array
        Predicted risk, and outcome (0, 1).
    groups : int

    Returns
    -------
    dict
        A row of results; only a note if ties leave fewer than three groups.
    """
    row = {"row": "fit", "test": "Hosmer-Lemeshow test"}
    cuts = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)))
    found = len(cuts) - 1
    if found < 3:
        return {**row, "note": f"no test: the risks make {max(found, 1)} groups"}
    group = np.clip(np.searchsorted(cuts, risk, side="left") - 1, 0, found - 1)
    size = np.bincount(group, minlength=found)
    events, expected = (np.bincount(group, v, minlength=found) for v in (y, risk))
    chi2 = np.sum((events - expected) ** 2 / (expected * (1 - expected / size)))
    notes = []
    if found < groups:
        notes.append(f"ties leave {found} of {groups} groups")
    if (expected < 1).any() or (size - expected < 1).any():
        notes.append("groups with less than one expected event or non-event: the test is rough")
    return {
        **row,
        "statistic_name": "chi2",
        "statistic": chi2,
        "df": found - 2,
        "p": stats.chi2.sf(chi2, found - 2),
        "note": "; ".join(notes),
    }


def _measures(linear, y):
    risk = special.expit(linear)
    intercept, slope = _recalibrated(linear, y)
    return {
        "Brier score": float(np.mean((risk - y) ** 2)),
        "calibration slope": slope,
        "calibration intercept": intercept,
        "area under the curve": auc_interval(linear[y == 1], linear[y == 0])[0],
    }


def _recalibrated(linear, y):
    """Intercept (slope 1) and slope of the outcome on the linear predictor.

    The slope is NaN where the linear predictor separates the outcome: it has no maximum then.
    """
    events, others, slope = linear[y == 1], linear[y == 0], np.nan
    if events.min() < others.max():
        slope = firth.fit_logistic(linear[:, None], y, penalised=False).coefficients[1]
    far = 50 + np.abs(linear).max()
    intercept = find_root(lambda a: special.expit(a + linear).sum() - y.sum(), -far, far)
    return float(intercept), float(slope)


def _corrected(x, y, penalised, apparent, options):
    """Subtract the optimism that models of resamples have in their own data over the real ones."""
    draws, optimism = options["n_bootstrap"], []
    if not draws:
        return []
    rng = np.random.default_rng(options["seed"])
    for _ in range(draws):
        rows = rng.integers(len(y), size=len(y))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = firth.fit_logistic(x[rows], y[rows], penalised=penalised)
                own = firth.intercept_corrected(fit, y[rows]) if penalised else fit.linear
                every = fit.predict(x) + np.median(own - fit.linear)
                inside, outside = _measures(own, y[rows]), _measures(every, y)
        except NoResult:
            continue
        optimism.append([inside[name] - outside[name] for name in apparent])
    failed = draws - len(optimism)
    test = f"corrected for optimism, {len(optimism)} resamples"
    if failed > MOST_FAILED * draws:
        note = f"no correction: {failed} of {draws} resamples could not be fitted"
        return [{"row": "fit", "test": "corrected for optimism", "note": note}]
    note = f"{failed} of {draws} resamples could not be fitted" if failed else ""
    rows = []
    for name, value, of_name in zip(
        apparent, apparent.values(), np.transpose(optimism), strict=True
    ):
        known = of_name[np.isfinite(of_name)]
        row = {"row": "fit", "test": test, "estimate_name": name, "note": note}
        if len(known) < len(of_name):
            row["note"] = joined(note, f"{NO_SLOPE} in {len(of_name) - len(known)} resamples")
        if np.isfinite(value) and len(known) >= (1 - MOST_FAILED) * draws:
            row["estimate"] = value - known.mean()
        rows.append(row)
    return rows
