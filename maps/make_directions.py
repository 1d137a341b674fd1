"""Make the package's template of fibre directions from measured heads.

    python maps/make_directions.py RESULTS sub-a,sub-b,... > glymflow/image/data/directions.tsv

RESULTS is the folder of results of a run of the target `alps`; each subject named is one person,
with one scan or more. docs/notes/calibration.md says which scans made the file of the package.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.alps import fibre_pose, index
from glymflow.dwi.tensor import rotate_tensors
from glymflow.image import directions
from glymflow.image.pose import rotation_part
from glymflow.image.registration import map_points
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, read_json

LEAST_WHITE = 0.8  # probability of white matter
SPACING_MM = 6.0
MIDLINE_MM = 3.0  # left out: fibres that cross have no side
WAY = "from-dwi_to-MNI152NLin2009aSym_mode-image"


def main(results, people):
    """Write the template of these people to standard output."""
    points = _points()
    both = np.concatenate([points, points * (-1, 1, 1)])
    heads = []
    for person in people:
        tables = sorted(Path(results, "derivatives", person).rglob("*_alps.tsv"))
        heads.append(np.stack([_tensors(str(t).removesuffix("_alps.tsv"), both) for t in tables]))
    table = pd.DataFrame(points, columns=["x", "y", "z"]).astype(int)
    elements = pd.DataFrame(fibre_pose.mean_directions(heads), columns=directions.ELEMENTS)
    table = pd.concat([table, elements.round(4)], axis=1).dropna()
    table.to_csv(sys.stdout, sep="\t", index=False, lineterminator="\n")


def _points():
    """Points of the template's white matter, right half, on a lattice."""
    wm, affine = load_template("wm", 2)
    points = np.argwhere(wm > LEAST_WHITE) @ affine[:3, :3].T + affine[:3, 3]
    on_lattice = np.all(np.rint(points).astype(int) % int(SPACING_MM) == 0, axis=1)
    return points[on_lattice & (points[:, 0] > MIDLINE_MM)]


def _tensors(stem, points):
    """Tensors of a series at template points, in the axes of the template."""
    tensor = load_image(f"{stem}_model-tensor_param-tensor_dwimap.nii.gz", ndim=4)
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz", ndim=3)) > 0
    transforms = {
        "affine": f"{stem}_{WAY}_desc-affine_xfm.mat",
        "warp": f"{stem}_{WAY}_desc-warp_xfm.nii.gz",
    }
    there = partial(map_points, transforms=transforms)(points)
    found = index.sample_tensors(image_data(tensor), mask, tensor.affine, there[:, None])
    rotation = rotation_part(np.array(read_json(f"{stem}_{WAY}_xfm.json")["pose"]))
    return rotate_tensors(found, rotation.T)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].split(","))
