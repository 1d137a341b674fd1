"""One analysis under many choices: multiverse and specification curve (`kind: sensitivity`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from glymflow.cohort.participants import KEYS
from glymflow.io import InputFault
from glymflow.stats.common import joined, tidy
from glymflow.study.cohort_table import merge_cohort
from glymflow.study.plan import plan_schema, variable_names
from glymflow.study.selection import select_participants

COLUMNS = [
    *("variable", "row", "specification", "roi_set", "frame", "qc", "covariates", "harmonised"),
    *("primary", "of", "event"),
    *("n", "missing", "test", "contrast", "statistic_name", "statistic", "df", "df_error", "p"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "effect_name", "effect"),
    *("effect_low", "effect_high", "count", "same_direction", "below_alpha", "confidence", "note"),
]
AS_GIVEN = ("as given", "as given")  # ROI set and frame of a cohort table without alps.tsv
USES_SPECIFICATIONS = True  # `run` is given the cohort tables of all ROI sets and frames
# a ROI in a lesion has the code roi_lesion or roi_in_lesion
NO_OVERLAP = {"column": "lesion_share", "above": 0, "reason": "a ROI lies in a lesion"}
QC = {"pass": ["pass"], "warn": ["pass", "warn"], "all": ["pass", "warn", "fail"]}
CHOICES = ["roi_set", "frame", "qc", "covariates", "harmonised"]  # what a specification is
NO_EFFECT = {"odds ratio": 1.0, "area under the curve": 0.5}  # else 0
# names of estimates that can be compared: with and without covariates
SAME_UNIT = {
    "adjusted mean difference": "mean difference",
    "partial Pearson r": "Pearson r",
    "partial Spearman r": "Spearman r",
}
ALPHA = 0.05


def cohort_tables(cohort: pd.DataFrame, alps: pd.DataFrame, *, combine: str) -> dict:
    """Make the cohort table of every ROI set and frame that was measured.

    Parameters
    ----------
    cohort : DataFrame
        cohort.tsv, with the primary ROI set and frame.
    alps : DataFrame
        alps.tsv.
    combine : {"mean", "best", "first"}
        The config's `combine_series`.

    Returns
    -------
    dict of (str, str) to DataFrame
        By ROI set and frame, the primary one first. Everything that is no ALPS measure is as in
        cohort.tsv.
    """
    about = cohort.drop(columns=[c for c in [*alps, "n_series"] if c in cohort and c not in KEYS])
    names = ["roi_set", "frame"]
    found = pd.concat([cohort[names].dropna().head(1), alps[names]]).drop_duplicates()
    pairs = list(found.itertuples(index=False, name=None))
    return {
        (roi_set, frame): merge_cohort(
            {"alps": alps}, about, roi_set=roi_set, frame=frame, combine=combine
        )
        for roi_set, frame in pairs
    }


def run(
    table: pd.DataFrame, plan: dict, analysis: dict, specifications: dict | None = None
) -> pd.DataFrame:
    """Make a planned sensitivity analysis; `table` is not looked at.

    Parameters
    ----------
    table, plan, analysis
        As for every kind.
    specifications : dict of (str, str) to DataFrame
        From `cohort_tables`.
    """
    keys = ("roi_sets", "frames", "qc", "variables", "covariates", "harmonise")
    options = {key: analysis[key] for key in keys if key in analysis}
    plan = plan.get("unharmonised", plan)  # each specification is harmonised by itself
    return sensitivity(specifications or {}, plan=plan, of=analysis["of"], **options)


def sensitivity(
    specifications: dict,
    *,
    plan: dict,
    of: str,
    roi_sets: Sequence[str] | None = None,
    frames: Sequence[str] | None = None,
    qc: Sequence[str] | None = None,
    variables: Sequence[str] | None = None,
    covariates: Sequence[Sequence[str]] | None = None,
    harmonise: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Repeat an analysis under each combination of choices, and sum up what holds (multiverse).

    Parameters
    ----------
    specifications : dict of (str, str) to DataFrame
        Cohort table by ROI set and frame, the primary first.
    plan : dict
        The plan; the analysis and who takes part are taken from it.
    of : str
        Id of the analysis.
    roi_sets, frames : list of str, optional
        All that were measured, if not given.
    qc : list of {"plan", "no_overlap", "pass", "warn", "all"}, optional
        Scans let in: as the plan says; of these, those without a ROI in a lesion; those that
        passed; and those with a warning; and those that failed. By default plan, pass and all.
    variables : list of str, optional
        Only these of the analysis' variables.
    covariates : list of list of str, optional
        Sets of covariates beside the plan's own: they replace `covariates` of the analysis or,
        of a regression, its predictors other than `variables`.
    harmonise : list of {"combat", "none"}, optional
        With and without the plan's `harmonise`; by default as the plan says.

    Returns
    -------
    DataFrame
        `COLUMNS`: rows "specification" (`primary` for the plan's own; `qc` "plan+pass" where both
        let in the same scans, which then count once; `covariates` and `harmonised` in words), and
        "summary" for each variable: `count` specifications with a result, the share of them in the
        `same_direction` as the primary and `below_alpha` (p < 0.05, not corrected: the
        specifications are not independent), and median, lowest and highest estimate.

    References
    ----------
    Simonsohn U, Simmons JP, Nelson LD. Specification curve analysis. Nat Hum Behav
    2020;4:1208-1214. Steegen S et al. Perspect Psychol Sci 2016;11:702-712.
    """
    try:
        analysis = _planned(plan, of)
        if not specifications:
            raise InputFault("there are no measures of other ROI sets or frames")
        sets = _covariate_sets(plan, analysis, variables, covariates)
        own = "combat" if "harmonise" in plan else "none"
        rows = []
        for pair, rule, table in _specified(specifications, plan, roi_sets, frames, qc):
            about = {"roi_set": pair[0], "frame": pair[1], "qc": rule, "of": of}
            planned = "plan" in rule.split("+") and pair == next(iter(specifications))
            for how in harmonise or [own]:
                rows += _one(table, plan, sets, how, about, variables, planned and how == own)
        if not rows:
            raise InputFault("no such specification, or none of these variables in it")
    except InputFault as fault:
        return tidy([{"row": "summary", "of": of, "note": f"no analysis: {fault}"}], COLUMNS)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    for name, part in frame.groupby("variable"):  # a fit that failed does not say its event
        known = part["event"].dropna().unique()
        if len(known) == 1:
            frame.loc[frame["variable"] == name, "event"] = known[0]
    frame["specification"] = frame.groupby(CHOICES, sort=False, dropna=False).ngroup() + 1
    return tidy([*frame.to_dict("records"), *_summaries(frame, of)], COLUMNS)


