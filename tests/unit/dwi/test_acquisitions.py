"""One acquisition counts once; runs with parts of a table are said to belong together."""

import itertools

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from bids_trees import DIRECTIONS, index_all, index_series, make_tree

from glymflow.dwi.acquisitions import left_out, select_of_run, split_lines
from glymflow.dwi.series import read_gradients
from glymflow.io import InputFault

LIMITS = {"b0_threshold": 50, "shell_max": 1500}


def series(*names):
    entities = [dict(part.split("-") for part in name.split("_")) for name in names]
    return pd.DataFrame(
        {
            "folder": "sub-01",
            "series": list(names),
            "entities": entities,
        }
    )


def kept(table, preferred=()):
    return table.series.drop(index=list(left_out(table, preferred))).tolist()


RECONSTRUCTIONS = ("sub-01_rec-DIS2D", "sub-01_rec-ND", "sub-01")


@pytest.mark.parametrize("order", list(itertools.permutations(RECONSTRUCTIONS)))
@pytest.mark.parametrize(
    ("preferred", "one"),
    [
        ((), "sub-01"),
        (("ND",), "sub-01_rec-ND"),
        (("XY", "DIS2D", "ND"), "sub-01_rec-DIS2D"),
    ],
)
def test_a_reconstruction_counts_once(order, preferred, one):
    assert kept(series(*order), preferred) == [one]


def test_without_a_plain_one_the_first_by_name():
    table = series("sub-01_rec-ND", "sub-01_rec-DIS2D")
    assert kept(table) == ["sub-01_rec-DIS2D"]
    (reason,) = left_out(table).values()
    assert reason.startswith("another reconstruction of the acquisition of sub-01_rec-DIS2D")


def test_other_acquisitions_stay():
    names = ["sub-01_run-1_rec-ND", "sub-01_run-2_rec-ND", "sub-01_dir-AP", "sub-01_dir-PA"]
    assert kept(series(*names)) == names


def test_the_intake_says_it(tmp_path):
    names = ("sub-01/dwi/sub-01_rec-ND_dwi", "sub-01/dwi/sub-01_rec-DIS2D_dwi")
    root = make_tree(tmp_path / "bids", *names)
    found, excluded = index_series(root)
    assert found.series.tolist() == ["sub-01_rec-DIS2D"]
    assert excluded.series.tolist() == ["sub-01_rec-ND"]
    found, _ = index_all(root, alps={"reconstruction": ["ND"]})
    assert found["alps"].series.tolist() == ["sub-01_rec-ND"]


def write_runs(folder, tables, *, affines=None):
    """Write runs with these (b, direction) volumes; return their paths."""
    paths = []
    for run, table in enumerate(tables, start=1):
        stem = folder / f"sub-01_run-{run}_dwi"
        affine = np.eye(4) if affines is None else affines[run - 1]
        image = nib.Nifti1Image(np.ones((3, 3, 3, len(table)), np.float32), affine)
        nib.save(image, f"{stem}.nii.gz")
        np.savetxt(f"{stem}.bval", [[b for b, _ in table]], fmt="%g")
        np.savetxt(f"{stem}.bvec", np.array([v for _, v in table], float).T, fmt="%.6f")
        paths.append(stem)
    return paths


B0 = (0, (0, 0, 0))
HALVES = [[B0, *((1000, v) for v in DIRECTIONS[:3])], [B0, *((1000, v) for v in DIRECTIONS[3:])]]


def choose(stem, count):
    table = read_gradients(f"{stem}.bval", f"{stem}.bvec", count)
    return select_of_run(f"{stem}.nii.gz", table, LIMITS)


@pytest.mark.parametrize(
    "tables",
    [
        HALVES,
        [[(1000, v) for v in DIRECTIONS], [B0, B0]],  # the b0 are a run of their own
        [[B0], [(1000, v) for v in DIRECTIONS]],
    ],
)
def test_parts_of_a_table_are_proposed_to_be_joined(tmp_path, tables):
    for stem, table, other in zip(
        write_runs(tmp_path, tables), tables, ("sub-01_run-2", "sub-01_run-1"), strict=True
    ):
        with pytest.raises(InputFault, match=f"Together with {other} there are 6 or more"):
            choose(stem, len(table))


def test_nothing_is_proposed_that_would_not_help(tmp_path):
    (tmp_path / "few").mkdir()
    stem, _ = write_runs(tmp_path / "few", [HALVES[0], HALVES[0]])
    with pytest.raises(InputFault, match=r"cone$"):
        choose(stem, 4)
    (tmp_path / "grid").mkdir()
    stem, _ = write_runs(tmp_path / "grid", HALVES, affines=[np.eye(4), np.diag([2, 2, 2, 1])])
    with pytest.raises(InputFault, match=r"cone$"):
        choose(stem, 4)


TWELVE = np.vstack([DIRECTIONS, DIRECTIONS[:, [1, 0, 2]] * [1, 0.3, 0.5] + [0.1, 0.7, 0]])
TWELVE /= np.linalg.norm(TWELVE, axis=1, keepdims=True)


@pytest.mark.parametrize(("second", "count"), [(TWELVE[6:], 1), (DIRECTIONS, 0), (-DIRECTIONS, 0)])
def test_runs_without_a_common_direction_are_parts(tmp_path, second, count):
    tables = [[B0, *((1000, v) for v in some)] for some in (DIRECTIONS, second)]
    stems = [str(stem) for stem in write_runs(tmp_path, tables)]
    table = pd.DataFrame(
        {
            "folder": "sub-01",
            "series": [f"sub-01_run-{run}" for run in (1, 2)],
            "dwi": [f"{stem}.nii.gz" for stem in stems],
            "bval": [f"{stem}.bval" for stem in stems],
            "bvec": [f"{stem}.bvec" for stem in stems],
        }
    )
    lines = split_lines(table)
    assert len(lines) == count
    if count:
        assert lines[0].startswith("sub-01_run-1, sub-01_run-2 have no direction in common")
        assert "one value of 12 directions" in lines[0]
    assert split_lines(table.iloc[:1]) == []
