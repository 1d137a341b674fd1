"""Charts of analyses: each printed number is one of the results."""

import numpy as np
import pandas as pd
import pytest

from glymflow.figures.charts import figure_bytes
from glymflow.figures.study import plot_forest, plot_mediation, plot_roc, plot_scatter


def texts(figure):
    """Return everything that is written in a figure."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [item.get_text() for item in figure.findobj(Text) if item.get_text()]


def correlation_row(**more):
    row = {"variable": "alps", "other": "volume", "group": "all", "estimate_name": "Pearson r"}
    return {**row, "estimate": -0.4263, "p": 0.00312, "n": 40, "note": None, **more}


def scatter_values():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=["alps", "volume", "age"])
    table.loc[3, "alps"] = np.nan
    return table


def test_scatter_prints_r_p_and_n_of_the_results():
    figure = plot_scatter(scatter_values(), pd.DataFrame([correlation_row()]), names={})
    assert "r = −0.426, p = 0.003, n = 40" in texts(figure)
    points = figure.axes[0].collections[0].get_offsets()
    assert len(points) == 39


def test_scatter_names_a_correlation_that_could_not_be_made():
    row = correlation_row(p=np.nan, estimate=np.nan, note="no test: constant")
    assert "no test: constant" in texts(
        plot_scatter(scatter_values(), pd.DataFrame([row]), names={})
    )


def test_scatter_shows_what_is_left_of_both():
    values = scatter_values().dropna()
    values["alps"] = values["age"] * 3 + values["alps"] / 1000
    tests = pd.DataFrame([correlation_row()])
    figure = plot_scatter(values, tests, names={}, covariates=["age"])
    shown = figure.axes[0].collections[0].get_offsets()
    assert np.ptp(shown[:, 1]) < 0.02
    assert "alps (adjusted)" in texts(figure)


def test_scatter_of_groups_has_a_legend_and_panels_of_their_own_rows():
    values, colors = scatter_values(), pd.Series(["HC"] * 20 + ["VM"] * 20)
    both = plot_scatter(values, pd.DataFrame([correlation_row()]), names={}, colors=colors)
    assert {"HC", "VM"} <= set(texts(both))
    one = plot_scatter(values, pd.DataFrame([correlation_row(group="VM")]), names={}, colors=colors)
    assert len(one.axes[0].collections[0].get_offsets()) == 20
    assert any(text.startswith("VM: r = ") for text in texts(one))


def forest_rows():
    row = {"event": "good", "level": None, "reference": None, "increment": 0.1}
    row |= {"estimate_name": "odds ratio", "method": "maximum likelihood", "row": "test"}
    return pd.DataFrame(
        [
            {**row, "variable": "alps", "estimate": 1.686, "estimate_low": 1.03,
             "estimate_high": 2.761, "p": 0.038},
            {**row, "variable": "alps", "row": "alternative", "method": "Firth", "estimate": 1.48,
             "estimate_low": 0.96, "estimate_high": 2.57, "p": 0.075},
            {**row, "variable": "sex", "level": "F", "reference": "M", "estimate": 0.251,
             "estimate_low": 0.026, "estimate_high": 2.391, "p": 0.229},
            {**row, "variable": "failed", "estimate": np.nan, "estimate_low": np.nan,
             "estimate_high": np.nan, "p": np.nan},
        ]
    )  # fmt: skip


def test_forest_prints_ratios_intervals_and_p():
    figure = plot_forest(forest_rows(), names={"alps": "ALPS index"})
    found = texts(figure)
    assert "1.69 (1.03, 2.76)  p = 0.038" in found
    assert "ALPS index, per 0.1" in found
    assert "sex: F vs M" in found
    assert not any("failed" in text for text in found)
    assert figure.axes[0].get_xscale() == "log"


def test_roc_prints_the_area():
    row = {"variable": "alps", "event": "good", "against": "poor"}
    curve = [
        {**row, "row": "curve", "specificity": s, "sensitivity": 1 - s**2} for s in (1, 0.5, 0)
    ]
    area = {**row, "row": "test", "estimate": 0.806, "estimate_low": 0.682, "estimate_high": 0.93}
    figure = plot_roc(pd.DataFrame([*curve, area]), names={"alps": "ALPS index"})
    assert "ALPS index\nAUC 0.81 (0.68, 0.93)" in texts(figure)


def mediation_rows():
    row = {"predictor": "duration", "outcome": "dhi", "row": "path"}
    paths = [("m", "a", -0.714, 2e-7), ("m", "b", -0.498, 0.014)]
    paths += [("duration", "c", 0.448, 0.0038), ("duration", "c'", 0.092, 0.6376)]
    rows = [{**row, "variable": v, "path": n, "effect": e, "p": p} for v, n, e, p in paths]
    ends = {"estimate": 0.698, "estimate_low": 0.178, "estimate_high": 1.468}
    rows.append({**row, "row": "test", "variable": "m", "path": "ab", **ends})
    rows.append({**row, "row": "proportion", "variable": "m", "path": "ab / c", "estimate": 0.7949})
    return pd.DataFrame(rows)


def test_mediation_prints_paths_and_share():
    found = texts(plot_mediation(mediation_rows(), names={"m": "ALPS index"}))
    assert "a = −0.71, p < 0.001" in found
    assert "direct c' = 0.09, p = 0.638\n(total c = 0.45, p = 0.004)" in found
    assert "indirect effect through ALPS index: 0.698 (0.178, 1.468); 79.5% mediated" in found


def test_mediation_that_failed_says_so():
    rows = mediation_rows().assign(effect=np.nan)
    assert "the paths could not be computed" in texts(plot_mediation(rows, names={}))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_same_bytes_each_time(kind):
    def draw():
        return figure_bytes(plot_forest(forest_rows(), names={}), kind, dpi=60)

    assert draw() == draw()
