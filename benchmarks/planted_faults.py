"""One simulated head with one fault each, and what the first screen of its page says.

    python benchmarks/planted_faults.py OUT [--cores N]

OUT/bids has the same head several times: sound, with the sign of a gradient column flipped, moving
between volumes, and with a lesion over an association ROI. The workflow measures them. Then faults
are planted into what it wrote of four more copies, as a failed step would leave them: the ROI's
part of the warp moved off its fibres, the registration slipped, the brain mask leaking into the
scalp or cut. What depends on them is made again. OUT/out/results/report has the pages, OUT/screens
a picture of the first screen of each (1280 x 900 pixels, needs Chromium). The table printed at the
end has the words of that screen. About ten minutes on one core.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hard_cases
import nibabel as nib
import numpy as np
import pandas as pd
from scipy import io, ndimage

from glymflow.dwi import mask as masks
from glymflow.figures.slices import ROIS
from glymflow.image.grid import map_points, spacing_of, volume_ml
from glymflow.image.registration import map_points as to_subject
from glymflow.image.registration import (
    map_points_to_template,
    moved_similarity,
    similarity,
    white_matter_image,
)
from glymflow.io import (
    checksum,
    image_data,
    load_image,
    read_json,
    read_tsv,
    save_image,
    write_json,
    write_tsv,
)
from glymflow.phantoms.scan import simulate_subject

XFM = "_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-"
INVERSE = "_from-MNI152NLin2009aSym_to-dwi_mode-image_desc-warp_xfm.nii.gz"
ROI = "association_left"
SLIP_MM, OFF_MM, SCALP_MM = (0, 0, 12.0), (-20.0, 0, 0), 20
FAULTS = {  # subject: what is wrong
    "sound": "nothing",
    "flip": "wrong gradient table (a flip)",
    "motion": "motion",
    "lesion": "lesion in a ROI",
    "roioff": "ROI off its fibres",
    "slip": "slipped registration",
    "leak": "mask leaks into the scalp",
    "cut": "mask cuts out thalamus and brainstem",
}
AFTER = ("roioff", "slip", "leak", "cut")  # planted into what the workflow wrote


def main(out, cores):
    bids, run = out / "bids", out / "out"
    if not (bids / "participants.tsv").is_file():
        write_scans(bids)
    measure(bids, run, cores)
    if not (bids / "derivatives").is_dir():
        write_lesion(bids, run)
        measure(bids, run, cores)
    done = out / "planted"
    if not done.is_file():
        for name, plant in {"roioff": move_roi, "slip": slip, "leak": leak, "cut": cut}.items():
            plant(f"{run}/results/derivatives/sub-{name}/dwi/sub-{name}")
            sign(run, f"sub-{name}")
        done.touch()
    measure(bids, run, cores)
    report = run / "results" / "report"
    screens = out / "screens"
    screens.mkdir(exist_ok=True)
    print("| fault | first screen |\n|---|---|")
    for name, fault in FAULTS.items():
        page = report / f"sub-{name}.html"
        take_screen(page, screens / f"{name}.png")
        print(f"| {fault} | {words_of(page)} |", flush=True)


def write_scans(bids):
    """Write the same head once per fault; those of the scan are in it."""
    made = simulate_subject(alps_left=1.5, alps_right=1.45, seed=3, pitch=4.0, roll=2.0, yaw=-3.0)
    data = np.clip(np.rint(made["dwi"]), 0, 32767).astype(np.float32)
    sound = data, made["affine"], np.asarray(made["bvals"]), np.asarray(made["bvecs"])
    planted = {"flip": hard_cases.PLANT["flipped"], "motion": hard_cases.PLANT["moving"]}
    for name in FAULTS:
        scan = planted[name](*sound) if name in planted else sound
        hard_cases._write(scan, bids / f"sub-{name}" / "dwi" / f"sub-{name}_dwi")
    write_json(
        {"Name": "planted faults", "BIDSVersion": "1.10.0"}, bids / "dataset_description.json"
    )
    write_tsv(pd.DataFrame({"participant_id": [f"sub-{n}" for n in FAULTS]}),
              bids / "participants.tsv")  # fmt: skip


def measure(bids, run, cores):
    words = [sys.executable, "-m", "glymflow", "run", bids, run, "participant", "--cores", cores]
    lesions = bids / "derivatives" / "lesions"
    if lesions.is_dir():
        config = bids.parent / "config.yaml"
        config.write_text(f"derivatives_dir: {lesions}\n")
        words += ["--config", config]
    words = [*map(str, words), "--", "--rerun-triggers", "mtime"]  # what was planted stays
    subprocess.run(words, check=True, stdout=sys.stderr)


def write_lesion(bids, run):
    """Write a lesion mask that covers the ROI of the sound head, the same in all of them."""
    image = load_image(f"{run}/results/derivatives/sub-sound/dwi/sub-sound_desc-alps_dseg.nii.gz")
    roi = image_data(image, dtype="uint8") == ROIS[ROI]
    away = ndimage.distance_transform_edt(~roi, sampling=spacing_of(image.affine))
    path = "derivatives/lesions/sub-lesion/anat/sub-lesion_space-DWI_label-lesion_mask.nii.gz"
    save_image((away < 8).astype(np.uint8), image.affine, bids / path)


# ---------------------------------------------------------------- faults of a step


def transforms_of(stem):
    return {"affine": f"{stem}{XFM}affine_xfm.mat", "warp": f"{stem}{XFM}warp_xfm.nii.gz"}


def roi_in_template(stem):
    """Return the middle of the ROI on the template, (1, 3)."""
    image = load_image(f"{stem}_desc-alps_dseg.nii.gz")
    voxels = np.argwhere(image_data(image, dtype="uint8") == ROIS[ROI])
    centre = map_points(image.affine, voxels.mean(axis=0))[None]
    return map_points_to_template(centre, transforms_of(stem) | {"inverse_warp": stem + INVERSE})


def sign(run, subject):
    """Write what was planted into the records of the jobs: a run mends what no job wrote."""
    for record in (run / "results" / "logs").glob(f"*/{subject}/*.sha256.tsv"):
        lines = []
        for line in record.read_text().splitlines():
            cells = line.split("\t")
            if len(cells) == 3 and (path := run / cells[2]).is_file():
                cells[:2] = checksum(path), str(path.stat().st_size)
            lines.append("\t".join(cells))
        record.write_text("\n".join(lines) + "\n")


def move_roi(stem):
    """Bend the warp round the ROI: it lands beside its fibres, all else where it was."""
    centre = roi_in_template(stem)
    path = transforms_of(stem)["warp"]
    image = nib.load(path)
    warp = np.asarray(image.dataobj, dtype=np.float32)
    grid = np.stack(np.indices(warp.shape[:3]), axis=-1)
    away = np.linalg.norm(map_points(image.affine, grid) - centre, axis=-1)
    push = np.array(OFF_MM) * (-1, -1, 1)  # the warp is in LPS
    warp += (np.exp(-0.5 * (away / 16) ** 2)[..., None] * push).reshape(warp.shape)
    nib.save(nib.Nifti1Image(warp, None, image.header), path)


def slip(stem):
    """Move what the affine brings to the subject, and the white matter drawn; tell of its fit."""
    ways, centre = transforms_of(stem), roi_in_template(stem)
    before = to_subject(centre, ways)
    told = io.loadmat(ways["affine"])
    (name,) = [key for key in told if key.startswith("AffineTransform")]
    told[name][9:, 0] += np.array(SLIP_MM) * (-1, -1, 1)
    io.savemat(ways["affine"], {k: v for k, v in told.items() if k[0] != "_"}, format="4")
    moved = (to_subject(centre, ways) - before)[0]
    path = f"{stem}_label-WM_desc-template_probseg.nii.gz"
    image = load_image(path)
    by = np.linalg.inv(image.affine[:3, :3]) @ moved
    warped = ndimage.shift(image_data(image), by, order=1)
    save_image(warped, image.affine, path)
    fa, md = (image_data(load_image(f"{stem}_model-tensor_param-{n}_dwimap.nii.gz"))
              for n in ("fa", "md"))  # fmt: skip
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz")) > 0
    white = white_matter_image(fa, md, mask)
    sidecar = f"{stem}{XFM}".removesuffix("_desc-") + "_xfm.json"
    fit = {"similarity": similarity(white, warped, mask)}
    fit["similarity_moved"] = moved_similarity(white, warped, mask, image.affine)
    write_json(read_json(sidecar) | fit, sidecar)


def leak(stem):
    """Add the scalp of the upper right to the brain mask."""
    path = f"{stem}_desc-brain_mask.nii.gz"
    image = load_image(path)
    mask = image_data(image, dtype="uint8") > 0
    away = ndimage.distance_transform_edt(~mask, sampling=spacing_of(image.affine))
    points = map_points(image.affine, np.stack(np.indices(mask.shape), axis=-1))
    middle = map_points(image.affine, np.argwhere(mask).mean(axis=0))
    there = np.all(points[..., [0, 2]] > middle[[0, 2]], axis=-1)
    save_mask(stem, mask | ((away < SCALP_MM) & there), image.affine)


def save_mask(stem, mask, affine):
    """Write a mask, and what the step that makes it tells of it."""
    save_image(mask.astype(np.uint8), affine, f"{stem}_desc-brain_mask.nii.gz")
    told = read_tsv(f"{stem}_desc-quality_dwi.tsv")
    told["mask_volume_ml"] = mask.sum() * volume_ml(affine)
    told["mask_concavity"] = masks.concavity(mask, affine)
    told["mask_holes_ml"] = masks.holes_ml(mask, affine)
    write_tsv(told, f"{stem}_desc-quality_dwi.tsv")


def cut(stem):
    """Cut thalamus and brainstem out of the brain mask, as a lost centre does."""
    path = f"{stem}_desc-brain_mask.nii.gz"
    image = load_image(path)
    mask = image_data(image, dtype="uint8") > 0
    points = map_points(image.affine, np.stack(np.indices(mask.shape), axis=-1))
    ways = transforms_of(stem)
    gone = np.zeros_like(mask)
    for centre, axes in (((0, -18, 8), (20, 16, 12)), ((0, -25, -30), (16, 16, 30))):
        gone |= (((points - to_subject(np.array([centre]), ways)) / axes) ** 2).sum(axis=-1) < 1
    save_mask(stem, mask & ~gone, image.affine)


# ---------------------------------------------------------------- what is seen


def take_screen(page, picture):
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=1280,900", f"--screenshot={picture}", f"file://{page}"]  # fmt: skip
    if shutil.which("chromium"):
        subprocess.run(words, check=True, capture_output=True)


def words_of(page):
    """Return the verdict and the reasons of a page, as its head has them."""
    html = page.read_text(encoding="utf-8")
    badge = re.search(r'<span class="badge (\w+)"', html)[1]
    notes = re.findall(r'<div class="note (?:warn|fail|pass)"><ul>(.*?)</ul>', html, re.DOTALL)
    reasons = re.findall(r"<li>(.*?)<code>", notes[0], re.DOTALL) if notes else []
    texts = [re.sub(r"\s+", " ", re.sub("<[^>]+>", "", reason)).strip() for reason in reasons]
    return f"**{badge}** " + " ".join(texts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--cores", type=int, default=1)
    given = parser.parse_args()
    main(given.out.resolve(), given.cores)