def _planned(plan, of):
    found = [analysis for analysis in plan["analyses"] if analysis["id"] == of]
    if not found:
        raise InputFault(f"the plan has no analysis '{of}'")
    if found[0]["kind"] == "sensitivity":
        raise InputFault(f"'{of}' is a sensitivity analysis itself")
    if found[0]["kind"] == "logistic_regression":  # the fit's bootstrap gives no estimate or p
        return {**found[0], "n_bootstrap": 0}
    return found[0]


def _specified(specifications, plan, roi_sets, frames, qc):
    """Yield (ROI set, frame), rules for scans, rows; rules that let in the same scans are one."""
    own = plan.get("qc")
    for (roi_set, frame), table in specifications.items():
        if (roi_sets and roi_set not in roi_sets) or (frames and frame not in frames):
            continue
        if "qc_status" not in table:  # a ready table without quality control
            yield (roi_set, frame), "plan", select_participants(table, plan)[0]
            continue
        selected = {}
        for rule in qc or ("plan", "pass", "all"):
            allowed = QC.get(rule, own)
            if allowed is None:  # a plan without the key lets in scans of any quality
                allowed = ["pass", "warn", "fail", "n/a"]
            chosen = {**plan, "qc": allowed}
            if rule == "no_overlap":
                chosen["exclude"] = [*plan.get("exclude", []), NO_OVERLAP]
            rows = select_participants(table, chosen)[0]
            selected.setdefault(tuple(rows.index), []).append((rule, rows))
        for same in selected.values():
            yield (roi_set, frame), "+".join(rule for rule, _ in same), same[0][1]


