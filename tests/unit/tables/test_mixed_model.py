"""The table of a mixed model: repeated rows of the shared cohort."""

import numpy as np
import pandas as pd
from printed_tables import VARIABLES, cells_of, labels, make, notes

from glymflow.tables.mixed_model import methods_note


def twice(table):
    """Two sessions of each participant, the second a little lower."""
    rng = np.random.default_rng(4)
    second = table.assign(nihss=table["nihss"] + 1, session_id="ses-2")
    second["alps_mean"] += rng.normal(-0.05, 0.05, len(table))
    return pd.concat([table.assign(session_id="ses-1"), second], ignore_index=True)


def test_table(table, tmp_path):
    made, results = make(
        twice(table), tmp_path, "mixed_model", outcome="alps", predictors=["age", "side"],
        interactions=[["age", "side"]],
    )  # fmt: skip
    assert made.columns == ["Predictor", "B (95% CI)", "SE", "t", "df", "p"]
    assert labels(made) == [
        "Age, years",
        "Side: right (reference: left)",
        "Age × Side: right (reference: left)",
        "Age, by Side",
        "left",
        "right",
    ]
    row = results[(results["row"] == "simple") & (results["at"] == "right")].iloc[0]
    assert cells_of(made, "right")[2] == f"{row['statistic']:.2f}".replace("-", "−")
    assert "158 rows of 79 participants, 2 rows left out" in notes(made)
    share = results.loc[results["row"] == "icc", "estimate"].iloc[0]
    assert f"correlation of a participant's sessions: {share:.3f}." in notes(made)
    said = methods_note(results, {"interactions": [["age", "side"]]}, VARIABLES)
    assert "a random intercept for each participant, fitted by restricted" in said
    assert said.endswith("The interaction of Age and Side was included.")


def test_slopes(table, tmp_path):
    both = twice(table)
    own = np.tile(np.random.default_rng(1).normal(0, 0.05, len(table)), 2)
    both["alps_mean"] += own * (both["nihss"] - both["nihss"].mean())
    made, _ = make(
        both, tmp_path, "mixed_model", outcome="alps", predictors=["nihss", "age"], slope="nihss"
    )
    assert "SD of the random intercepts, slopes and residuals: participants " in notes(made)
    assert ", slopes of NIHSS " in notes(made)
    assert "participant's sessions where NIHSS is 0: " in notes(made)
    said = methods_note(None, {"slope": "nihss"}, VARIABLES)
    assert "each participant, and a slope of NIHSS for each participant, independent of" in said


def test_a_model_that_failed(table, tmp_path):
    made, _ = make(
        table, tmp_path, "mixed_model", outcome="alps", predictors=["age", "site"],
        printed={"columns": ["estimate", "p"]},
    )  # fmt: skip
    assert all(set(cells) == {"n/a"} for _, _, _, cells in made.rows)
    assert notes(made).count("No model: no participant has two complete rows") == 1
