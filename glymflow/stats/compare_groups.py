"""Describe variables in groups and test the differences (`kind: compare_groups`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import effects
from glymflow.stats.ancova import ancova
from glymflow.stats.balance import with_balance
from glymflow.stats.common import (
    adjusted,
    by_ranks,
    guarded,
    interval,
    joined,
    no_result_if,
    normality_test,
    planned,
    row_of_test,
    summary_rows,
    tidy,
)
from glymflow.stats.contingency import RESAMPLES, fisher_exact
from glymflow.stats.design import check_named, read_variables
from glymflow.stats.equivalence import equivalence_rows
from glymflow.stats.libraries import first_row, long_table, pingouin
from glymflow.stats.post_hoc import post_hoc_rows
from glymflow.study.plan import groups_of
from glymflow.study.selection import column_levels, variable_values
from glymflow.text import level_text

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "row", "method", "group", "level", "n", "missing"),
    *("mean", "sd", "median", "q1", "q3", "minimum", "maximum", "count", "percent"),
    *("adjusted_n", "adjusted_mean", "adjusted_se", "adjusted_low", "adjusted_high"),
    *("normality_test", "normality_statistic", "normality_p"),
    *("test", "contrast", "statistic_name", "statistic", "df", "df_error", "p", "p_adjusted"),
    *("correction", "estimate_name", "estimate", "estimate_low", "estimate_high"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]
EXACT_BELOW = 50  # Mann-Whitney: exact p if both groups are smaller and no value occurs twice
LOW_EXPECTED = 5.0


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison."""
    groups, entries = groups_of(plan, analysis), plan["variables"]
    variables = {name: entries[name] for name in analysis["variables"]}
    group = column_levels(table, plan, groups["column"])
    results = planned(
        compare_groups,
        table,
        analysis,
        variables=variables,
        group=group,
        order=groups["order"],
        covariates={name: entries[name] for name in analysis.get("covariates", [])},
        seed=plan["seed"],
    )
    return with_balance(results, table, variables, group, groups["order"])


