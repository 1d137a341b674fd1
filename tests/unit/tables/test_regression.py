"""What the tables of models share."""

import re

import pandas as pd
import pytest
from printed_tables import cells_of, make, notes

from glymflow.tables.regression import (
    correction_note,
    merged_rows,
    missing_note,
    noted,
    p_text,
    percent_ci,
    ratio,
    significant,
    term_rows,
    with_interval,
)


@pytest.mark.parametrize("kind", ["linear_regression", "logistic_regression"])
def test_failed_model_says_so_once(table, tmp_path, kind):
    outcome = "alps" if kind.startswith("linear") else "good"
    made, _ = make(table, tmp_path, kind, outcome=outcome, predictors=["nihss", "flat"])
    assert notes(made).count("'flat' is constant") in (1, 2)  # of two fits each
    assert not re.search(r"\d\.\d", str([cells for *_, cells in made.rows]))
    assert cells_of(made, "NIHSS")[0] == "n/a"


def test_numbers():
    assert ratio(float("nan")) == "n/a"
    assert ratio(float("inf")) == ">9999"
    assert [significant(value) for value in (0.09999, 99.96, -0.5)] == ["0.100", "100", "−0.500"]


def test_rows_of_terms():
    rows = pd.DataFrame(
        [
            {"variable": "age", "level": None, "reference": None, "increment": 10.0},
            {"variable": "sex", "level": "male", "reference": "female", "increment": None},
            {"variable": "site", "level": None, "reference": "deep", "increment": None},
            {"variable": "site", "level": "lobar", "reference": "deep", "increment": None},
        ]
    )
    variables = {
        "age": {"type": "continuous", "label": "Age", "unit": "years"},
        "sex": {"type": "categorical", "labels": {"male": "Men"}},
        "site": {"type": "categorical", "label": "Location"},
    }
    lines = term_rows(rows, variables)
    assert [(indent, label) for indent, label, _ in lines] == [
        (0, "Age, per 10 years"),
        (0, "sex: Men (reference: female)"),
        (0, "Location"),
        (1, "deep (reference)"),
        (1, "lobar"),
    ]
    assert [row is None for *_, row in lines] == [False, False, False, True, False]


def test_levels_stay_under_their_predictor_when_a_fit_failed():
    """ML fails by quasi-separation, Firth's does not: the rows of the review."""
    site = {"variable": "site", "reference": "deep", "level": None, "p": None}
    failed = pd.DataFrame([site, site | {"variable": "sex", "reference": None}])
    made = pd.DataFrame(
        [
            site | {"p": 0.2},
            site | {"level": "lobar", "p": 0.1},
            site | {"level": "infra", "p": 0.3},
            site | {"variable": "sex", "level": "lobar", "reference": "deep", "p": 0.4},
        ]
    )
    for parts, second in (([failed, made], 1), ([made, failed], 0)):
        lines = merged_rows(parts, {})
        assert [(indent, label) for indent, label, _ in lines] == [
            (0, "site"),
            (1, "deep (reference)"),
            (1, "lobar"),
            (1, "infra"),
            (0, "sex: lobar (reference: deep)"),
        ]
        found = [rows[second] and rows[second]["p"] for *_, rows in lines]
        assert found == [0.2, None, 0.1, 0.3, 0.4]
        other = [rows[1 - second] for *_, rows in lines]
        assert [row["variable"] if row else None for row in other] == [
            *("site", None, None, None, "sex")
        ]


def test_ratios_have_the_same_decimals():
    assert [ratio(value) for value in (0.02, 0.251, 3.147, 99.9996)] == [
        *("0.020", "0.251", "3.147", "100.000")
    ]


def test_intervals_and_p():
    row = {"estimate": 0.5, "estimate_low": -1.0, "estimate_high": 2.0, "p": 0.04}
    assert with_interval(row, "estimate", significant) == "0.500 (−1.00, 2.00)"
    assert with_interval({"estimate": None, "p": 0.04}, "estimate", significant) == "–"
    assert with_interval({"estimate": None, "p": None}, "estimate", significant) == "n/a"
    assert with_interval(None, "estimate", significant) == "n/a"
    assert [p_text(p) for p in (0.0462, 1e-5)] == ["p = 0.046", "p <0.001"]
    assert percent_ci(pd.DataFrame({"confidence": [None, 0.9]})) == "90% CI"


def test_notes_of_rows():
    rows = pd.DataFrame(
        {
            "variable": ["age", "age", "sex", None],
            "note": ["odd", "odd", None, "a model"],
            "missing": [2, 2, 0, None],
            "p_adjusted": [0.02, None, 0.1, None],
            "correction": ["holm", None, "holm", None],
        }
    )
    variables = {"age": {"label": "Age"}}
    assert noted(rows, variables) == [("", "Age: odd."), ("", "a model.")]
    assert noted(rows, variables, once=["a model."]) == [("", "Age: odd.")]
    assert missing_note(rows, variables) == [("", "Missing values: Age 2.")]
    assert correction_note(rows) == [("", "Adjusted p: Holm, 2 tests.")]
    assert missing_note(rows[2:], variables) == correction_note(rows[3:]) == []
