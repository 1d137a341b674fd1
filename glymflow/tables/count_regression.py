"""The table of a regression of counts: rate ratios, dispersion."""

from glymflow.tables.cells import label_of, there
from glymflow.tables.products import terms_note, with_products
from glymflow.tables.ratio_models import ratio_table
from glymflow.tables.regression import median_p, significant
from glymflow.text import number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = with_products(plan["variables"], analysis.get("interactions", []))
    return ratio_table(
        results,
        variables=variables,
        name="rate ratio",
        title=table.get("title", table["id"]),
        footnote=table.get("footnote", ""),
        splines=analysis.get("splines"),
        notes=_notes(results, analysis, variables),
    )


def _notes(results, analysis, variables):
    notes = []
    if analysis.get("exposure"):
        notes.append(f"Rates are per unit of {label_of(analysis['exposure'], variables)} (offset).")
    tests = results[results["row"] == "dispersion"]
    if len(tests) and there(tests["p"].iloc[0]):
        row = tests.iloc[0]
        known = there(row["statistic"])
        test = f"χ² = {number(row['statistic'], 2)}, " if known else ""
        test += median_p(row)
        notes.append(
            f"Overdispersion (likelihood ratio test of Poisson against negative binomial): "
            f"{test}; Pearson's χ² per degree of "
            f"freedom of the Poisson model {number(row['dispersion'], 2)}; α = "
            f"{significant(row['estimate'])}."
        )
    return notes


def methods_note(results, analysis, variables):
    """Return what the methods paragraph says beside the tests."""
    models = [text for text in dict.fromkeys(results["method"].dropna()) if text]
    text = f"The model was a {models[0]}." if models else ""
    tested = results[(results["row"] == "dispersion") & results["p"].notna()]
    if len(tested):
        text += " Overdispersion was tested by the likelihood ratio of the Poisson and the negative"
        text += f" binomial model ({median_p(tested.iloc[0])})."
    if analysis.get("exposure"):
        name = label_of(analysis["exposure"], variables)
        text += f" The logarithm of {name} was the offset."
    return f"{text} {terms_note(analysis, variables)}".strip()
