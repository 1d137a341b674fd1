"""One way for all regressions: variables, design, fit (or completed tables, pooled), rows.

A kind gives `model_rows` a function that fits a design, and gets the rows of its results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.coefficients import Model, f_row
from glymflow.stats.common import interval, joined, planned, tidy
from glymflow.stats.design import (
    VIF_HIGH,
    Design,
    about,
    adjust_rows,
    check_named,
    read_variables,
)
from glymflow.stats.imputation import impute, pool
from glymflow.stats.interactions import (
    SIGN,
    SimpleEffect,
    curve_contrasts,
    inflation,
    joint_inflation,
    model_design,
    product_name,
    simple_effects,
    step_of,
)
from glymflow.stats.splines import LINEAR
from glymflow.text import counted

TERMS = ("references", "increments", "interactions", "splines", "imputation", "confidence")
IMPUTATION = {"sets": 20, "iterations": 10}
SCREENED = "chosen by p < {} in the same data: intervals and p of the model do not account for it"

RATIO_COLUMNS = [
    *("variable", "row", "method", "outcome", "level", "reference", "at", "increment"),
    *("n", "count", "percent", "missing", "test", "statistic_name", "statistic", "df", "df_error"),
    *("p", "p_adjusted", "correction", "coefficient", "se", "fmi", "estimate_name", "estimate"),
    *("estimate_low", "estimate_high", "vif", "effect_name", "effect", "effect_low"),
    *("effect_high", "dispersion", "confidence", "note"),
]


@dataclass(frozen=True)
class Setup:
    """What a regression is of.

    Attributes
    ----------
    variables : dict
        The plan's variables.
    outcome : str
    fit : callable
        From design and complete rows to a `Model`.
    references : dict, optional
        Reference level by variable, else `glymflow.stats.design.reference_of`.
    increments : dict, optional
        Ratios are per so much of a continuous variable; 1 if not given.
    interactions : list of (str, str)
        Pairs of predictors; the first's effect is given at values of the second.
    splines : dict, optional
        Number of knots (3 to 5) by continuous predictor (`glymflow.stats.splines`).
    imputation : dict, optional
        "sets", "iterations" and "auxiliary" (variables that help): missing predictors are completed
        by chained equations, the fits pooled by Rubin's rules. Rows without outcome are left out.
    confidence : float
        Level of the intervals.
    seed : int
        Of the imputation.
    numbers : bool
        The outcome is continuous.
    needed : list of str
        Further variables of the outcome; rows without them are left out.
    prepare : callable, optional
        From the complete rows to those of the model; refuses what cannot be fitted.
    settle : callable, optional
        From the models of completed tables to another `fit` for all of them, or None.
    """

    variables: dict
    outcome: str
    fit: Callable[[Design, pd.DataFrame], Model]
    references: dict | None = None
    increments: dict | None = None
    interactions: Sequence[Sequence[str]] = ()
    splines: dict | None = None
    imputation: dict | None = None
    confidence: float = 0.95
    seed: int = 1
    numbers: bool = False
    needed: Sequence[str] = ()
    prepare: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    settle: Callable[[list[Model]], Callable | None] | None = None

    def check(self, predictors: Sequence[str]) -> None:
        """Refuse settings of variables that are no predictors (ConfigFault)."""
        check_named(self.references, predictors, "reference")
        check_named(self.increments, predictors, "increment")
        check_named(
            dict.fromkeys(n for p in self.interactions for n in p), predictors, "interaction"
        )
        check_named(self.splines, predictors, "spline")


@dataclass
class Fitted:
    """A model, pooled or not, with the tables and designs that it is of, and their values."""

    model: Model
    designs: list[Design]
    tables: list[pd.DataFrame]
    values: pd.DataFrame
    gaps: pd.Series
    notes: dict


def planned_regression(
    function: Callable, table: pd.DataFrame, plan: dict, analysis: dict
) -> pd.DataFrame:
    """Call a kind's function with what an analysis says about its parameters and the terms."""
    given = {"variables": plan["variables"], "seed": plan.get("seed", 1)}
    return planned(function, table, analysis, **given, **terms_of(analysis))


def terms_of(analysis: dict) -> dict:
    """Return those keys of an analysis that a `Setup` has as they stand."""
    return {key: analysis[key] for key in TERMS if key in analysis}


