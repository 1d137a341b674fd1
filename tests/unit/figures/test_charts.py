"""Charts show the values they were given, each where it belongs, and come out the same twice."""

import numpy as np
import pandas as pd
import pytest

from glymflow.figures import charts
from glymflow.text import ROLES_ACROSS


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    n = 24
    left = rng.normal(1.5, 0.1, n)
    rows = pd.DataFrame(
        {
            "source": [f"sub-{i:02d}" for i in range(n)],
            "group": ["a", "b"] * (n // 2),
            "frame": "template",
            "alps_left": left,
            "alps_right": left + rng.normal(0, 0.05, n),
            "alps_mean": left,
            "qc_status": ["pass"] * 20 + ["warn"] * 3 + ["fail"],
            "page": [f"sub-{i:02d}.html" for i in range(n)],
        }
    )
    for roi in ROLES_ACROSS:
        rows[f"alignment_{roi}"] = rng.uniform(0.8, 1, n)
    return rows


def points(ax):
    return [np.asarray(c.get_offsets()) for c in ax.collections if hasattr(c, "get_sizes")]


def test_distribution_shows_each_value_in_its_group(table):
    table.loc[0, "alps_mean"] = np.nan
    labels = {"a": "Controls", "b": "A group with a long name"}
    figure = charts.plot_distribution(
        table, ["alps_mean", "alps_left"], column="group", order=["b", "a"], labels=labels
    )
    ax, second = figure.axes
    for place, group in enumerate("ba"):
        values = table.loc[table["group"] == group, "alps_mean"].dropna()
        np.testing.assert_array_equal(points(ax)[place][:, 1], values)
        assert np.abs(points(ax)[place][:, 0] - place).max() <= 0.25
    assert [text.get_text() for text in ax.texts] == [
        "A group with a\nlong name\nn = 12",
        "Controls\nn = 11",
    ]
    assert second.texts[1].get_text() == "Controls\nn = 12"
    assert ax.get_ylabel() == "ALPS index, mean of both sides"


def test_distribution_without_groups_and_with_an_empty_one(table):
    (ax,) = charts.plot_distribution(table, ["alps_mean"]).axes
    assert [text.get_text() for text in ax.texts] == ["All\nn = 24"]
    (ax,) = charts.plot_distribution(table, ["alps_mean"], column="group", order=["a", "c"]).axes
    assert ax.texts[1].get_text() == "c\nn = 0"


def test_groups_written_as_numbers_meet_a_column_with_missing_cells(table):
    table["group"] = [1.0, 2.0] * 11 + [np.nan] * 2
    (ax,) = charts.plot_distribution(
        table, ["alps_mean"], column="group", order=[1, 2], labels={1: "one"}
    ).axes
    assert [text.get_text() for text in ax.texts] == ["one\nn = 11", "2\nn = 11"]


def test_median_of_the_box(table):
    (ax,) = charts.plot_distribution(table, ["alps_mean"]).axes
    medians = [line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1]
    assert table["alps_mean"].median() in medians


def test_spread_is_fixed_and_bounded():
    values = np.random.default_rng(0).normal(size=300)
    offsets = charts.spread(values)
    assert np.abs(offsets).max() <= 0.5
    np.testing.assert_array_equal(offsets, charts.spread(values))
    np.testing.assert_array_equal(charts.spread([1.0]), [0])
    assert np.isfinite(charts.spread([2.0, 2.0, 2.0])).all()


def test_sides_by_status(table):
    (ax,) = charts.plot_sides(table).axes
    shown = points(ax)
    assert [len(part) for part in shown] == [20, 3, 1]
    np.testing.assert_array_equal(shown[0], table.loc[:19, ["alps_left", "alps_right"]])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["pass (20)", "warn (3)", "fail (1)"]
    assert ax.get_xlim() == ax.get_ylim()


def test_sides_with_intervals(table):
    for side, half in (("left", 0.1), ("right", 0.2)):
        table[f"alps_{side}_ci_low"] = table[f"alps_{side}"] - half
        table[f"alps_{side}_ci_high"] = table[f"alps_{side}"] + half
    table.loc[0, "alps_left_ci_low"] = np.nan
    (ax,) = charts.plot_sides(table).axes
    crosses = [c.get_segments() for c in ax.collections if not hasattr(c, "get_sizes")]
    assert [len(lines) for lines in crosses] == [2 * 19, 2 * 3, 2]
    level, upright = np.array(crosses[2])
    x, y = table.loc[table["qc_status"] == "fail", ["alps_left", "alps_right"]].to_numpy()[0]
    np.testing.assert_allclose(level, [[x - 0.1, y], [x + 0.1, y]])
    np.testing.assert_allclose(upright, [[x, y - 0.2], [x, y + 0.2]])
    (many,) = charts.plot_sides(pd.concat([table] * 2)).axes
    assert all(hasattr(c, "get_sizes") for c in many.collections)


def test_frames_in_order_and_joined(table):
    fibre = table.assign(frame="fibre", alps_mean=table["alps_mean"] + 0.1)
    (ax,) = charts.plot_frames(pd.concat([fibre, table])).axes
    texts = [label.get_text() for label in ax.get_xticklabels()]
    assert texts == ["template\nn = 24", "fibre\nn = 24"]
    lines = np.array(next(c for c in ax.collections if not hasattr(c, "get_sizes")).get_segments())
    np.testing.assert_allclose(lines[:, 1, 1] - lines[:, 0, 1], 0.1)


def test_alignment_of_each_roi(table):
    (ax,) = charts.plot_alignment(table).axes
    shown = np.concatenate(points(ax))
    for place, roi in enumerate(ROLES_ACROSS):
        here = shown[np.abs(shown[:, 0] - place) < 0.4, 1]
        np.testing.assert_array_equal(np.sort(here), np.sort(table[f"alignment_{roi}"]))


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_same_bytes_twice_and_no_date(table, kind):
    def draw():
        return charts.figure_bytes(charts.plot_sides(table), kind, dpi=60)

    assert draw() == draw()
    assert b"<dc:date>" not in draw()
    assert b"tIME" not in draw()


def test_points_lie_where_the_drawing_has_them(table):
    """A pixel at each place has the colour of a point; the drawing itself has no links."""
    figure = charts.plot_sides(table.assign(point=range(len(table))))
    found = charts.take_points(figure)
    assert sorted(point for *_, point in found) == list(range(len(table)))
    assert b"href" not in charts.figure_bytes(figure, "svg").replace(b'xlink:href="#', b"")
    image = plt_image(charts.figure_bytes(figure, "png", dpi=100))
    for x, y, _ in found:
        pixel = image[int(y * image.shape[0]), int(x * image.shape[1]), :3]
        assert np.ptp(pixel) > 0.2, "no colour"


def plt_image(png):
    import io

    from matplotlib.image import imread

    return imread(io.BytesIO(png))


def test_many_points_become_pixels(table):
    many = pd.concat([table] * 100)
    svg = charts.figure_bytes(charts.plot_sides(many), "svg")
    assert b"<image" in svg
    assert len(svg) < 200_000


def test_nothing_measured(table):
    empty = table.iloc[:0]
    for plot in (charts.plot_sides, charts.plot_frames, charts.plot_alignment):
        charts.figure_bytes(plot(empty), "svg")
    charts.figure_bytes(charts.plot_distribution(empty, ["alps_mean"]), "svg")


@pytest.mark.parametrize(("groups", "count"), [(1, 1), (2, 3), (3, 3), (5, 4)])
def test_figures_fit_the_page_whatever_the_number_of_panels(table, groups, count):
    table["group"] = [f"group {place % groups}" for place in range(len(table))]
    figure = charts.plot_distribution(table, ["alps_mean"] * count, column="group")
    assert figure.get_figwidth() <= charts.PAGE
    assert len([ax for ax in figure.axes if ax.axison]) == count
