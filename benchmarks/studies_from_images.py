"""A paper's study from images to tables, on a cohort whose ALPS, EPVS and lesions are known.

    python benchmarks/studies_from_images.py STUDY WORK [--subjects N] [--cores N]

STUDY      sich, ad or migraine: a plan of config/studies.
WORK       new or empty folder: WORK/bids, WORK/derivatives, then WORK/results by the workflow.
--subjects of each group (default 6). Half a minute of one core per subject; in "ad" a minute.

Scans are simulated (`glymflow simulate`; in "ad" the T1w and T2w are phantoms with EPVS, of another
head than the DWI: the two measurements share no space). Clinical columns are those of a few
subjects whom `glymflow reconstruct` invents from the paper. In "ad" two readers are simulated from
the truth, and `glymflow validate-epvs` gives the columns of Table 2. Printed: cells without a value
in each table, and group means of what is true and what was measured. True EPVS are those in the
generator's regions; the workflow counts those in the regions that it finds, so that a few near
their border count on one side only.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from glymflow.commands import simulate  # noqa: E402
from glymflow.commands.reconstruct import load_reconstruction, reconstruct  # noqa: E402
from glymflow.io import image_data, load_image, read_tsv, save_image, write_tsv  # noqa: E402
from glymflow.phantoms import epvs as phantom_epvs  # noqa: E402

# mean ALPS of a group, EPVS per head, whether there are haemorrhages; in the papers' direction
STUDIES = {
    "sich": {"HC": {"alps": 1.55}, "sICH": {"alps": 1.4, "lesions": True}},
    "ad": {"AD": {"alps": 1.34, "epvs": 110}, "aMCI": {"alps": 1.42, "epvs": 60},
           "NC": {"alps": 1.5, "epvs": 25}},
    "migraine": {"HC": {"alps": 1.5}, "MO": {"alps": 1.44}, "VM": {"alps": 1.38}},
}  # fmt: skip
# columns of an invented cohort that here come out of the workflow, or say that it is invented
MEASURED = re.compile(
    "(alps|epvs|volume|relative_oedema|brain_volume|dsc|recall|precision)_"
    "|(session_id|synthetic|qc_status|outcome|subtype|location|side)$"
)
READERS = {"reader1": (0.1, 0), "reader2": (0.2, 1)}  # share missed; voxels drawn too wide in y
SHOWN = (
    "alps_mean", "alps_ipsilateral", "volume_haematoma_ml", "volume_oedema_ml", "epvs_count",
    "epvs_volume_mm3",
)  # fmt: skip


# ---------------------------------------------------------------- images


def write_group(work, study, number, size):
    """Write the scans of a group; return what is true by subject."""
    group, facts = list(STUDIES[study].items())[number]
    drawn = work / "drawn" / group
    truth = simulate.simulate_cohort(
        drawn, n_subjects=size, seed=100 + number, alps_mean=facts["alps"], group_difference=0,
        between_sd=0.05, orientation="RAS", max_rotation=15, lesions="lesions" in facts,
    ).set_index("participant_id")  # fmt: skip
    rows = {}
    for index, old in enumerate(truth.index, start=1):
        name = f"sub-{group}{index:02}"
        for source, target in (("", "bids"), ("derivatives/lesions", "derivatives")):
            for path in sorted((drawn / source / old).rglob("*.*")):
                if "epvs" in facts and path.parent.name == "anat":
                    continue
                to = work / target / name / path.parent.name / path.name.replace(old, name)
                to.parent.mkdir(parents=True, exist_ok=True)
                path.rename(to)
        rows[name] = {"group": group, "alps_mean": truth.loc[old, "alps_mean"]}
        if "lesions" in facts:
            lesions = read_tsv(drawn / "derivatives" / "truth" / "lesions.tsv")
            own = lesions.set_index("participant_id").loc[old]
            rows[name] |= {column: own[column] for column in SHOWN if column in own}
    return rows


def write_anat(work, name, density, seed):
    """Write T1w and T2w of a phantom and the labels of its EPVS; return their number and volume."""
    setting = phantom_epvs.SETTINGS["still"]
    setting = replace(setting, density=(0.7 * density, 1.3 * density), lacunes=(0, 1))
    phantom = phantom_epvs.make_phantom(seed, setting=setting)
    stem = work / "bids" / name / "anat" / name
    stem.parent.mkdir(parents=True)
    for contrast, image in (("T1w", phantom.t1), ("T2w", phantom.t2)):
        save_image(500 * (image + 1), phantom.affine, f"{stem}_{contrast}.nii.gz")  # no negative
    voxels = np.bincount(phantom.labels.ravel())[1:]
    inside = np.bincount(phantom.labels[phantom.regions > 0], minlength=len(voxels) + 1)[1:]
    counted = inside > voxels / 2
    labels = np.where(np.r_[False, counted][phantom.labels], phantom.labels, 0)
    save_image(labels.astype(np.uint16), phantom.affine, work / "drawn" / f"{name}_epvs.nii.gz")
    return {"epvs_count": int(counted.sum()), "epvs_volume_mm3": float(voxels[counted].sum())}


def write_participants(work, study, truth, columns=None):
    """Write participants.tsv with the clinical columns of invented subjects of the same groups."""
    invented, _ = reconstruct(load_reconstruction(ROOT / "config" / "papers" / f"{study}.yaml"))
    invented = invented.drop(columns=[name for name in invented if MEASURED.match(name)])
    groups = pd.Series({name: row["group"] for name, row in truth.items()})
    parts = []
    for group, names in groups.groupby(groups):
        part = invented[invented.group == group].sample(len(names), random_state=1)
        parts.append(part.assign(participant_id=names.index))
    table = pd.concat(parts)
    if columns is not None:
        table = table.merge(columns, on="participant_id", how="left")
    write_tsv(table, work / "bids" / "participants.tsv")


# ---------------------------------------------------------------- readers


def draw_readers(work, name):
    """Write what two readers would have drawn, on the grid of the engine's mask."""
    engine = work / "results" / "derivatives" / name / "anat"
    image = load_image(engine / f"{name}_label-EPVS_desc-vbnet_mask.nii.gz")
    drawn = load_image(work / "drawn" / f"{name}_epvs.nii.gz")
    labels = image_data(drawn, dtype=np.uint16)
    way = np.linalg.inv(drawn.affine) @ image.affine
    shift = np.rint(way[:3, 3]).astype(int)  # both grids are of 1 mm along the same axes
    there = np.indices(image.shape).reshape(3, -1).T + shift
    inside = ((there >= 0) & (there < labels.shape)).all(axis=1)
    on_grid = np.zeros(len(there), dtype=np.uint16)
    on_grid[inside] = labels[tuple(there[inside].T)]
    on_grid = on_grid.reshape(image.shape)
    rng = np.random.default_rng(int(name[-2:]))
    for reader, (missed, wider) in READERS.items():
        seen = rng.random(on_grid.max() + 1) > missed
        seen[0] = False
        mask = seen[on_grid]
        if wider:
            mask |= ndimage.shift(mask.astype(np.uint8), (0, wider, 0), order=0) > 0
        path = work / reader / f"{name}_epvs.nii.gz"
        path.parent.mkdir(exist_ok=True)
        save_image(mask.astype(np.uint8), image.affine, path)


