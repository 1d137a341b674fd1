"""Footnotes of tests of equivalence."""

from glymflow.tables.cells import label_of, there
from glymflow.tables.regression import p_text, significant


def equivalence_notes(results, variables):
    """Return the footnotes (mark, text) of the rows "equivalence"; none without any."""
    notes = []
    for row in results[results["row"] == "equivalence"].to_dict("records"):
        label = label_of(row["variable"], variables)
        if not there(row["p"]):
            notes.append(f"{label}: {row['note']}.")
            continue
        low, high = (significant(row[f"estimate_{end}"]) for end in ("low", "high"))
        bounds = str(row["contrast"]).replace("-", "−")
        notes.append(
            f"{label}, equivalence within {bounds} (two one-sided t tests): {p_text(row['p'])}; "
            f"difference {significant(row['estimate'])}, {100 * row['confidence']:.3g}% CI "
            f"{low} to {high}."
        )
    return [("", note) for note in notes]