def regression_results(
    rows: list[dict], outcome: str, columns: Sequence[str], correction: str = "none"
) -> pd.DataFrame:
    """Make the frame of results; p of the rows "test" adjusted for their number."""
    results = tidy([{"outcome": outcome, **row} for row in rows], columns)
    adjust_rows(results, results["row"] == "test", correction)
    return results


def ratio_regression(
    table: pd.DataFrame, setup: Setup, predictors: Sequence[str], every: bool, correction: str
) -> pd.DataFrame:
    """Fit a model, with each predictor's own beside it if asked for: ordinal and count regression.

    Parameters
    ----------
    table, setup
        As for `model_rows`.
    predictors : list of str
    every : bool
        Of each predictor its own model too.
    correction : str

    Returns
    -------
    DataFrame
        `RATIO_COLUMNS`.
    """
    setup.check(predictors)
    rows, _ = single_rows(table, setup, predictors, every=every)
    rows += model_rows(table, predictors, setup)
    return regression_results(rows, setup.outcome, RATIO_COLUMNS, correction)


def single_rows(
    table: pd.DataFrame,
    setup: Setup,
    predictors: Sequence[str],
    candidates: Sequence[str] = (),
    *,
    every: bool,
    limit: float = 0.1,
    p_of: Callable[[str, list[dict]], tuple] | None = None,
) -> tuple[list[dict], list[str]]:
    """Fit each variable on its own, and choose candidates by their p.

    Parameters
    ----------
    table, setup
        As for `model_rows`.
    predictors, candidates : list of str
    every : bool
        Of the predictors too.
    limit : float
        A candidate with a smaller p is chosen.
    p_of : callable
        From name and rows of its model to p (or None) and a note on it.

    Returns
    -------
    rows : list of dict
        Rows "univariable".
    chosen : list of str
    """
    rows, chosen = [], []
    for name in [*predictors, *candidates] if every else candidates:
        model = model_rows(table, [name], setup)
        single = [{**row, "row": "univariable"} for row in model if row["row"] in ("test", "level")]
        if name in candidates and p_of:
            p, note = p_of(name, model)
            single[0]["note"] = joined(single[0].get("note"), note)
            chosen += [name] if p is not None and p < limit else []
        rows += [{**row, "selected": name in (*predictors, *chosen)} for row in single]
    return rows, chosen


def model_rows(table: pd.DataFrame, names: Sequence[str], setup: Setup) -> list[dict]:
    """Fit a model and lay out its rows.

    Parameters
    ----------
    table : DataFrame
        One row per participant (and session).
    names : list of str
        Predictors.
    setup : Setup

    Returns
    -------
    list of dict
        Rows "model"; "test" per variable (of more than two levels followed by rows "level"; of a
        spline by "nonlinear", the test of its bends, and "level"); "simple": effects of the first
        of a pair at values of the second, of a spline from the first to the third quartile;
        "curve": of a spline, at 41 values (`at`), other numbers at their mean and levels at their
        reference; "constant"; then what the kind adds. A model that cannot be fitted has notes and
        no numbers.
    """
    try:
        return _rows(fit_model(table, names, setup), setup)
    except NoResult as fault:
        note = f"no model: {fault}"
        names = [*names, *(product_name(p) for p in setup.interactions if set(p) <= set(names))]
        rows = [{"row": "model", "note": note}]
        return rows + [{"row": "test", "variable": name, "note": note} for name in names]


