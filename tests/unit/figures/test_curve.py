"""The specification curve: every estimate once, in order, with the choices that made it."""

import numpy as np
import pandas as pd
import pytest

from glymflow.figures.charts import figure_bytes
from glymflow.figures.curve import plot_curve


@pytest.fixture
def results():
    rng = np.random.default_rng(3)
    rows = []
    for roi_set in ("ad2025", "barisano2025"):
        for qc in ("plan+pass", "all"):
            for covariates in ("none", "age, sex"):
                value = rng.normal(-0.1, 0.05)
                choice = {"roi_set": roi_set, "frame": "scanner", "qc": qc}
                limits = {"estimate_low": value - 0.08, "estimate_high": value + 0.08}
                rows.append(
                    {
                        **{"variable": "alps", "row": "specification", "covariates": covariates},
                        **{
                            **choice,
                            **limits,
                            "estimate": value,
                            "p": 0.01 if value < -0.1 else 0.3,
                        },
                        **{"harmonised": "no", "estimate_name": "mean difference"},
                        **{"primary": not rows, "specification": len(rows) + 1},
                    }
                )
    rows[2]["estimate"] = np.nan
    summary = {"estimate_name": "mean difference"}
    summary |= {"variable": "alps", "row": "summary", "same_direction": 1.0, "below_alpha": 0.5}
    return pd.DataFrame([*rows, summary])


def test_estimates_in_order_and_a_dot_for_each_choice(results):
    figure = plot_curve(results, names={"alps": "ALPS index"})
    top, below = figure.axes
    heights = top.collections[1].get_offsets()[:, 1]
    made = results["estimate"].dropna()
    assert heights.tolist() == sorted(made)
    own = top.collections[2].get_offsets()
    assert own[0, 1] == results["estimate"].iloc[0]
    texts = [label.get_text() for label in below.get_yticklabels()]
    assert texts == [
        *("ROI set", "ad2025", "barisano2025"),  # the frame does not vary
        *("Scans", "failed ones too", "as planned = without any flag"),
        *("Covariates", "age, sex", "none"),
    ]
    dots = sum(len(part.get_offsets()) for part in below.collections[::2])
    assert dots == 3 * len(made)
    title = top.get_title(loc="left")
    assert title == "ALPS index: 7 specifications, 100% in the plan's direction, 50% with p < 0.05"


def test_the_same_bytes_and_nothing_to_draw(results):
    one, two = (figure_bytes(plot_curve(results, names={}), "png") for _ in range(2))
    assert one == two
    empty = plot_curve(results.assign(estimate=np.nan, effect=np.nan), names={})
    assert empty.texts[0].get_text() == "no specification has a result"
