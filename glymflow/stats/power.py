"""Sample size and power of a planned comparison or correlation (`kind: power`)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import InputFault, NoResult
from glymflow.stats import effects
from glymflow.stats.common import check_continuous, find_root, tidy
from glymflow.stats.design import read_variables
from glymflow.stats.libraries import pingouin
from glymflow.study.plan import groups_of
from glymflow.study.selection import column_levels

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "row", "test", "n", "n_first", "n_second", "missing", "alpha", "power"),
    *("estimate_name", "estimate", "effect_name", "effect", "effect_low", "effect_high"),
    *("p", "p_adjusted", "correction", "confidence", "note"),
]
TESTS = {"two_groups": "Student t", "paired": "paired t", "correlation": "Pearson"}
NAMES = {"two_groups": "Cohen d", "paired": "Cohen dz", "correlation": "Pearson r"}
OBSERVED = "effect observed in these data: the power says no more than their p"


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make the planned computation for the rows of the plan, or for a given effect alone."""
    names, design = analysis.get("variables", []), analysis["design"]
    label = {"variable": ", ".join(names) or None}
    options = {key: analysis[key] for key in ("alpha", "power", "ratio") if key in analysis}
    sizes, effect, missing = None, analysis.get("effect"), None
    limits: Sequence[float] = (np.nan, np.nan)
    try:
        if names:
            samples, missing = _samples(table, plan, analysis, names, design)
            sizes = (len(samples[0]), len(samples[1]))
            if effect is None:
                effect, *limits = _observed(samples, design)
        if effect is None:
            raise NoResult("give `effect`, or `variables` from which it is estimated")
        rows = power(design, effect, sizes=sizes, **options)
    except InputFault as fault:  # of the plan's groups, or no result
        return tidy([{**label, "row": "power", "note": f"no result: {fault}"}], COLUMNS)
    if "effect" not in analysis:
        for row in rows:
            if row["row"] != "detectable":
                row |= {"effect_low": limits[0], "effect_high": limits[1], "confidence": 0.95}
            row["note"] = OBSERVED if row["row"] == "power" else None
    return tidy([{**label, "missing": missing, **row} for row in rows], COLUMNS)


def _samples(table, plan, analysis, names, design):
    if len(names) != (1 if design == "two_groups" else 2):
        count = "one variable" if design == "two_groups" else "two variables"
        raise NoResult(f"design {design} needs {count}")
    check_continuous(plan["variables"], *names)
    values, _ = read_variables(table, plan["variables"], names)
    groups = groups_of(plan, analysis)
    if design != "two_groups":
        complete = values.dropna()
        samples = [complete[name].to_numpy(float) for name in names]
    elif groups is None or len(groups["order"]) != 2:
        raise NoResult("design two_groups needs two groups")
    else:
        group = column_levels(table, plan, groups["column"])
        values = values[group.isin(groups["order"])]
        complete = values.dropna()
        samples = [
            complete[names[0]][group[complete.index] == member].to_numpy(float)
            for member in groups["order"]
        ]
    if min(map(len, samples)) < 2:
        raise NoResult("a group has fewer than 2 values")
    return samples, len(values) - len(complete)


def _observed(samples, design):
    """Return the effect in the data, with its interval; bias is not corrected for (Cohen's d)."""
    first, second = samples
    if design == "paired":
        if np.ptp(second - first) == 0:
            raise NoResult("all differences are the same")
        return effects.cohen_dz(second - first)
    if not all(np.ptp(sample) for sample in samples):
        raise NoResult("a group or variable is constant")
    if design == "correlation":
        return effects.fisher_z(float(stats.pearsonr(first, second).statistic), len(first))
    return effects.hedges_g(first, second, unbiased=False)