def fit_model(table: pd.DataFrame, names: Sequence[str], setup: Setup) -> Fitted:
    """Fit a model in the complete rows, or in completed tables.

    Raises
    ------
    NoResult
        If it cannot be fitted (in one of the completed tables).
    """
    variables, outcome, how = setup.variables, setup.outcome, setup.imputation
    if setup.numbers and variables[outcome]["type"] != "continuous":
        raise NoResult(f"the outcome '{outcome}' is not continuous")
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    for name in setup.increments or {}:
        if name in names and variables[name]["type"] != "continuous":
            raise NoResult(f"an increment is for continuous variables; '{name}' has levels")
    known = [outcome, *setup.needed]
    extra = [name for name in (how or {}).get("auxiliary", []) if name not in (*known, *names)]
    values, notes = read_variables(table, variables, [*known, *names, *extra])
    rows = values.dropna(subset=known if how is not None else None)
    if len(rows) < 3:
        raise NoResult(f"{len(rows)} complete rows")
    rows = setup.prepare(rows) if setup.prepare else rows
    gaps = (values if how is None else rows[[*names]]).isna()
    terms = setup.references, setup.interactions, setup.splines
    if how is None:
        design = model_design(rows, variables, names, *terms)
        model = setup.fit(design, rows)
        return Fitted(model, [design], [rows], values, gaps.sum(), notes)
    levels = {n: variables[n]["levels"] for n in rows if variables[n]["type"] == "categorical"}
    how = {**IMPUTATION, **how}
    options = {"sets": how["sets"], "iterations": how["iterations"], "seed": setup.seed}
    tables = list(impute(rows, levels, **options))
    designs = [model_design(one, variables, names, *terms) for one in tables]
    if any(list(map(str, one.terms)) != list(map(str, designs[0].terms)) for one in designs):
        raise NoResult("a level is so rare that not every completed table has it")
    model = _pooled(designs, tables, setup, int(gaps.any(axis=1).sum()))
    return Fitted(model, designs, tables, values, gaps.sum(), notes)


def _rows(fitted, setup):
    model, design = fitted.model, fitted.designs[-1]
    confidence, increments = setup.confidence, setup.increments or {}
    first, factors = len(model.extras), inflation(design)
    rows = [*model.before, _head(fitted, setup, factors)]
    for name in dict.fromkeys(term.variable for term in design.terms):
        count = {"missing": int(fitted.gaps[name])} if name in fitted.gaps else {}
        said = joined(fitted.notes.get(name), design.notes.get(name))
        for row in _variable_rows(model, design, name, setup, factors):
            note = joined(said if row["row"] == "test" else "", row.get("note"))
            rows.append({**row, **count, "note": note})
    for effect in _averaged(
        simple_effects(one, setup.interactions, table, setup.variables)
        for one, table in zip(fitted.designs, fitted.tables, strict=True)
    ):
        name, _, second = effect.variable.partition(SIGN)
        step = step_of(name, increments) if second and not effect.level else 1.0
        row = {"row": "simple", "variable": effect.variable, "at": effect.at, "increment": step}
        row |= {"level": effect.level, "reference": effect.reference}
        weights = np.concatenate([np.zeros(first), effect.contrast])
        rows.append(row | model.effect(weights, confidence, step))
    rows += _curves(fitted, setup)
    rows += [row | model.parameter(i, confidence) | row for i, row in enumerate(model.extras)]
    rows += [*model.checks, *model.after]
    return [
        {"n": len(fitted.tables[0]), "confidence": confidence, **model.common, **r} for r in rows
    ]


def _head(fitted, setup, factors):
    model, design = fitted.model, fitted.designs[-1]
    tested = [row["p"] for row in model.checks if "p" in row]
    of_terms = zip(design.terms, factors, strict=True) if model.inflated else ()
    high = [str(term) for term, factor in of_terms if factor > VIF_HIGH]
    note = joined(
        model.warning(tested[0]) if model.warning and tested else "",
        *model.notes,
        f"variance inflation above {VIF_HIGH:g}: {', '.join(high)}" if high else "",
        *about(fitted.notes, setup.outcome, *setup.needed),
    )
    missing = len(fitted.values) - len(fitted.tables[0])
    return {"row": "model", **model.head, "missing": missing, "note": note}


def _variable_rows(model, design, name, setup, factors):
    """One row "test"; of a variable of several columns rows "level" after it."""
    columns, rows = design.columns_of(name), []
    for column in columns:
        term = design.terms[column]
        number = term.level is None or SIGN in name  # a product is scaled with its number
        step = step_of(name, setup.increments or {}) if number else 1.0
        row = {"row": "test", "variable": name, "level": term.level, "reference": term.reference}
        row |= {"vif": factors[column], **({"increment": step} if number else {})}
        rows.append(row | model.parameter(len(model.extras) + column, setup.confidence, step))
    if len(columns) == 1:
        return rows
    spline = design.terms[columns[0]].level == LINEAR
    overall = {"row": "test", "variable": name, "reference": design.terms[columns[0]].reference}
    overall |= model.joint(columns, "spline" if spline else "levels")
    overall["vif"] = joint_inflation(design, name)
    rows = [{**row, "row": "level"} for row in rows]
    if spline:
        bends = model.joint(columns[1:], "bends")
        rows = [{"row": "nonlinear", "variable": name, **bends}, *rows]
    return [overall, *rows]


