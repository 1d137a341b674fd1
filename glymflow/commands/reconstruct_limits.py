"""What a paper's other printed numbers leave of each: which of its numbers no data can have.

`find_limits` compares each p, F and the like with the counts, means, SDs and second mentions that
stand in the same paper, over their rounding intervals (`glymflow.commands.audit_tests`). A number
outside is impossible; the reason is written to the item. A wide limit misses a fault, it never
accuses a right number.
"""

from __future__ import annotations

import math

import numpy as np

from glymflow.commands import audit_tests
from glymflow.commands.audit_tests import meet, printed
from glymflow.commands.reconstruct_items import family, names_of, rows_where
from glymflow.io import InputFault

SAME = ("of", "where", "on", "term", "partial", "by", "pair", "test", "spearman", "per", "level")


def find_limits(items, spec, table):
    """Write limits, and the reason why a number is impossible, to the items.

    Parameters
    ----------
    items : list of glymflow.commands.reconstruct_items.Item
    spec : dict
        From `glymflow.commands.reconstruct.load_reconstruction`.
    table : DataFrame
        The subjects with their categories.
    """
    rows = {
        name: rows_where(table, rule.get("where", {})) for name, rule in spec["numbers"].items()
    }
    for name, rule in spec.get("derived", {}).items():
        parts = rule["product"] if "product" in rule else rule["mean"]
        rows[name] = rows[parts[0]] & rows[parts[1]]
        if "otherwise" in rule:
            rows[name] = rows[name] | rows[rule["otherwise"]]
    described = _described(spec, table, rows)
    first = {}
    for item in items:
        if item.what == "p" and "conflict" in item.fact:
            item.reason = item.fact["conflict"]
            continue
        key = (item.what, *(str(item.fact.get(part)) for part in SAME))
        other = first.setdefault(key, item)
        common = meet(other.printed, item.printed)
        if common is None or (common[1] - common[0] < 1e-9 and item.text != other.text):
            item.reason = f"{other.fact.get('place', 'another place')} prints {other.text} for it"
            continue
        limits, source = _limits(item, spec, table, rows, described)
        if limits is None:
            continue
        item.limits = limits
        if meet(_widened(limits), item.printed) is None:
            item.reason = f"{item.what} {_range_text(limits)} from {source}"


def _widened(limits):
    low, high = limits
    return low - 1e-9 * abs(low), high + (1e-9 * abs(high) if math.isfinite(high) else 0)


def _range_text(limits):
    low, high = (f"{value:.4g}" for value in limits)
    return f"is {low}" if low == high else f"is {low} to {high}"


def _described(spec, table, rows):
    """Return {(number, who as bytes): (mean, SD as intervals, n)} of what is printed of groups."""
    found = {}
    for fact in spec["facts"]:
        if "mean" not in fact or not {"sd", "se"} & set(fact) or "assumed" in fact:
            continue
        mask = rows_where(table, fact.get("where", {})) & rows.get(fact["of"], True)
        spread = "sd" if "sd" in fact else "se"
        n = int(mask.sum())
        sd = audit_tests.as_deviation(printed(fact[spread]), n, spread)
        found.setdefault((fact["of"], mask.tobytes()), (printed(fact["mean"]), sd, n))
    return found


def _limits(item, spec, table, rows, described):
    """Return the interval of what is printed, and what it comes from; None where nothing says."""
    fact, kind = item.fact, family(item.fact)
    if kind in ("fisher", "chi2") and item.what in ("p", "statistic"):
        statistic, p = counted(fact, table)
        value = p if item.what == "p" else statistic
        return (None, "") if value is None else ((value, value), "the printed counts")
    if kind == "linear" and item.what == "p" and len(fact["on"]) == 1:
        return _of_means(item, fact["term"], table, rows, described)
    if kind == "anova" and item.what in ("p", "statistic"):
        return _of_means(item, fact["by"], table, rows, described)
    if kind == "correlation" and item.what == "p":
        return _of_correlation(fact, table, rows)
    if kind == "logistic":
        return _of_interval(item)
    return None, ""


def _of_means(item, by, table, rows, described):
    """Limits of a comparison of groups whose means and SDs are printed."""
    fact = item.fact
    name = names_of(fact)[0]
    if name not in rows and not any(of == name for of, _ in described):
        return None, ""
    mask = rows_where(table, fact.get("where", {})) & rows.get(name, True)
    groups = []
    for level in dict.fromkeys(table.loc[mask, by].dropna()):
        of = described.get((name, (mask & (table[by] == level).to_numpy()).tobytes()))
        if of is None:
            return None, ""
        groups.append(of)
    means, sds, sizes = zip(*groups, strict=True)
    covariates = len(fact.get("partial", []))
    if family(fact) == "linear":
        statistic, p = audit_tests.student(means, sds, sizes)
    else:
        statistic, p = audit_tests.anova(means, sds, sizes, covariates=covariates, r_squared=0.9)
    source = "the printed means and spreads"
    if covariates:
        source += ", covariates balanced over the groups"
    return (p(statistic) if item.what == "p" else statistic), source


def _of_correlation(fact, table, rows):
    key = "r" if "r" in fact else "r2"
    if key not in fact:
        return None, ""
    limits = printed(fact[key])
    if key == "r2":
        limits = tuple(math.sqrt(max(value, 0.0)) for value in limits)
    names = [*names_of(fact), *fact.get("partial", [])]
    mask = rows_where(table, fact.get("where", {}))
    mask &= np.all([rows.get(name, np.ones(len(table), bool)) for name in names], axis=0)
    covariates = len(fact.get("partial", []))
    t, p = audit_tests.correlation(limits, int(mask.sum()), covariates)
    text = {"r": "r", "r2": "R squared"}[key]
    source = f"the printed {text} of {mask.sum()} people, {covariates} covariates held"
    return p(t), source


def _of_interval(item):
    """Limits of an odds ratio and its p by the printed interval."""
    fact = item.fact
    if item.what not in ("odds_ratio", "p") or not {"low", "high"} <= set(fact):
        return None, ""
    middle, z = audit_tests.ratio_with_interval(
        *(printed(fact[key]) for key in ("odds_ratio", "low", "high"))
    )
    limits = middle if item.what == "odds_ratio" else audit_tests.p_of_z(z)
    return limits, "the printed interval"


def counted(fact, table):
    """Return (statistic, p) of a test of counts of the dealt categories."""
    mask = rows_where(table, fact.get("where", {}))
    name = names_of(fact)[0]
    for column in (name, fact["by"]):
        if column not in table:
            raise InputFault(f"facts: no category '{column}'")
    part = table.loc[mask & table[name].notna().to_numpy() & table[fact["by"]].notna().to_numpy()]
    counts = part.groupby([name, fact["by"]]).size().unstack(fill_value=0).to_numpy()
    statistic, p, _ = audit_tests.contingency(counts, fact["test"])
    return statistic, p
