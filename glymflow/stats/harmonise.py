"""Harmonise the measures of a study plan over its sites, before its tests (`harmonise:`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from glymflow.io import InputFault
from glymflow.stats.combat import combat
from glymflow.stats.common import tidy
from glymflow.study.plan import groups_of
from glymflow.study.selection import column_levels, variable_values

COLUMNS = [
    *("variable", "row", "site", "n", "missing", "mean_before", "mean_after", "sd_before"),
    *("sd_after", "shift", "scale", "statistic_name", "statistic", "df", "df_error", "p"),
    *("p_after", "note"),
]

SO = "leave it out (exclude), or join it with another site (recode)"


@dataclass(frozen=True)
class Harmonised:
    """A cohort with harmonised measures.

    Attributes
    ----------
    table : DataFrame
        The rows with one more column per measure, `harmonised_<variable>`.
    plan : dict
        The plan, its variables pointing to these columns; "unharmonised" holds it as it was.
    before, after : DataFrame
        The measures by variable, as they were and harmonised.
    sites : Series
        Site of each row; None where it is missing.
    results : DataFrame
        `COLUMNS`: rows "site" (n, mean and SD before and after, what was taken off) and "test" (do
        the sites differ beyond the protected variables, before and after).
    """

    table: pd.DataFrame
    plan: dict
    before: pd.DataFrame
    after: pd.DataFrame
    sites: pd.Series
    results: pd.DataFrame


def harmonise_plan(table: pd.DataFrame, plan: dict) -> Harmonised | None:
    """Harmonise the measures that a plan's `harmonise` names; None if it names none.

    Parameters
    ----------
    table : DataFrame
        The rows that the plan lets in (`glymflow.study.selection.select_participants`).
    plan : dict
        From `glymflow.study.plan.load_plan`. The groups are protected, also if `protect` does not
        name them.

    Raises
    ------
    InputFault
        As `harmonise`, and if a measure or a protected variable cannot be used.
    """
    options = plan.get("harmonise")
    if not options:
        return None
    sites = column_levels(table, plan, options["site"])
    before = pd.DataFrame({name: _numbers(table, plan, name) for name in options["measures"]})
    protected, groups = {}, groups_of(plan)
    if groups is not None:
        protected[groups["column"]] = column_levels(table, plan, groups["column"])
    for name in options.get("protect", []):
        values, fault, _ = variable_values(table, name, plan["variables"][name])
        if fault:
            raise InputFault(f"harmonise.protect: {fault}")
        if groups is None or plan["variables"][name].get("column", name) != groups["column"]:
            protected[name] = values
    group = protected.get(groups["column"]) if groups is not None else None
    pooled = options.get("pooled", True)
    after, results = harmonise(before, sites, protected, group=group, pooled=pooled)
    columns = {f"harmonised_{name}": after[name] for name in after}
    variables = dict(plan["variables"])
    for name in after:
        kept = {k: v for k, v in variables[name].items() if k not in ("recode", "instead", "range")}
        variables[name] = {**kept, "column": f"harmonised_{name}"}
    changed = {**plan, "variables": variables, "unharmonised": plan}
    return Harmonised(table.assign(**columns), changed, before, after, sites, results)


def _numbers(table, plan, name):
    variable = plan["variables"][name]
    if variable["type"] == "categorical":
        raise InputFault(f"harmonise.measures: '{name}' is categorical")
    as_measured = {key: value for key, value in variable.items() if key != "transform"}
    values, fault, _ = variable_values(table, name, as_measured)
    if fault:
        raise InputFault(f"harmonise.measures: {fault}")
    return values


def harmonise(
    measures: pd.DataFrame,
    sites: pd.Series,
    protected: dict[str, pd.Series],
    *,
    group: pd.Series | None = None,
    pooled: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Harmonise measures over sites; what depends on the protected variables stays.

    Parameters
    ----------
    measures : DataFrame
        One column per measure, NaN where missing.
    sites : Series
        Site of each row as text.
    protected : dict of str to Series
        Numbers, or levels as text.
    group : Series, optional
        Group of each row: a site with one group only is refused.
    pooled : bool
        As for `glymflow.stats.combat.combat`.

    Returns
    -------
    harmonised : DataFrame
        NaN also where the site or a protected variable is missing.
    results : DataFrame
        `COLUMNS`.

    Raises
    ------
    InputFault
        If there are not two sites, a site has one member only or one group only, or the sites
        cannot be told from the protected variables.
    """
    design = _design(protected, measures.index)
    used = sites.notna() & design.notna().all(axis=1) & measures.notna().any(axis=1)
    names = sorted(sites[used].unique())
    _refuse(names, sites[used], group, measures[used])
    places = sites[used].map({name: place for place, name in enumerate(names)}).to_numpy(int)
    known = design[used].to_numpy(float)
    known = known[:, known.std(axis=0) > 0]
    try:
        found = combat(measures[used].to_numpy(float), places, known, pooled=pooled)
    except InputFault as fault:
        raise InputFault(f"harmonise: {fault}") from None
    numbers = np.full(measures.shape, np.nan)
    numbers[used.to_numpy()] = found.measures
    after = pd.DataFrame(numbers, index=measures.index, columns=measures.columns)
    rows = []
    for g, name in enumerate(measures):
        old, new = measures.loc[used, name].to_numpy(float), after.loc[used, name].to_numpy(float)
        rows.append(_test(name, old, new, places, known, len(measures)))
        for i, site in enumerate(names):
            own = (places == i) & ~np.isnan(old)
            rows.append(
                {
                    "variable": name,
                    "row": "site",
                    "site": site,
                    "n": own.sum(),
                    "mean_before": old[own].mean(),
                    "mean_after": new[own].mean(),
                    "sd_before": old[own].std(ddof=1),
                    "sd_after": new[own].std(ddof=1),
                    "shift": found.shift[g, i],
                    "scale": found.scale[g, i],
                }
            )
    return after, tidy(rows, COLUMNS)