def compare_groups(
    table: pd.DataFrame,
    *,
    variables: dict,
    group: str | pd.Series,
    order: Sequence[str],
    normality: str = "shapiro",
    normality_alpha: float = 0.05,
    choice: str = "auto",
    equal_variances: bool = True,
    categorical: str = "auto",
    covariates: dict | None = None,
    robust: str = "none",
    post_hoc: str = "none",
    equivalence: dict | None = None,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Describe each variable in each group and test the difference.

    Continuous, two groups: Student's or Welch's t test (mean difference; Hedges g), or
    Mann-Whitney (Hodges-Lehmann shift; rank-biserial r). Three and more: one-way or Welch's
    analysis of variance (eta squared), or Kruskal-Wallis (epsilon squared). Categorical: Fisher's
    exact test or chi-square (2 x 2: risk difference and odds ratio; larger: Cramer's V). With
    covariates the parametric test is the analysis of covariance (`glymflow.stats.ancova`).

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        Name: {"type": "continuous" or "categorical", "column", "levels", "event", "recode"}, as in
        a study plan; `column` is the name if not given.
    group : str or Series
        Column of the group, or the group of each row.
    order : list of str
        The groups, the reference first; other rows are not looked at. Of two groups, differences
        are the second minus the first, and ratios the second over the first.
    normality : {"shapiro", "lilliefors", "none"}
        Test of normality in each group.
    normality_alpha : float
        A group with a smaller p is not normal.
    choice : {"auto", "parametric", "rank"}
        Tests for continuous variables; "auto" takes the parametric ones if all groups are normal.
    equal_variances : bool
        Student and ANOVA, or Welch.
    categorical : {"auto", "fisher", "chi2", "chi2_corrected"}
        "auto" takes Fisher's test for 2 x 2 and the chi-square for larger tables; "fisher" is exact
        for these too (`glymflow.stats.contingency`).
    covariates : dict, optional
        Entries like those of `variables`: what parametric comparisons are adjusted for.
    robust : {"none", "HC3"}
        Standard errors of the analysis of covariance.
    post_hoc : {"none", "tukey", "bonferroni", "holm", "dscf"}
        Comparison of all pairs of three and more groups (`glymflow.stats.post_hoc`).
    equivalence : dict, optional
        By continuous variable the least and the largest difference of two groups that does not
        matter (`glymflow.stats.equivalence`); not adjusted for the covariates.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables.
    confidence : float
        Level of the intervals.
    seed : int
        Seed of the bootstrap of epsilon squared, and of Fisher's p where it is simulated.

    Returns
    -------
    DataFrame
        `COLUMNS`; for each variable rows "summary" (one per group, or per group and level), one
        row "test", and rows "covariate", "post_hoc" and "equivalence" where there are any.
        Quartiles interpolate linearly (Hyndman and Fan's type 7).

    References
    ----------
    Student, Biometrika 1908;6:1. Welch BL, Biometrika 1947;34:28 and 1951;38:330. Mann HB, Whitney
    DR, Ann Math Stat 1947;18:50. Kruskal WH, Wallis WA, J Am Stat Assoc 1952;47:583. Fisher RA, J R
    Stat Soc 1922;85:87. Pearson K, Philos Mag 1900;50:157. Yates F, Suppl J R Stat Soc 1934;1:217.
    Shapiro SS, Wilk MB, Biometrika 1965;52:591. Lilliefors HW, J Am Stat Assoc 1967;62:399.
    """
    options = {
        "normality": normality,
        "normality_alpha": normality_alpha,
        "choice": choice,
        "equal_variances": equal_variances,
        "categorical": categorical,
        "robust": robust,
        "post_hoc": post_hoc,
        "confidence": confidence,
        "seed": seed,
    }
    numbers = [name for name, entry in variables.items() if entry["type"] == "continuous"]
    check_named(equivalence, numbers, "bounds of equivalence")
    group = table[group].map(level_text) if isinstance(group, str) else group
    if robust != "none" and not covariates:
        raise ConfigFault("`robust` is for comparisons with covariates (ANCOVA)")
    adjust = _Covariates(table, covariates) if covariates else None
    rows = []
    for name, variable in variables.items():
        values, fault, note = variable_values(table, name, variable)
        samples = [values[group == member] for member in order]
        if variable["type"] == "continuous":
            summaries, test = _continuous(samples, fault, order, options)
        else:
            summaries, test = _categorical(samples, fault, variable, order, options)
        summaries = [{"row": "summary", **summary} for summary in summaries]
        if adjust and not fault and test["method"] == "parametric":
            summaries, test, more = adjust(values, group, summaries, test, order, options)
        else:
            more = _post_hoc(samples, test, order, options)
            if adjust and not fault:
                test["note"] = joined(test.get("note"), "not adjusted for the covariates")
        if "p" in test:
            welch = {"equal_variances": equal_variances, "confidence": confidence}
            more = [*more, *equivalence_rows(equivalence, name, samples, **welch)]
        test = {"row": "test", **test, "note": joined(note, test.get("note"))}
        method = {"variable": name, "method": test["method"]}
        rows += [method | row for row in [*summaries, test, *more]]
    return adjusted(tidy(rows, COLUMNS), correction)


# --- Continuous variables ------------------------------------------------------------------------


def _continuous(samples, fault, order, options):
    if fault:
        method = "rank" if options["choice"] == "rank" else "parametric"
        return [{"group": member} for member in order], {"method": method, "note": fault}
    rows = [summary_rows(sample)[0] for sample in samples]
    samples = [np.sort(sample.dropna().to_numpy(float)) for sample in samples]
    normality = [normality_test(sample, options["normality"]) for sample in samples]
    rank = by_ranks(options["choice"], normality, options["normality_alpha"])
    summaries = [
        {"group": member, **row, **normal}
        for member, row, normal in zip(order, rows, normality, strict=True)
    ]
    test = {"method": "rank" if rank else "parametric", **_total(summaries)}
    problem = _untestable(samples, order, rank)
    if problem:
        return summaries, {**test, "note": problem}
    two, more = (_t_test, _anova) if not rank else (_mann_whitney, _kruskal)
    run = two if len(order) == 2 else more
    result = guarded(run, samples, options, confidence=options["confidence"])
    return summaries, {**test, **_contrast(order), **result}


def _untestable(samples, order, rank):
    """Say why the groups cannot be compared; empty if they can."""
    for sample, member in zip(samples, order, strict=True):
        if len(sample) < 2:
            count = "no values" if not len(sample) else "1 value"
            return f"no test: group '{member}' has {count}"
    if np.ptp(np.concatenate(samples)) == 0:
        return "no test: all values are the same"
    if not rank and all(np.ptp(sample) == 0 for sample in samples):
        return "no test: no variation within the groups"
    return ""


def _t_test(samples, options):
    first, second = samples
    equal, confidence = options["equal_variances"], options["confidence"]
    found = first_row(pingouin().ttest, second, first, correction=not equal, confidence=confidence)
    effect = effects.hedges_g(first, second, equal_variances=equal, confidence=confidence)
    name = "Student t" if equal else "Welch t"
    return {
        **row_of_test(name, "t", found["T"], found["p_val"], df=found["dof"]),
        **interval("estimate", "mean difference", (second.mean() - first.mean(), *found["limits"])),
        **interval("effect", "Hedges g", effect),
    }


def _mann_whitney(samples, options):
    first, second = samples
    both, confidence = np.concatenate(samples), options["confidence"]
    exact = max(len(first), len(second)) < EXACT_BELOW and len(np.unique(both)) == len(both)
    method = "exact" if exact else "asymptotic"
    found = first_row(pingouin().mwu, second, first, method=method)
    shift = effects.hodges_lehmann(first, second, confidence=confidence, exact=exact)
    effect = effects.rank_biserial(first, second, confidence=confidence)
    separate = np.isnan(effect[1])
    name = f"Mann-Whitney U ({'exact' if exact else 'normal approximation'})"
    return {
        **row_of_test(name, "U", found["U_val"], found["p_val"]),
        **interval("estimate", "Hodges-Lehmann shift", shift),
        **interval("effect", "rank-biserial r", effect),
        "note": "the groups do not overlap: no interval of r" if separate else "",
    }


def _anova(samples, options):
    equal = options["equal_variances"]
    test = pingouin().anova if equal else pingouin().welch_anova
    with no_result_if(ValueError):  # Welch's of a group without variation
        found = first_row(test, data=long_table(samples), dv="value", between="group")
    df, df_error = float(found["ddof1"]), float(found["ddof2"])
    effect = effects.eta_squared(found["F"], df, df_error, confidence=options["confidence"])
    name = "one-way ANOVA" if equal else "Welch ANOVA"
    return {
        **row_of_test(name, "F", found["F"], found["p_unc"], df=df, df_error=df_error),
        **interval("effect", "eta squared", effect),
    }


def _kruskal(samples, options):
    found = first_row(pingouin().kruskal, data=long_table(samples), dv="value", between="group")
    effect = effects.epsilon_squared(
        samples, confidence=options["confidence"], seed=options["seed"]
    )
    return {
        **row_of_test("Kruskal-Wallis", "H", found["H"], found["p_unc"], df=len(samples) - 1),
        **interval("effect", "epsilon squared", effect),
    }


def _post_hoc(samples, test, order, options):
    """Compare pairs of groups after a test that was made; rows of results, perhaps none."""
    made = np.isfinite(test.get("p", np.nan)) and test["method"] != "categorical"
    if options["post_hoc"] == "none" or len(order) < 3 or not made:
        return []
    rows = post_hoc_rows(
        [np.sort(sample.dropna().to_numpy(float)) for sample in samples],
        order,
        method=options["post_hoc"],
        rank=test["method"] == "rank",
        equal_variances=options["equal_variances"],
        confidence=options["confidence"],
    )
    return [{"row": "post_hoc", **row} for row in rows]


class _Covariates:
    """Puts the analysis of covariance in the place of the parametric test."""

    def __init__(self, table, variables):
        self.variables, self.fault, self.notes = variables, "", {}
        try:
            self.values, self.notes = read_variables(table, variables, list(variables))
        except NoResult as fault:
            self.fault = f"no test: {fault}"

    def __call__(self, values, group, summaries, test, order, options):
        rows = group.isin(order)
        kept = {key: test[key] for key in ("method", "contrast") if key in test}
        if self.fault or "p" not in test:
            return summaries, {**kept, "note": self.fault or test.get("note")}, []
        complete = rows & values.notna() & self.values.notna().all(axis=1)
        kept |= {"n": int(complete.sum()), "missing": int((rows & ~complete).sum())}
        sizes = [int((group[complete] == member).sum()) for member in order]
        try:
            for member, size in zip(order, sizes, strict=True):
                if size < 2:
                    raise NoResult(f"group '{member}' has fewer than 2 complete rows")
            result, means, more = ancova(
                values[complete],
                group[complete],
                self.values[complete],
                order=order,
                variables=self.variables,
                post_hoc=options["post_hoc"].replace("dscf", "tukey"),
                robust=options["robust"],
                confidence=options["confidence"],
            )
        except NoResult as fault:
            return summaries, {**kept, "note": f"no test: {fault}"}, []
        known = {name: self.variables[name].get("label", name) for name in self.notes}
        own = [f"covariate {known[name]}: {note}" for name, note in self.notes.items()]
        result["note"] = joined(*own, result["note"])
        summaries = [
            {**row, "adjusted_n": size, **mean}
            for row, size, mean in zip(summaries, sizes, means, strict=True)
        ]
        return summaries, {**kept, **result}, more


# --- Categorical variables -----------------------------------------------------------------------


def _categorical(samples, fault, variable, order, options):
    levels = variable["levels"]
    if fault:
        summaries = [{"group": g, "level": level} for level in levels for g in order]
        return summaries, {"method": "categorical", "note": fault}
    parts = [summary_rows(sample, levels) for sample in samples]
    summaries = [
        {"group": member, **part[j]}
        for j in range(len(levels))
        for member, part in zip(order, parts, strict=True)
    ]
    counts = np.array([[row["count"] for row in part] for part in parts])
    totals = counts.sum(axis=1)
    test = {"method": "categorical", **_total([part[0] for part in parts])}
    event = variable.get("event", levels[-1])
    found = counts.sum(axis=0) > 0
    if not totals.all():
        note = f"no test: group '{order[totals.argmin()]}' has no values"
        return summaries, {**test, "note": note}
    if found.sum() < 2:
        return summaries, {**test, "note": "no test: all values are the same"}
    if len(levels) == 2:
        counts = counts if event == levels[0] else counts[:, ::-1]  # the event first
        test |= {"level": event}
    counts = counts[:, found] if len(levels) > 2 else counts
    result = guarded(_contingency, counts, options, confidence=options["confidence"])
    if not found.all():
        empty = ", ".join(str(levels[j]) for j in np.flatnonzero(~found))
        result["note"] = joined(result.get("note"), f"levels nobody has: {empty}")
    return summaries, {**test, **_contrast(order), **result}


def _contingency(counts, options):
    """Test groups (rows) x levels (columns); every column and row has a count."""
    two_by_two = counts.shape == (2, 2)
    wanted = options["categorical"]
    corrected = two_by_two and wanted == "chi2_corrected"
    note = ""
    if two_by_two and wanted in ("auto", "fisher"):
        result = {"test": "Fisher exact", "p": stats.fisher_exact(counts).pvalue}
    elif wanted == "fisher":
        p, error = fisher_exact(counts, seed=options["seed"])
        result = {"test": "Fisher exact", "p": p}
        if error:
            note = f"Fisher's p simulated with {RESAMPLES} tables, standard error {error:.2g}"
    else:
        chi2, p, df, expected = stats.chi2_contingency(counts, correction=corrected)
        name = "chi-square, Yates corrected" if corrected else "chi-square"
        result = row_of_test(name, "chi2", chi2, p, df=df)
        low, size = int((expected < LOW_EXPECTED).sum()), expected.size
        if low > 0.2 * size:
            note = f"{low} of {size} expected counts are below 5: chi-square is rough"
    confidence = options["confidence"]
    if two_by_two:
        difference = effects.risk_difference(counts, confidence=confidence)
        result |= interval("estimate", "risk difference", difference)
        effect = interval("effect", "odds ratio", effects.odds_ratio(counts, confidence=confidence))
    else:
        effect = interval("effect", "Cramer's V", effects.cramers_v(counts, confidence=confidence))
    return {**result, **effect, "note": note}


def _total(summaries):
    return {key: sum(row[key] for row in summaries) for key in ("n", "missing")}


def _contrast(order):
    return {"contrast": f"{order[1]} - {order[0]}" if len(order) == 2 else "all groups"}
