"""What the calibration on grey matter corrects, and what it does not: prints tables for the docs.

    python benchmarks/calibration.py

No noise: the true tensors of phantoms at the points of grey matter and of the ROIs are turned into
signals by what a faulty gradient system does, and fitted with the table that was asked for.
"""

import numpy as np

from glymflow.alps import grey_matter, index
from glymflow.alps.rois import ROLES, ellipsoid_points
from glymflow.dwi.tensor import fit_tensor, full_tensors
from glymflow.image.template import load_template
from glymflow.phantoms import head as phantom
from glymflow.phantoms.scan import ROI_SETS, gradient_scheme

BVAL, DIRECTIONS = 1000.0, 30
ROI_SET, RADII_MM = "barisano2025", (2.5, 2.5, 2.5)
ISOTROPIC = (1.0, 1.0, 1.0)  # the grey matter of phantoms
EYE = np.eye(3)
POSES = ((0, 0, 0), (15, -8, 10), (-10, 5, -20))
VOXEL_MM = 2.0


def main():
    """Print the tables."""
    sections = [fault_section(), effect_section(), tissue_section()]
    print("\n".join(sections), end="")


# ---------------------------------------------------------------- a head and a faulty scanner


def draw_head(pose, alps, seed=1):
    """Return a phantom's head and its ALPS in both hemispheres."""
    rng = np.random.default_rng(seed)
    return phantom.Head(
        alps_left=alps, alps_right=alps, rotation=phantom.head_rotation(*pose),
        translation=np.zeros(3), scale=np.ones(3),
        deformation=phantom.random_deformation(rng, 1.0),
    )  # fmt: skip


def true_tensors(head, points):
    """Tensors of a head at template points, with the partial volume of its voxels."""
    there = phantom.to_world(points, head)
    return phantom.true_tensors(there, head, (VOXEL_MM,) * 3)


def grey_points(keep=lambda points: np.ones(len(points), bool)):
    """Points of grey matter as the workflow takes them."""
    (wm, affine), (brain, _) = load_template("wm", 2), load_template("mask", 2)
    points = grey_matter.grey_matter_points(wm, brain, affine)
    return points[keep(points)]


def scan(tensors, effective):
    """Fit what a scanner measures whose b-matrices are not those of the table."""
    bvals, directions = gradient_scheme(DIRECTIONS, BVAL, 2)
    matrices = np.array([effective(b, g) for b, g in zip(bvals, directions, strict=True)])
    signals = 1000 * np.exp(-np.einsum("nij,vij->vn", matrices, tensors))
    return full_tensors(fit_tensor(signals, bvals, directions)[0].astype(float))


def measured(head, effective, grey):
    """ALPS as measured, and calibrated; template frame, mean of both sides."""
    rotation = head.rotation
    regions = {
        role: scan(true_tensors(head, ellipsoid_points(centre, RADII_MM)), effective)
        for role, centre in ROI_SETS[ROI_SET].items()
    }
    means = {role: regions[role].mean(axis=0) for role in ROLES}
    found = scan(grey, effective)
    md = np.trace(found, axis1=1, axis2=2) / 3
    low, high = grey_matter.MD_RANGE
    mean = found[(md > low) & (md < high)].mean(axis=0)
    matrix = grey_matter.calibration_matrix(mean / (np.trace(mean) / 3), rotation, ISOTROPIC)
    calibrated = {role: matrix @ tensor @ matrix for role, tensor in means.items()}
    return tuple(
        index.index_values(tensors, rotation)["template", "mean"] for tensors in (means, calibrated)
    )


# ---------------------------------------------------------------- the sections


def right(b, g):
    """The b-matrix of the table."""
    return b * np.outer(g, g)


def gains(*factors):
    """Gradients of each axis too strong by a factor."""
    return lambda b, g: b * np.outer(factors * g, factors * g)


def skew(size):
    """Axes that are not at right angles, or eddy currents from one axis on another."""
    turn = EYE + size * np.array([[0, 1, 0.5], [0, 0, -1], [0.7, 0, 0]])
    return lambda b, g: b * np.outer(turn @ g, turn @ g)


