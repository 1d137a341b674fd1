"""How the scanner stored a head must not matter: axes flipped, permuted, tilted."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel import orientations
from workflow_runs import snakemake

# axis codes, and a tilt of the grid (degrees about x, y, z) that the header describes
STORED = {
    "ras": ("RAS", None),
    "psr": ("PSR", None),
    "tilted": ("LAS", (14.0, -6.0, 9.0)),
}
LIMIT = 0.005


def fsl_convention(directions, affine):
    """World directions as bvecs, written anew here: the package's own is under test."""
    axes = affine[:3, :3] / np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    bvecs = (np.linalg.inv(axes) @ directions.T).T
    if np.linalg.det(axes) > 0:
        bvecs[:, 0] = -bvecs[:, 0]
    return bvecs


def rotation(degrees):
    """About x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in zip(((1, 2), (2, 0), (0, 1)), np.radians(degrees), strict=True):
        turn = np.eye(3)
        first, second = axis
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first], turn[first, second] = np.sin(angle), -np.sin(angle)
        matrix = turn @ matrix
    return matrix


@pytest.fixture(scope="module")
def alps(once):
    """One head, stored four ways, measured: a row per ROI set and frame, a column per value."""
    work = once("storage", make)
    table = pd.read_csv(work / "results" / "cohort" / "alps.tsv", sep="\t", na_values="n/a")
    assert len(table) == len(STORED) * 4 * 3
    return table.set_index(["participant_id", "roi_set", "frame"])


def make(work):
    """Write the head four times and measure it."""
    from glymflow.commands.simulate import simulate_subject

    scan = simulate_subject(
        alps_left=1.6, alps_right=1.35, seed=7, voxel_mm=(2.3, 2.5, 2.7), t1w_mm=4.0,
        pitch=8.0, roll=-6.0, yaw=9.0, oblique=(5.0, -8.0, 3.0),
    )  # fmt: skip
    plain = nib.Nifti1Image(np.rint(scan["dwi"]).clip(0).astype(np.int16), scan["affine"])
    # back to world directions: the simulator's bvecs of a RAS grid have x flipped
    directions = (
        scan["bvecs"]
        * [-1, 1, 1]
        @ np.linalg.inv(scan["affine"][:3, :3] / np.linalg.norm(scan["affine"][:3, :3], axis=0))
    )
    for name, (codes, tilt) in STORED.items():
        change = orientations.ornt_transform(
            orientations.io_orientation(plain.affine), orientations.axcodes2ornt(codes)
        )
        image = plain.as_reoriented(change)
        assert "".join(nib.aff2axcodes(image.affine)) == codes
        turn = np.eye(4)
        if tilt:
            turn[:3, :3] = rotation(tilt)
        affine = turn @ image.affine
        stem = work / "bids" / f"sub-{name}" / "dwi" / f"sub-{name}_dwi"
        stem.parent.mkdir(parents=True)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), f"{stem}.nii.gz")
        np.savetxt(f"{stem}.bval", scan["bvals"][None], fmt="%g")
        bvecs = fsl_convention(directions @ turn[:3, :3].T, affine)
        np.savetxt(f"{stem}.bvec", bvecs.T, fmt="%.6f")
    snakemake(work, "--cores", 2, "alps", config={"bids_dir": "bids"})


def change(alps, name):
    """Relative change of each ALPS value against the straight storage."""
    values = alps[["alps_left", "alps_right", "alps_mean"]]
    return (values.loc[f"sub-{name}"] / values.loc["sub-ras"] - 1).abs()


def test_flipped_and_permuted_axes_change_no_value(alps):
    assert change(alps, "psr").to_numpy().max() < LIMIT


def test_a_tilted_grid_changes_no_value_that_belongs_to_the_head(alps):
    """With the world's axes turned, the scanner frame must change; the others must not."""
    found = change(alps, "tilted")
    assert found.drop(index="scanner", level="frame").to_numpy().max() < LIMIT
    assert found.xs("scanner", level="frame").to_numpy().max() > 0.02
