"""The table of repeated measurements: the values of each, the test of the set, the pairs."""

from glymflow.tables.cells import (
    CORRECTIONS,
    Marks,
    correction_note,
    count_percent,
    count_text,
    fault_notes,
    format_p,
    label_of,
    p_or_dash,
    there,
    values_note,
)
from glymflow.tables.compare_groups import plain_decimals, signs_note, summary_cell, test_cell
from glymflow.tables.render import Table
from glymflow.text import number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = plan["variables"]
    adjusted = bool(results.loc[results["row"] == "test", "p_adjusted"].notna().any())
    header = ["Measurements", "n", "Value or difference", "Statistic", "p"]
    header += ["adjusted p"] if adjusted else []
    printed, marks = Table(table.get("title", table["id"]), header), Marks()
    for _, rows in results.groupby(_sets(results), sort=False):
        printed.rows += _set_rows(rows, variables, marks, adjusted)
    tests = results[results["row"] == "test"]
    notes = marks.footnotes() + [("", note) for note in _notes(results)]
    notes += signs_note(results[results["row"] == "post_hoc"], ["estimate"])
    return printed.noted(notes + correction_note(tests) + fault_notes(tests, variables), table)


def _sets(results):
    """Number the sets: a set ends where summaries or another test begin after a test or pair."""
    begun = results["row"].isin(["summary", "test"])
    after = results["row"].shift().isin(["test", "post_hoc"])
    return (begun & after).cumsum()


def _set_rows(rows, variables, marks, adjusted):
    test, summaries = rows[rows["row"] == "test"].iloc[0], rows[rows["row"] == "summary"]
    names = list(summaries["group"]) or [test["variable"]]
    label = ", ".join(label_of(name, variables) for name in names)
    mark = marks.of_test(test)
    cells = [count_text(test["n"]), "", test_cell(test, "statistic", 2), format_p(test["p"])]
    printed = [(0, label, mark, cells + [p_or_dash(test["p_adjusted"])] * adjusted)]
    blank = [""] * adjusted
    decimals = plain_decimals(variables.get(test["variable"], {}), summaries["sd"])
    for row in summaries.to_dict("records"):
        if there(row["count"]):
            value = count_percent(row)
        else:
            value = summary_cell(row, test["method"] == "rank", decimals)
        printed.append((1, label_of(row["group"], variables), "", ["", value, "", "", *blank]))
    for _, row in rows[rows["row"] == "post_hoc"].iterrows():
        first, second = _pair(row, names)
        text = f"{label_of(second, variables)} vs. {label_of(first, variables)}"
        p = row["p_adjusted"] if there(row["p_adjusted"]) else row["p"]
        mark = marks.of_test(row)
        cells = ["", test_cell(row, "estimate", decimals), "", format_p(p), *blank]
        printed.append((1, text, mark, cells))
    return printed


def _pair(row, names):
    second, _, first = str(row["contrast"]).partition(" - ")
    return (first, second) if first in names else (names[0], second)


def _notes(results):
    tests = results[results["row"] == "test"]
    notes = [f"{values_note(tests)}; differences are first named minus second."]
    effects = [
        f"{row['effect_name']} {number(row['effect'], 3)}"
        for row in tests[tests["effect"].notna()].to_dict("records")
    ]
    notes += [f"Effect size: {'; '.join(effects)}."] if effects else []
    used = results.loc[results["row"] == "post_hoc", "correction"].dropna().unique()
    notes += [f"p of the pairs: adjusted by {CORRECTIONS[name]} within the set." for name in used]
    lost = int(tests["missing"].fillna(0).max()) if len(tests) else 0
    return [*notes, f"Rows left out for a missing value: up to {lost}."] if lost else notes
