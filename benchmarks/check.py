"""How long does `glymflow check` take for a cohort of 1,000 subjects?

    python benchmarks/check.py FOLDER [N]

Writes N subjects (default 1,000) with small DWI images, 33 volumes each, their tables and sidecars
of two scanners, T1w and T2w, a lesion mask for each fifth, two sessions with scans.tsv for each
tenth, participants.tsv and a study plan; then runs the command and prints its last lines and its
wall and CPU seconds. The bar is 20 s.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

CHECKOUT = Path(__file__).resolve().parents[1]
PLAN = """
title: benchmark
groups: { column: group, order: [HC, AD] }
variables: { age: { type: continuous }, sex: { type: categorical, levels: [F, M] },
             alps_mean: { type: continuous } }
analyses: [{ id: one, kind: compare_groups, variables: [age, sex, alps_mean] }]
"""


def main(folder, count):
    root = folder / "bids"
    if not (root / "participants.tsv").is_file():
        write_cohort(root, folder / "derivatives", count)
    (folder / "plan.yaml").write_text(PLAN)
    config = folder / "config.yaml"
    text = f"bids_dir: {root}\nderivatives_dir: {folder / 'derivatives'}\n"
    config.write_text(f"{text}study: {folder / 'plan.yaml'}\n")
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "glymflow", "check", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
    wall, now = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(done.stdout[-1500:], done.stderr)
    print(f"{count} subjects: {wall:.1f} s wall, {cpu:.1f} s CPU")


def write_cohort(root, derivatives, count):
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(30, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    bvecs = np.vstack([np.zeros((3, 3)), directions]).T
    table = ["participant_id\tgroup\tage\tsex"]
    for number in range(count):
        subject = f"sub-{number:05}"
        sessions = ("ses-1", "ses-2") if number % 10 == 0 else (None,)
        for session in sessions:
            stem = "_".join(filter(None, (subject, session)))
            home = root / subject / (session or "")
            write(home / "dwi" / f"{stem}_dwi.nii.gz", (8, 8, 8, 33))
            (home / "dwi" / f"{stem}_dwi.bval").write_text("0 0 0" + " 1000" * 30)
            np.savetxt(home / "dwi" / f"{stem}_dwi.bvec", bvecs, fmt="%.6f")
            scanner = {"Manufacturer": "Siemens", "MagneticFieldStrength": 3,
                       "ManufacturersModelName": ("Prisma", "Skyra")[number % 3 == 0]}  # fmt: skip
            (home / "dwi" / f"{stem}_dwi.json").write_text(json.dumps(scanner))
            write(home / "anat" / f"{stem}_T1w.nii.gz", (8, 8, 8))
            write(home / "anat" / f"{stem}_T2w.nii.gz", (8, 8, 8))
            if session:
                scans = f"filename\tacq_time\ndwi\t202{session[-1]}-01-01T10:00:00\n"
                (home / f"{stem}_scans.tsv").write_text(scans)
        if number % 5 == 1:
            mask = derivatives / subject / "anat" / f"{subject}_space-T2w_label-lesion_mask.nii.gz"
            write(mask, (8, 8, 8))
        group, sex = ("HC", "AD")[number % 2], "FM"[number % 2]
        table.append(f"{subject}\t{group}\t{60 + number % 25}\t{sex}")
    (root / "participants.tsv").write_text("\n".join(table) + "\n")


def write(path, shape):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ones(shape, np.float32), np.diag([2, 2, 2, 1])), path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
