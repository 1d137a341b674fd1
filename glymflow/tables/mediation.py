"""The table of a mediation: paths, indirect effects, proportion mediated."""

from glymflow.tables.cells import DASH, MISSING, format_p, label_of, p_or_dash, there
from glymflow.tables.regression import (
    correction_note,
    noted,
    percent_ci,
    significant,
    with_interval,
)
from glymflow.tables.render import Table
from glymflow.text import level_text, number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    return path_table(
        results,
        variables=plan["variables"],
        title=table.get("title", table["id"]),
        footnote=table.get("footnote", ""),
    )


def path_table(results, *, variables, title="", footnote=""):
    """Format a mediation analysis: one row per path, indirect effect and proportion.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.mediation`.
    variables : dict
        The plan's variables.
    title, footnote : str

    Returns
    -------
    Table
    """
    x, y = (label_of(results[key].iloc[0], variables) for key in ("predictor", "outcome"))
    adjusted = results["p_adjusted"].notna().any()
    header = ["Path", f"Estimate ({percent_ci(results)})", "Standardised", "p"]
    table = Table(title, header + (["adjusted p"] if adjusted else []))
    rows = results.to_dict("records")
    several = len(results.loc[results["row"] == "test", "variable"]) > 1
    for row in rows:
        if not several and (row["row"] == "total" or row["path"] == "sum of ab / c"):
            continue  # of one mediator the sum is the effect itself
        percent = row["row"] == "proportion"
        form = _percent if percent else significant
        cells = [with_interval(row, "estimate", form)]
        cells.append(DASH if percent else number(row["effect"], 3))
        cells.append(DASH if percent else format_p(row["p"]))
        if adjusted:
            cells.append(p_or_dash(row["p_adjusted"]))
        table.rows.append((0, _path_label(row, x, y, variables), "", cells))
    table.footnotes = _notes(results, variables, x)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _percent(value):
    return f"{number(100 * value, 1)}%" if there(value) else MISSING


def _path_label(row, x, y, variables):
    name = label_of(row["variable"], variables)
    return {
        "a": f"a: {x} → {name}",
        "b": f"b: {name} → {y}",
        "c": f"c: total effect, {x} → {y}",
        "c'": f"c': direct effect, {x} → {y}",
        "ab": f"a × b: indirect effect through {name}",
        "sum of ab": "Indirect effect through all mediators",
        "ab / c": f"Proportion mediated by {name}",
        "sum of ab / c": "Proportion mediated by all mediators",
    }[row["path"]]


def _notes(results, variables, x):
    notes = []
    paths, tests = (results[results["row"] == kind] for kind in ("path", "test"))
    if len(paths):
        head, boot = paths.iloc[0], tests.iloc[0]
        notes.append(
            f"n = {int(head['n'])}, {int(head['missing'])} left out for missing values. Paths: "
            "linear regression, t tests; c' and b in one model. Indirect effects and proportions: "
            f"{boot['test']}, {int(boot['n_bootstrap'])} resamples"
            + (f", {int(boot['failed'])} without a fit" if boot["failed"] else "")
            + ". CI: confidence interval."
        )
        reference = level_text(head["reference"])
        if reference is not None:
            names = variables.get(head["predictor"], {}).get("labels", {})
            notes.append(f"{x}: against {names.get(reference, reference)}.")
        for row in tests.to_dict("records"):
            name = label_of(row["variable"], variables)
            notes.append(
                f"Sobel test of {name}: z = {number(row['sobel_z'], 2)}, p = "
                f"{format_p(row['sobel_p'])}.".replace("= <", "<")
            )
        notes.append("Mediation describes associations: the models do not tell cause from effect.")
    printed = [("", note) for note in notes] + correction_note(tests)
    if not len(paths):
        return printed + [("", f"{note}.") for note in tests["note"].dropna().unique()]
    return printed + noted(results, variables)
