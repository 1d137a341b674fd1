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
    assert cells_of(made, "NIHSS")[4].startswith("≤ ")
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3}, [01]\.\d{3}\)", cells_of(made, "Both")[3])
    three, _ = make(table, tmp_path, "roc", outcome="site", markers=["alps"])
    assert labels(three)[::2] == [
        f"{name} against all others" for name in ("deep", "lobar", "Infratentorial")
    ]
