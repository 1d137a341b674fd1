"""The page of a repeatability study: the figure, escaped names."""

import numpy as np
import pytest

from glymflow import cli
from glymflow.alps.index import alps_table
from glymflow.commands.repeatability import (
    repeated_scans,
    summarise,
)
from glymflow.commands.repeatability_page import plot_bland_altman
from glymflow.io import write_tsv


def cohort(heads, *, series=False):
    """An alps.tsv with one ROI set and frame; left is a little below the mean, right above."""
    rows = []
    for i, values in enumerate(heads, 1):
        for j, value in enumerate(values, 1):
            label = f"run-{j}" if series else f"ses-{j}"
            rows.append(
                {
                    "participant_id": f"sub-{i:03}",
                    "session_id": None if series else label,
                    "source": f"sub-{i:03}_{label}",
                    "roi_set": "barisano2025",
                    "roi_radius_mm": 2.5,
                    "frame": "scanner",
                    "alps_left": value - 0.1,
                    "alps_right": value + 0.1,
                    "alps_mean": value,
                    "qc_status": "pass",
                }
            )
    return alps_table(rows)


def pooled(table, side="mean"):
    rows = table[(table["row"] == "pooled") & (table["side"] == side)]
    assert len(rows) == 1
    return rows.iloc[0]


UNEVEN = [[1.40, 1.44, 1.38, 1.41], [1.30, 1.36], [1.52, 1.50, 1.55]]


def run(tmp_path, alps, *options):
    write_tsv(alps, tmp_path / "alps.tsv")
    return cli.main(["repeatability", str(tmp_path / "alps.tsv"), *options])


def test_the_figure_has_every_pair_and_the_limits():
    alps = cohort(UNEVEN)
    table = summarise(alps)
    ax = plot_bland_altman(repeated_scans(alps, "sessions"), table).axes[0]
    points = np.concatenate([drawn.get_offsets() for drawn in ax.collections])
    assert len(points) == 6 + 1 + 3
    assert list(points[6]) == pytest.approx([1.33, 0.06])
    row = pooled(table)
    drawn = [line.get_ydata()[0] for line in ax.lines]
    assert drawn == pytest.approx([row["bias"], row["loa_lower"], row["loa_upper"]])


def test_names_are_escaped(tmp_path):
    assert run(tmp_path, cohort(UNEVEN).assign(roi_set="<b>&")) == 0
    page = (tmp_path / "repeatability" / "repeatability.html").read_text()
    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page
