"""What of participants.tsv does not fit the study plan, said before anything is measured."""

import difflib
import re

import numpy as np
import pandas as pd

from glymflow.cohort.domain import measure_columns
from glymflow.cohort.participants import KEYS
from glymflow.domains import DOMAINS
from glymflow.study.plan import groups_of
from glymflow.study.selection import BLANKS, column_levels, column_numbers, suspect_codes
from glymflow.text import level_text

MOST = 6  # values or lines that one message lists
_MISSING = {"none", "missing", "unknown", "?", "nd", "unbekannt"}  # not among `BLANKS`
# start of a column's name: lowest and highest value that is plausible, and what others may be
_PLAUSIBLE = {
    "alps_": (0.3, 4.0, "an ALPS index is near 1 to 2"),
    "age": (-np.inf, 120.0, "years are meant"),
    "volume_": (0.0, np.inf, "a volume is not negative"),
    "epvs_": (0.0, np.inf, "a count, volume or share is not negative"),
}


def table_lines(plan, table, *, ready=False):
    """Say which values of participants.tsv the plan cannot use, with counts or lines.

    Parameters
    ----------
    plan : dict
        From `glymflow.study.plan.load_plan`.
    table : DataFrame
        From `glymflow.cohort.participants.read_participants`: text; the index is the line.
    ready : bool
        Whether it is a ready table, whose columns may be called like measures.

    Returns
    -------
    list of str
        One line per finding; empty if there is none.
    """
    lines = [] if ready else _names(table)
    for name, variable in plan["variables"].items():
        needed = {variable.get("column", name)}
        if "instead" in variable:
            needed |= {variable["instead"][key] for key in ("column", "where")}
        if not needed <= set(table):
            continue  # measured, or refused
        if variable["type"] == "categorical":
            lines += _levels(f"variables.{name}", plan, table, name, variable["levels"], all_=True)
        else:
            lines += _numbers(name, plan, table, variable)
    for place, part in [("", plan), *((f"{a['id']}: ", a) for a in plan["analyses"])]:
        groups = groups_of(part) if "groups" in part else None
        if groups and _column(plan, groups["column"]) in table:
            column, order = groups["column"], groups["order"]
            if column not in plan["variables"]:
                lines += _levels(f"{place}groups", plan, table, column, order, all_=part is plan)
        for key in ("include", "exclude"):
            for one in part.get(key, []):
                if "values" in one and _column(plan, one["column"]) in table:
                    where = f"{place}{key}"
                    lines += _levels(where, plan, table, one["column"], one["values"], all_=False)
    return list(dict.fromkeys(lines))


def _column(plan, name):
    return plan["variables"].get(name, {}).get("column", name)


def _names(table):
    """Name columns that are called like a measure: in cohort.tsv they get a prefix."""
    known = measure_columns(DOMAINS)
    return [
        f"column '{name}' of participants.tsv is called like a measure: in cohort.tsv it is"
        f" participants_{name}, and the plan's '{name}' is what is measured"
        for name in table
        if name in known and name not in KEYS
    ]


def _levels(place, plan, table, name, levels, *, all_):
    """Compare the values of a column with those that the plan names, in both directions."""
    text = column_levels(table, plan, name)
    counts = text.dropna().value_counts()
    other = [value for value in counts.index if value not in levels]
    lines, column = _blanks(place, plan, table, name), _column(plan, name)
    meant = {value: near for value in other if (near := nearest(value, levels))}
    if other and (all_ or meant):
        shown = other if all_ else list(meant)
        listed = _listed(f"'{v}' ({counts[v]}{_did_you_mean(meant.get(v))})" for v in shown)
        what = "values that the plan does not name" if all_ else "values like those of the plan"
        lines.append(f"{place}: column '{column}' has {what}: {listed}")
        if meant:
            recode = ", ".join(f"{_quoted(v)}: {_quoted(n)}" for v, n in [*meant.items()][:MOST])
            lines[-1] += f"; correct the table, or give variables.{name} recode: {{{recode}}}"
    empty = [level for level in levels if level not in counts]
    if empty and other:
        seen = _listed(f"'{value}' ({count})" for value, count in counts.items())
        names = ", ".join(f"'{level}'" for level in empty)
        lines.append(f"{place}: no row of column '{column}' is {names}; its values: {seen}")
    raw = table[column].dropna() if column in table else pd.Series(dtype=object)
    spelled = {}
    for value in raw.unique():
        spelled.setdefault(level_text(value), []).append(value)
    lines += [
        f"{place}: column '{column}': {' and '.join(map(repr, some))} are read as one value"
        for some in spelled.values()
        if len(some) > 1
    ]
    return lines


