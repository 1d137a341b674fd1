"""Does the way through T1w place the ALPS regions better than FA directly?

    python benchmarks/t1w_route.py BIDS_DIR RESULTS/derivatives

Runs both ways on every series that has a T1w and has been measured (`snakemake alps`), and prints
the alignment of each region's principal direction (1 is perfect) and the index. The T1w way:
rigid T1w to b0 (Mattes), brain mask taken over from the DWI, N4, SyN of T1w to the template's T1.
"""

import os
import sys
import tempfile
from pathlib import Path

import ants
import numpy as np
from scipy import ndimage

from glymflow.alps import index
from glymflow.alps.rois import ROLES, sphere_points
from glymflow.cohort.bids import list_cohort
from glymflow.dwi.intake import find_series
from glymflow.image import registration
from glymflow.image.pose import rotation_part
from glymflow.image.template import SPACE, load_template
from glymflow.io import image_data, load_image, read_json

os.environ["ANTS_RANDOM_SEED"] = "1"
os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
CENTRES = {
    "projection_left": (-26, -16, 27),
    "projection_right": (26, -16, 27),
    "association_left": (-38, -16, 27),
    "association_right": (38, -16, 27),
}


def register_through_t1w(b0, mask, affine, t1w_path, folder):
    """Return a function that maps template points to the DWI's world through the T1w."""
    t1w = load_image(t1w_path, ndim=3)
    head = registration.to_ants(image_data(t1w), t1w.affine)
    fixed = registration.to_ants(b0, affine)
    rigid = ants.registration(
        fixed, head, "Rigid", outprefix=f"{folder}/rigid_", aff_metric="mattes"
    )
    brain = registration.to_ants(ndimage.binary_dilation(mask), affine)
    brain = ants.apply_transforms(
        head, brain, rigid["fwdtransforms"], whichtoinvert=[True], interpolator="nearestNeighbor"
    )
    stripped = ants.n4_bias_field_correction(head, mask=brain) * brain
    target = registration.to_ants(*load_template("t1", 2))
    syn = ants.registration(target, stripped, "SyN", outprefix=f"{folder}/t1_")
    warp, linear = syn["fwdtransforms"]

    def to_subject(points):
        in_t1w = registration.map_points(points, {"warp": warp, "affine": linear})
        flip = np.diag([-1.0, -1.0, 1.0])
        transform = ants.read_transform(rigid["fwdtransforms"][0]).invert()
        return np.array([transform.apply_to_point(list(p)) for p in in_t1w @ flip]) @ flip

    return to_subject


def describe(name, way, to_subject, tensor, mask, rotation):
    regions = {
        role: index.sample_region(
            image_data(tensor), mask, tensor.affine, to_subject(sphere_points(CENTRES[role], 2.5))
        )
        for role in ROLES
    }
    row = index.measure_set(regions, rotation)[1]
    alignment = [row[f"alignment_{role}"] for role in ROLES]
    print(
        f"{name:20s} {way:4s} ALPS {row['alps_left']:.2f} {row['alps_right']:.2f}  alignment "
        + " ".join(f"{value:.2f}" for value in alignment)
        + f"  mean {np.mean(alignment):.3f} lowest {min(alignment):.2f}",
        flush=True,
    )


def main(bids_dir, derivatives):
    series = find_series(list_cohort(bids_dir)).rows
    for row in series[series.t1w.notna()].itertuples():
        stem = f"{derivatives}/{row.folder}/dwi/{row.series}"
        xfm = f"{stem}_from-dwi_to-{SPACE}_mode-image"
        tensor = load_image(f"{stem}_model-tensor_param-tensor_dwimap.nii.gz")
        mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz")) > 0
        dwi = image_data(load_image(row.dwi))
        b0 = dwi[..., np.loadtxt(row.bval) <= 50].mean(axis=3)
        rotation = rotation_part(np.array(read_json(f"{xfm}_xfm.json")["pose"]))
        direct = {"warp": f"{xfm}_desc-warp_xfm.nii.gz", "affine": f"{xfm}_desc-affine_xfm.mat"}
        rest = (tensor, mask, rotation)
        describe(row.series, "FA", lambda p, t=direct: registration.map_points(p, t), *rest)
        with tempfile.TemporaryDirectory() as folder:
            way = register_through_t1w(b0, mask, tensor.affine, row.t1w, Path(folder))
            describe(row.series, "T1w", way, *rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
