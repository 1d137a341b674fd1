"""The table of specifications: what was planned is marked, and how others differ."""

import pandas as pd
from printed_tables import cells_of, labels, make, notes

from glymflow.stats.sensitivity import cohort_tables


def test_sensitivity(table, tmp_path):
    alps = table[["participant_id", "session_id", "source", "alps_mean", "qc_status"]]
    alps = pd.concat(
        [
            alps.assign(roi_set="one", frame=f, alps_mean=alps["alps_mean"] + s)
            for f, s in (("scanner", 0), ("fibre", 0.1))
        ]
    )
    tables = cohort_tables(table, alps, combine="mean")
    of = {"id": "main", "kind": "linear_regression", "outcome": "alps", "predictors": ["age"]}
    made, _ = make(table, tmp_path, "sensitivity", (tables, of), of="main")
    assert labels(made) == ["Age", "one, scanner", "one, fibre"]
    assert [mark for _, _, mark, _ in made.rows] == ["", "*", ""]
    assert cells_of(made, "one, fibre")[0] == "as planned = without any flag = failed ones too"
    assert "100% in the direction of the plan's own" in notes(made)
    assert "median B" in notes(made)
