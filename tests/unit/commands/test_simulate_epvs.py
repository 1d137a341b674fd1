"""Tubes in a small scan whose brain is given: what is written, and what is refused."""

import numpy as np
import pytest

from glymflow.cli import main
from glymflow.commands import simulate_epvs
from glymflow.epvs.anat import Scan
from glymflow.image.brain import CLASSES
from glymflow.phantoms.epvs_insert import Tube

SHAPE = (40, 40, 40)
AFFINE = np.array([[1.0, 0, 0, -20], [0, 1, 0, -20], [0, 0, 1, -20], [0, 0, 0, 1]])


@pytest.fixture
def scan():
    """Tissue of 100 round a pool of 20."""
    data = np.full(SHAPE, 100.0, dtype=np.float32)
    probabilities = np.zeros((len(CLASSES), *SHAPE), dtype=np.float32)
    probabilities[1] = 1
    data[:8] = 20
    probabilities[1, :8], probabilities[2, :8] = 0, 1
    mask = np.ones(SHAPE, dtype=bool)
    made = Scan(data, AFFINE, probabilities, AFFINE, mask, AFFINE, False)
    made.__dict__["bias"] = np.ones(SHAPE)
    return made


def tube(contrast=1.0):
    return Tube(np.array([5.0, 0, 0]), np.array([0, 0, 1.0]), 10.0, 3.0, contrast, 1)


def test_a_tube_takes_the_intensity_of_the_scans_own_fluid(scan):
    made = simulate_epvs.add_tubes(scan, [tube(), tube(0.0)], "T1w")
    assert made.data[25, 20, 20] == pytest.approx(20, abs=0.5)
    assert made.data[30, 20, 20] == 100
    assert made.bias is scan.bias
    moved = simulate_epvs.add_tubes(scan, [tube()], "T1w", way=np.eye(4) + np.eye(4, k=3) * 4)
    assert moved.data[29, 20, 20] == pytest.approx(20, abs=0.5)


def test_without_fluid_there_is_no_intensity_for_tubes(scan):
    scan.probabilities[1], scan.probabilities[2] = 1, 0
    with pytest.raises(simulate_epvs.InputFault, match="no cerebrospinal fluid"):
        simulate_epvs.add_tubes(scan, [tube()], "T1w")


def test_the_table_has_the_ends_of_the_tubes():
    row = simulate_epvs.placed([tube()]).iloc[0]
    assert (row.region, row.side, row.width_mm) == ("bg", "left", 3)
    assert (row.z0, row.z1) == (-5, 5)


def test_no_tube_is_wider_than_long():
    assert simulate_epvs.kinds([2.0, 4.0], [3.0], [1.0]) == [(2.0, 3.0, 1.0)]


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "give a T1w"), (["--into", "x.nii", "--widths", "0"], "--widths: every value")],
)
def test_options_that_cannot_be_used(options, words, capsys):
    assert main(["simulate-epvs", *options]) == 1
    assert words in capsys.readouterr().err
