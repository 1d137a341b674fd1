"""What a study plan lets expect before any image is measured, from participants.tsv alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glymflow.io import InputFault
from glymflow.stats.design import outcome_event
from glymflow.stats.harmonise import sites_fault
from glymflow.stats.logistic_regression import FEW_EVENTS
from glymflow.study.plan import groups_of, plan_schema
from glymflow.study.selection import (
    analysis_rows,
    column_levels,
    select_participants,
    variable_values,
)

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_GROUP, SMALL_GROUP = 2, 10  # fewer members: not tested, tested with a warning


def plan_warnings(plan: dict, participants: pd.DataFrame) -> list[str]:
    """Say which groups are too small, and which logistic models have too few events.

    What is on a measured column (`alps_mean`, `qc_status`) is left out, and the line says so.

    Parameters
    ----------
    plan : dict
        From `glymflow.study.plan.load_plan`.
    participants : DataFrame
        From `glymflow.cohort.participants.read_participants`, with the plan's `text_columns`.

    Returns
    -------
    list of str
        One line per warning; empty if there is none.
    """
    whole, unknown = _knowable(plan, plan, participants)
    rows = participants
    if "session_id" not in rows:  # the images' sessions are not looked at
        rows, whole["session"] = rows.assign(session_id=None), "all"
    if "qc_status" not in participants and whole.pop("qc", None):
        unknown.append("qc_status")
    try:
        rows, _ = select_participants(rows, whole)
    except InputFault as fault:
        return [f"the groups cannot be counted: {fault}"]
    lines = _group_lines("groups", rows, whole, groups_of(whole), unknown)
    lines += _site_lines(rows, whole, unknown)
    for analysis in plan["analyses"]:
        part, more = _knowable(analysis, plan, participants)
        try:
            own, _ = analysis_rows(rows, whole, part)
            lines += _analysis_lines(part, own, rows, whole, unknown + more)
        except InputFault as fault:
            lines.append(f"{analysis['id']}: no result: {fault}")
    return lines


def _knowable(part, plan, table):
    """Return the plan or analysis without what needs measured columns, and these columns."""
    part, unknown = dict(part), []
    if "groups" in part and (unknown := _measured(part["groups"]["column"], plan, table)):
        part["groups"] = None
    for step in ("include", "exclude"):
        criteria = part.get(step, [])
        missing = [_measured(criterion["column"], plan, table) for criterion in criteria]
        part[step] = [c for c, names in zip(criteria, missing, strict=True) if not names]
        unknown += [name for names in missing for name in names]
    return part, unknown


def _measured(name, plan, table):
    """Return the columns that a variable (or column) needs and participants.tsv has not."""
    variable = plan["variables"].get(name, {})
    other = variable.get("instead", {})
    columns = [variable.get("column", name), other.get("column"), other.get("where")]
    return [column for column in dict.fromkeys(columns) if column and column not in table]


def _analysis_lines(analysis, own, rows, plan, unknown):
    kind, lines = plan_schema()["$defs"]["analyses"][analysis["kind"]], []
    if "groups" in analysis or (kind.get("x-needs-groups") and len(own) < len(rows)):
        lines = _group_lines(analysis["id"], own, plan, groups_of(plan, analysis), unknown)
    if analysis["kind"] == "logistic_regression" and not _measured(analysis["outcome"], plan, own):
        lines += _event_lines(analysis, own, plan, unknown)
    return lines


def _site_lines(rows, plan, unknown):
    """Say whether the sites will be refused by `harmonise`."""
    options, groups = plan.get("harmonise"), groups_of(plan)
    if not options or _measured(options["site"], plan, rows):
        return []
    sites = column_levels(rows, plan, options["site"])
    group = column_levels(rows, plan, groups["column"]) if groups else None
    fault = sites_fault(sites, group)
    return [f"harmonise: {fault}{_open(unknown)}"] if fault else []


def _group_lines(place, rows, plan, groups, unknown):
    if groups is None:
        return []
    sizes, lines = column_levels(rows, plan, groups["column"]).value_counts(), []
    for name in groups["order"]:
        count = sizes.get(name, 0)
        text = f"{place}: group '{name}' has {count} usable {'member' if count == 1 else 'members'}"
        if count < SMALLEST_GROUP:
            lines.append(f"{text}, it will not be tested{_open(unknown)}")
        elif count < SMALL_GROUP:
            lines.append(f"{text}, fewer than {SMALL_GROUP}{_open(unknown)}")
    return lines


def _event_lines(analysis, rows, plan, unknown):
    """Count events per coefficient as the model does: complete rows, the rarer level."""
    variables, outcome = plan["variables"], analysis["outcome"]
    names = list(dict.fromkeys([*analysis.get("predictors", []), *analysis.get("candidates", [])]))
    levels, complete = outcome_event(variables, outcome, analysis.get("event")), rows
    for name in [outcome, *names]:
        measured = _measured(name, plan, rows)
        unknown = unknown + measured
        if not measured:
            values, fault, _ = variable_values(complete, name, variables[name])
            if fault:
                raise InputFault(fault)
            complete = complete[values.notna()]
    found = column_levels(complete, plan, outcome).value_counts()
    count, rarer = min((found.get(level, 0), level) for level in levels)
    coefficients = sum(len(variables[name].get("levels", "..")) - 1 for name in names)
    if count >= FEW_EVENTS * coefficients:
        return []
    return [
        f"{analysis['id']}: {count} events ('{rarer}') for {len(names)} predictors,"
        f" {count / coefficients:.1f} per coefficient (fewer than {FEW_EVENTS}): Firth's penalised"
        f" likelihood is recommended (fits: [firth, ml]){_open(unknown)}"
    ]


def _open(unknown):
    return f"; not known yet: {', '.join(dict.fromkeys(unknown))}" if unknown else ""
