"""Logistic regression, maximum likelihood and Firth's (`kind: logistic_regression`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.special import expit

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import firth
from glymflow.stats.calibration import calibration_rows
from glymflow.stats.common import interval, joined, no_result_if, note_repeated, tidy
from glymflow.stats.compare_groups import compare_groups
from glymflow.stats.design import (
    VIF_HIGH,
    about,
    adjust_rows,
    check_named,
    outcome_event,
    read_variables,
    standardised,
)
from glymflow.stats.imputed_regression import imputed_rows
from glymflow.stats.interactions import (
    check_terms,
    inflation,
    model_design,
    simple_effects,
    step_of,
)
from glymflow.stats.linear_regression import SCREENED
from glymflow.stats.splines import LINEAR

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
    keys = (
        *("event", "predictors", "candidates", "screening", "screening_test", "univariable"),
        *(
            "references",
            "increments",
            "interactions",
            "splines",
            "imputation",
            "fits",
            "calibration_groups",
            "n_bootstrap",
        ),
        *("correction", "confidence"),
    )
    options = {key: analysis[key] for key in keys if key in analysis}
    results = logistic_regression(
        table,
        variables=plan["variables"],
        outcome=analysis["outcome"],
        seed=plan["seed"],
        **options,
    )
    return note_repeated(results, table)


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
    references: dict | None = None,
    increments: dict | None = None,
    interactions: Sequence[Sequence[str]] = (),
    splines: dict | None = None,
    imputation: dict | None = None,
    fits: Sequence[str] = ("ml", "firth"),
    calibration_groups: int = 10,
    n_bootstrap: int = 200,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
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
    references : dict, optional
        Reference level by variable.
    increments : dict, optional
        Increment by continuous variable; 1 if not given.
    interactions, splines
        As in `glymflow.stats.linear_regression.linear_regression`; effects of the rows "simple" are
        tested by Wald's test in both fits.
    imputation : dict, optional
        As in `linear_regression`; maximum likelihood only.
    fits : sequence of {"ml", "firth"}
        The first is the plan's choice, the second stands beside it.
    calibration_groups, n_bootstrap : int
        Of `glymflow.stats.calibration.calibration_rows`.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables, in each fit.
    confidence : float
        Level of the intervals.
    seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        `COLUMNS`; `count` is the number of events. Rows "univariable"; then for each fit (`method`)
        "model", "test" per variable (for more than two levels followed by rows "level"; of the
        second of `fits`, "alternative"), "constant", "fit" (Hosmer-Lemeshow, Brier score,
        calibration, area under the curve).

    References
    ----------
    Hosmer DW, Lemeshow S, Sturdivant RX. Applied logistic regression. 3rd ed. Wiley 2013.
    Nagelkerke NJD. Biometrika 1991;78:691-692. `glymflow.stats.firth` for Firth's.
    """
    check_named(references, [*predictors, *candidates], "reference")
    check_named(increments, [*predictors, *candidates], "increment")
    check_terms(interactions, splines, [*predictors, *candidates])
    settings = {
        "outcome": outcome,
        "event": event,
        "references": references,
        "increments": increments or {},
        "interactions": interactions,
        "splines": splines or {},
        "imputation": imputation,
        "seed": seed,
        "confidence": confidence,
        "calibration": {"groups": calibration_groups, "n_bootstrap": n_bootstrap, "seed": seed},
    }
    if imputation is not None:
        fits = ("ml",)
        if candidates:
            raise ConfigFault("imputation cannot be combined with candidates")
    predictors, candidates = list(predictors), [c for c in candidates if c not in predictors]
    rows, chosen = _univariable(
        table, variables, predictors, candidates, (screening, screening_test, univariable), settings
    )
    names = [*predictors, *chosen]
    for fit in fits if names else ():
        model = _fitted(table, variables, names, fit, settings)
        if fit != fits[0]:  # a family of tests counts each variable once
            model = [{**r, "row": "alternative" if r["row"] == "test" else r["row"]} for r in model]
        if chosen:
            note = f"{', '.join(chosen)}: {SCREENED.format(screening)}"
            model[0]["note"] = joined(model[0].get("note"), note)
        rows += model
    if not names:
        rows.append({"row": "model", "note": f"no model: no candidate has p < {screening}"})
    rows = [{"outcome": outcome, **row} for row in rows]
    results = tidy(rows, COLUMNS)
    for method in METHODS.values():
        own = results["row"].isin(["test", "alternative"]) & (results["method"] == method)
        adjust_rows(results, own, correction)
    return results


