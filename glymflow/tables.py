"""Printed tables: tidy results of an analysis in, text cells in the papers' layout out.

`group_table` formats, `to_tsv`, `to_html` and `to_latex` render. Nothing is computed here: every
number in a table stands in the results of `glymflow.stats` at full precision.
"""

import html
import math
import re
from dataclasses import dataclass, field

import pandas as pd

MISSING = "n/a"
DASH = "–"
DEFAULT_COLUMNS = ("effect", "p")

# test: how the footnote calls it
TESTS = {
    "Student t": "Student's t test",
    "Welch t": "Welch's t test",
    "Mann-Whitney U (exact)": "Mann-Whitney U test (exact)",
    "Mann-Whitney U (normal approximation)": "Mann-Whitney U test (normal approximation)",
    "one-way ANOVA": "one-way analysis of variance",
    "Welch ANOVA": "Welch's analysis of variance",
    "Kruskal-Wallis": "Kruskal-Wallis test",
    "Fisher exact": "Fisher's exact test",
    "chi-square": "Pearson's chi-square test",
    "chi-square, Yates corrected": "chi-square test with Yates' correction",
}
# effect size or estimate: sign in the cell, meaning in the footnote
SIGNS = {
    "Hedges g": ("g", "Hedges' g"),
    "rank-biserial r": ("r", "rank-biserial correlation"),
    "odds ratio": ("OR", "odds ratio"),
    "Cramer's V": ("V", "Cramér's V"),
    "eta squared": ("η²", "eta squared"),
    "epsilon squared": ("ε²", "epsilon squared of the ranks"),
    "mean difference": ("MD", "mean difference"),
    "Hodges-Lehmann shift": ("HL", "Hodges-Lehmann shift"),
    "risk difference": ("RD", "risk difference, in percentage points"),
}
STATISTICS = {"t": "t", "U": "U", "F": "F", "H": "H", "chi2": "χ²"}
CORRECTIONS = {"bonferroni": "Bonferroni", "holm": "Holm", "fdr_bh": "Benjamini-Hochberg"}


@dataclass
class Table:
    """A table as it is printed: text only.

    Attributes
    ----------
    title : str
    columns : list of str
        Header; the first column holds the row labels.
    rows : list of (int, str, str, list of str)
        Indent, label, footnote marks, cells.
    footnotes : list of (str, str)
        Mark (may be empty) and text.
    """

    title: str
    columns: list
    rows: list = field(default_factory=list)
    footnotes: list = field(default_factory=list)


def planned_table(results, plan, table):
    """Format a table of a study plan.

    Parameters
    ----------
    results : DataFrame
        Results of the table's analysis, as `glymflow.stats.run_analysis` gives them.
    plan : dict
        From `glymflow.study.load_plan`.
    table : dict
        One of the plan's tables.
    """
    analysis = next(item for item in plan["analyses"] if item["id"] == table["analysis"])
    return _FORMATS[analysis["kind"]](results, plan, analysis, table)


def _planned_group_table(results, plan, analysis, table):
    groups = analysis.get("groups", plan.get("groups"))
    return group_table(
        results,
        variables=plan["variables"],
        order=groups["order"],
        labels=groups.get("labels", {}),
        title=table.get("title", table["id"]),
        columns=table.get("columns", DEFAULT_COLUMNS),
        footnote=table.get("footnote", ""),
    )


# kind of analysis: function of (results, plan, analysis, table)
_FORMATS = {"compare_groups": _planned_group_table}