def _averaged(every) -> list[SimpleEffect]:
    """Put the effects of completed tables together: each with the mean of its contrasts."""
    return [
        SimpleEffect(
            same[0].variable, same[0].at, same[0].level, same[0].reference,
            np.mean([effect.contrast for effect in same], axis=0),
        )
        for same in zip(*every, strict=True)
    ]  # fmt: skip


def _curves(fitted, setup):
    """Return the rows "curve" of splines: the outcome over the predictor."""
    model, rows = fitted.model, []
    for name in fitted.designs[0].knots if model.curve else ():
        every = [
            curve_contrasts(design, table, name, relative=not model.extras)
            for design, table in zip(fitted.designs, fitted.tables, strict=True)
        ]
        grid, lines = every[0][0], np.mean([line for _, line in every], axis=0)
        for value, line in zip(grid, lines, strict=True):
            found = model.estimate(np.concatenate([np.ones(len(model.extras)), line]))
            half = stats.t.ppf((1 + setup.confidence) / 2, found["df"]) * found["se"]
            limits = model.curve[1](found["estimate"] + np.array([0, -half, half]))
            row = {"row": "curve", "variable": name, "at": f"{value:.6g}"}
            rows.append(row | interval("estimate", model.curve[0], limits))
    return rows


# --- Completed tables ----------------------------------------------------------------------------


def _pooled(designs, tables, setup, incomplete):
    """Fit every completed table, and put the models together by Rubin's rules."""
    models = [setup.fit(*one) for one in zip(designs, tables, strict=True)]
    other = setup.settle(models) if setup.settle else None
    if other:
        models = [other(*one) for one in zip(designs, tables, strict=True)]
    first, m = models[0], len(models)
    found = pool([one.coefficients for one in models], [one.covariance for one in models], first.df)
    skip, k = len(first.extras), len(designs[0].terms)

    def joint(columns, what):
        f, below, p = found.joint([column + skip for column in columns])
        words = {"bends": "the bends of the spline", "model": "the model"}.get(what, "all columns")
        return f_row(f"Wald test of {words} (D1), Rubin's rules", f, len(columns), below, p)

    head = joint(range(k), "model") | {"recommended": True}
    pooled = f"{first.estimation} pooled over {m} imputed tables"
    head["test"] = f"Wald test of the model (D1), {pooled}"
    note = (
        f"{counted(incomplete, 'row')} with a missing predictor, completed {m} times by chained"
        " equations (predictive mean matching); pooled by Rubin's rules"
    )
    words = "t test of the coefficient, Rubin's rules"
    return Model(
        found.estimates, found.total, joint, head, (words, words), ratio=first.ratio,
        degrees=lambda weights: found.contrast(weights)["df"], contrast=found.contrast,
        curve=first.curve, extras=first.extras, before=first.before,
        checks=_pooled_checks([one.checks for one in models]), warning=first.warning,
        common=first.common, notes=[note, *_shared([one.notes for one in models])], inflated=False,
    )  # fmt: skip


def _shared(notes):
    return [note for note in notes[0] if all(note in one for one in notes)]


def _pooled_checks(checks):
    """Return the rows of tests of assumptions: mean values, and the median of p.

    References
    ----------
    Eekhout I, van de Wiel MA, Heymans MW. BMC Med Res Methodol 2017;17:129 (median p).
    """
    if len({len(rows) for rows in checks}) > 1:
        return []
    pooled = []
    for same in zip(*checks, strict=True):
        row = {k: v for k, v in same[0].items() if k not in ("statistic_name", "statistic", "df")}
        for key in {"coefficient", "estimate", "dispersion"} & set(row):
            row[key] = float(np.mean([one[key] for one in same]))
        if "p" in row:
            row["p"] = float(np.median([one["p"] for one in same]))
            row["test"] += ", median p of the imputed tables"
        pooled.append(row)
    return pooled