def power(
    design: str,
    effect: float,
    *,
    sizes: tuple[int, int] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    ratio: float | None = None,
) -> list[dict]:
    """Compute the power at the size of a study, the size that is needed, the effect it can see.

    Two-sided tests. t tests: noncentral t; correlation: Fisher's z with its correction for bias, as
    in R's package pwr.

    Parameters
    ----------
    design : {"two_groups", "paired", "correlation"}
    effect : float
        Cohen's d, dz, or r.
    sizes : (int, int), optional
        Values in the two groups (paired, correlation: in both the same); without them only the
        sample size is computed.
    alpha : float
        Level of the test.
    power : float
        What is aimed at.
    ratio : float, optional
        Size of the second group by that of the first; default as in `sizes`, else 1.

    Returns
    -------
    list of dict
        Rows "power" (estimate: the power), "sample_size" (estimate: values in the first group, not
        rounded; n_first, n_second, n rounded up), "detectable" (estimate: the smallest effect).

    Raises
    ------
    NoResult
        If the effect is 0 (no size is enough), or r is not inside -1 to 1.

    References
    ----------
    Cohen J. Statistical power analysis for the behavioral sciences. 2nd ed. 1988. Hoenig JM, Heisey
    DM. The abuse of power. Am Stat 2001;55:19-24.
    """
    if not np.isfinite(effect) or effect == 0 or (design == "correlation" and abs(effect) >= 1):
        raise NoResult(f"no sample size for an effect of {effect:g}")
    two = design == "two_groups"
    if ratio is None:
        ratio = sizes[1] / sizes[0] if sizes and two else 1.0
    common = {"test": TESTS[design], "alpha": alpha, "effect_name": NAMES[design]}
    needed = _solver(design, alpha, ratio)(effect=abs(effect), power=power)
    if not np.isfinite(needed):
        raise NoResult("no sample size could be found")
    first, second = math.ceil(needed - 1e-9), math.ceil(needed * ratio - 1e-9)
    name = "sample size, first group" if two else "sample size"
    row = {"row": "sample_size", "effect": effect, "estimate_name": name, "estimate": needed}
    sample_size = {**common, **row, "power": power, **_sizes(first, second, two)}
    if not sizes:
        return [sample_size]
    common |= _sizes(*sizes, two)
    solve = _solver(design, alpha, sizes[1] / sizes[0])
    reached, smallest = solve(effect=abs(effect), n=sizes[0]), solve(n=sizes[0], power=power)
    row = {"row": "power", "effect": effect, "estimate_name": "power", "estimate": reached}
    reached_row = {**common, **row, "power": reached}
    row = {"row": "detectable", "estimate_name": f"detectable {NAMES[design]}"}
    detectable = {**common, **row, "estimate": smallest, "power": power, "effect_name": None}
    return [reached_row, sample_size, detectable]


def _sizes(first, second, two):
    if two:
        return {"n_first": first, "n_second": second, "n": first + second}
    return {"n_first": first, "n_second": None, "n": first}


def _solver(design, alpha, ratio):
    """Return a function of two of effect, n, power that gives the third."""
    library = pingouin()

    def solve(effect=None, n=None, power=None):
        wanted = {"power": power, "alpha": alpha}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if design == "correlation":
                return float(library.power_corr(r=effect, n=n, **wanted))
            if design == "paired":
                return float(library.power_ttest(d=effect, n=n, contrast="paired", **wanted))
            if n is not None:
                return float(library.power_ttest2n(n, ratio * n, d=effect, **wanted))
        # pingouin does not look for the size of two groups in a ratio
        return _root(lambda size: solve(effect, size) - power, max(2.0, 2.0 / ratio))

    return solve


def _root(rising, low):
    """Return where a rising function is 0; `low` if it is not negative there."""
    if rising(low) >= 0:
        return low
    high = 2 * low + 1
    while not rising(high) >= 0:
        high *= 2
        if high > 1e9:
            raise NoResult("no sample size could be found")
    return find_root(rising, low, high, xtol=1e-12, rtol=1e-14)
