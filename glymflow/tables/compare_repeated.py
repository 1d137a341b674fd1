"""The table of repeated measurements: the values of each, the test of the set, the pairs."""

from glymflow.tables.cells import (
    CORRECTIONS,
    DASH,
    MISSING,
    TESTS,
    Marks,
    correction_note,
    fault_notes,
    format_p,
    label_of,
    percent,
    there,
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
    printed.footnotes = marks.footnotes() + [("", note) for note in _notes(results)]
    printed.footnotes += signs_note(results[results["row"] == "post_hoc"], ["estimate"])
    printed.footnotes += correction_note(tests) + fault_notes(tests, variables)
    if table.get("footnote"):
        printed.footnotes.append(("", table["footnote"]))
    return printed


def _sets(results):
    """Number the sets: a set ends where summaries or another test begin after a test or pair."""
    begun = results["row"].isin(["summary", "test"])
    after = results["row"].shift().isin(["test", "post_hoc"])
    return (begun & after).cumsum()


def _set_rows(rows, variables, marks, adjusted):
    test, summaries = rows[rows["row"] == "test"].iloc[0], rows[rows["row"] == "summary"]
    names = list(summaries["group"]) or [test["variable"]]
    label = ", ".join(label_of(name, variables) for name in names)
    mark = marks.of(_name(test["test"])) if there(test["test"]) else ""
    tail = [format_p(test["p_adjusted"]) if there(test["p_adjusted"]) else DASH] * adjusted
    count = str(int(test["n"])) if there(test["n"]) else MISSING
    printed = [(0, label, mark, [count, "", _statistic(test), format_p(test["p"]), *tail])]
    blank = [""] * adjusted
    decimals = plain_decimals(variables.get(test["variable"], {}), summaries["sd"])
    for row in summaries.to_dict("records"):
        if there(row["count"]):
            value = f"{int(row['count'])} ({percent(row['percent'])})"
        else:
            value = summary_cell(row, test["method"] == "rank", decimals)
        printed.append((1, label_of(row["group"], variables), "", ["", value, "", "", *blank]))
    for _, row in rows[rows["row"] == "post_hoc"].iterrows():
        first, second = _pair(row, names)
        text = f"{label_of(second, variables)} vs. {label_of(first, variables)}"
        p = row["p_adjusted"] if there(row["p_adjusted"]) else row["p"]
        mark = marks.of(_name(row["test"])) if there(row["test"]) else ""
        cells = ["", test_cell(row, "estimate", decimals), "", format_p(p), *blank]
        printed.append((1, text, mark, cells))
    return printed


def _pair(row, names):
    second, _, first = str(row["contrast"]).partition(" - ")
    return (first, second) if first in names else (names[0], second)


def _name(test):
    return TESTS.get(test, test)


def _statistic(test):
    if not there(test["statistic"]):
        return MISSING
    sign = {"F": "F", "chi2": "χ²"}[test["statistic_name"]]
    df = [f"{test[key]:.4g}" for key in ("df", "df_error") if there(test[key])]
    return f"{sign}({', '.join(df)}) = {number(test['statistic'], 2)}"


def _notes(results):
    tests = results[results["row"] == "test"]
    shown = {"parametric": "mean ± SD", "rank": "median [Q1, Q3]", "categorical": "n (%)"}
    kinds = [shown[method] for method in shown if method in set(tests["method"])]
    notes = [f"Values are {', '.join(kinds)}; differences are first named minus second."]
    effects = [
        f"{row['effect_name']} {number(row['effect'], 3)}"
        for row in tests[tests["effect"].notna()].to_dict("records")
    ]
    notes += [f"Effect size: {'; '.join(effects)}."] if effects else []
    used = results.loc[results["row"] == "post_hoc", "correction"].dropna().unique()
    notes += [f"p of the pairs: adjusted by {CORRECTIONS[name]} within the set." for name in used]
    lost = int(tests["missing"].fillna(0).max()) if len(tests) else 0
    return [*notes, f"Rows left out for a missing value: up to {lost}."] if lost else notes