def group_table(
    results,
    *,
    variables,
    order,
    labels=None,
    title="",
    columns=DEFAULT_COLUMNS,
    footnote="",
):
    """Format a comparison of groups: one column per group, then effect size, p and the like.

    Means ± SD where the test is parametric, median [Q1, Q3] where it is a rank test, n (%) of
    levels. Footnotes name the tests, abbreviations, missing values, and what could not be done.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.compare_groups`.
    variables : dict
        Name: {"label", "unit", "decimals", "labels", "event"}, all optional, as in a study plan.
    order : list of str
        The groups, as columns.
    labels : dict, optional
        How the groups are called.
    title, footnote : str
        Caption, and a note added to those that the table writes itself.
    columns : sequence of {"estimate", "effect", "statistic", "p", "p_adjusted"}
        The columns after the groups.

    Returns
    -------
    Table
    """
    labels = labels or {}
    names = {member: labels.get(member, member) for member in order}
    sizes = {member: _group_size(results, member) for member in order}
    header = ["Characteristic", *(f"{names[m]} (n = {sizes[m]})" for m in order)]
    table = Table(title, header + [_column_title(column, results) for column in columns])
    marks = _Marks()
    for name in results["variable"].unique():
        rows = results[results["variable"] == name]
        summaries, test = rows[rows["row"] == "summary"], rows[rows["row"] == "test"].iloc[0]
        mark = marks.of(TESTS.get(test["test"], test["test"])) if _there(test["test"]) else ""
        variable = variables.get(name, {})
        decimals = variable.get("decimals", _decimals(summaries["sd"]))
        cells = [_test_cell(test, column, decimals) for column in columns]
        printed = _variable_rows(summaries, test, variable, name, order, decimals)
        for i, (indent, label, values) in enumerate(printed):
            tail = cells if i == 0 else [""] * len(cells)
            table.rows.append((indent, label, mark if i == 0 else "", [*values, *tail]))
    table.footnotes = marks.footnotes() + _notes(results, variables, order, names, columns)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def format_p(p):
    """Write a p value with three decimals; smaller ones as <0.001.

    Examples
    --------
    >>> format_p(0.0462), format_p(0.0001), format_p(float("nan"))
    ('0.046', '<0.001', 'n/a')
    """
    if not _there(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _group_size(results, member):
    """All of the group, missing values included; the same for every variable."""
    rows = results[(results["row"] == "summary") & (results["group"].astype(str) == member)]
    sizes = (rows["n"] + rows["missing"]).dropna()
    return int(sizes.iloc[0]) if len(sizes) else MISSING


def _column_title(column, results):
    level = results["confidence"].dropna()
    interval = f"({100 * level.iloc[0]:g}% CI)" if len(level) else "(CI)"
    return {
        "estimate": f"Difference {interval}",
        "effect": f"Effect size {interval}",
        "statistic": "Statistic",
        "p": "p",
        "p_adjusted": "adjusted p",
    }[column]


def _variable_rows(summaries, test, variable, name, order, decimals):
    """Return (indent, label, cells of the groups) of each printed row of a variable."""
    label = variable.get("label", name)
    if test["method"] != "categorical":
        label += f", {variable['unit']}" if "unit" in variable else ""
        by_group = {str(row["group"]): row for _, row in summaries.iterrows()}
        rank = test["method"] == "rank"
        cells = [_summary(by_group.get(member), rank, decimals) for member in order]
        return [(0, label, cells)]
    counts = {(str(row["level"]), str(row["group"])): row for _, row in summaries.iterrows()}
    levels = dict.fromkeys(level for level, _ in counts)
    names = variable.get("labels", {})
    cells = {level: [_count(counts.get((level, member))) for member in order] for level in levels}
    if variable.get("event") in cells and len(levels) == 2:
        event = variable["event"]
        return [(0, names.get(event, f"{label}: {event}"), cells[event])]
    rows = [(1, names.get(level, level), cells[level]) for level in levels]
    return [(0, label, [""] * len(order)), *rows]


def _summary(row, rank, decimals):
    keys = ("median", "q1", "q3") if rank else ("mean", "sd")
    if row is None or not _there(row[keys[0]]):
        return MISSING
    values = [_number(row[key], decimals) for key in keys]
    return f"{values[0]} [{values[1]}, {values[2]}]" if rank else f"{values[0]} ± {values[1]}"


def _count(row):
    if row is None or not _there(row["count"]):
        return MISSING
    percent = f"{row['percent']:.1f}%" if _there(row["percent"]) else MISSING
    return f"{int(row['count'])} ({percent})"


def _test_cell(test, column, decimals):
    if column in ("p", "p_adjusted"):
        return format_p(test[column])
    if column == "statistic":
        if not _there(test["statistic"]):
            return MISSING if not _there(test["p"]) else DASH
        df = [f"{test[key]:.4g}" for key in ("df", "df_error") if _there(test[key])]
        sign = STATISTICS[test["statistic_name"]]
        freedom = f"({', '.join(df)})" if df else ""
        return f"{sign}{freedom} = {_number(test['statistic'], 2)}"
    if not _there(test[column]):
        return DASH if _there(test["p"]) else MISSING
    sign = SIGNS[test[f"{column}_name"]][0]
    scale = 100 if sign == "RD" else 1
    digits = 1 if sign == "RD" else decimals if column == "estimate" else 2
    digits += sign == "OR" and 0 < test[column] < 0.1
    value, low, high = (
        _number(scale * test[key], digits) for key in (column, f"{column}_low", f"{column}_high")
    )
    return f"{sign} = {value} ({low}, {high})"


def _notes(results, variables, order, names, columns):
    """Footnotes without a mark: kinds of cells, abbreviations, correction, missing, faults."""
    tests = results[results["row"] == "test"]
    shown = {
        "parametric": "mean ± SD (standard deviation)",
        "rank": "median [Q1, Q3] (quartiles)",
        "categorical": "n (%)",
    }
    kinds = [shown[method] for method in shown if method in set(tests["method"])]
    notes = [f"Values are {', '.join(kinds)}."] if kinds else []
    used = [
        tests[f"{column}_name"].dropna() for column in ("estimate", "effect") if column in columns
    ]
    signs = [SIGNS[name] for name in dict.fromkeys(name for part in used for name in part)]
    meanings = [f"{sign}: {meaning}" for sign, meaning in signs]
    if signs:
        meanings.append("CI: confidence interval")
        if len(order) == 2:
            first, second = (names[member] for member in order)
            meanings.append(f"differences are {second} minus {first}, ratios {second} over {first}")
    notes += [f"{'; '.join(meanings)}."] if meanings else []
    if "p_adjusted" in columns and tests["correction"].notna().any():
        method = CORRECTIONS[tests["correction"].dropna().iloc[0]]
        count = tests["p_adjusted"].notna().sum()
        notes.append(f"Adjusted p: {method}, {count} comparisons.")
    missing = _missing_note(results, variables, order, names)
    notes += [missing] if missing else []
    for _, test in tests[tests["note"].notna()].iterrows():
        notes.append(f"{_label(test['variable'], variables)}: {test['note']}.")
    return [("", note) for note in notes]


def _missing_note(results, variables, order, names):
    parts = []
    summaries = results[(results["row"] == "summary") & (results["missing"] > 0)]
    for name in summaries["variable"].unique():
        rows = summaries[summaries["variable"] == name].drop_duplicates("group")
        gaps = {str(row["group"]): int(row["missing"]) for _, row in rows.iterrows()}
        counts = ", ".join(f"{names[member]} {gaps[member]}" for member in order if member in gaps)
        parts.append(f"{_label(name, variables)} ({counts})")
    return f"Missing values: {'; '.join(parts)}." if parts else ""


def _label(name, variables):
    return variables.get(name, {}).get("label", name)


class _Marks:
    """Letters for the tests of a table, in the order in which they come."""

    def __init__(self):
        self.texts = []

    def of(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return "abcdefghijklmnopqrstuvwxyz"[self.texts.index(text)]

    def footnotes(self):
        return [(self.of(text), f"{text}.") for text in self.texts]


def _there(value):
    return not (value is None or pd.isna(value))


def _decimals(sds):
    """Return decimals that give the smallest SD two digits: 0.22, 7.3, 15."""
    sds = sds.dropna()
    sds = sds[sds > 0]
    return 1 if sds.empty else min(max(1 - math.floor(math.log10(sds.min())), 0), 8)


def _number(value, decimals):
    if not _there(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


# --- Rendering -----------------------------------------------------------------------------------

STYLE = """
.glymflow-table { font: 14px/1.4 system-ui, sans-serif; color: #222; margin: 1em 0; }
.glymflow-table table { border-collapse: collapse; border-bottom: 2px solid #222; }
.glymflow-table caption { text-align: left; font-weight: 600; padding: 0 0 .4em; }
.glymflow-table th, .glymflow-table td { padding: .25em 1em .25em 0; text-align: left; }
.glymflow-table thead th { border-top: 2px solid #222; border-bottom: 1px solid #222; }
.glymflow-table tbody th { font-weight: 400; }
.glymflow-table td { font-variant-numeric: tabular-nums; white-space: nowrap; }
.glymflow-table .level th { padding-left: 1.5em; }
.glymflow-table .notes { font-size: 12px; color: #555; margin: .5em 0 0; max-width: 60em; }
"""


def to_tsv(table):
    """Render as TSV: header and rows, no footnotes; minus is a plain hyphen."""
    lines = [table.columns]
    for indent, label, _, cells in table.rows:
        lines.append(["  " * indent + label, *cells])
    text = "\n".join("\t".join(cell.replace("\t", " ") for cell in line) for line in lines)
    return text.replace("−", "-") + "\n"


def to_html(table, *, page=True):
    """Render as HTML: a page of its own, or the fragment to be put into another (`page=False`).

    A fragment needs `STYLE` once on its page.
    """
    esc = html.escape
    body = [f"<caption>{esc(table.title)}</caption>", "<thead><tr>"]
    body += [f'<th scope="col">{esc(column)}</th>' for column in table.columns]
    body += ["</tr></thead>", "<tbody>"]
    for indent, label, mark, cells in table.rows:
        mark = f"<sup>{esc(mark)}</sup>" if mark else ""
        row = "".join(f"<td>{esc(cell)}</td>" for cell in cells)
        css = ' class="level"' if indent else ""
        body.append(f'<tr{css}><th scope="row">{esc(label)}{mark}</th>{row}</tr>')
    notes = " ".join(
        (f"<sup>{esc(m)}</sup>" if m else "") + esc(text) for m, text in table.footnotes
    )
    inner = "\n".join([*body, "</tbody>"])
    fragment = '<div class="glymflow-table">\n<table>\n'
    fragment += f'{inner}\n</table>\n<p class="notes">{notes}</p>\n</div>\n'
    if not page:
        return fragment
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{esc(table.title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{fragment}</body>\n</html>\n"
    )


def to_latex(table):
    r"""Render as a LaTeX table for ``\input``; the document needs the package booktabs."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_latex(table.title)}}}",
        rf"\begin{{tabular}}{{l{'l' * (len(table.columns) - 1)}}}",
        r"\toprule",
        " & ".join(map(_latex, table.columns)) + r" \\",
        r"\midrule",
    ]
    for indent, label, mark, cells in table.rows:
        first = r"\quad " * indent + _latex(label)
        first += rf"\textsuperscript{{{mark}}}" if mark else ""
        lines.append(" & ".join([first, *map(_latex, cells)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\smallskip", r"\footnotesize"]
    lines += [
        (rf"\textsuperscript{{{mark}}}" if mark else "") + _latex(text)
        for mark, text in table.footnotes
    ]
    return "\n".join([*lines, r"\end{table}", ""])


_LATEX = {
    "\\": r"\textbackslash{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$"},
    **{"η": r"$\eta$", "ε": r"$\varepsilon$", "χ": r"$\chi$", "²": r"\textsuperscript{2}"},
    **{"∞": r"$\infty$", "<": r"$<$", ">": r"$>$", "–": "--", "é": r"\'e"},
}


def _latex(text):
    # a [ at the start of a row would be read as the option of the \\ before it
    text = "".join(_LATEX.get(char, char) for char in text)
    return re.sub(r"^\[", "{[}", text)


RENDERERS = {"tsv": to_tsv, "html": to_html, "tex": to_latex}
