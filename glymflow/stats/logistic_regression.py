"""Logistic regression, maximum likelihood and Firth's (`kind: logistic_regression`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import firth
from glymflow.stats.calibration import calibration_rows
from glymflow.stats.coefficients import Model, chi2_row, likelihood_ratios, nagelkerke
from glymflow.stats.common import joined
from glymflow.stats.compare_groups import compare_groups
from glymflow.stats.design import adjust_rows, outcome_event, read_variables
from glymflow.stats.regression import (
    SCREENED,
    Setup,
    model_rows,
    planned_regression,
    regression_results,
    single_rows,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "row", "method", "outcome", "event", "level", "reference", "at", "increment"),
    *("n", "count", "missing", "test", "statistic_name", "statistic", "df", "df_error", "p"),
    *("p_adjusted", "correction", "coefficient", "se", "fmi"),
    *("estimate_name", "estimate", "estimate_low"),
    *("estimate_high", "vif", "effect_name", "effect", "effect_low", "effect_high"),
    *("recommended", "selected", "confidence", "note"),
]
METHODS = {"ml": "maximum likelihood", "firth": "Firth's penalised likelihood"}
FEW_EVENTS = 10  # per coefficient


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    return planned_regression(logistic_regression, table, plan, analysis)


def logistic_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    event: str | None = None,
    predictors: Sequence[str] = (),
    candidates: Sequence[str] = (),
    screening: float = 0.1,
    screening_test: str = "model",
    univariable: bool = False,
    fits: Sequence[str] = ("ml", "firth"),
    calibration_groups: int = 10,
    n_bootstrap: int = 200,
    correction: str = "none",
    **terms: Any,
) -> pd.DataFrame:
    r"""Model the odds of an outcome of two levels.

    Odds ratios are per increment d: :math:`\exp(d\,\beta)`. Maximum likelihood: Wald's interval and
    z test. Firth's penalised likelihood: profile interval and likelihood ratio test, which exist
    under separation too; it is recommended where there are fewer than `FEW_EVENTS` events (or
    non-events, whichever are fewer) per coefficient.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A categorical variable of two levels.
    event : str, optional
        The level whose odds are modelled; else the variable's `event`, else its last level.
    predictors, candidates : list of str
        Always in the model; in it if their univariable p is below `screening`.
    screening : float
        The limit for candidates.
    screening_test : {"model", "groups"}
        p of a candidate: the likelihood ratio test of a logistic regression of its own, or the
        comparison of events and non-events by `compare_groups` (t or rank test, Fisher, ...).
    univariable : bool
        Print a regression of its own for every predictor, not only for the candidates.
    fits : sequence of {"ml", "firth"}
        The first is the plan's choice, the second stands beside it. Imputed tables: "ml" only.
    calibration_groups, n_bootstrap : int
        Of `glymflow.stats.calibration.calibration_rows`.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables, in each fit.
    **terms
        references, increments, interactions, splines, imputation, confidence, seed (of the
        bootstrap too) of `glymflow.stats.regression.Setup`. Effects of the rows "simple" are tested
        by Wald's test in both fits.

    Returns
    -------
    DataFrame
        `COLUMNS`; `count` is the number of events. Rows "univariable"; then for each fit (`method`)
        those of `glymflow.stats.regression.model_rows` (for "test", of the second of `fits`,
        "alternative"), and "fit" (Hosmer-Lemeshow, Brier score, calibration, area under the curve).

    References
    ----------
    Hosmer DW, Lemeshow S, Sturdivant RX. Applied logistic regression. 3rd ed. Wiley 2013.
    Nagelkerke NJD. Biometrika 1991;78:691-692. `glymflow.stats.firth` for Firth's.
    """
    setup = partial(logistic_setup, variables, outcome, event, terms=terms)
    single = setup("ml")
    single.check([*predictors, *candidates])
    if single.imputation is not None:
        fits = ("ml",)
        if candidates:
            raise ConfigFault("imputation cannot be combined with candidates")
    candidates = [name for name in candidates if name not in predictors]

    def p_of(name, rows):
        p, used, fault = rows[0].get("p"), "likelihood ratio", ""
        if p is None:  # separated: no odds ratio, but a clear difference
            p, used = model_rows(table, [name], setup("firth"))[0].get("p"), f"{used}, Firth's"
        if screening_test == "groups":
            p, used, fault = _group_test(table, variables, name, outcome, event)
        return p, joined(fault, f"screened by: {used}, p = {p:.3g}" if p else "")

    rows, chosen = single_rows(
        table, single, predictors, candidates, every=univariable, limit=screening, p_of=p_of
    )
    rows, names = [{"method": METHODS["ml"], **row} for row in rows], [*predictors, *chosen]
    calibration = {"groups": calibration_groups, "n_bootstrap": n_bootstrap, "seed": single.seed}
    for fit in fits if names else ():
        model = model_rows(table, names, setup(fit, calibration=calibration))
        model = [{"method": METHODS[fit], **row} for row in model]
        if fit != fits[0]:  # a family of tests counts each variable once
            model = [{**r, "row": "alternative" if r["row"] == "test" else r["row"]} for r in model]
        if chosen:
            note = f"{', '.join(chosen)}: {SCREENED.format(screening)}"
            model[0]["note"] = joined(model[0].get("note"), note)
        rows += model
    if not names:
        rows.append({"row": "model", "note": f"no model: no candidate has p < {screening}"})
    results = regression_results(rows, outcome, COLUMNS)
    for method in METHODS.values():
        own = results["row"].isin(["test", "alternative"]) & (results["method"] == method)
        adjust_rows(results, own, correction)
    return results


def logistic_setup(
    variables: dict,
    outcome: str,
    event: str | None,
    method: str,
    *,
    terms: dict,
    calibration: dict | None = None,
) -> Setup:
    """Return how a logistic regression is fitted; parameters as of `logistic_regression`.

    `method` is one of `METHODS`, `calibration` the options of `calibration_rows`.
    """

    def prepare(rows):
        of, _ = outcome_event(variables, outcome, event)
        count = int((rows[outcome] == of).sum())
        if min(count, len(rows) - count) < 2:
            raise NoResult(f"{count} events in {len(rows)} complete rows")
        return rows

    def fit(design, rows):
        levels = outcome_event(variables, outcome, event)
        y = (rows[outcome] == levels[0]).to_numpy(float)
        model = _fit(design, y, levels, method == "firth", setup)
        if calibration and setup.imputation is None:
            model.after = calibration_rows(design.x, *model.fit, calibration)
        return model

    setup = Setup(variables, outcome, fit, prepare=prepare, **terms)
    return setup


def _group_test(table, variables, name, outcome, event):
    try:
        of, other = outcome_event(variables, outcome, event)
        values, _ = read_variables(table, variables, [outcome])
    except NoResult as fault:
        return None, "", str(fault)
    compared = compare_groups(
        table,
        variables={name: variables[name]},
        group=values[outcome],
        order=[other, of],
    )
    row = compared[compared["row"] == "test"].iloc[0]
    p = float(row["p"]) if np.isfinite(row["p"]) else None
    return p, row["test"], "" if p is not None else row["note"]


# --- One model -----------------------------------------------------------------------------------


def _fit(design, y, levels, penalised, setup):
    x, k, fewer = design.x, len(design.terms), int(min(y.sum(), len(y) - y.sum()))
    if fewer < k:
        what = "events" if y.sum() == fewer else "non-events"
        raise NoResult(f"too few events: {fewer} {what} for {k} coefficients")
    culprits = ", ".join(str(design.terms[i]) for i in firth.separated(x, y))
    if culprits and not penalised:
        where = "" if setup.imputation is None else " in a completed table"
        raise NoResult(
            f"{culprits} separates '{levels[0]}' from '{levels[1]}'{where}: the maximum likelihood"
            " estimate does not exist (Firth's does)"
        )
    fit = firth.fit_logistic(x, y, penalised=penalised)
    ratio = partial(firth.likelihood_ratio, x, y, penalised=penalised)
    chi2, name = ratio(range(k)), "likelihood ratio test"
    name, own = (
        (f"penalised {name}", f"penalised {name}, Firth's")
        if penalised
        else (name, f"{name}, maximum likelihood")
    )
    head = chi2_row(f"{name} of the model", chi2, k)
    if not penalised:
        share = nagelkerke(fit.loglik, fit.loglik - chi2 / 2, len(y))
        head |= {"effect_name": "Nagelkerke R squared", "effect": share}
    few = fewer / k < FEW_EVENTS
    head["recommended"] = penalised == (few or bool(culprits))
    notes = [f"{culprits} separates the outcome"] if culprits else []
    if few and setup.imputation is None:
        text = f"{fewer / k:.1f} events per coefficient (fewer than {FEW_EVENTS})"
        notes = [f"{text}: Firth's penalised likelihood is recommended", *notes]
    return Model(
        fit.coefficients, fit.covariance(x), likelihood_ratios(ratio, own), head,
        ("Wald test, maximum likelihood", "Wald test of the effect"), ratio="odds ratio",
        columns=_profiles(x, y, fit, own, setup.confidence) if penalised else None,
        common={"event": levels[0], "count": int(y.sum())}, curve=("probability", expit),
        extras=[{"row": "constant", "estimate_name": "odds"}], df=float(len(y) - k - 1),
        notes=notes, fit=(y, fit, penalised),
    )  # fmt: skip


def _profiles(x, y, fit, name, confidence):
    """Return the function that gives likelihood ratio test and profile limits of a coefficient."""
    limits, chi2 = firth.penalised_tests(x, y, confidence=confidence)

    def column(j):
        note = "" if np.isfinite(limits[j]).all() else "a limit of the profile was not found"
        row = {"coefficient": fit.coefficients[j], "se": fit.se[j], "limits": limits[j]}
        return {**chi2_row(name, chi2[j], 1), **row, "note": note}

    return column
