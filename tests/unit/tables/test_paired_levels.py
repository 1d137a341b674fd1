"""Levels of pairs in the table of paired comparisons."""

import printed_tables
from printed_tables import cells_of, labels, make, notes


def test_two_and_three_levels(table, tmp_path, monkeypatch):
    more = {
        "later": {"type": "categorical", "label": "Later", "levels": ["0", "1"], "event": "1"},
        "site2": {"type": "categorical", "label": "Second", "levels": ["deep", "lobar", "infra"]},
    }
    monkeypatch.setattr(printed_tables, "VARIABLES", {**printed_tables.VARIABLES, **more})
    table = table.assign(later=table["good"].to_numpy()[::-1], site2=table["site"].to_numpy()[::-1])
    pairs = [("good", "later"), ("site", "site2"), ("alps", "nihss")]
    pairs = [{"first": first, "second": second} for first, second in pairs]
    made, _ = make(
        table, tmp_path, "compare_paired", pairs=pairs, printed={"columns": ["estimate", "p"]}
    )
    assert labels(made)[:3] == ["Outcome vs. Later: mRS 0-2", "Location vs. Second", "deep"]
    cells = cells_of(made, "Outcome vs. Later: mRS 0-2")
    count = int(table["good"].sum())
    assert cells[1] == f"{count} ({100 * count / 80:.1f}%)"
    assert cells[3].startswith("RD = 0.0 (")
    assert "McNemar's test" in notes(made)
    assert "n (%)" in notes(made)
    assert cells_of(made, "Location vs. Second")[1:3] == ["", ""]