def _covariate_sets(plan, analysis, variables, covariates):
    """Return [(text, analysis with these covariates)], the plan's own first."""
    keys = plan_schema()["$defs"]["analyses"][analysis["kind"]]["properties"]
    key = next((key for key in ("covariates", "predictors") if key in keys), None)
    own = list(analysis.get(key, [])) if key else []
    if covariates is None:
        interest = own[:0] if key == "covariates" else list(variables or own)
        text = [name for name in own if name not in interest]
        return [(_words(text, plan), analysis)]
    if key is None:
        raise InputFault(f"the kind {analysis['kind']} has no covariates")
    if key == "predictors" and not variables:
        raise InputFault("covariates of a regression need `variables`: the predictors that stay")
    stay = list(variables) if key == "predictors" else []
    found = {tuple(name for name in own if name not in stay): analysis}
    for names in covariates:
        kept = tuple(name for name in names if name not in stay)
        changed = {name: value for name, value in analysis.items() if name != key}
        if stay or kept:
            changed[key] = [*stay, *kept]
        found.setdefault(kept, changed)
    return [(_words(names, plan), changed) for names, changed in found.items()]


def _words(names, plan):
    return ", ".join(plan["variables"][name].get("label", name) for name in names) or "none"


def _one(table, plan, sets, how, about, variables, planned):
    """Make the analysis under each set of covariates, on these rows, harmonised or not."""
    from glymflow.stats.analyses import run_analysis
    from glymflow.stats.harmonise import harmonise_plan

    about = {**about, "row": "specification", "harmonised": "ComBat" if how == "combat" else "no"}
    fault, rows = "", []
    try:
        if how == "combat":
            found = harmonise_plan(table, plan)
            if found is None:
                raise InputFault("the plan has no 'harmonise'")
            table, plan = found.table, found.plan
    except InputFault as error:
        fault = str(error)
    for place, (text, analysis) in enumerate(sets):
        own = {**about, "covariates": text, "primary": planned and place == 0}
        if fault:
            names = variables or variable_names(analysis)[:1]
            rows += [{**own, "variable": name, "note": f"no test: {fault}"} for name in names]
            continue
        results, _ = run_analysis(table, plan, analysis)
        tests = results[results["row"] == "test"].filter(COLUMNS)
        if variables:
            tests = tests[tests["variable"].isin(variables)]
        rows += [row | own for row in tests.to_dict("records")]
    return rows


def _summaries(frame, of):
    """Sum up each variable (and event, where each level is told from the others)."""
    rows = []
    events = frame["event"].fillna("").astype(str)
    for (name, event), part in frame.groupby(["variable", events], sort=False, dropna=False):
        key = "estimate" if part["estimate"].notna().any() else "effect"
        values = part[key].astype(float)
        named = part[f"{key}_name"].dropna().replace(SAME_UNIT)
        row = {"variable": name, "event": event or None, "row": "summary", "of": of}
        row["count"] = int(values.notna().sum())
        notes = [f"{row['count']} of {len(part)} specifications have a result"]
        if len(named.unique()) > 1:
            notes.append(f"no median: {', '.join(named.unique())} cannot be compared")
        elif row["count"]:
            null = NO_EFFECT.get(named.iloc[0], 0.0)
            there = values.dropna()
            first = values[part["primary"].astype(bool)].dropna()
            if len(first):
                row["same_direction"] = float(
                    (np.sign(there - null) == np.sign(first.iloc[0] - null)).mean()
                )
            else:
                notes.append("the primary specification has no result")
            row[f"{key}_name"], row[key] = named.iloc[0], there.median()
            row |= {f"{key}_low": there.min(), f"{key}_high": there.max()}
            notes.append("median, lowest and highest of the specifications")
        p = part["p"].dropna()
        row["below_alpha"] = float((p < ALPHA).mean()) if len(p) else np.nan
        rows.append({**row, "note": joined(*notes)})
    return rows
