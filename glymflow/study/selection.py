"""Take from the cohort table the rows and values that a study plan asks for, and count the rest.

Nothing is dropped silently: `select_participants` counts each step, `variable_values` says why a
column cannot be used.
"""

import re

import numpy as np
import pandas as pd

from glymflow.domains import DOMAINS
from glymflow.io import MISSING, InputFault
from glymflow.study.plan import groups_of
from glymflow.study.sessions import BASIS, BY_LABEL, BY_TIME, ORDER, order_sessions
from glymflow.study.transforms import transformed
from glymflow.text import counted, level_text

SYNTHETIC = "Synthetic data: invented from published summary statistics; nobody was measured."
FLOW_COLUMNS = ["analysis", "step", "criterion", "group", "excluded", "missing", "left"]


def variable_values(table, name, variable):
    """Return the values of a variable, as numbers or as levels, and what is wrong with them.

    Parameters
    ----------
    table : DataFrame
        The cohort table.
    name : str
        Name of the variable.
    variable : dict
        Its entry in the plan: `type`, and `column`, `levels`, `recode`, `transform` if any.

    Returns
    -------
    values : Series
        float, or text with None for missing; all missing if the column cannot be used.
    fault : str
        Why the column cannot be used; empty if it can.
    note : str
        What was done to it (values recoded); empty if nothing.
    """
    nothing = pd.Series(np.nan, index=table.index)
    try:
        text, changed, blank = _recoded(table, name, variable)
    except InputFault as fault:
        return nothing, str(fault), ""
    column = variable.get("column", name)
    note = f"{counted(changed.sum(), 'value')} recoded" if changed.any() else ""
    if blank.any():
        words = ", ".join(
            dict.fromkeys(str(word) for word in _source(table, variable, column)[blank])
        )
        said = f"{counted(blank.sum(), 'value')} read as missing ({words})"
        note = "; ".join(part for part in (note, said) if part)
    if "instead" in variable:
        note = "; ".join(part for part in (note, _instead_note(variable)) if part)
    if variable["type"] == "categorical":
        unseen = _listed(text[text.notna() & ~text.isin(variable["levels"])])
        if unseen:
            fault = f"'{column}' has values that are not a level of the plan: {unseen}"
            return nothing, fault, note
        return text, "", note
    numbers = text.map(_number).astype(float)
    source = _source(table, variable, column)
    if pd.api.types.is_float_dtype(source):
        numbers = numbers.where(changed, source)  # the very bits
    wrong = _of_whom(table, text[text.notna() & ~np.isfinite(numbers)])
    if wrong:
        return nothing, f"'{column}' has values that are not numbers: {wrong}", note
    low, high = variable.get("range", (-np.inf, np.inf))
    wrong = _of_whom(table, text[(numbers < low) | (numbers > high)])
    if wrong:
        fault = f"'{column}' has values outside the plan's range {low:g} to {high:g}: {wrong}"
        return nothing, fault, note
    codes = [] if "range" in variable else suspect_codes(numbers)
    if codes:
        shown = ", ".join(f"{code:g}" for code in codes)
        note = "; ".join(filter(None, (note, f"{shown} among the values: a code for missing?")))
    if "transform" in variable:
        numbers, wrong = transformed(numbers, variable["transform"])
        if wrong:
            return nothing, f"'{column}' {wrong}", note
    return numbers, "", note


# numbers that stand for "missing" in exported tables
CODES = [sign * float(digit * length) for length in (1, 2, 3, 4, 5) for digit in "789"
         for sign in (-1, 1) if sign < 0 or length > 1]  # fmt: skip


def suspect_codes(numbers):
    """Return the values that look like codes for missing: -9 or 999 far from all the others.

    A code below 0 is suspect where all other values are 0 or more; one above it where it is farther
    from the others than they are from each other.

    Parameters
    ----------
    numbers : Series of float
        NaN for missing.

    Examples
    --------
    >>> suspect_codes(pd.Series([64.0, 71, 999, 58, -9])), suspect_codes(pd.Series([64.0, 99, 58]))
    ([-9.0, 999.0], [])
    """
    known = numbers.dropna()
    coded = known.isin(CODES)
    # what is near the others is a value: 77 among ages
    others = known[~coded]
    if not coded.any() or len(others) < 2:
        return []
    low, high = others.min(), others.max()
    found = known[coded].unique()
    return sorted(
        float(code)
        for code in found
        if (code < 0 <= low) or code > high + max(high - low, abs(high))
    )


# words of other programs for "missing"; one that the plan names as a value is that value
BLANKS = ("na", "n/a", "nan", "#n/a", "null", ".", "-")


def column_levels(table, plan, name):
    """Return a variable (recoded) or else a column of the table as text, None for missing.

    `BLANKS`, in capitals or not, are missing too, unless they are among the levels, groups or
    values of criteria that the plan names.

    Raises
    ------
    InputFault
        If the table has no such column.
    """
    return _recoded(table, name, plan["variables"].get(name, {}), _values_named(plan))[0]


