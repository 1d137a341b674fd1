"""The table of a comparison of groups: a column per group, then effect size, p and the like."""

from typing import NamedTuple

from glymflow.tables.cells import (
    CORRECTIONS,
    DASH,
    MISSING,
    SIGNS,
    STATISTICS,
    Marks,
    common_decimals,
    correction_note,
    count_percent,
    df_text,
    fault_notes,
    format_p,
    label_of,
    statistic_text,
    there,
)
from glymflow.tables.equivalence import equivalence_notes
from glymflow.tables.render import Table
from glymflow.text import number

DEFAULT_COLUMNS = ("effect", "p")


def planned(results, plan, analysis, table):
    """Format a planned table."""
    groups = analysis.get("groups", plan.get("groups"))
    return group_table(
        results,
        variables=plan["variables"],
        order=groups["order"],
        labels=groups.get("labels", {}),
        title=table.get("title", table["id"]),
        columns=table.get("columns", DEFAULT_COLUMNS),
        values=table.get("values", "observed"),
        summary=table.get("summary", "test"),
        covariates=analysis.get("covariates", ()),
        footnote=table.get("footnote", ""),
        rows=table.get("variables"),
        counts=table.get("counts", "percent"),
        spread=table.get("spread", "sd"),
    )


def group_table(
    results,
    *,
    variables,
    order,
    labels=None,
    title="",
    columns=DEFAULT_COLUMNS,
    values="observed",
    summary="test",
    covariates=(),
    footnote="",
    rows=None,
    counts="percent",
    spread="sd",
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
    columns : sequence of {"estimate", "effect", "statistic", "p", "p_adjusted", "post_hoc", ...}
        The columns after the groups; "post_hoc" is one column, "pairs" one per pair of groups.
    values : {"observed", "adjusted"}
        With "adjusted" the adjusted mean ± SE where there is one (ANCOVA).
    summary : {"test", "mean", "median"}
        What is printed of numbers: what goes with the test, or the one named; a dict says it of
        single variables.
    covariates : sequence of str
        What the analysis was adjusted for; a footnote names them.
    rows : sequence of str, optional
        The variables to print, in this order; default: all.
    counts : {"percent", "ratio"}
        n (%) of each level, or the counts of all levels in one cell: 40:49.
    spread : {"sd", "se"}
        What stands beside means.

    Returns
    -------
    Table
    """
    labels = labels or {}
    names = {member: labels.get(member, member) for member in order}
    sizes = _model_sizes(results, order) or {m: _group_size(results, m) for m in order}
    columns = [part for column in columns for part in _expanded(column, order)]
    header = ["Characteristic", *(f"{names[m]} (n = {sizes[m]})" for m in order)]
    table = Table(title, header + [_title(column, results, names) for column in columns])
    marks, cells_as = Marks(), Cells(values, summary, counts, spread)
    if rows is not None:
        results = results[results["variable"].isin(rows)]
    for name in results["variable"].unique() if rows is None else rows:
        part = results[results["variable"] == name]
        if part.empty:
            continue
        summaries, test = part[part["row"] == "summary"], part[part["row"] == "test"].iloc[0]
        mark = marks.of_test(test)
        variable = variables.get(name, {})
        decimals = variable.get("decimals", common_decimals(summaries["sd"]))
        if values == "adjusted" and summaries["adjusted_se"].notna().any():
            decimals = adjusted_decimals(summaries["adjusted_se"], decimals)
        cells = [_tail_cell(part, test, column, decimals) for column in columns]
        printed = _variable_rows(summaries, test, variable, name, order, decimals, cells_as)
        for i, (indent, label, groups) in enumerate(printed):
            tail = cells if i == 0 else [""] * len(cells)
            table.rows.append((indent, label, mark if i == 0 else "", [*groups, *tail]))
    table.footnotes = marks.footnotes() + _notes(
        results, variables, order, names, columns, cells_as
    )
    table.footnotes += _more_notes(results, variables, order, names, columns, values, covariates)
    table.footnotes += equivalence_notes(results, variables)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


class Cells(NamedTuple):
    """How the groups' cells are printed; see `group_table`."""

    values: str = "observed"
    summary: str = "test"
    counts: str = "percent"
    spread: str = "sd"


def _expanded(column, order):
    """Return the columns that one stands for: `pairs` is (group, other group) of each pair."""
    if column != "pairs":
        return [column]
    return [(first, second) for k, first in enumerate(order) for second in order[k + 1 :]]


def _title(column, results, names):
    if isinstance(column, tuple):
        return f"p ({names[column[0]]} vs. {names[column[1]]})"
    return column_title(column, results)


def _tail_cell(rows, test, column, decimals):
    if column == "post_hoc":
        return _post_hoc_cell(rows)
    if not isinstance(column, tuple):
        return test_cell(test, column, decimals)
    contrast = f"{column[1]} - {column[0]}"
    pair = rows[(rows["row"] == "post_hoc") & (rows["contrast"] == contrast)]
    return format_p(pair["p_adjusted"].iloc[0]) if len(pair) else DASH


def _group_size(results, member):
    """All of the group, missing values included; the same for every variable."""
    rows = results[(results["row"] == "summary") & (results["group"].astype(str) == member)]
    sizes = (rows["n"] + rows["missing"]).dropna()
    return int(sizes.iloc[0]) if len(sizes) else MISSING


def _model_sizes(results, order):
    """Members of each group in the analysis of covariance, if it is one and the same of all rows.

    None otherwise, and where nobody was left out of it.
    """
    models = _models(results)
    tests = results[results["row"] == "test"]
    if not len(models) or len(models) < len(tests):
        return None
    sizes = [{m: counts.get(m, 0) for m in order} for counts in models.values()]
    return sizes[0] if all(one == sizes[0] for one in sizes) else None


def _models(results):
    """Return the members of each group in the analysis of covariance of each variable."""
    rows = results[(results["row"] == "summary") & results["adjusted_n"].notna()]
    models = {}
    for row in rows.to_dict("records"):
        models.setdefault(row["variable"], {})[str(row["group"])] = int(row["adjusted_n"])
    return models


def adjusted_decimals(errors, decimals):
    """Return the decimals of adjusted mean ± SE: those of mean ± SD unless an SE would be 0."""
    shown = [float(f"{error:.{decimals}f}") for error in errors.dropna()]
    return decimals if all(shown) else common_decimals(errors)


def column_title(column, results):
    """Return the header of a column after the groups."""
    level = results["confidence"].dropna()
    interval = f"({100 * level.iloc[0]:g}% CI)" if len(level) else "(CI)"
    return {
        "estimate": f"Difference {interval}",
        "effect": f"Effect size {interval}",
        "statistic": "Statistic",
        "p": "p",
        "p_adjusted": "adjusted p",
        "post_hoc": "pairwise p",
    }[column]


def _variable_rows(summaries, test, variable, name, order, decimals, cells_as):
    """Return (indent, label, cells of the groups) of each printed row of a variable."""
    label = variable.get("label", name)
    if test["method"] != "categorical":
        label += f", {variable['unit']}" if "unit" in variable else ""
        by_group = {str(row["group"]): row for _, row in summaries.iterrows()}
        rank = _shown(test["method"], cells_as.summary, name) == "rank"
        cells = [
            summary_cell(by_group.get(member), rank, decimals, cells_as.values, cells_as.spread)
            for member in order
        ]
        return [(0, label, cells)]
    counts = {(str(row["level"]), str(row["group"])): row for _, row in summaries.iterrows()}
    levels = dict.fromkeys(level for level, _ in counts)
    names = variable.get("labels", {})
    if cells_as.counts == "ratio":
        of = {m: [_ratio_part(counts.get((level, m))) for level in levels] for m in order}
        title = ":".join(names.get(level, level) for level in levels)
        return [(0, f"{label} ({title})", [":".join(of[member]) for member in order])]
    cells = {
        level: [count_percent(counts.get((level, member))) for member in order] for level in levels
    }
    if variable.get("event") in cells and len(levels) == 2:
        event = variable["event"]
        return [(0, names.get(event, f"{label}: {event}"), cells[event])]
    rows = [(1, names.get(level, level), cells[level]) for level in levels]
    return [(0, label, [""] * len(order)), *rows]


def _shown(method, summary, name):
    """Return the method whose summary is printed."""
    if isinstance(summary, dict):
        summary = summary.get(name, "test")
    if method == "categorical" or summary == "test":
        return method
    return {"mean": "parametric", "median": "rank"}[summary]


def summary_cell(row, rank, decimals, values="observed", spread="sd"):
    """Write mean ± SD or SE, or median [Q1, Q3]; adjusted mean ± SE if asked for, if any."""
    keys = ("median", "q1", "q3") if rank else ("mean", "sd")
    if values == "adjusted" and row is not None and there(row.get("adjusted_mean")):
        keys, rank = ("adjusted_mean", "adjusted_se"), False
    if row is None or not there(row[keys[0]]):
        return MISSING
    found = [row[key] for key in keys]
    if keys[-1] == "sd" and spread == "se":
        found[1] /= float(row["n"]) ** 0.5
    values = [number(value, decimals) for value in found]
    return f"{values[0]} [{values[1]}, {values[2]}]" if rank else f"{values[0]} ± {values[1]}"


def _ratio_part(row):
    return str(int(row["count"])) if row is not None and there(row["count"]) else MISSING


def test_cell(test, column, decimals):
    """Write p, statistic, estimate or effect size of a test."""
    if column in ("p", "p_adjusted"):
        return format_p(test[column])
    if column == "statistic":
        if not there(test["statistic"]):
            return MISSING if not there(test["p"]) else DASH
        sign = STATISTICS[test["statistic_name"]]
        value = statistic_text(test["statistic_name"], test["statistic"])
        return f"{sign}{df_text(test)} = {value}"
    if not there(test[column]):
        return DASH if there(test["p"]) else MISSING
    sign = SIGNS[test[f"{column}_name"]][0]
    scale = 100 if sign == "RD" else 1
    digits = 1 if sign == "RD" else decimals if column == "estimate" else 2
    values = [scale * test[key] for key in (column, f"{column}_low", f"{column}_high")]
    if sign == "OR":
        value, low, high = (number(v, 2) if not 0 < v < 0.005 else "<0.01" for v in values)
    else:
        value, low, high = (number(v, digits) for v in values)
    return f"{sign} = {value} ({low}, {high})".replace("= <", "<")


def _post_hoc_cell(rows):
    """Write the adjusted p of each pair, in the order of the pairs."""
    pairs = rows[rows["row"] == "post_hoc"]
    return ", ".join(format_p(p) for p in pairs["p_adjusted"]) if len(pairs) else DASH


def _more_notes(results, variables, order, names, columns, values, covariates):
    """Footnotes of post hoc comparisons and covariates."""
    notes, adjusted = [], results["test"].isin(["ANCOVA", "ANCOVA (HC3)"])
    if adjusted.any() and covariates:
        listed = ", ".join(label_of(name, variables) for name in covariates)
        text = f"Analysis of covariance: adjusted for {listed}; no interactions (type II and III "
        notes.append(text + "sums of squares are the same).")
    if adjusted.any() and values == "adjusted":
        notes.append("Where it is made, values are adjusted mean ± SE (standard error).")
    notes += _model_notes(results, variables, order, names)
    pairs = results[results["row"] == "post_hoc"]
    wanted = any(column == "post_hoc" or isinstance(column, tuple) for column in columns)
    if wanted and len(pairs):
        contrasts = [
            f"{names[j]} vs. {names[i]}" for k, i in enumerate(order) for j in order[k + 1 :]
        ]
        used = pairs[["test", "correction"]].astype(str).drop_duplicates().itertuples(index=False)
        how = [
            test
            if correction in ("tukey", "dscf")
            else f"{test}, {CORRECTIONS.get(correction, correction)}"
            for test, correction in used
        ]
        notes.append(f"Pairwise p: {', '.join(contrasts)} ({'; '.join(how)}).")
    return [("", note) for note in notes]


def _model_notes(results, variables, order, names):
    """Say who of each group is not in an analysis of covariance for a value that is missing."""
    said = {}
    for name, counts in _models(results).items():
        lost = {member: _group_size(results, member) - counts.get(member, 0) for member in order}
        if any(lost.values()):
            text = ", ".join(f"{names[m]} {lost[m]} of {lost[m] + counts[m]}" for m in order)
            said.setdefault(text, []).append(label_of(name, variables))
    whole = _model_sizes(results, order) is not None
    text = "Left out of the analysis of covariance for a missing value or covariate"
    if whole and said:
        return [f"{text}: {next(iter(said))}. n counts the others."]
    return [f"{text}, {' and '.join(found)}: {counts}." for counts, found in said.items()]


def _notes(results, variables, order, names, columns, cells_as):
    """Footnotes without a mark: kinds of cells, abbreviations, correction, missing, faults."""
    tests = results[results["row"] == "test"]
    shown = {
        "parametric": "mean ± SD (standard deviation)"
        if cells_as.spread == "sd"
        else "mean ± SE (standard error)",
        "rank": "median [Q1, Q3] (quartiles)",
        "categorical": "n (%)" if cells_as.counts == "percent" else "n of the levels",
    }
    printed = {
        _shown(method, cells_as.summary, name)
        for method, name in zip(tests["method"], tests["variable"], strict=True)
    }
    kinds = [shown[method] for method in shown if method in printed]
    notes = [f"Values are {', '.join(kinds)}."] if kinds else []
    meanings = _meanings(tests, columns)
    if meanings and len(order) == 2:
        first, second = (names[member] for member in order)
        meanings.append(f"differences are {second} minus {first}, ratios {second} over {first}")
    notes += [f"{'; '.join(meanings)}."] if meanings else []
    if "p_adjusted" in columns:
        notes += [text for _, text in correction_note(tests)]
    missing = _missing_note(results, variables, order, names)
    notes += [missing] if missing else []
    return [*[("", note) for note in notes], *fault_notes(tests, variables)]


def _meanings(tests, columns):
    """Say what the signs of the estimates and effects mean that the columns show."""
    used = [
        tests[f"{column}_name"].dropna() for column in ("estimate", "effect") if column in columns
    ]
    known = list(dict.fromkeys(name for part in used for name in part))
    signs = [SIGNS[name] for name in known]
    made = set(tests["test"].dropna())
    meanings = [f"{SIGNS[name][0]}: {SIGNS[name][1]}{_variant(name, made)}" for name in known]
    return [*meanings, "CI: confidence interval"] if signs else []


def _variant(name, made):
    """Name the variant of an effect size or interval where there are several.

    Parameters
    ----------
    name : str
        As in the results.
    made : set of str
        The tests of the table.
    """
    if name == "Hedges g" and "Welch t" in made:
        both = " (with Student's t test: pooled SD)" if "Student t" in made else ""
        return f" by the root of the mean of both variances after Welch's t test{both}"
    if name in ("eta squared", "partial eta squared"):
        return " (limits from the noncentral F distribution)"
    if name == "rank-biserial r":
        return " (limits of Brunner and Munzel)"
    if name == "Hodges-Lehmann shift":
        return " (limits: the inverted Mann-Whitney test)"
    return ""


def signs_note(tests, columns):
    """Return the footnote of the signs of estimates and effects; none without any."""
    meanings = _meanings(tests, columns)
    return [("", f"{'; '.join(meanings)}.")] if meanings else []


def plain_decimals(variable, sds):
    """Return the decimals that the plan gives a variable, else those that its SD asks for."""
    return variable.get("decimals", common_decimals(sds))


def _missing_note(results, variables, order, names):
    parts = []
    summaries = results[(results["row"] == "summary") & (results["missing"] > 0)]
    for name in summaries["variable"].unique():
        rows = summaries[summaries["variable"] == name].drop_duplicates("group")
        gaps = {str(row["group"]): int(row["missing"]) for _, row in rows.iterrows()}
        counts = ", ".join(f"{names[member]} {gaps[member]}" for member in order if member in gaps)
        parts.append(f"{label_of(name, variables)} ({counts})")
    return f"Missing values: {'; '.join(parts)}." if parts else ""
