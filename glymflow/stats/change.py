"""Change between two sessions, within groups and between them (`kind: change`)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from glymflow.io import InputFault, NoResult
from glymflow.stats.common import adjusted, check_continuous, description, joined, tidy
from glymflow.stats.compare_groups import compare_groups
from glymflow.stats.compare_paired import compare_paired
from glymflow.study.plan import groups_of
from glymflow.study.selection import column_levels, variable_values
from glymflow.text import level_text

COLUMNS = [
    *("variable", "row", "method", "group", "sessions", "n", "missing", "first_mean", "first_sd"),
    *("first_median", "first_q1", "first_q3", "second_mean", "second_sd", "second_median"),
    *("second_q1", "second_q3", "mean", "sd", "median", "q1", "q3"),
    *("normality_test", "normality_statistic", "normality_p", "test", "contrast"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]
NUMBER = {"type": "continuous"}
# columns of the wide table: no column of a cohort is called so
FIRST, SECOND = "first session", "second session"
CHANGE, GROUP = "change of sessions", "group of it"
DESCRIBED = ("mean", "sd", "median", "q1", "q3")


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison of sessions."""
    groups, entries = groups_of(plan, analysis), plan["variables"]
    keys = ("between", "choice", "equal_variances", "correction", "confidence")
    return change(
        table,
        variables={name: entries[name] for name in analysis["variables"]},
        sessions=analysis["sessions"],
        group=column_levels(table, plan, groups["column"]) if groups else None,
        order=groups["order"] if groups else (),
        covariates={name: entries[name] for name in analysis.get("covariates", [])},
        seed=plan["seed"],
        **{key: analysis[key] for key in keys if key in analysis},
    )


def change(
    table: pd.DataFrame,
    *,
    variables: dict,
    sessions: Sequence[str],
    group: pd.Series | None = None,
    order: Sequence[str] = (),
    covariates: dict | None = None,
    between: str = "change",
    choice: str = "auto",
    equal_variances: bool = True,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Test the change from the first to the second session, in each group and between groups.

    Within a group: `compare_paired`. Between groups: `compare_groups` of the changes, or of the
    second session adjusted for the first (analysis of covariance), which is more precise where the
    groups do not differ at first, as after randomisation.

    Parameters
    ----------
    table : DataFrame
        One row per participant and session, with `participant_id` and `session_id`.
    variables : dict
        The plan's variables that are compared; continuous.
    sessions : (str, str)
        First and second session.
    group : Series, optional
        The group of each row; of a participant that of the first session counts.
    order : list of str
        The groups, the reference first.
    covariates : dict, optional
        Entries like those of `variables`, at the first session, of the test between groups.
    between : {"change", "ancova"}
        What is compared between groups.
    choice : {"auto", "parametric", "rank"}
        Tests; "auto" by the normality of the changes (Shapiro-Wilk). "ancova" is parametric.
    equal_variances : bool
        Between groups Student and ANOVA, or Welch.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p of the rows "test" for the number of variables.
    confidence, seed
        As in `compare_groups`.

    Returns
    -------
    DataFrame
        `COLUMNS`. For each variable, a row "within" for each group with the values of both sessions
        (`first_...`, `second_...`), the change, its test and its size; then "test": between the
        groups. Without groups "within" is left out and "test" is the test of the change.

    References
    ----------
    Vickers AJ, Altman DG. BMJ 2001;323:1123-1124. Van Breukelen GJ. J Clin Epidemiol
    2006;59:920-925.
    """
    options = {"choice": choice, "confidence": confidence, "seed": seed}
    first, second = (str(level_text(name)).removeprefix("ses-") for name in sessions)
    rows = []
    for name, variable in variables.items():
        common = {"variable": name, "sessions": f"{first}, {second}"}
        try:
            wide, note = _wide(table, name, variable, (first, second), group)
        except NoResult as fault:
            rows.append({**common, "row": "test", "note": f"no test: {fault}"})
            continue
        found = [_within(wide[wide[GROUP] == member], member, options) for member in order]
        if order:
            more = {**options, "equal_variances": equal_variances}
            found.append(_between(wide, order, covariates or {}, between, more))
        else:
            found.append({**_within(wide, None, options), "row": "test"})
        found[-1]["note"] = joined(note, found[-1].get("note"))
        rows += [row | common for row in found]
    return adjusted(tidy(rows, COLUMNS), correction)


def _wide(table, name, variable, sessions, group):
    """Return a row per participant: that of the first session, both values, change and group."""
    for column in ("participant_id", "session_id"):
        if column not in table:
            raise InputFault(f"the cohort table has no column '{column}'")
    check_continuous({name: variable}, name)
    values, fault, note = variable_values(table, name, variable)
    if fault:
        raise NoResult(fault)
    labels = table["session_id"].map(level_text).astype(object).str.removeprefix("ses-")
    parts = []
    for session in sessions:
        part = table[labels == session]
        if part["participant_id"].duplicated().any():
            raise NoResult(f"session '{session}' of a participant has several rows")
        if part.empty:
            raise NoResult(f"there is no session '{session}'; write `session: all` in the plan")
        parts.append(part)
    wide = parts[0].set_index("participant_id")
    wide[GROUP] = "" if group is None else group[parts[0].index].to_numpy()
    ends = [
        pd.Series(values[part.index].to_numpy(), part["participant_id"].to_numpy())
        for part in parts
    ]
    wide[FIRST], wide[SECOND] = ends[0].reindex(wide.index), ends[1].reindex(wide.index)
    wide[CHANGE] = wide[SECOND] - wide[FIRST]
    return wide.reset_index(), note


def _within(part, member, options):
    """Return the row of one group: both sessions, the change, its test."""
    pair = {FIRST: NUMBER, SECOND: NUMBER}
    results = compare_paired(part, variables=pair, pairs=[(FIRST, SECOND)], **options)
    row = _test_of(results)
    described = results[results["row"] == "summary"].set_index("group")
    for end, name in (("first", FIRST), ("second", SECOND)):
        row |= {f"{end}_{key}": described.loc[name, key] for key in DESCRIBED}
    changes = part[CHANGE].dropna().to_numpy()
    if len(changes) > 1:
        described = description(changes)
        row |= {key: described[key] for key in DESCRIBED}
    return row | {"row": "within", "group": member, "contrast": "second - first"}


def _between(wide, order, covariates, between, options):
    """Return the row of the test between groups."""
    outcome = CHANGE
    if between == "ancova":
        outcome, options = SECOND, {**options, "choice": "parametric"}
        covariates = {FIRST: NUMBER, **covariates}
    results = compare_groups(
        wide, variables={outcome: NUMBER}, group=wide[GROUP], order=order, covariates=covariates,
        **options,
    )  # fmt: skip
    return _test_of(results)


def _test_of(results):
    row = results[results["row"] == "test"].iloc[0]
    return row[[key for key in results if key in COLUMNS]].to_dict()