def _values_named(plan):
    """Return the groups, and the values of criteria, of a plan and its analyses."""
    named = set()
    for part in (plan, *plan.get("analyses", [])):
        named |= set((part.get("groups") or {}).get("order", []))
        for criterion in (*part.get("include", []), *part.get("exclude", [])):
            named |= set(criterion.get("values", []))
    return named


def column_numbers(table, plan, name):
    """Return a variable (recoded) as text, None for missing, and as numbers, NaN for the rest.

    Raises
    ------
    InputFault
        As `column_levels`.
    """
    text = column_levels(table, plan, name)
    return text, text.map(_number).astype(float)


def _source(table, variable, column):
    """Return the column, with the values of another one for those whom `instead` names."""
    other = variable.get("instead")
    if not other:
        return table[column]
    for needed in (other["column"], other["where"]):
        if needed not in table:
            raise InputFault(f"the cohort table has no column '{needed}'")
    meant = pd.Series([level_text(value) for value in table[other["where"]]], index=table.index)
    return table[column].where(~meant.isin(other["values"]), table[other["column"]])


def _instead_note(variable):
    other = variable["instead"]
    return f"{other['column']} where {other['where']} is {' or '.join(other['values'])}"


def _recoded(table, name, variable, named=()):
    """Return the column as text (`level_text`), where it was recoded, where it has `BLANKS`."""
    column = variable.get("column", name)
    if column not in table:
        raise InputFault(f"the cohort table has no column '{column}'")
    recode = variable.get("recode", {})
    recode = {level_text(key) or key: level_text(value) for key, value in recode.items()}
    text = [level_text(value) for value in _source(table, variable, column)]
    changed = pd.Series([value in recode for value in text], index=table.index, dtype=bool)
    known = {*recode, *variable.get("levels", []), *named}
    blank = [value is not None and value.lower() in BLANKS and value not in known for value in text]
    text = [
        None if missing else recode.get(value, value)
        for value, missing in zip(text, blank, strict=True)
    ]
    text = pd.Series(text, index=table.index, dtype=object)
    return text, changed, pd.Series(blank, index=table.index, dtype=bool)


def select_participants(table, plan):
    """Take the rows that the plan lets in: session, groups, quality, criteria, in this order.

    Where a domain has `judged_columns` (lesions, EPVS), a status that the plan's `qc` does not
    list leaves the row and sets these values to n/a.

    Parameters
    ----------
    table : DataFrame
        The cohort table, one row per participant and session.
    plan : dict
        From `load_plan`.

    Returns
    -------
    selected : DataFrame
        The rows that are left, in the order of the table.
    flow : DataFrame
        `FLOW_COLUMNS`, one row per step for all groups together ("all") and one for each group:
        how many rows the step excluded, in how many the value was missing, how many are left.
    """
    flow = _Flow("plan", table, plan, groups_of(plan))
    text = "rows of the cohort table"
    if "synthetic" in table and (table["synthetic"] == "yes").any():
        text += f": {SYNTHETIC}"
    flow.count("cohort", text, table)
    taken = first_taken(table) if plan["session"] == "first" else ""
    text = f"session: {plan['session']}" + (f" ({taken})" if taken else "")
    table = flow.keep("session", text, table, *_session_mask(table, plan))
    table = _group_step(flow, table, plan, groups_of(plan))
    if "qc" in plan:
        status = column_levels(table, plan, "qc_status")
        mask = status.isin(plan["qc"]) | (status.isna() & (MISSING in plan["qc"]))
        criterion = f"qc_status is {' or '.join(plan['qc'])}"
        table = flow.keep("qc", criterion, table, mask, status.isna())
        table = _without_failed_measures(flow, table, plan)
    table = _criteria_steps(flow, table, plan, plan)
    return table, flow.table()


def _without_failed_measures(flow, table, plan):
    for domain in DOMAINS:
        own = f"{domain.name}_qc_status"
        if not domain.judged_columns or own not in table:
            continue
        status = column_levels(table, plan, own)
        kept = status.isin(plan["qc"]) | status.isna()  # not measured: there is nothing to take
        columns = [name for name in domain.judged_columns if name in table]
        table = table.assign(**table[columns].where(kept))
        criterion = f"values of {domain.name}: {own} is {' or '.join(plan['qc'])}"
        flow.count("qc", criterion, table, missing=table[~kept])
    return table


def is_synthetic(flow):
    """Say whether the flow is that of an invented cohort (`glymflow reconstruct`)."""
    return flow["criterion"].astype(str).str.endswith(SYNTHETIC).any()


def analysis_rows(table, plan, analysis):
    """Take the rows of one analysis: its own groups and criteria, beside those of the plan.

    Parameters and returns are those of `select_participants`; the flow has no rows if the analysis
    takes everybody.
    """
    own = groups_of(plan, analysis)
    flow = _Flow(analysis["id"], table, plan, own)
    if "groups" in analysis:
        table = _group_step(flow, table, plan, own)
    return _criteria_steps(flow, table, plan, analysis), flow.table()


def _group_step(flow, table, plan, groups):
    if groups is None:
        return table
    values = column_levels(table, plan, groups["column"])
    criterion = f"{groups['column']} is {' or '.join(groups['order'])}"
    return flow.keep("groups", criterion, table, values.isin(groups["order"]), values.isna())