def nearest(value, known):
    """Return the known value that another spelling of it is like; None if there is none.

    Examples
    --------
    >>> nearest("hc", ["AD", "HC"]), nearest("1", ["01", "02"]), nearest("MCI", ["AD", "HC"])
    ('HC', '01', None)
    """
    plain = {_plain(one): one for one in reversed(known)}
    if _plain(value) in plain:
        return plain[_plain(value)]
    close = difflib.get_close_matches(value, known, n=1, cutoff=0.75) if len(value) > 3 else []
    return close[0] if close else None


def _plain(text):
    text = re.sub(r"[\W_]+", "", text.lower())
    return re.sub(r"^0+(?=.)", "", text)


def _did_you_mean(near):
    return f", is '{near}' meant?" if near else ""


def _quoted(text):
    return f'"{text}"'


def _numbers(name, plan, table, variable):
    """List the values of a continuous column that are no numbers, or not plausible ones."""
    text, numbers = column_numbers(table, plan, name)
    place, column = f"variables.{name}", _column(plan, name)
    lines = _blanks(place, plan, table, name)
    wrong = text[text.notna() & ~np.isfinite(numbers)]
    if len(wrong):
        hints = "; ".join(dict.fromkeys(filter(None, map(_hint, wrong))))
        lines.append(
            f"{place}: column '{column}' has values that are not numbers:"
            f" {_with_lines(wrong, table)};"
            f" the variable cannot be used{'; ' + hints if hints else ''}"
        )
    if "range" in variable:
        low, high = variable["range"]
        far = text[(numbers < low) | (numbers > high)]
        if len(far):
            codes = ", ".join(f'"{value}": null' for value in list(far.unique())[:MOST])
            lines.append(
                f"{place}: column '{column}' has values outside {low:g} to {high:g}:"
                f" {_with_lines(far, table)}; the variable cannot be used. Correct them, or, where"
                f" they stand for missing, give it recode: {{{codes}}}"
            )
    elif codes := suspect_codes(numbers):
        rows = text[numbers.isin(codes)]
        recode = ", ".join(f'"{value}": null' for value in rows.unique())
        lines.append(
            f"{place}: column '{column}': {_with_lines(rows, table)} may stand for missing; then"
            f" give the variable recode: {{{recode}}}, or a range"
        )
    elif odd := next((key for key in _PLAUSIBLE if _starts(column, key)), None):
        low, high, what = _PLAUSIBLE[odd]
        far = text[(numbers < low) | (numbers > high)]
        if len(far):
            lines.append(
                f"{place}: column '{column}': {_with_lines(far, table)}: {what}; correct the unit"
                " or the values, or give the variable a range"
            )
    return lines


def _starts(column, key):
    return column.startswith(key) if key.endswith("_") else column == key


def _blanks(place, plan, table, name):
    """Say which words are read as missing."""
    column = _column(plan, name)
    if column not in table:
        return []
    read = column_levels(table, plan, name)
    raw = table[column].where(read.isna()).dropna()
    counts = raw[raw.str.strip().str.lower().isin(BLANKS)].value_counts()
    words = _listed(f"'{word}' ({count})" for word, count in counts.items())
    return [f"{place}: column '{column}': {words} read as missing"] if words else []


def _hint(value):
    if re.fullmatch(r"[-+]?\d+,\d+", value):
        return f"write a decimal point: {value.replace(',', '.')}"
    if value.startswith("#"):
        return f"{value} is an error of a spreadsheet"
    if value.lower() in _MISSING:
        return "missing is n/a"
    if value.endswith("%"):
        return "write the number without %"
    return ""


def _with_lines(values, table):
    """List values with whose they are and where they stand."""
    whose = table["participant_id"]
    return _listed(f"'{value}' ({whose[line]}, line {line})" for line, value in values.items())


def _listed(texts):
    texts = list(texts)
    return ", ".join(texts[:MOST]) + (f" and {len(texts) - MOST} more" if len(texts) > MOST else "")