def _univariable(table, variables, predictors, candidates, screening, settings):
    """Return the rows of the univariable regressions and the candidates that go on."""
    limit, test, every = screening
    rows, chosen = [], []
    for name in [*predictors, *candidates] if every else candidates:
        model = _fitted(table, variables, [name], "ml", {**settings, "calibration": None})
        fitted = [row for row in model if row["row"] in ("test", "level")]
        row = fitted[0]
        if name in candidates:
            p, used = model[0].get("p"), "likelihood ratio"
            if "separated" in model[0]:  # no odds ratio, but a clear difference
                p, used = model[0]["separated"], "likelihood ratio, Firth's"
            if test == "groups":
                p, used, fault = _group_test(table, variables, name, settings)
                row["note"] = joined(row.get("note"), fault)
            if p is not None and p < limit:
                chosen.append(name)
            row["note"] = joined(row.get("note"), f"screened by: {used}, p = {p:.3g}" if p else "")
        kept = name in predictors or name in chosen
        rows += [{**r, "row": "univariable", "selected": kept} for r in fitted]
    return rows, chosen


def _group_test(table, variables, name, settings):
    try:
        event, other = outcome_event(variables, settings["outcome"], settings["event"])
        values, _ = read_variables(table, variables, [settings["outcome"]])
    except NoResult as fault:
        return None, "", str(fault)
    compared = compare_groups(
        table,
        variables={name: variables[name]},
        group=values[settings["outcome"]],
        order=[other, event],
    )
    row = compared[compared["row"] == "test"].iloc[0]
    p = float(row["p"]) if np.isfinite(row["p"]) else None
    return p, row["test"], "" if p is not None else row["note"]


# --- One model -----------------------------------------------------------------------------------


def _fitted(table, variables, names, fit, settings):
    """Return the rows of one model; if it cannot be fitted, notes."""
    separated = {}
    try:
        if settings["imputation"] is not None:
            outcome = settings["outcome"]
            outcome_event(variables, outcome, settings["event"])  # two levels
            rows = imputed_rows(table, variables, outcome, names, settings, settings["seed"])
            rows[0]["recommended"] = True
        else:
            rows = _model(table, variables, names, fit, settings, separated)
    except NoResult as fault:
        note = f"no model: {fault}"
        rows = [{"row": "model", "note": note, **separated}]
        rows += [{"row": "test", "variable": name, "note": note} for name in names]
    return [{"method": METHODS[fit], **row} for row in rows]