def _criteria_steps(flow, table, plan, part):
    for step in ("include", "exclude"):
        for criterion in part.get(step, []):
            met, missing = _meets(table, plan, criterion)
            mask = met if step == "include" else ~met
            table = flow.keep(step, _criterion_text(criterion), table, mask, missing)
    return table


def _session_mask(table, plan):
    label = plan["session"]
    labels = _session_labels(table)
    if label == "all":
        mask = pd.Series(True, index=table.index)
    elif label == "first":
        order = (table if ORDER in table else order_sessions(table))[ORDER].astype(float)
        mask = order == order.groupby(table["participant_id"]).transform("min")
    else:
        mask = labels == re.sub("^ses-", "", label)
    return mask, (labels == "") & (labels != "").any()  # no labels at all: one session each


def _session_labels(table):
    labels = table["session_id"].map(level_text).astype(object)
    return labels.map(lambda text: re.sub("^ses-", "", text) if isinstance(text, str) else "")


def first_taken(table):
    """Say which session `first` takes of subjects that have several, and by what; or nothing.

    Examples
    --------
    >>> table = pd.DataFrame({"participant_id": ["sub-1"] * 2, "session_id": ["ses-2", "ses-10"]})
    >>> first_taken(table)
    'ses-2 of 1; by label'
    """
    table = table if ORDER in table else order_sessions(table)
    several = table["participant_id"].duplicated(keep=False)
    order = table[ORDER].astype(float)
    chosen = several & (order == order.groupby(table["participant_id"]).transform("min"))
    counts = _session_labels(table)[chosen].value_counts().sort_index()
    by = table.loc[chosen, BASIS].value_counts().sort_index()
    if counts.empty:
        return ""
    words = {BY_TIME: "by acquisition time", BY_LABEL: "by label"}
    by = [
        words.get(basis, basis) + (f" {count}" if len(by) > 1 else "")
        for basis, count in by.items()
    ]
    some = [f"ses-{label} of {count}" for label, count in list(counts.items())[:6]]
    more = f" and {len(counts) - 6} more" if len(counts) > 6 else ""
    return f"{', '.join(some)}{more}; {', '.join(by)}"


def _meets(table, plan, criterion):
    text, numbers = column_numbers(table, plan, criterion["column"])
    missing = text.isna()
    met = pd.Series(True, index=table.index)
    if "values" in criterion:
        met &= text.isin(criterion["values"])
    for key, compare in (("min", "ge"), ("max", "le"), ("above", "gt"), ("below", "lt")):
        if key in criterion:
            wrong = _listed(text[~missing & numbers.isna()])
            if wrong:
                name = criterion["column"]
                raise InputFault(f"criterion '{name}': values that are not numbers: {wrong}")
            met &= getattr(numbers, compare)(criterion[key])
    if "missing" in criterion:
        met &= missing == criterion["missing"]
    return met, missing


def _criterion_text(criterion):
    signs = {"min": ">=", "max": "<=", "above": ">", "below": "<"}
    parts = [f"{sign} {criterion[key]}" for key, sign in signs.items() if key in criterion]
    if "values" in criterion:
        parts.append("is " + " or ".join(criterion["values"]))
    if "missing" in criterion:
        parts.append("is missing" if criterion["missing"] else "is not missing")
    text = f"{criterion['column']} {' and '.join(parts)}"
    return f"{criterion['reason']} ({text})" if "reason" in criterion else text


class _Flow:
    """The counts of each step, for all rows and for each group."""

    def __init__(self, analysis, table, plan, groups):
        self.rows, self.analysis, self.order = [], analysis, groups["order"] if groups else []
        self.groups = column_levels(table, plan, groups["column"]) if groups else None

    def keep(self, step, criterion, table, mask, missing):
        self.count(step, criterion, table[mask], table[~mask], table[missing])
        return table[mask]

    def count(self, step, criterion, left, excluded=(), missing=()):
        for group in ["all", *self.order]:
            counts = [self._number(rows, group) for rows in (excluded, missing, left)]
            self.rows.append([self.analysis, step, criterion, group, *counts])

    def _number(self, rows, group):
        if group == "all" or not len(rows):
            return len(rows)
        return int((self.groups[rows.index] == group).sum())

    def table(self):
        return pd.DataFrame(self.rows, columns=FLOW_COLUMNS)


_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def _number(text):
    return float(text) if text is not None and _NUMBER.fullmatch(text) else np.nan


def _of_whom(table, texts, most=6):
    """List values with the participants whose they are."""
    whose = table["participant_id"] if "participant_id" in table else pd.Series(dtype=object)
    seen = [
        f"'{text}'" + (f" ({whose[row]})" if row in whose.index else "")
        for row, text in texts.items()
    ]
    seen = list(dict.fromkeys(seen))
    return ", ".join(seen[:most]) + (f" and {len(seen) - most} more" if len(seen) > most else "")


def _listed(texts, most=3):
    seen = [f"'{text}'" for text in dict.fromkeys(texts)]
    return ", ".join(seen[:most]) + (f" and {len(seen) - most} more" if len(seen) > most else "")
