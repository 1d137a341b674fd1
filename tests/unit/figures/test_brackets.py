"""p values above groups are those of the comparison."""

import pandas as pd

from glymflow.figures.brackets import add_p_values
from glymflow.figures.charts import plot_distribution


def drawn(order, rows):
    table = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "g": (order * 3)[:6]})
    figure = plot_distribution(table, ["x"], column="g", order=order)
    before = len(figure.axes[0].texts)
    columns = ["variable", "row", "contrast", "p", "p_adjusted"]
    add_p_values(figure.axes, ["x"], pd.DataFrame(rows, columns=columns), order)
    ax = figure.axes[0]
    return [text.get_text() for text in ax.texts[before:]], ax.get_title(loc="left")


def test_two_groups():
    nan = float("nan")
    assert drawn(["a", "b"], [("x", "test", None, 0.0312, nan)]) == (["p = 0.031"], " ")
    assert drawn(["a", "b"], [("x", "test", None, 0.0312, 0.0624)])[0] == ["p = 0.062"]
    assert drawn(["a", "b"], [("x", "test", None, nan, nan)]) == ([], "")
    assert drawn(["a", "b"], [("y", "test", None, 0.1, nan)]) == ([], "")


def test_three_groups():
    nan = float("nan")
    rows = [
        ("x", "test", None, 0.0004, nan),
        ("x", "post_hoc", "b - a", nan, 0.2),
        ("x", "post_hoc", "c - a", nan, 0.0001),
        ("x", "post_hoc", "c - b", nan, 0.04),
    ]
    texts, title = drawn(["a", "b", "c"], rows)
    assert texts == ["p = 0.040", "p < 0.001"]
    assert title == "all groups: p < 0.001"
