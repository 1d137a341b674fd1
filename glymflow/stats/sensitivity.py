"""One analysis under many ways of measuring: the specification curve (`kind: sensitivity`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from glymflow.cohort.participants import KEYS
from glymflow.io import InputFault
from glymflow.stats.common import joined, tidy
from glymflow.study.cohort_table import merge_cohort
from glymflow.study.selection import select_participants

COLUMNS = [
    *("variable", "row", "specification", "roi_set", "frame", "qc", "primary", "of", "event"),
    *("n", "missing", "test", "contrast", "statistic_name", "statistic", "df", "df_error", "p"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "effect_name", "effect"),
    *("effect_low", "effect_high", "count", "same_direction", "below_alpha", "confidence", "note"),
]
USES_SPECIFICATIONS = True  # `run` is given the cohort tables of all ROI sets and frames
# a ROI in a lesion has the code roi_lesion or roi_in_lesion
NO_OVERLAP = {"column": "lesion_share", "above": 0, "reason": "a ROI lies in a lesion"}
QC = {"pass": ["pass"], "warn": ["pass", "warn"], "all": ["pass", "warn", "fail"]}
NO_EFFECT = {"odds ratio": 1.0, "area under the curve": 0.5}  # else 0
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
    pairs = list(alps[["roi_set", "frame"]].drop_duplicates().itertuples(index=False, name=None))
    primary = cohort[["roi_set", "frame"]].dropna().drop_duplicates()
    primary = list(primary.itertuples(index=False, name=None))[:1]
    pairs = [*primary, *(pair for pair in pairs if pair not in primary)]
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
    keys = ("roi_sets", "frames", "qc", "variables")
    options = {key: analysis[key] for key in keys if key in analysis}
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
) -> pd.DataFrame:
    """Repeat an analysis for each ROI set, frame and choice of scans, and sum up what holds.

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

    Returns
    -------
    DataFrame
        `COLUMNS`: rows "specification" (`primary` for the plan's own; `qc` "plan+pass" where both
        let in the same scans, which then count once), and "summary" for each
        variable: `count` specifications with a result, the share of them in the `same_direction` as
        the primary and `below_alpha` (p < 0.05, not corrected: the specifications are not
        independent), and median, lowest and highest estimate.

    References
    ----------
    Simonsohn U, Simmons JP, Nelson LD. Specification curve analysis. Nat Hum Behav
    2020;4:1208-1214. Steegen S et al. Perspect Psychol Sci 2016;11:702-712.
    """
    try:
        analysis = _planned(plan, of)
        if not specifications:
            raise InputFault("there are no measures of other ROI sets or frames")
        rows = []
        for pair, rule, table in _specified(specifications, plan, roi_sets, frames, qc):
            rows += _one(pair, rule, table, plan, analysis, variables)
    except InputFault as fault:
        return tidy([{"row": "summary", "of": of, "note": f"no analysis: {fault}"}], COLUMNS)
    if not rows:
        note = "no analysis: no such specification, or none of these variables in it"
        return tidy([{"row": "summary", "of": of, "note": note}], COLUMNS)
    primary = next(iter(specifications))
    for row in rows:
        as_planned = "plan" in row["qc"].split("+")
        row["primary"] = as_planned and (row["roi_set"], row["frame"]) == primary
    frame = pd.DataFrame(rows, columns=COLUMNS)
    order = frame[["roi_set", "frame", "qc"]].apply(tuple, axis=1)
    for name, part in frame.groupby("variable"):  # a fit that failed does not say its event
        known = part["event"].dropna().unique()
        if len(known) == 1:
            frame.loc[frame["variable"] == name, "event"] = known[0]
    frame["specification"] = pd.factorize(order)[0] + 1
    return tidy([*frame.to_dict("records"), *_summaries(frame, of)], COLUMNS)


def _planned(plan, of):
    found = [analysis for analysis in plan["analyses"] if analysis["id"] == of]
    if not found:
        raise InputFault(f"the plan has no analysis '{of}'")
    if found[0]["kind"] == "sensitivity":
        raise InputFault(f"'{of}' is a sensitivity analysis itself")
    return found[0]


def _specified(specifications, plan, roi_sets, frames, qc):
    """Yield (ROI set, frame), rules for scans, rows; rules that let in the same scans are one."""
    own = plan.get("qc")
    for (roi_set, frame), table in specifications.items():
        if (roi_sets and roi_set not in roi_sets) or (frames and frame not in frames):
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


def _one(pair, rule, table, plan, analysis, variables):
    from glymflow.stats.analyses import run_analysis

    results, _ = run_analysis(table, plan, analysis)
    tests = results[results["row"] == "test"]
    if variables:
        tests = tests[tests["variable"].isin(variables)]
    about = {"row": "specification", "roi_set": pair[0], "frame": pair[1], "qc": rule}
    about["of"] = analysis["id"]
    return [
        {**{key: row[key] for key in COLUMNS if key in row}, **about}
        for row in tests.to_dict("records")
    ]


def _summaries(frame, of):
    """Sum up each variable (and event, where each level is told from the others)."""
    rows = []
    events = frame["event"].fillna("").astype(str)
    for (name, event), part in frame.groupby(["variable", events], sort=False, dropna=False):
        key = "estimate" if part["estimate"].notna().any() else "effect"
        values = part[key].astype(float)
        named = part[f"{key}_name"].dropna()
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
