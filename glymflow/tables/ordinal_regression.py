"""The table of an ordinal logistic regression: common odds ratios and the test of their premise."""

from glymflow.tables.cells import label_of, there
from glymflow.tables.products import terms_note, with_products
from glymflow.tables.ratio_models import ratio_table
from glymflow.tables.regression import median_p, model_test
from glymflow.text import level_text


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = with_products(plan["variables"], analysis.get("interactions", []))
    return ratio_table(
        results,
        variables=variables,
        name="common odds ratio",
        title=table.get("title", table["id"]),
        footnote=table.get("footnote", ""),
        splines=analysis.get("splines"),
        notes=_notes(results, variables, analysis.get("odds_of", "higher")),
    )


def _notes(results, variables, odds_of):
    levels = results[results["row"] == "summary"]
    if not len(levels):
        return []
    outcome = results["outcome"].iloc[0]
    names = variables.get(outcome, {}).get("labels", {})
    counts = []
    for row in levels.to_dict("records"):
        level = level_text(row["level"])
        counts.append(f"{names.get(level, level)}: {int(row['count'])}")
    text = f"Odds of a {odds_of} level of {label_of(outcome, variables)}; participants by level: "
    notes = [f"{text}{', '.join(counts)}."]
    tests = results[(results["row"] == "proportional_odds") & results["p"].notna()]
    each = []
    for row in tests.to_dict("records"):
        name = label_of(row["variable"], variables) if there(row["variable"]) else "all predictors"
        each.append(f"{name} {model_test(row)}")
    return [*notes, f"Proportional odds, Brant's test: {'; '.join(each)}."] if each else notes


def methods_note(results, analysis, variables):
    """Return what the methods paragraph says beside the tests."""
    odds = analysis.get("odds_of", "higher")
    text = f"Common odds ratios are those of a {odds} level, from the proportional-odds model."
    tested = results[(results["row"] == "proportional_odds") & results["p"].notna()]
    if len(tested):
        text += f" Proportional odds were tested by Brant's test ({median_p(tested.iloc[0])})."
    return f"{text} {terms_note(analysis, variables)}".strip()
