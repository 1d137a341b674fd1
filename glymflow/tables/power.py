"""The table of power: power at the study's size, sample size needed, detectable effect."""

from glymflow.tables.cells import MISSING, fault_notes, format_p, label_of, there
from glymflow.tables.render import Table
from glymflow.text import number

LABELS = {
    "power": "Power of this study",
    "sample_size": "Sample size needed",
    "detectable": "Smallest effect detectable",
}


def planned(results, plan, analysis, table):
    """Format a planned table."""
    header = ["Quantity", "Effect", "n", "Power"]
    printed = Table(table.get("title", table["id"]), header)
    for _, row in results.iterrows():
        printed.rows.append((0, LABELS[row["row"]], "", _cells(row)))
    first = results.iloc[0]
    names = [label_of(name, plan["variables"]) for name in analysis.get("variables", [])]
    notes = [f"{' and '.join(names)}." if names else ""]
    if there(first["test"]):
        effect = results["effect_name"].dropna().iloc[0]
        text = f"{first['test']} test, two-sided, alpha = {first['alpha']:g}; effect: {effect}"
        notes.append(text + ("." if "effect" in analysis else ", as observed."))
    notes = [("", note) for note in notes if note]
    faults = results.assign(variable="; ".join(names) or "Power")
    return printed.noted(notes + fault_notes(faults, {}), table)


def _cells(row):
    if not there(row["estimate"]):
        return [MISSING] * 3
    size = str(int(row["n"]))
    if there(row["n_first"]) and there(row["n_second"]):
        size += f" ({int(row['n_first'])} + {int(row['n_second'])})"
    effect = row["estimate"] if row["row"] == "detectable" else row["effect"]
    return [number(effect, 2), size, format_p(row["power"])]
