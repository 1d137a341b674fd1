"""The flow figure: every count of flow.tsv that left somebody out, and nothing else."""

import pandas as pd
import pytest

from glymflow.figures.charts import figure_bytes
from glymflow.figures.flow import flow_boxes, plot_flow
from glymflow.study.selection import select_participants

PLAN = {
    "session": "first",
    "qc": ["pass"],
    "groups": {"column": "group", "order": ["a", "b"]},
    "variables": {"age": {"type": "continuous"}},
    "include": [{"column": "age", "min": 50, "reason": "aged 50 or more"}],
    "exclude": [{"column": "age", "above": 90}, {"column": "age", "above": 54, "reason": "old"}],
}


@pytest.fixture
def flow():
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(10)],
            "session_id": None,
            "group": ["a", "b"] * 4 + ["c", "a"],
            "qc_status": ["pass"] * 9 + ["fail"],
            "age": ["40", None, "50", "51", "52", "53", "54", "55", "56", "57"],
        }
    )
    return select_participants(table, PLAN)[1]


def test_the_boxes(flow):
    first, excluded, groups = flow_boxes(flow, {"a": "Controls"})
    assert first == "Rows of the cohort table\nn = 10"
    assert excluded == [
        "Excluded (n = 1)\nnot: group is a or b",
        "Excluded (n = 1)\nnot: qc_status is pass",
        "Excluded (n = 2)\nnot: aged 50 or more (age >= 50)\nof these missing: 1",
        "Excluded (n = 1)\nold (age > 54)",
    ]
    assert groups == ["Included\nn = 5", "Controls\nn = 3", "b\nn = 2"]


def test_the_figure(flow):
    figure = plot_flow(flow)
    texts = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    first, excluded, groups = flow_boxes(flow)
    assert sorted(texts) == sorted([first, *excluded, *groups])
    assert figure_bytes(figure, "svg") == figure_bytes(plot_flow(flow), "svg")


def test_boxes_do_not_lie_on_each_other(flow):
    figure = plot_flow(flow)
    figure.draw_without_rendering()
    boxes = [
        text.get_bbox_patch().get_window_extent()
        for text in figure.axes[0].texts
        if text.get_text()
    ]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
