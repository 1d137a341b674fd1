"""Labels of interactions and of simple effects."""

import pandas as pd

from glymflow.tables.products import (
    product_notes,
    simple_rows,
    terms_note,
    with_products,
    without_bends,
)

VARIABLES = {
    "age": {"type": "continuous", "label": "Age", "unit": "years"},
    "sex": {"type": "categorical", "levels": ["M", "F"], "labels": {"F": "Female"}},
    "group": {"type": "categorical", "label": "Group", "levels": ["HC", "AD"]},
}


def test_labels_of_products():
    made = with_products(VARIABLES, [("sex", "group"), ("age", "sex")])
    assert made["sex:group"]["label"] == "sex × Group"
    assert made["sex:group"]["labels"]["F, AD"] == "Female, AD"
    assert made["age:sex"]["label"] == "Age × sex"
    assert "sex:group" not in VARIABLES


def test_simple_effects():
    rows = [
        {"variable": "sex:age", "level": "F", "reference": "M", "at": "62.1 (mean)"},
        {"variable": "age:sex", "level": None, "reference": None, "at": "F"},
    ]
    results = pd.DataFrame(rows).assign(row="simple")
    lines = [(indent, label) for indent, label, _ in simple_rows(results, VARIABLES)]
    assert lines == [
        (0, "sex, by Age"),
        (1, "Female vs. M at 62.1 (mean), years"),
        (0, "Age, by sex"),
        (1, "Female"),
    ]


def test_what_the_methods_say():
    analysis = {"interactions": [["age", "group"]], "splines": {"age": 4}}
    assert terms_note(analysis, VARIABLES) == (
        "The interaction of Age and Group was included. Age was modelled by a restricted cubic "
        "spline with 4 knots."
    )
    assert terms_note({}, VARIABLES) == ""


def test_columns_of_a_spline_are_not_printed():
    rows = pd.DataFrame({"variable": "age", "row": ["test", "level", "level", "univariable"],
                         "level": [None, "linear", "bend 1", "bend 1"]})  # fmt: skip
    assert list(without_bends(rows, {"age": 3})["row"]) == ["test"]
    assert len(without_bends(rows, None)) == 4


def test_increments_are_named():
    rows = [{"variable": "age:sex", "level": None, "reference": None, "at": "F", "increment": 10.0}]
    results = pd.DataFrame(rows).assign(row="simple")
    assert simple_rows(results, VARIABLES)[0][1] == "Age, per 10 years, by sex"
    assert product_notes(results, VARIABLES)[1] == (
        "Ratios of an interaction are per the increments of its variables."
    )
