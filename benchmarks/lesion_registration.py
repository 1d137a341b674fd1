"""Does a lesion bend the registration, and does leaving it out help?

    python benchmarks/lesion_registration.py [CASES [MASS_EFFECT]]

Registers simulated heads with a haematoma (5, 20, 50 mL; oedema of the same volume; mass effect)
in several ways, and prints how far each region's mapped centre (set barisano2025) is from the true
one, in mm, and by how much the head's rotation is wrong:

healthy    the same head without the lesion: what the registration reaches at best
ignored    the lesion is compared like all else
masked     the lesion, with its margin, is left out of the pose, the affine and SyN
filled     FA in it is replaced by the template's white matter, laid on by the pose

The haematoma's FA is that of a dark one (noise of about 0.3); 'ignored, FA 0' has 0.05 there, as
blood has that is bright on DWI. `error` is to the true centre. `added` is what the lesion adds: to
the place where the healthy head's own registration puts the centre, pushed with the tissue. CASES
takes only the first so many of the 9 heads (about a minute each); MASS_EFFECT
is the share of the haematoma that pushes tissue away, 0.8 by default.
"""

import os
import shutil
import sys

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.dwi.series import world_gradients
from glymflow.dwi.tensor import fit_tensor, scalars
from glymflow.image import pose, registration
from glymflow.image.template import load_template
from glymflow.phantoms import head as phantom
from glymflow.phantoms import lesion as phantom_lesion
from glymflow.phantoms.scan import ROI_SETS, simulate_subject

os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
CENTRES = np.array(list(ROI_SETS["barisano2025"].values()), dtype=float)
CASES = (  # volume (mL), centre (template mm)
    (50, (32, -42, 36)),
    (20, (27, 0, 4)),
    (5, (-34, -45, 36)),
    (50, (-27, 0, 4)),
    (20, (30, -28, 40)),
    (5, (27, 0, 4)),
    (50, (-30, 32, 22)),
    (20, (-50, -26, -8)),
    (5, (-32, -30, 38)),
)
WM, WM_AFFINE = load_template("wm", 2)
BRAIN = load_template("mask", 2)[0]


def simulate(number, mass_effect, *, ill):
    """Return the image that is matched, the mask, the affine, the scan and the lesion's place."""
    rng = np.random.default_rng(number)
    volume, centre = CASES[number]
    angles = dict(zip(("pitch", "roll", "yaw"), rng.uniform(-10, 10, 3), strict=True))
    lesion = {
        "centre": centre, "volume_ml": float(volume), "oedema_ratio": 1.0,
        "mass_effect": mass_effect, "shape": phantom_lesion.random_shape(rng),
        "side": "n/a", "location": "n/a", "place": "n/a",
    }  # fmt: skip
    scan = simulate_subject(
        alps_left=1.5, alps_right=1.5, seed=100 + number, **angles, lesion=lesion if ill else None
    )
    mask, affine = scan["mask"], scan["affine"]
    directions = world_gradients(scan["bvecs"], affine)
    triangle, _ = fit_tensor(scan["dwi"][mask], scan["bvals"], directions)
    fa, md = np.zeros((2, *mask.shape))
    fa[mask], md[mask], _ = scalars(triangle)
    return scan, registration.white_matter_image(fa, md, mask), mask, affine


def place(white, affine, *, lesion=None, fill=None):
    """Return the mapped centres and the head's rotation."""
    head, _ = pose.find_pose(white, affine, WM, WM_AFFINE, BRAIN, lesion=lesion)
    if fill is not None:
        region, inside = fill
        way = np.linalg.inv(WM_AFFINE) @ np.linalg.inv(head) @ affine
        laid_on = ndimage.affine_transform(WM, way[:3, :3], way[:3, 3], white.shape, order=1)
        line = np.polyfit(laid_on[inside & ~region], white[inside & ~region], 1)
        white = np.where(region & inside, np.polyval(line, laid_on), white)
    found = registration.register(white, affine, WM, WM_AFFINE, head, lesion=lesion)
    points = registration.map_points(CENTRES, found)
    shutil.rmtree(found["folder"])
    return points, pose.rotation_part(head)


def run(number, mass_effect):
    """Return one row per way: error and added error (mm), rotation error (degrees)."""
    scan, white, mask, affine = simulate(number, mass_effect, ill=True)
    _, healthy, _, healthy_affine = simulate(number, mass_effect, ill=False)
    lesion = scan["head"].lesion
    drawn = [(scan["haematoma"], scan["swi_affine"]), (scan["lesion"], scan["t2w_affine"])]
    left_out = registration.lesion_on_grid(drawn, mask.shape, affine)
    blood = registration.lesion_on_grid(drawn[:1], mask.shape, affine, margin_mm=0)
    reference, turn = place(healthy, healthy_affine)
    found = {
        "healthy": (phantom_lesion.push(reference, lesion), turn),
        "ignored": place(white, affine),
        "ignored, FA 0": place(np.where(blood, 0.05, white), affine),
        "masked": place(white, affine, lesion=left_out),
        "filled": place(white, affine, fill=(left_out, mask)),
    }
    truth = phantom.to_world(CENTRES, scan["head"])
    left = phantom_lesion.depth(truth, lesion) >= 1  # the regions that are not destroyed
    rows = []
    for way, (points, rotation) in found.items():
        error = np.linalg.norm(points - truth, axis=1)[left]
        added = np.linalg.norm(points - found["healthy"][0], axis=1)[left]
        angle = np.arccos((np.trace(rotation @ scan["head"].rotation.T) - 1) / 2)
        rows.append(
            {
                "ml": CASES[number][0], "place": CASES[number][1], "way": way,
                "error": error.mean(), "worst": error.max(), "added": added.mean(),
                "added_worst": added.max(), "degrees": np.degrees(angle),
            }
        )  # fmt: skip
    print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)
    return rows


def main(cases=9, mass_effect=phantom_lesion.MASS_EFFECT):
    table = pd.DataFrame(
        [row for number in range(int(cases)) for row in run(number, float(mass_effect))]
    )
    values = ["error", "worst", "added", "added_worst", "degrees"]
    print(table.groupby(["ml", "way"], sort=False)[values].mean().round(2).to_string())
    print(table.groupby("way", sort=False)[values].mean().round(2).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
