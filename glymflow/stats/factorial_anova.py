"""Analysis of variance with two and more factors (`kind: factorial_anova`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval, joined, no_result_if, planned, row_of_test, tidy
from glymflow.stats.design import about, adjust_rows, build_design, read_variables
from glymflow.stats.interactions import SIGN

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "term", "row", "method", "level", "n", "missing", "mean", "sd", "test"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned analysis."""
    given = {"variables": plan["variables"], "outcomes": analysis["variables"]}
    return planned(factorial_anova, table, analysis, **given)


def factorial_anova(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcomes: Sequence[str],
    factors: Sequence[str],
    covariates: Sequence[str] = (),
    squares: int = 3,
    correction: str = "none",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Test categorical factors and their interactions on continuous outcomes.

    Sums of squares of type III (each term adjusted for all others; sum-to-zero coding, as in SPSS
    and R's ``car::Anova(type = 3)`` with ``contr.sum``) or of type II (main effects not adjusted
    for their interactions). They differ where the cells have different sizes.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcomes : list of str
        Continuous variables, each analysed on its own.
    factors : list of str
        Two or three categorical variables.
    covariates : list of str
        Without interactions.
    squares : {2, 3}
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of the p values of each term for the number of outcomes.
    confidence : float

    Returns
    -------
    DataFrame
        `COLUMNS`. For each outcome rows "summary" (n, mean and SD of each cell, named in `level`)
        and, per factor and interaction (`term`), a row "test": F and partial eta squared; rows
        "covariate".

    References
    ----------
    Fox J. Applied regression analysis and generalized linear models. 3rd ed. Sage 2016, chapter 8.
    """
    sizes = range(1, len(factors) + 1)
    parts = itertools.chain.from_iterable(itertools.combinations(factors, size) for size in sizes)
    terms = [SIGN.join(part) for part in parts]
    rows: list[dict] = []
    for outcome in outcomes:
        try:
            own = _outcome(table, variables, outcome, (factors, covariates, terms), squares)
        except NoResult as fault:
            own = [{"row": "test", "term": term, "note": f"no test: {fault}"} for term in terms]
        rows += [{"variable": outcome, "method": f"type {'I' * squares}", **row} for row in own]
    for row in rows:
        if row["row"] != "summary" and "statistic" in row:
            limits = effects.eta_squared(
                row["statistic"], row["df"], row["df_error"], confidence=confidence
            )
            row |= {"confidence": confidence, **interval("effect", "partial eta squared", limits)}
    results = tidy(rows, COLUMNS)
    for term in terms:
        adjust_rows(results, (results["row"] == "test") & (results["term"] == term), correction)
    return results


def _outcome(table, variables, outcome, parts, squares):
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    factors, covariates, terms = parts
    if variables[outcome]["type"] != "continuous":
        raise NoResult(f"the outcome '{outcome}' is not continuous")
    for name in factors:
        if variables[name]["type"] != "categorical":
            raise NoResult(f"the factor '{name}' is not categorical")
    names = [outcome, *factors, *covariates]
    if len(set(names)) < len(names):
        raise NoResult("a variable is used twice")
    values, notes = read_variables(table, variables, names)
    complete = values.dropna()
    if len(complete) < 3 or not np.ptp(complete[outcome]):
        raise NoResult(f"{len(complete)} complete rows, or all values are the same")
    build_design(complete, variables, names[1:])  # constant or collinear predictors are refused
    summaries = _cells(complete, variables, outcome, factors)
    # short names: those of a plan need not be names of a formula
    short = {name: f"v{i}" for i, name in enumerate(names)}
    coded = {
        name: short[name] if variables[name]["type"] == "continuous" else f"C({short[name]}, Sum)"
        for name in names
    }
    frame = complete.rename(columns=short)
    right = [" * ".join(coded[name] for name in factors), *(coded[name] for name in covariates)]
    formula = f"{short[outcome]} ~ {' + '.join(right)}"
    with no_result_if(np.linalg.LinAlgError, ValueError):
        fit = ols(formula, frame).fit()
        made = anova_lm(fit, typ=squares)
    if fit.df_resid < 1:
        raise NoResult(f"{len(complete)} complete rows are too few for all cells")
    known = {SIGN.join(coded[name] for name in term.split(SIGN)): term for term in terms}
    known |= {coded[name]: name for name in covariates}
    size = {"n": len(complete), "missing": len(values) - len(complete)}
    rows, name = [], f"F test, type {'I' * squares} sums of squares"
    for place, found in made.iterrows():
        if place not in known or not np.isfinite(found["F"]):
            continue
        f, p, df = float(found["F"]), float(found["PR(>F)"]), float(found["df"])
        rows.append(
            {
                "row": "covariate" if known[place] in covariates else "test",
                "term": known[place],
                **size,
                **row_of_test(name, "F", f, p, df=df, df_error=float(fit.df_resid)),
            }
        )
    rows[0]["note"] = joined(*about(notes, *names))
    return [*summaries, *rows]


def _cells(complete, variables, outcome, factors):
    """Describe each cell; refuse an empty one, whose interaction cannot be estimated."""
    present = [
        [level for level in variables[name]["levels"] if (complete[name] == level).any()]
        for name in factors
    ]
    rows = []
    for cell in itertools.product(*present):
        chosen = np.logical_and.reduce(
            [complete[name] == level for name, level in zip(factors, cell, strict=True)]
        )
        part = complete.loc[chosen, outcome]
        if part.empty:
            raise NoResult(f"no participant is {', '.join(cell)}")
        rows.append({"row": "summary", "level": ", ".join(cell), "n": len(part),
                     "mean": part.mean(), "sd": part.std()})  # fmt: skip
    return rows
