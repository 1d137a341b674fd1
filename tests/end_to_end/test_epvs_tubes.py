"""Tubes of known size put into a real scan: how many are found, and how much of their volume."""

import numpy as np
import pandas as pd
import pytest

from glymflow.commands import epvs_yardstick, simulate_epvs
from glymflow.epvs import anat
from glymflow.io import image_data, load_image

SEEDS = (0, 1)
WIDTHS, LENGTHS, CONTRASTS = (1.0, 1.5, 2.0, 3.0), (6.0, 12.0), (0.4, 0.7, 1.0)


@pytest.fixture(scope="module")
def measured(shared_data):
    """Tubes and new false objects of two sets of tubes in a T1w of 1 mm."""
    path = shared_data / "real_bids" / "sub-elition" / "anat" / "sub-elition_T1w.nii.gz"
    image = load_image(path)
    scan = anat.find_brain(image_data(image, dtype=np.float32), image.affine)
    before = simulate_epvs.measure(scan, None)
    wanted = simulate_epvs.kinds(WIDTHS, LENGTHS, CONTRASTS)
    tables, false = [], 0
    for seed in SEEDS:
        made, tubes = simulate_epvs.simulate(scan, None, before, wanted, seed)
        after, soft, _, affine, _ = simulate_epvs.measure(made["T1w"], None)
        table, new = epvs_yardstick.compare_tubes(tubes, after, before[0], affine, soft)
        tables.append(table)
        false += new
    return pd.concat(tables), false


def test_clear_tubes_are_found(measured):
    table, false = measured
    clear = table[table.contrast >= 0.7].groupby("width_mm").found.mean()
    assert clear[1.0] >= 0.75, clear
    assert (clear[[1.5, 2.0]] >= 0.95).all(), clear
    assert false <= 2 * len(SEEDS)


@pytest.mark.parametrize("volume", ["found_mm3", "soft_mm3"])
def test_volumes_are_those_of_the_tubes(measured, volume):
    table = measured[0]
    wide = table[table.width_mm >= 1.5]
    ratio = wide.groupby("contrast")[[volume, "volume_mm3"]].sum()
    assert wide[volume].sum() / wide.volume_mm3.sum() == pytest.approx(1, abs=0.15)
    # by contrast: the volume is not that of the contrast
    assert (ratio[volume] / ratio.volume_mm3).between(0.6, 1.3).all(), ratio