def _model(table, variables, names, fit, settings, separated):
    outcome = settings["outcome"]
    event, other = outcome_event(variables, outcome, settings["event"])
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    for name in settings["increments"]:
        if name in names and variables[name]["type"] != "continuous":
            raise NoResult(f"an increment is for continuous variables; '{name}' has levels")
    values, notes = read_variables(table, variables, [outcome, *names])
    complete = values.dropna()
    y = (complete[outcome] == event).to_numpy(float)
    k, fewer = len(names), int(min(y.sum(), len(y) - y.sum()))
    if fewer < 2:
        raise NoResult(f"{int(y.sum())} events in {len(y)} complete rows")
    extra = settings["interactions"], settings["splines"]
    design = model_design(complete, variables, names, settings["references"], *extra)
    k = len(design.terms)
    if fewer < k:
        what = "events" if y.sum() == fewer else "non-events"
        raise NoResult(f"too few events: {fewer} {what} for {k} coefficients")
    parts = firth.separated(design.x, y)
    culprits = ", ".join(str(design.terms[i]) for i in parts)
    if parts and fit == "ml":
        chi2 = firth.penalised_ratio(design.x, y, range(k))
        separated["separated"] = float(stats.chi2.sf(chi2, k))
        raise NoResult(
            f"{culprits} separates '{event}' from '{other}': the maximum likelihood estimate does "
            "not exist (Firth's does)"
        )
    common = {
        "event": event,
        "n": len(y),
        "count": int(y.sum()),
        "confidence": settings["confidence"],
    }
    gaps = values.isna().sum()
    model = (_ml if fit == "ml" else _firth)(design, y, settings["confidence"])
    head = {"row": "model", **model["overall"], "missing": len(values) - len(y)}
    head |= _advice(design, fewer, fit, culprits)
    head["note"] = joined(head["note"], *about(notes, outcome))
    rows = [head]
    for name in dict.fromkeys(term.variable for term in design.terms):
        step = step_of(name, settings["increments"])
        for row in _variable_rows(design, model, name, step):
            row |= {"variable": name, "missing": int(gaps[name]) if name in gaps else None}
            note = joined(notes.get(name), design.notes.get(name), row.get("note"))
            rows.append({**row, "note": note})
    rows += [
        {"row": "simple", **_simple(design.x, model["fit"], effect, settings)}
        for effect in simple_effects(design, extra[0], complete, variables, extra[1])
    ]
    rows.append({"row": "constant", **model["terms"][0], **_odds("odds", model["terms"][0], 1.0)})
    if settings["calibration"]:
        rows += calibration_rows(design.x, y, model["fit"], fit == "firth", settings["calibration"])
    return [{**common, **row} for row in rows]


def _advice(design, fewer, fit, culprits):
    """Say which of the two fits is recommended, and why."""
    per = fewer / len(design.terms)
    recommended = (fit == "firth") == (per < FEW_EVENTS or bool(culprits))
    notes = []
    if per < FEW_EVENTS:
        text = f"{per:.1f} events per coefficient (fewer than {FEW_EVENTS})"
        notes.append(f"{text}: Firth's penalised likelihood is recommended")
    if culprits:
        notes.append(f"{culprits} separates the outcome")
    factors = zip(design.terms, inflation(design), strict=True)
    high = [str(term) for term, factor in factors if factor > VIF_HIGH]
    if high:
        notes.append(f"variance inflation above {VIF_HIGH:g}: {', '.join(high)}")
    return {"recommended": recommended, "note": joined(*notes)}


def _ml(design, y, confidence):
    """Fit by maximum likelihood: the whole, and each coefficient with Wald's z."""
    import statsmodels.api as sm

    fit = _newton(y, sm.add_constant(design.x, has_constant="add"), warn_convergence=False)
    if not fit.mle_retvals["converged"] or not np.isfinite(fit.bse).all():
        raise NoResult("the fit of the logistic regression does not converge")
    share = -np.expm1(-fit.llr / fit.nobs) / -np.expm1(2 * fit.llnull / fit.nobs)
    overall = {
        "test": "likelihood ratio test of the model",
        "statistic_name": "chi2",
        "statistic": fit.llr,
        "df": int(fit.df_model),
        "p": fit.llr_pvalue,
        "effect_name": "Nagelkerke R squared",
        "effect": share,
    }
    limits = fit.conf_int(1 - confidence)
    terms = [
        {
            "test": "Wald test, maximum likelihood",
            "statistic_name": "z",
            "statistic": fit.tvalues[j],
            "p": fit.pvalues[j],
            "coefficient": fit.params[j],
            "se": fit.bse[j],
            "limits": limits[j],
        }
        for j in range(len(fit.params))
    ]

    def joint(columns):
        rest = np.delete(design.x, columns, axis=1)
        rest = sm.add_constant(rest, has_constant="add") if rest.size else np.ones((len(y), 1))
        return 2 * (fit.llf - _newton(y, rest).llf)

    mapped = firth.LogisticFit(fit.params, fit.bse, fit.llf, fit.model.exog @ fit.params)
    return {"fit": mapped, "overall": overall, "terms": terms, "joint": joint}


def _newton(y, exog, **options):
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    model = sm.Logit(y, exog)
    with no_result_if(np.linalg.LinAlgError, PerfectSeparationError):
        return model.fit(method="newton", maxiter=100, tol=1e-12, disp=0, **options)


