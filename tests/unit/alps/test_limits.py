"""What was found and what is allowed, in words; the judgement itself is tested in test_qc.py."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from glymflow.alps import limits
from glymflow.alps.domain import CODES, COLUMNS

CONFIG = Path(__file__).resolve().parents[3] / "config" / "config.yaml"
THRESHOLDS = yaml.safe_load(CONFIG.read_text())["qc"]


def test_every_limit_is_of_a_code_a_column_and_a_key_that_exist():
    assert set(limits.LIMITS) <= set(CODES)
    for several in limits.LIMITS.values():
        for limit in several:
            assert {column for column, _ in limit.columns} <= set(COLUMNS)
            assert np.isfinite(limit.of(THRESHOLDS))


@pytest.mark.parametrize(
    ("code", "row", "words"),
    [
        ("roi_off_axis", {"alignment_association_right": 0.7977, "alignment_projection_left": 0.95},
         "right association 0.798 < 0.8"),
        ("roi_few_voxels", {"voxels_projection_left": 2, "voxels_projection_right": 1},
         "left projection 2 < 5, right projection 1 < 5"),
        ("mask_volume", {"mask_volume_ml": 2501.2}, "volume, mL 2501 > 2200"),
        ("head_turned", {"roll": -31.07}, "roll, degrees 31.1 > 20"),
        ("alps_implausible", {"alps_left": 0.4, "alps_right": 1.2}, "left ALPS 0.40 < 0.8"),
        ("roi_lesion", {"haematoma_share_association_left": 0.25, "lesion_share": 0.5,
                        "oedema_share_association_left": 0.25,
                        "oedema_share_projection_right": 0.0},
         "left association 0.50"),
        ("roi_in_lesion", {"lesion_share": 0.6}, "largest share of a ROI 0.60"),
        ("roi_lesion", {}, ""),
        ("gradient_table_suspect", {"gradient_margin": -1}, ""),
    ],
)  # fmt: skip
def test_the_place_the_value_and_the_limit_are_named(code, row, words):
    given = THRESHOLDS | {
        "min_alignment_warn": 0.8, "min_voxels": 5, "mask_volume_ml": [800, 2200],
        "max_turn_deg": 20, "alps_range_warn": [0.8, 2.5],
    }  # fmt: skip
    assert limits.evidence(code, row, given) == words


@pytest.mark.parametrize(
    ("value", "bound", "shown"),
    [(0.8977, 0.9, "0.898"), (0.89996, 0.9, "0.89996"), (0.5, 0.9, "0.50"), (0.9, 0.9, "0.90000")],
)
def test_a_near_miss_does_not_print_as_its_limit(value, bound, shown):
    assert limits.distinct(value, bound, 2) == (shown, "0.9")


def test_a_missing_value_is_beyond_no_limit():
    assert not any(limits.is_beyond(code, {}, THRESHOLDS) for code in limits.LIMITS)
