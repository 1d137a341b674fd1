"""The agreement of grades: kappa and the share of the same grade."""

from glymflow.tables.cells import (
    count_text,
    fault_notes,
    format_p,
    interval_title,
    label_of,
    there,
    with_interval,
)
from glymflow.tables.render import Table


def kappa_part(results):
    """Return which rows are of grades."""
    return results["test"].astype(str).str.contains("kappa|observed agreement")


def graded(results):
    """Say whether all measures are grades."""
    return kappa_part(results[results["row"] == "test"]).all()


def kappa_table(results, variables, table):
    """Format an analysis of grades: a row per measure and pair of occasions."""
    tests = results[results["row"] == "test"]
    header = ["Measure", "n", interval_title(results, "Kappa"), "p"]
    header.append(interval_title(results, "Same grade, %"))
    printed = Table(table.get("title", table["id"]), header)
    for label, test, share in _pairs(results, variables):
        cells = [count_text(test["n"]), with_interval(test, "estimate", 3), format_p(test["p"])]
        printed.rows.append((0, label, "", [*cells, with_interval(share, "estimate", 1)]))
    kinds = [str(name) for name in dict.fromkeys(tests["test"].dropna())]
    notes = [f"{'; '.join(kinds)[:1].upper()}{'; '.join(kinds)[1:]}; CI: confidence interval."]
    for row in tests.drop_duplicates("variable").to_dict("records"):
        if there(row["missing"]):
            label = label_of(row["variable"], variables)
            names = str(row["occasions"]).split(", ")
            listed = ", ".join(label_of(name, variables) for name in names)
            notes.append(f"{label}: {listed}; {int(row['missing'])} incomplete.")
    return printed.noted([("", note) for note in notes] + fault_notes(tests, variables), table)


def kappa_note(results, variables):
    """Return a footnote with the kappas, for a table of intraclass correlations."""
    part = results[kappa_part(results)]
    if not len(part):
        return []
    texts = [
        f"{label} {with_interval(test, 'estimate', 3)} ({test['test']}, n = {int(test['n'])})"
        for label, test, _ in _pairs(part, variables)
        if there(test["estimate"])
    ]
    return [f"Agreement of grades: {'; '.join(texts)}."] if texts else []


def _pairs(results, variables):
    """Yield label, row of kappa and row of the share of each pair."""
    several = results[results["row"] == "test"]["variable"].value_counts()
    shares = results[results["row"] == "agreement"]
    for _, test in results[results["row"] == "test"].iterrows():
        label = label_of(test["variable"], variables)
        if several[test["variable"]] > 1:
            second, _, first = str(test["contrast"]).partition(" - ")
            label += f", {label_of(first, variables)} and {label_of(second, variables)}"
        own = (shares["variable"] == test["variable"]) & (shares["contrast"] == test["contrast"])
        share = shares[own].iloc[0] if own.any() else {"estimate": None}
        yield label, test, share