def cross_terms(size):
    """Cross terms of diffusion and imaging gradients: linear in the diffusion gradient."""
    imaging = size * np.array([0.5, 0.3, 1.0])
    return lambda b, g: b * np.outer(g, g) + b * (np.outer(g, imaging) + np.outer(imaging, g)) / 2


def constant(size):
    """The imaging gradients' own b-matrix in the weighted volumes: no change of a b0's."""
    return lambda b, g: b * np.outer(g, g) + (b > 0) * size * BVAL * np.diag([0, 0, 1.0])


FAULTS = {
    "none": right,
    "gain of x +2 %": gains(1.02, 1, 1),
    "gain of y +2 %": gains(1, 1.02, 1),
    "gain of z +2 %": gains(1, 1, 1.02),
    "gains +2, -2, 0 %": gains(1.02, 0.98, 1),
    "gains +5, -5, 0 %": gains(1.05, 0.95, 1),
    "axes skewed by 1 %": skew(0.01),
    "cross terms of 3 %": cross_terms(0.03),
    "constant slice term of 5 %": constant(0.05),
}


def fault_section():
    """Error of ALPS by fault, raw and calibrated, over three poses of the head."""
    lines = ["| fault | error of ALPS, raw | calibrated |", "|---|---|---|"]
    heads = [draw_head(pose, 1.45) for pose in POSES]
    greys = [true_tensors(head, grey_points()) for head in heads]
    truth = [measured(h, right, g)[0] for h, g in zip(heads, greys, strict=True)]
    for name, effective in FAULTS.items():
        errors = np.array(
            [
                np.array(measured(head, effective, grey)) / true - 1
                for head, grey, true in zip(heads, greys, truth, strict=True)
            ]
        )
        raw, calibrated = 100 * errors[np.argmax(np.abs(errors), axis=0), range(2)]
        lines.append(f"| {name} | {raw:+.1f} % | {calibrated:+.1f} % |")
    return "\n".join(lines) + "\n"


def effect_section():
    """What is left of a true difference of 0.1 in ALPS between two heads."""
    lines = ["| scanner | true difference | raw | calibrated |", "|---|---|---|---|"]
    heads = [draw_head(POSES[1], alps) for alps in (1.4, 1.5)]
    greys = [true_tensors(head, grey_points()) for head in heads]
    low, high = (measured(h, right, g)[0] for h, g in zip(heads, greys, strict=True))
    true = high - low
    for name in ("none", "gains +2, -2, 0 %", "cross terms of 3 %"):
        low, high = (measured(h, FAULTS[name], g) for h, g in zip(heads, greys, strict=True))
        kept = [100 * (b - a) / true for a, b in zip(low, high, strict=True)]
        lines.append(f"| {name} | {true:.3f} | {kept[0]:.0f} % | {kept[1]:.0f} % |")
    return "\n".join(lines) + "\n"


def tissue_section():
    """What CSF in the grey matter, a slab and a lesion do to the calibrated value."""
    head = draw_head(POSES[1], 1.45)
    grey = true_tensors(head, grey_points())
    rng = np.random.default_rng(1)
    share = rng.uniform(0, 0.3, (len(grey), 1, 1))
    slab = grey_points(lambda points: (points[:, 2] > 0) & (points[:, 2] < 64))
    base = measured(head, FAULTS["gains +2, -2, 0 %"], grey)[1]
    cases = {
        "wide sulci: 0 to 30 % CSF in each point": (1 - share) * grey + share * 3e-3 * EYE,
        "a slab of 64 mm": true_tensors(head, slab),
        "500 points": grey[:: len(grey) // 500],
        "one point in 100 in white matter of one direction": np.concatenate(
            [grey[len(grey) // 100 :],
             np.tile(head.rotation @ np.diag([1.5, 0.4, 0.4]) @ head.rotation.T * 1e-3,
                     (len(grey) // 100, 1, 1))]
        ),
    }  # fmt: skip
    lines = ["| grey matter | change of the calibrated ALPS |", "|---|---|"]
    for name, tensors in cases.items():
        value = measured(head, FAULTS["gains +2, -2, 0 %"], tensors)[1]
        lines.append(f"| {name} | {100 * (value / base - 1):+.2f} % |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
