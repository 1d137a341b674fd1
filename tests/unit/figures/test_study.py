"""Charts of analyses: each printed number is one of the results."""

import numpy as np
import pandas as pd
import pytest

from glymflow.figures.charts import PAGE, figure_bytes
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


def test_a_rank_correlation_has_no_straight_line():
    def lines(name):
        row = correlation_row(estimate_name=name)
        return len(plot_scatter(scatter_values(), pd.DataFrame([row]), names={}).axes[0].lines)

    assert (lines("Pearson r"), lines("Spearman r")) == (1, 0)


def test_groups_of_a_scatter_are_called_as_the_plan_does():
    values, colors = scatter_values(), pd.Series(["1"] * 20 + ["2"] * 20)
    tests, labels = pd.DataFrame([correlation_row()]), {"1": "Controls", "2": "Patients"}
    found = texts(plot_scatter(values, tests, names={}, colors=colors, labels=labels))
    assert {"Controls", "Patients"} <= set(found)
    own = pd.DataFrame([correlation_row(group="2")])
    found = texts(plot_scatter(values, own, names={}, colors=colors, labels=labels))
    assert any(text.startswith("Patients: r = ") for text in found)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_scatter_is_not_wider_than_the_page(count):
    tests = pd.DataFrame([correlation_row(other=name) for name in ("volume", "age") * 2][:count])
    assert plot_scatter(scatter_values(), tests, names={}).get_figwidth() <= PAGE


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


def test_forest_has_every_level_by_its_label():
    rows = forest_rows()
    level = rows.iloc[2].to_dict() | {"row": "level", "variable": "site", "reference": "1"}
    more = pd.DataFrame([{**level, "level": "2"}, {**level, "level": "3"}])
    whole = pd.DataFrame([{**level, "row": "test", "level": None, "estimate": np.nan}])
    names = {"site": "Location"}
    labels = {"site": {"1": "deep", "2": "lobar", "3": "infratentorial"}}
    figure = plot_forest(pd.concat([rows, whole, more]), names=names, labels=labels)
    found = [text.replace("\n", " ") for text in texts(figure)]
    assert {"Location: lobar vs deep", "Location: infratentorial vs deep"} <= set(found)
    assert "Location" not in found


def test_forest_of_a_model_that_failed_says_why():
    rows = forest_rows().assign(estimate=np.nan, note="no model: 'age' is constant")
    figure = plot_forest(rows, names={})
    assert texts(figure) == ["no model: 'age' is constant"]
    assert not figure.axes[0].axison


def test_forest_of_the_second_fit_alone_names_it():
    rows = forest_rows()
    rows.loc[rows["row"] == "test", "estimate"] = np.nan
    assert "odds ratio (95% CI), Firth" in texts(plot_forest(rows, names={}))


def test_roc_prints_the_area():
    row = {"variable": "alps", "event": "good", "against": "poor"}
    curve = [
        {**row, "row": "curve", "specificity": s, "sensitivity": 1 - s**2} for s in (1, 0.5, 0)
    ]
    area = {**row, "row": "test", "estimate": 0.806, "estimate_low": 0.682, "estimate_high": 0.93}
    figure = plot_roc(pd.DataFrame([*curve, area]), names={"alps": "ALPS index"})
    assert "ALPS index: AUC 0.81 (0.68, 0.93)" in texts(figure)


def roc_rows(events, **area):
    base = {"variable": "alps", "estimate": 1.0, "estimate_low": 0.9, "estimate_high": 1.0, **area}
    rows = []
    for event in events:
        row = {**base, "event": event, "against": "rest"}
        rows += [
            {**row, "row": "curve", "specificity": s, "sensitivity": 1 - s} for s in (1, 0.5, 0)
        ]
        rows.append({**row, "row": "test"})
    return pd.DataFrame(rows)


def test_roc_without_an_interval_and_with_labels():
    rows = roc_rows(["1"], estimate_low=np.nan, estimate_high=np.nan)
    found = texts(plot_roc(rows, names={}, labels={"1": "mRS 0-2"}))
    assert "alps: AUC 1.00" in found
    assert "mRS 0-2 against rest" in found
    assert not any("nan" in text for text in found)


@pytest.mark.parametrize("events", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_legends_stay_small_and_figures_on_the_page(events):
    figure = plot_roc(roc_rows(events), names={"alps": "ALPS index, mean of both sides"})
    figure.canvas.draw()
    assert figure.get_figwidth() <= PAGE
    share = figure.axes[0].get_legend().get_window_extent().height / figure.bbox.height
    assert share < 1 / 3
    assert {label.get_fontsize() for ax in figure.axes for label in ax.get_xticklabels()} == {9.0}


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


def test_labels_of_several_mediators_meet_nothing():
    """Neither a box nor another label; with one, two and three mediators."""
    rows = [mediation_rows()]
    for extra in ("m2", "m3"):
        more = mediation_rows()
        rows.append(more[more["variable"] == "m"].assign(variable=extra))
    names = {"m": "ALPS index, mean", "m2": "EPVS number in the basal ganglia", "m3": "Volume"}
    for count in (1, 2, 3):
        figure = plot_mediation(pd.concat(rows[:count]), names=names)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
        assert len(boxes) == 2 + 3 * count + 2
        for place, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[place + 1 :])


def test_mediation_that_failed_says_so():
    rows = mediation_rows().assign(effect=np.nan)
    assert "the paths could not be computed" in texts(plot_mediation(rows, names={}))


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_same_bytes_each_time(kind):
    def draw():
        return figure_bytes(plot_forest(forest_rows(), names={}), kind, dpi=60)

    assert draw() == draw()
