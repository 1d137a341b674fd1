"""ROC curves: markers, combined models, cut-offs, comparisons of areas (`kind: roc`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import firth
from glymflow.stats.coefficients import chi2_row
from glymflow.stats.common import guarded, interval, joined, planned, row_of_test, tidy
from glymflow.stats.delong import auc_interval, delong_test
from glymflow.stats.design import about, adjust_rows, build_design, check_named, read_variables
from glymflow.text import level_text

COLUMNS = [
    *("variable", "row", "method", "outcome", "event", "against", "contrast", "direction", "n"),
    *("count", "missing", "test", "statistic_name", "statistic", "df", "p", "p_adjusted"),
    *("correction", "estimate_name", "estimate", "estimate_low", "estimate_high", "se"),
    *("effect_name", "effect", "effect_low", "effect_high", "threshold", "sensitivity"),
    *("sensitivity_low", "sensitivity_high", "specificity", "specificity_low"),
    *("specificity_high", "confidence", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make planned ROC curves."""
    return planned(roc, table, analysis, variables=plan["variables"], seed=plan["seed"])


def roc(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    event: str | None = None,
    markers: Sequence[str] = (),
    models: Sequence[dict] = (),
    directions: dict | None = None,
    references: dict | None = None,
    folds: int = 5,
    repeats: int = 10,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Describe how well markers, alone and combined, tell an event from the rest.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A categorical variable. Of more than two levels each is told from all others.
    event : str, optional
        The level to be told from the others; else, of two levels, the variable's `event` or last
        level; of more, every level in turn.
    markers : list of str
        Continuous variables, each on its own.
    models : list of dict
        {"id", "variables"}: logistic regressions; their curve is that of the linear predictor.
    directions : dict, optional
        "higher" or "lower" by marker: which values speak for the event; else the direction in which
        the medians differ, as in pROC.
    references : dict, optional
        Reference level by variable of the models.
    folds, repeats : int
        Of the models' cross-validation, stratified.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of the areas' p for their number; the comparisons' p likewise, for theirs.
    confidence : float
    seed : int
        Of the folds.

    Returns
    -------
    DataFrame
        `COLUMNS`; `count` is the number of events. Rows "test" (area with DeLong's interval,
        Mann-Whitney p; effect is the rank-biserial r, 2 AUC - 1), "cutoff" (Youden's, Wilson
        intervals), "cross-validated" (models), "comparison" (DeLong's test of two areas in the same
        people) and "curve" (a point each: positive if the marker is at or beyond `threshold`).

    References
    ----------
    `glymflow.stats.delong`. Youden WJ. Cancer 1950;3:32-35. Wilson EB. J Am Stat Assoc
    1927;22:209-212. LeDell E, Petersen M, van der Laan M. Computationally efficient confidence
    intervals for cross-validated area under the ROC curve estimates. Electron J Stat
    2015;9:1583-1607.
    """
    check_named(directions, markers, "direction")
    check_named(references, [name for model in models for name in model["variables"]], "reference")
    settings = {
        "directions": directions or {},
        "references": references,
        "cv": (folds, repeats, seed),
        "confidence": confidence,
    }
    names = [*markers, *(model["id"] for model in models)]
    rows = []
    try:
        events = _events(variables, outcome, event, names)
        values, notes = read_variables(table, variables, [outcome])
    except NoResult as fault:
        rows = [{"row": "test", "variable": name, "note": f"no curve: {fault}"} for name in names]
        return tidy([{"outcome": outcome, **row} for row in rows], COLUMNS)
    for level in events:
        y = (values[outcome] == level).astype(float).where(values[outcome].notna())
        others = [other for other in variables[outcome]["levels"] if other != level]
        shared = {"outcome": outcome, "event": level, "against": ", ".join(others)}
        part: list[dict] = []
        scores: dict = {}
        for name in markers:
            part += _marker(table, variables, name, y, settings, scores)
        for model in models:
            part += _combined(table, variables, model, y, settings, scores)
        part += _comparisons(scores, y, confidence, {m["id"]: m["variables"] for m in models})
        note = joined(*about(notes, outcome))
        part[0]["note"] = joined(note, part[0].get("note"))
        rows += [{**shared, **row} for row in part]
    results = tidy(rows, COLUMNS)
    for kind in ("test", "comparison"):
        adjust_rows(results, results["row"] == kind, correction)
    return results


def _events(variables, outcome, event, names):
    variable = variables[outcome]
    if variable["type"] != "categorical":
        raise NoResult(f"the outcome '{outcome}' is not categorical")
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as marker")
    levels = variable["levels"]
    if event is not None:
        if level_text(event) not in levels:
            raise NoResult(f"the event '{event}' is not a level of '{outcome}'")
        return [level_text(event)]
    return [variable.get("event", levels[-1])] if len(levels) == 2 else levels


# --- One curve -----------------------------------------------------------------------------------


def _marker(table, variables, name, y, settings, scores):
    """Rows of one marker; its values, turned so that higher speaks for the event, in `scores`."""
    try:
        if variables[name]["type"] != "continuous":
            raise NoResult(f"'{name}' is not continuous; put it into a model")
        values, notes = read_variables(table, variables, [name])
        score = values[name].where(y.notna())
        _check_curve(score.dropna(), y)
    except NoResult as fault:
        return [{"row": "test", "variable": name, "method": "marker", "note": f"no curve: {fault}"}]
    found = score.dropna()
    medians = [found[y[found.index] == value].median() for value in (0, 1)]
    planned = settings["directions"].get(name)
    direction = planned or ("higher" if medians[1] >= medians[0] else "lower")
    sign = 1 if direction == "higher" else -1
    scores[name] = sign * found
    rows = _curve_rows(scores[name], y, settings["confidence"], sign)
    note = notes.get(name, "")
    if planned is None:
        note = joined(note, "direction by the medians of the same data")
    missing = int(len(y) - len(found))
    rows[0] |= {"missing": missing, "note": joined(rows[0].get("note"), note)}
    return [{"variable": name, "method": "marker", "direction": direction, **row} for row in rows]


def _combined(table, variables, model, y, settings, scores):
    """Rows of a logistic model of several variables, in the same data and cross-validated."""
    name, names = model["id"], model["variables"]
    shared = {"variable": name, "method": f"logistic regression on {', '.join(names)}"}
    try:
        values, notes = read_variables(table, variables, names)
        complete = values[y.notna()].dropna()
        event = y[complete.index].to_numpy()
        _check_curve(complete.iloc[:, 0], y, constant=False)
        design = build_design(complete, variables, names, settings["references"])
        fit, penalised = _fit(design.x, event)
    except NoResult as fault:
        note = f"no curve: {fault}"
        return [{**shared, "row": "test", "note": note}]
    score = scores[name] = pd.Series(fit.predict(design.x), index=complete.index)
    rows = _curve_rows(score, y, settings["confidence"], 1)
    note = joined(*about(notes, *names), *about(design.notes, *names), rows[0].get("note"))
    note = joined(note, "area in the data of the fit: optimistic")
    if penalised:
        note = joined(note, "the outcome is separated: Firth's penalised likelihood")
    rows[0] |= {"missing": int(len(y) - len(score)), "note": note}
    rows[0] |= _model_test(design.x, event, penalised)
    count = {"n": len(event), "count": int(event.sum())}
    rows.append({**count, **_cross_validated(design.x, event, settings)})
    return [{**shared, "direction": "higher", **row} for row in rows]


def _fit(x, y):
    """Fit by maximum likelihood, or Firth's under separation; whether it is Firth's."""
    penalised = bool(firth.separated(x, y))
    return firth.fit_logistic(x, y, penalised=penalised), penalised


def _model_test(x, y, penalised):
    """Likelihood ratio test of the model; the area's own p would ignore that it was fitted."""
    chi2 = firth.likelihood_ratio(x, y, range(x.shape[1]), penalised=penalised)
    name = "penalised likelihood ratio" if penalised else "likelihood ratio"
    return chi2_row(f"{name} test of the model; DeLong's interval", chi2, x.shape[1])


def _check_curve(found, y, constant=True):
    n1, n0 = int((y[found.index] == 1).sum()), int((y[found.index] == 0).sum())
    if min(n1, n0) < 2:
        raise NoResult(f"too few participants: {n1} with the event and {n0} without")
    if constant and found.nunique() < 2:
        raise NoResult("all values are the same")


def _curve_rows(score, y, confidence, sign):
    """Rows "test", "cutoff" and "curve" of a score that is higher for the event."""
    from statsmodels.stats.proportion import proportion_confint

    events, others = (score[y[score.index] == value].to_numpy() for value in (1, 0))
    area = auc_interval(events, others, confidence=confidence)
    test = stats.mannwhitneyu(events, others, method="asymptotic")
    shared = {"n": len(score), "count": len(events), "confidence": confidence}
    first = {
        "row": "test",
        **row_of_test("Mann-Whitney U test; DeLong's interval", "U", *test),
        **interval("estimate", "area under the curve", area[:3]),
        "se": area[3],
        **interval("effect", "rank-biserial r", [2 * value - 1 for value in area[:3]]),
        "note": "the groups do not overlap: no interval" if np.isnan(area[3]) else "",
    }
    thresholds, sensitivity, specificity = curve_points(events, others)
    best = int(np.argmax(sensitivity + specificity))
    curve = [
        {"row": "curve", "threshold": sign * t, "sensitivity": se, "specificity": sp}
        for t, se, sp in zip(thresholds, sensitivity, specificity, strict=True)
    ]
    cutoff = {**curve[best], "row": "cutoff", "test": "Youden's cut-off, chosen in the same data"}
    cutoff |= {"estimate_name": "Youden's J"}
    cutoff["estimate"] = sensitivity[best] + specificity[best] - 1
    for part, share, size in (
        ("sensitivity", sensitivity[best], len(events)),
        ("specificity", specificity[best], len(others)),
    ):
        low, high = proportion_confint(round(share * size), size, 1 - confidence, "wilson")
        cutoff |= {f"{part}_low": low, f"{part}_high": high}
    return [{**shared, **row} for row in (first, cutoff)] + curve


def curve_points(
    events: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds halfway between values, and sensitivity and specificity at each.

    Parameters
    ----------
    events, others : (n,) array
        Values of a marker that is higher for the event.

    Returns
    -------
    thresholds, sensitivity, specificity : array
        From everybody positive (threshold minus infinity) to nobody.
    """
    values = np.unique(np.concatenate([events, others]))
    thresholds = np.concatenate([[-np.inf], (values[:-1] + values[1:]) / 2, [np.inf]])
    sensitivity = 1 - np.searchsorted(np.sort(events), thresholds) / len(events)
    specificity = np.searchsorted(np.sort(others), thresholds) / len(others)
    return thresholds, sensitivity, specificity


# --- Cross-validation and comparisons ------------------------------------------------------------


def _cross_validated(x, y, settings):
    from sklearn.model_selection import StratifiedKFold

    folds, repeats, seed = settings["cv"]
    row = {"row": "cross-validated", "estimate_name": "area under the curve"}
    smaller = int(min(y.sum(), len(y) - y.sum()))
    if smaller < 2 * folds:
        note = f"no cross-validation: {smaller} in the smaller group for {folds} folds"
        return {**row, "note": note}
    areas, variances, separated = [], [], 0
    try:
        for repeat in range(repeats):
            split = StratifiedKFold(folds, shuffle=True, random_state=seed + repeat)
            scores, parts = [], []
            for train, test in split.split(x, y):
                fit, penalised = _fit(x[train], y[train])
                separated += penalised
                score = fit.predict(x[test])
                scores.append(auc_interval(score[y[test] == 1], score[y[test] == 0])[0])
                parts.append(_influence(score, y[test], y.mean()))
            areas.append(np.mean(scores))
            variances.append(np.mean(parts) / len(y))
    except NoResult as error:
        return {**row, "note": f"no cross-validation: {error}"}
    area, se = float(np.mean(areas)), float(np.sqrt(np.mean(variances)))
    width = stats.norm.ppf((1 + settings["confidence"]) / 2) * se
    note = f"Firth's likelihood in {separated} of {folds * repeats} folds" if separated else ""
    return {
        **row,
        "test": f"{folds}-fold cross-validation, stratified, {repeats} repeats",
        **interval("estimate", "area under the curve", (area, max(area - width, 0), area + width)),
        "estimate_high": min(area + width, 1.0),
        "se": se,
        "confidence": settings["confidence"],
        "note": note,
    }


def _influence(score, y, share):
    """Mean squared influence of the members of a fold on its area (LeDell et al., section 4)."""
    events, others = score[y == 1], score[y == 0]
    wins = (events[:, None] > others).astype(float) + (events[:, None] == others) / 2
    area = wins.mean()
    of_events = (wins.mean(axis=1) - area) / share
    of_others = (wins.mean(axis=0) - area) / (1 - share)
    return float((np.sum(of_events**2) + np.sum(of_others**2)) / len(y))


NESTED = "nested in a model of the same data: DeLong's test is not exact (Demler 2012)"


def _comparisons(scores, y, confidence, models):
    """DeLong's test for each pair of curves, in the people who have both.

    References
    ----------
    Demler OV, Pencina MJ, D'Agostino RB. Misuse of DeLong test to compare AUCs for nested models.
    Stat Med 2012;31:2577-2587.
    """
    rows = []
    for names in itertools.combinations(scores, 2):
        both = scores[names[0]].index.intersection(scores[names[1]].index)
        event, row = y[both].to_numpy(), {"row": "comparison", "variable": names[0]}
        row |= {"contrast": " - ".join(names), "missing": len(y) - len(both)}
        row |= {"n": len(both), "count": int(event.sum())}
        rows.append(row)
        if min(event.sum(), len(event) - event.sum()) < 2:
            row["note"] = "no test: too few people have both"
            continue
        pair = np.array([scores[name][both].to_numpy() for name in names])
        row |= guarded(_delong, pair, event, confidence, confidence=confidence)
        one, other = (set(models.get(name, [name])) for name in names)
        if set(names) & set(models) and (one <= other or other <= one):
            row["note"] = joined(row.get("note"), NESTED)
    return rows


def _delong(pair, event, confidence):
    result = delong_test(pair[:, event == 1], pair[:, event == 0], confidence=confidence)
    return {
        **row_of_test("DeLong's test of paired curves", "z", *result[3:]),
        **interval("estimate", "difference of areas", result[:3]),
    }
