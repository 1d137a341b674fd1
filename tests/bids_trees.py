"""BIDS folders for the tests of the intake: empty files, and a small series that can be read."""

import nibabel as nib
import numpy as np

from glymflow.workflow.intake import index_cohort

SERIES = (".nii.gz", ".bval", ".bvec", ".json")
# six directions that do not lie on one cone
DIRECTIONS = (
    np.array([[1, 1, 0], [1, -1, 0], [1, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]]) / 2**0.5
)


# of each domain, what the intake has to know of the config: here as little as there can be
SETTINGS = {
    "alps": {},
    "lesions": {},
    "epvs": {"measure": "never", "mask": None, "planned": False},
}


def index_all(bids_dir, derivatives_dir=None, participants=None, **settings):
    """Return what each domain found, with `SETTINGS` where none are given, and who was left out."""
    return index_cohort(
        bids_dir=bids_dir,
        derivatives_dir=derivatives_dir,
        participants=participants,
        domains=SETTINGS | settings,
    )


def index_series(bids_dir, derivatives_dir=None, participants=None):
    """Return the DWI series of a cohort, and who was left out."""
    rows, excluded = index_all(bids_dir, derivatives_dir, participants)
    return rows["alps"], excluded


def make_tree(root, *names):
    """Make empty files; a name that ends in _dwi stands for a whole series."""
    for name in names:
        for extension in SERIES if name.endswith("_dwi") else ("",):
            path = root / (name + extension)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


AFFINE = np.array([[1.0, 0, 0, -2], [0, 1, 0, -2], [0, 0, 1, -2], [0, 0, 0, 1]])


def write_series(
    root, subject, *, n_volumes=7, n_bvals=7, bvals=None, n_bvecs=7, shape=(4, 4, 4), affine=AFFINE
):
    """Write a series with one b0 and six directions; the arguments break it."""
    folder = root / subject / "dwi"
    folder.mkdir(parents=True)
    image = nib.Nifti1Image(np.ones((*shape, n_volumes), np.float32), affine)
    nib.save(image, folder / f"{subject}_dwi.nii.gz")
    bvals = [0] + [1000] * (n_bvals - 1) if bvals is None else bvals
    np.savetxt(folder / f"{subject}_dwi.bval", [bvals], fmt="%g")
    bvecs = np.vstack([np.zeros(3), DIRECTIONS])[:n_bvecs]
    np.savetxt(folder / f"{subject}_dwi.bvec", bvecs.T, fmt="%.6f")
    return folder / f"{subject}_dwi.nii.gz"