def _firth(design, y, confidence):
    """Fit by Firth's likelihood: the whole, and each coefficient with its profile."""
    fit = firth.fit_logistic(design.x, y, penalised=True)
    limits, chi2 = firth.penalised_tests(design.x, y, confidence=confidence)
    k = len(design.terms)
    whole = firth.penalised_ratio(design.x, y, range(k))
    overall = {
        "test": "penalised likelihood ratio test of the model",
        "statistic_name": "chi2",
        "statistic": whole,
        "df": k,
        "p": stats.chi2.sf(whole, k),
    }
    terms = [
        {
            "test": "penalised likelihood ratio test, Firth's",
            "statistic_name": "chi2",
            "statistic": chi2[j],
            "df": 1,
            "p": stats.chi2.sf(chi2[j], 1),
            "coefficient": fit.coefficients[j],
            "se": fit.se[j],
            "limits": limits[j],
            "note": "" if np.isfinite(limits[j]).all() else "a limit of the profile was not found",
        }
        for j in range(k + 1)
    ]

    def joint(columns):
        return firth.penalised_ratio(design.x, y, columns)

    return {"fit": fit, "overall": overall, "terms": terms, "joint": joint}


def _odds(name, term, step):
    beta, (low, high) = term["coefficient"], term["limits"]
    with np.errstate(over="ignore"):
        values = np.exp(step * np.array([beta, *sorted((low, high), key=lambda v: v * step)]))
    return interval("estimate", name, values)


def _variable_rows(design, model, name, step):
    columns = design.columns_of(name)
    factors = inflation(design)
    rows = []
    for column in columns:
        term, result = design.terms[column], model["terms"][column + 1]
        row = {**result, **_odds("odds ratio", result, step), "vif": factors[column]}
        row |= {"level": term.level, "reference": term.reference, "row": "test"}
        rows.append(row | ({"increment": step} if term.level is None or ":" in name else {}))
    if len(columns) == 1:
        return rows
    name = rows[0]["test"].replace("Wald", "likelihood ratio")
    spline = design.terms[columns[0]].level == LINEAR
    overall = {"row": "test", "reference": design.terms[columns[0]].reference}
    overall |= _joint(model, columns, f"{name}, {'spline' if spline else 'all levels'}")
    rows = [{**row, "row": "level"} for row in rows]
    if spline:
        bends = _joint(model, columns[1:], f"{name}, bends of the spline")
        rows = [{"row": "nonlinear", **bends}, *rows]
    return [overall, *rows]


def _joint(model, columns, name):
    chi2 = model["joint"](columns)
    p = stats.chi2.sf(chi2, len(columns))
    return {"test": name, "statistic_name": "chi2", "statistic": chi2, "df": len(columns), "p": p}


def _simple(x, fit, effect, settings):
    """Return ratio, Wald's interval and test of the effect of a variable at values of another."""
    z, _, scale = standardised(x)
    exog, contrast = np.column_stack([np.ones(len(z)), z]), np.append(0, effect.contrast / scale)
    weights = expit(fit.linear) * expit(-fit.linear)
    with no_result_if(np.linalg.LinAlgError):
        variance = contrast @ np.linalg.solve(exog.T @ (exog * weights[:, None]), contrast)
    beta, se = effect.contrast @ fit.coefficients[1:], np.sqrt(variance)
    z = stats.norm.ppf((1 + settings["confidence"]) / 2)
    first, _, second = effect.variable.partition(":")
    step = settings["increments"].get(first, 1.0) if second and not effect.level else 1.0
    term = {"coefficient": beta, "limits": (beta - z * se, beta + z * se)}
    return {
        "variable": effect.variable,
        "level": effect.level,
        "reference": effect.reference,
        "at": effect.at,
        "test": "Wald test of the effect",
        "statistic_name": "z",
        "statistic": beta / se,
        "p": float(2 * stats.norm.sf(abs(beta / se))),
        "coefficient": beta,
        "se": se,
        "increment": step,
        **_odds("odds ratio", term, step),
    }