def _design(protected, index):
    """Return the protected variables as columns of numbers; levels without the first."""
    columns = {}
    for name, values in protected.items():
        if pd.api.types.is_numeric_dtype(values):
            columns[name] = values.astype(float)
            continue
        for level in sorted(values.dropna().unique())[1:]:
            columns[name, level] = (values == level).astype(float).where(values.notna())
    return pd.DataFrame(columns, index=index)


def _refuse(names, sites, group, measures):
    for name in names:
        fewest = measures[sites == name].notna().sum()
        if (sites == name).sum() > 1 and fewest.min() < 2:
            raise InputFault(
                f"harmonise: site '{name}' has {fewest.min()} member with {fewest.idxmin()}: {SO}"
            )
    fault = sites_fault(sites, None if group is None else group[sites.index])
    if fault:
        raise InputFault(f"harmonise: {fault}")


def sites_fault(sites: pd.Series, group: pd.Series | None = None) -> str:
    """Say why sites cannot be harmonised; nothing if they can.

    Parameters
    ----------
    sites, group : Series
        Site and group of each member; None where missing.
    """
    counts = sites.dropna().value_counts().sort_index()
    if len(counts) < 2:
        return f"{len(counts)} site with values: there is nothing to harmonise"
    for name, count in counts.items():
        if count < 2:
            return f"site '{name}' has 1 member: {SO}"
        if group is None or len(group.dropna().unique()) < 2:
            continue
        found = group[sites == name].dropna().unique()
        if len(found) == 1:
            return (
                f"all {count} members of site '{name}' are in group '{found[0]}': the site's effect"
                " cannot be told from the group's; leave the site out (exclude)"
            )
    return ""


def _test(name, old, new, places, known, rows):
    """Test by F of nested models whether the sites differ beyond the protected variables."""
    there = ~np.isnan(old)
    sites = (places[there, None] == np.arange(places.max() + 1)).astype(float)
    whole = np.column_stack([sites, known[there]])
    few = np.column_stack([np.ones(there.sum()), known[there]])
    df, error = sites.shape[1] - 1, int(there.sum()) - whole.shape[1]
    row = {"variable": name, "row": "test", "n": int(there.sum()), "missing": rows - there.sum()}
    if error < 1:
        return {**row, "note": "no test: fewer values than coefficients"}
    (f, p), (_, p_after) = (_f_test(values[there], whole, few) for values in (old, new))
    row |= {"statistic_name": "F", "statistic": f, "df": df, "df_error": error}
    return {**row, "p": p, "p_after": p_after}


def _f_test(values, whole, few):
    import statsmodels.api as sm

    f, p, _ = sm.OLS(values, whole).fit().compare_f_test(sm.OLS(values, few).fit())
    return float(f), float(p)
