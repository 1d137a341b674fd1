"""Everybody together, and how far groups differ in SDs: rows of a comparison beside its tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from glymflow.stats.common import summary_rows, tidy
from glymflow.study.selection import variable_values


def with_balance(
    results: pd.DataFrame,
    table: pd.DataFrame,
    variables: dict,
    group: pd.Series,
    order: Sequence[str],
) -> pd.DataFrame:
    """Add the rows of `balance_rows` to a comparison of groups.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.compare_groups.compare_groups`.
    table, variables, group, order
        What it was made from; `group` holds the group of each row.
    """
    more = []
    for name, variable in variables.items():
        values, fault, _ = variable_values(table, name, variable)
        if fault:
            continue
        method = results.loc[results["variable"] == name, "method"].iloc[0]
        found = balance_rows([values[group == member] for member in order], variable)
        more += [{"variable": name, "method": method, **row} for row in found]
    return tidy([*results.to_dict("records"), *more], list(results))


def balance_rows(samples: Sequence[pd.Series], variable: dict) -> list[dict]:
    """Describe all groups together, and give the standardised mean difference.

    Parameters
    ----------
    samples : list of Series
        Values of each group: float with NaN, or levels with None.
    variable : dict
        Its entry in the plan: `type` and `levels`.

    Returns
    -------
    list of dict
        Row "overall" (one per level of a categorical variable), row "balance" with `effect`.
    """
    levels = variable.get("levels")
    rows = summary_rows(pd.concat(list(samples)), levels)
    value = standardised_difference(samples, levels)
    balance = {"row": "balance", "effect_name": "standardised mean difference", "effect": value}
    return [*({"row": "overall", "group": "all", **row} for row in rows), balance]


def standardised_difference(
    samples: Sequence[pd.Series], levels: Sequence[str] | None = None
) -> float:
    r"""Absolute standardised mean difference; of three and more groups the mean over all pairs.

    Numbers: :math:`|m_1 - m_2| / \sqrt{(s_1^2 + s_2^2) / 2}`. Levels: the Mahalanobis distance of
    the proportions of all levels but the first. NaN if a group has no spread.

    Parameters
    ----------
    samples : list of Series
        Values of each group.
    levels : list of str, optional
        Of a categorical variable.

    References
    ----------
    Austin PC. Balance diagnostics for comparing the distribution of baseline covariates. Stat Med
    2009;28:3083-3107. Yang D, Dalton JE. A unified approach to measuring the effect size between
    two groups. SAS Global Forum 2012, paper 335.
    """
    known = [sample.dropna() for sample in samples]
    if any(len(sample) < 2 for sample in known):
        return float("nan")
    if levels is None:
        numbers = [sample.to_numpy(float) for sample in known]
        parts = [(np.array([x.mean()]), np.array([[x.var(ddof=1)]])) for x in numbers]
    else:
        parts = [_proportions(sample, levels) for sample in known]
    return float(np.mean([_distance(a, b) for a, b in itertools.combinations(parts, 2)]))


def _proportions(sample, levels):
    shares = np.array([(sample == level).mean() for level in levels[1:]])
    return shares, np.diag(shares) - np.outer(shares, shares)


def _distance(first, second):
    difference, spread = first[0] - second[0], (first[1] + second[1]) / 2
    used = np.diag(spread) > 0  # a level that nobody has
    if not used.any():
        return 0.0 if not difference.any() else float("nan")
    difference, spread = difference[used], spread[np.ix_(used, used)]
    return float(np.sqrt(difference @ np.linalg.pinv(spread) @ difference))
