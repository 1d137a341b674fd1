"""The table of ROC curves: areas, cut-offs, comparisons."""

import re

from printed_tables import cells_of, labels, make


def test_roc(table, tmp_path):
    made, _ = make(
        table,
        tmp_path,
        "roc",
        outcome="good",
        markers=["alps", "nihss", "flat"],
        models=[{"id": "m", "variables": ["alps", "nihss"], "label": "Both"}],
        correction="holm",
    )
    assert labels(made)[:4] == ["ALPS index", "NIHSS", "Flat <&_%>", "Both"]
    assert labels(made)[4:] == ["ALPS index − NIHSS", "ALPS index − Both", "NIHSS − Both"]
    assert cells_of(made, "Flat <&_%>")[0] == "n/a"
    lost = table.assign(nihss=table["nihss"].where(table.index > 9))
    counts, _ = make(lost, tmp_path, "roc", outcome="good", markers=["alps", "nihss"])
    events = table["good"].sum(), table["good"][10:].sum()
    assert cells_of(counts, "ALPS index")[0] == f"80 ({events[0]})"
    assert cells_of(counts, "NIHSS")[0] == f"70 ({events[1]})"
    assert cells_of(made, "NIHSS")[5].startswith("≤ ")
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3}, [01]\.\d{3}\)", cells_of(made, "Both")[4])
    three, _ = make(table, tmp_path, "roc", outcome="site", markers=["alps"])
    assert labels(three)[::2] == [
        f"{name} against all others" for name in ("deep", "lobar", "Infratentorial")
    ]