def validate(work, names):
    """Compare the network's masks with the readers'; return the columns for participants.tsv."""
    for name in names:
        draw_readers(work, name)
    raters = [word for reader in READERS
              for word in ("--rater", f"{reader}/{{participant_id}}_epvs.nii.gz")]  # fmt: skip
    run(work, "glymflow.cli", "validate-epvs", "--engine", "results", *raters)
    return pd.read_csv(work / "validate-epvs" / "participants_columns.tsv", sep="\t")


# ---------------------------------------------------------------- the study


def run(work, *words):
    """Run a module of this environment in the folder of the study."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", *words], check=True, cwd=work, env=environment)


def simulate_images(work, study, size, cores):
    """Write all scans; return what is true by subject."""
    groups = STUDIES[study]
    with ProcessPoolExecutor(cores) as pool:
        waiting = [pool.submit(write_group, work, study, k, size) for k in range(len(groups))]
        truth = {name: row for one in waiting for name, row in one.result().items()}
        spaces = {
            name: pool.submit(write_anat, work, name, groups[row["group"]]["epvs"], 70_000 + k)
            for k, (name, row) in enumerate(truth.items()) if "epvs" in groups[row["group"]]
        }  # fmt: skip
        return {
            name: row | (spaces[name].result() if name in spaces else {})
            for name, row in truth.items()
        }


def study_of(work, study, size, cores):
    """Make the cohort, measure it, and make the paper's tables; return what is true."""
    truth = simulate_images(work, study, size, cores)
    write_participants(work, study, truth)
    config = {"bids_dir": "bids"}
    if (work / "derivatives").is_dir():
        config["derivatives_dir"] = "derivatives"
    workflow = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", str(cores)]
    if study == "ad":
        config["epvs"] = {"engine": "vbnet"}
        (work / "measure.yaml").write_text(yaml.safe_dump(config))
        run(work, *workflow, "epvs", "--configfile", "measure.yaml")
        write_participants(work, study, truth, validate(work, truth))
    config["study"] = str(ROOT / "config" / "studies" / f"{study}.yaml")
    (work / "study.yaml").write_text(yaml.safe_dump(config))
    run(work, *workflow, "--configfile", "study.yaml")
    return pd.DataFrame(truth).T


def report(work, truth):
    """Print which tables have cells without a value, and the means of truth and measurement."""
    for path in sorted((work / "results" / "tables").glob("*.tsv")):
        cells = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        print(f"{path.name}: {len(cells)} rows, {(cells == 'n/a').sum().sum()} cells n/a")
    cohort = pd.read_csv(work / "results" / "cohort" / "cohort.tsv", sep="\t", na_values="n/a")
    cohort = cohort.set_index("participant_id").loc[truth.index]
    names = [name for name in SHOWN if name in truth]
    both = {"true": truth[names].astype(float), "measured": cohort[names]}
    means = pd.concat(both, axis=1).groupby(truth["group"], sort=False).mean()
    print(means.swaplevel(axis=1)[names].round(2).to_string())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("work", type=Path)
    parser.add_argument("--subjects", type=int, default=6)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args(argv)
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()):
        sys.exit(f"{work}: the folder is not empty")
    report(work, study_of(work, args.study, args.subjects, args.cores))


if __name__ == "__main__":
    main()
