"""Transformed variables: values, faults, labels; from a plan to the values of an analysis."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import ConfigFault
from glymflow.study.plan import load_plan
from glymflow.study.selection import variable_values
from glymflow.study.transforms import named, transformed

NUMBERS = pd.Series([1.0, np.nan, 4.0, 9.0])
# R: x <- c(1, NA, 4, 9); log(x); log1p(x); sqrt(x); x^2; x - mean(x, na.rm = TRUE); scale(x);
# x / sd(x, na.rm = TRUE)
RIGHT = {
    "log": [0, 1.386294361119891, 2.197224577336219],
    "log1p": [0.6931471805599453, 1.6094379124341003, 2.302585092994046],
    "sqrt": [1, 2, 3],
    "square": [1, 16, 81],
    "centre": [-3.666666666666667, -0.666666666666667, 4.333333333333333],
    "z": [-0.9072647087265548, -0.1649572197684645, 1.0722219284950192],
    "per_sd": [0.2474358296526968, 0.9897433186107871, 2.2269224668742708],
}


@pytest.mark.parametrize("transform", RIGHT)
def test_values(transform):
    values, fault = transformed(NUMBERS, transform)
    assert fault == ""
    assert list(values.dropna()) == pytest.approx(RIGHT[transform])
    assert list(values.isna()) == list(NUMBERS.isna())


@pytest.mark.parametrize(
    ("transform", "numbers", "message"),
    [
        ("log", [0.0, 2, -1], "has values without a log: 0, -1"),
        ("log1p", [-1.0], "has values without a log(1 + x): -1"),
        ("sqrt", [-0.5, 0], "has values without a square root: -0.5"),
        ("z", [2.0, 2], "is constant: it has no standard deviation to be scaled by"),
        ("per_sd", [2.0], "is constant"),
    ],
)
def test_faults(transform, numbers, message):
    assert message in transformed(pd.Series(numbers), transform)[1]


def test_names():
    entry = {"transform": "square", "label": "Age", "unit": "years"}
    assert named("age", entry) == {
        "transform": "square",
        "label": "Age (squared)",
        "unit": "years²",
    }
    assert named("age", {**entry, "transform": "z"})["label"] == "Age (z score)"
    assert "unit" not in named("age", {**entry, "transform": "per_sd"})
    assert named("age", {**entry, "transform": "centre"})["unit"] == "years"
    assert named("sex", {"type": "categorical"}) == {"type": "categorical"}


PLAN = """
title: T
variables:
  volume: {{ type: {}, label: Volume, unit: mL, levels: [1, 2], transform: log, range: [0, 90] }}
analyses: [{{ id: one, kind: describe, variables: [volume] }}]
"""


def test_from_plan_to_values(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.format("continuous"))
    entry = load_plan(path)["variables"]["volume"]
    assert (entry["label"], entry["unit"]) == ("Volume (log)", "log mL")
    values, fault, _ = variable_values(pd.DataFrame({"volume": ["1", "20", None]}), "volume", entry)
    assert fault == ""
    assert list(values.dropna()) == pytest.approx([0, np.log(20)])
    _, fault, _ = variable_values(pd.DataFrame({"volume": [0.0, 20]}), "volume", entry)
    assert fault == "'volume' has values without a log: 0"
    path.write_text(PLAN.format("categorical"))
    with pytest.raises(ConfigFault, match=r"volume\.transform: only a continuous variable has one"):
        load_plan(path)
