"""The table of change between sessions."""

import numpy as np
import pandas as pd
from printed_tables import VARIABLES, labels, make, notes

from glymflow.tables.change import methods_note


def twice(table):
    rng = np.random.default_rng(4)
    second = table.assign(session_id="ses-2")
    second["alps_mean"] += rng.normal(-0.05, 0.05, len(table))
    second["nihss"] += rng.choice([0, 1, 2], len(table))
    both = pd.concat([table.assign(session_id="ses-1"), second], ignore_index=True)
    return both.drop(index=len(table) + 2)


KNOWN = {"variables": ["alps", "nihss"], "sessions": ["1", "2"]}


def test_groups(table, tmp_path):
    groups = {"column": "site", "order": ["deep", "lobar", "infra"], "labels": {"infra": "Below"}}
    made, results = make(
        twice(table), tmp_path, "change", **KNOWN, groups=groups, covariates=["age"]
    )
    assert made.columns == [
        *("Measure", "n", "Session 1", "Session 2", "Change (95% CI)", "p"),
        *("Between groups (95% CI)", "p"),
    ]
    assert labels(made)[:4] == ["ALPS index", "deep", "lobar", "Below"]
    assert made.rows[0][3][:5] == [""] * 5
    row = results[(results["row"] == "within") & (results["group"] == "deep")].iloc[0]
    assert made.rows[1][3][0] == str(row["n"])
    assert made.rows[1][3][-2:] == ["", ""]
    assert "Between groups: the change, adjusted for Age." in notes(made)
    assert "without both values: ALPS index, " in notes(made)


def test_two_groups_of_the_second_session(table, tmp_path):
    groups = {"column": "side", "order": ["left", "right"]}
    known = {**KNOWN, "between": "ancova", "correction": "holm"}
    made, results = make(twice(table), tmp_path, "change", **known, groups=groups)
    assert made.rows[0][3][5].startswith("aMD = ")
    assert made.columns[-1] == "adjusted p"
    said = methods_note(results, known, VARIABLES)
    assert said.startswith("The change from session 1 to session 2 was tested within groups (")
    assert said.endswith("adjusted for those of the first, were compared between groups.")


def test_without_groups(table, tmp_path):
    made, results = make(twice(table), tmp_path, "change", **KNOWN)
    assert made.columns == ["Measure", "n", "Session 1", "Session 2", "Change (95% CI)", "p"]
    assert labels(made) == ["ALPS index", "NIHSS"]
    assert methods_note(results, KNOWN, VARIABLES).endswith("session 2 was tested.")
