"""The page of a validation: the papers' table, and the figure."""

import numpy as np
import pandas as pd
import pytest

from glymflow.commands.validate_epvs import (
    agree,
    summarise,
)
from glymflow.commands.validate_epvs_page import plot_performance, printed_tables


def cohort(counts, comparison="reader1"):
    """Rows with the given (count, count of the reference)."""
    rows = [
        {
            "participant_id": f"sub-{i:02}", "session_id": None, "group": "a" if i % 2 else "b",
            "comparison": comparison, "dsc": i / 10, "recall": 0.5, "precision": 0.5,
            "object_f1": 0.5, "object_recall": 0.5, "object_precision": 0.5,
            "volume_difference_mm3": 1.0, "volume_difference_percent": 1.0,
            "count": mine, "count_reference": theirs, "volume_mm3": 10.0 * mine,
            "volume_mm3_reference": 10.0 * theirs, "objects_checked": 5, "objects_copied": 1,
        }
        for i, (mine, theirs) in enumerate(counts, start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


COUNTS = [(40, 38), (28, 31), (62, 55), (15, 20), (33, 33), (51, 44)]


def test_table_has_the_papers_layout():
    table = cohort(COUNTS)
    printed = printed_tables(table, summarise(table), agree(table))
    assert printed["overlap"].columns == ["", "AI vs. reader 1"]
    assert printed["overlap"].rows[0] == (0, "DSC", "", ["0.350 (0.225, 0.475)"])
    assert [row[1] for row in printed["overlap"].rows[:3]] == ["DSC", "a", "b"]
    cells = printed["agreement"].rows[1][3]
    assert cells[0] == "6"
    assert cells[2].startswith("1.3 (")


def test_figure_shows_every_session_and_the_median():
    table = cohort(COUNTS)
    figure = plot_performance(table, summarise(table))
    ax = figure.axes[0]
    points = np.concatenate([c.get_offsets()[:, 1] for c in ax.collections])
    assert sorted(points) == pytest.approx(np.arange(1, 7) / 10)
    assert [text.get_text() for text in ax.texts] == ["0.350"]
