"""Curves of splines: the lines and bands are those of the results, each p is printed once."""

import numpy as np
import pandas as pd
import pytest

from glymflow.figures.charts import figure_bytes
from glymflow.figures.splines import HELD, plot_splines

NAMES = {"age": "Age (years)", "bmi": "BMI"}


def results(what="mean", variables=("age",), method=None, p=0.0123):
    rows = []
    for name in variables:
        rows.append({"row": "test", "variable": name, "p": p, "method": method})
        rows.append({"row": "nonlinear", "variable": name, "p": 0.4, "method": method})
        for at in (50.0, 60.0, 70.0):
            values = {"estimate": at / 10, "estimate_low": at / 20, "estimate_high": at / 5}
            rows.append({"row": "curve", "variable": name, "at": f"{at:g}", "estimate_name": what,
                         "method": method, **values})  # fmt: skip
    return pd.DataFrame(rows).assign(note=None)


def test_curve_and_band():
    values = {"age": pd.Series([52.0, np.nan, 66.0])}
    figure = plot_splines(results(), values, names=NAMES, outcome="ALPS")
    ax = figure.axes[0]
    assert np.array_equal(ax.lines[0].get_xydata(), [[50, 5], [60, 6], [70, 7]])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (2.5, 14)
    assert list(ax.lines[1].get_xdata()) == [52, 66]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Age (years)", "ALPS")
    assert ax.get_title(loc="left") == "p = 0.012\nnon-linear part p = 0.400"
    assert figure.get_supxlabel() == HELD
    again = plot_splines(results(), values, names=NAMES, outcome="ALPS")
    assert figure_bytes(figure, "svg") == figure_bytes(again, "svg")


@pytest.mark.parametrize(
    ("what", "label"),
    [
        ("probability", "Probability of mRS: good"),
        ("expected count", "Expected mRS"),
        ("rate", "Rate of mRS"),
        ("common odds ratio", "Common odds ratio of mRS, against the\nmedian"),
    ],
)
def test_what_is_shown(what, label):
    figure = plot_splines(results(what), {}, names=NAMES, outcome="mRS", event="mRS: good")
    ax = figure.axes[0]
    assert ax.get_ylabel().replace("\n", " ") == label.replace("\n", " ")
    assert (ax.get_yscale() == "log") == ("ratio" in what)


def test_several_splines_and_two_fits():
    both = [results("probability", NAMES, "ml"), results("probability", NAMES, "firth", 0.5)]
    figure = plot_splines(pd.concat(both), {}, names=NAMES, outcome="y")
    assert [ax.get_xlabel() for ax in figure.axes] == ["Age (years)", "BMI"]
    assert all(len(ax.lines) == 2 - 1 for ax in figure.axes)
    assert figure.axes[0].get_title(loc="left").startswith("p = 0.012")


def test_a_model_that_failed():
    rows = pd.DataFrame({"row": ["model"], "note": ["no model: 3 complete rows"]})
    figure = plot_splines(rows, {}, names=NAMES, outcome="y")
    assert figure.texts[0].get_text() == "no model: 3 complete rows"
