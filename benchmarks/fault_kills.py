"""Randomised kills for benchmarks/faults.py: kill -9, go on, compare with an undisturbed run.

A trial takes away what one subject has from some step on, with the tables that follow, and runs
the workflow. Some times in a row the run is killed at a random moment and started again; then it
is left alone, and each file of the results is compared with the undisturbed run's. What is drawn
depends on the seed and the trial's number only.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from workflow_runs import CHECKOUT, DEMO_PLAN, SnakemakeProcess, differences, snakemake

from glymflow.commands.crashed import list_outputs

CONFIG = {
    "bids_dir": "bids",
    "derivatives_dir": "bids/derivatives/lesions",
    "study": str(DEMO_PLAN),
    "registration": {"resolution_mm": 4},
    "epvs": {"measure": "always"},
}
# domain, its target, the steps of one subject, the share of trials
DOMAINS = (
    ("demo", "alps", ("fit_tensor", "register_template", "measure_alps"), 0.35),
    ("EPVS", "epvs", ("preprocess_anat", "register_anat", "segment_epvs"), 0.15),
    ("lesions", "lesions", ("measure_lesions",), 0.2),
    ("demo", "all", (), 0.3),
)
# what is taken away beyond the subject's own files; the domain's collect_ rule comes to it
TABLES = ("merge_cohort", "list_excluded")
REST = ("run_study", "render_tables", "render_figures", "report_cohort", "record_provenance")
VICTIMS = ("snakemake", "job", "both")
IN_A_ROW = 10  # kills of a trial, at most
PATIENCE = 120.0  # seconds that a job may take to appear


def write_cohort(bids):
    """Three subjects that cover the rules: a DWI, a DWI with haematoma, T1w and T2w for EPVS."""
    from glymflow.commands.simulate import simulate_cohort
    from glymflow.io import save_image
    from glymflow.phantoms.epvs import make_phantom

    simulate_cohort(
        bids, n_subjects=3, seed=2, voxel_mm=5.0, t1w_mm=8.0, n_directions=6, n_b0=1,
        max_rotation=5.0, lesion_group="patient",
    )  # fmt: skip
    for unused in ("sub-01/anat", "sub-03/anat", "sub-03/dwi"):
        shutil.rmtree(bids / unused)
    for pattern in ("sub-02/**/*T1w*", "sub-02/**/*T2w*", "derivatives/lesions/**/*T2w*"):
        for path in list(bids.glob(pattern)):
            path.unlink()
    phantom = make_phantom(9401, setting="still", slices=(70, 94))
    for contrast, image in (("T1w", phantom.t1), ("T2w", phantom.t2)):
        save_image(image, phantom.affine, bids / f"sub-03/anat/sub-03_{contrast}.nii.gz")


def reference_run(folder):
    """Return the folder of the undisturbed run; it is made if it is not there."""
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_cohort(folder / "bids")
        snakemake(folder, "--cores", 2, config=CONFIG)
        (folder / "done").touch()
    return folder


# ---------------------------------------------------------------- one trial


def try_kills(reference, work, outputs, trial, seed, most):
    """Run a trial; return one row per kill, and what differs after the last rerun.

    Parameters
    ----------
    reference, work : Path
        The undisturbed run, and its copy in which runs are killed.
    outputs : list of glymflow.commands.crashed.Output
        All that a run writes.
    trial, seed : int
    most : int
        Kills, at most.

    Returns
    -------
    rows : list of dict
        domain, victim, while_ (planning or a job), of each kill.
    faults : list of str
    """
    draw = np.random.default_rng([seed, trial])
    name, target, steps, _ = DOMAINS[draw.choice(4, p=[one[-1] for one in DOMAINS])]
    _take_away(work, outputs, target, steps, draw)
    rows, wanted = [], min(int(draw.integers(4, IN_A_ROW + 1)), most)
    while len(rows) < wanted:
        _unlock(work)
        process = SnakemakeProcess(work, "--cores", 2, target, config=CONFIG)
        victim = VICTIMS[draw.integers(3)]
        planning, share = draw.random() < 0.15, draw.random()
        killed = _kill(process, victim, planning=planning and victim != "job", share=share)
        if not killed:
            break  # the run had ended: it is compared
        rows.append({"domain": name, "victim": victim, "while_": killed})
    _unlock(work)
    _wait_for_others(work)
    said = snakemake(work, "--cores", 2, target, config=CONFIG)
    faults = [f for f in differences(work / "results", reference / "results") if ".part-" not in f]
    if faults:
        (work.parent / f"trial-{trial}.txt").write_text("\n".join([*faults, said]))
    return rows, faults


def list_results(work):
    """Return all that a run of a folder writes."""
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(CHECKOUT / "Snakefile")]
    command += ["--directory", str(work), "--configfile", str(work / "config.yaml")]
    return list_outputs(command)


def _take_away(work, outputs, target, steps, draw):
    """Delete what a subject has from a random step on, and the tables of it."""
    gone = {f"collect_{target}", *TABLES} if steps else set(REST[draw.integers(len(REST)) :])
    start = draw.integers(len(steps)) if steps else 0
    subjects = sorted({_subject(one.path) for one in outputs if one.rule in steps[start:]})
    subject = subjects[draw.integers(len(subjects))] if subjects else None
    for one in outputs:
        if one.rule in gone or (one.rule in steps[start:] and _subject(one.path) == subject):
            (work / one.path).unlink(missing_ok=True)


def _subject(path):
    return next((part for part in Path(path).parts if part.startswith("sub-")), "")


def _kill(process, victim, *, planning, share):
    """Kill -9 a run at a random moment; return what it was at, None if it had ended before."""
    load = min(max(os.getloadavg()[0] / os.cpu_count(), 1.0), 4.0)
    if planning:
        time.sleep(4.0 * load * share)
        job = None
    else:
        end = time.monotonic() + PATIENCE * load
        while not (jobs := jobs_of(process.work)) and time.monotonic() < end:
            if process.poll() is not None:
                return None
            time.sleep(0.3)
        time.sleep(5.0 * load * share)
        jobs = jobs_of(process.work) or jobs
        job = min(jobs) if jobs else None
    if process.poll() is not None:
        return None
    if victim == "job":
        if job is None:
            return None
        rule = jobs[job]
        _end(job)
        process.wait()
        return rule
    process.kill()
    process.wait()
    for one in jobs_of(process.work) if victim == "both" else ():
        _end(one)
    return jobs[job] if job else "planning"


def jobs_of(work):
    """Return the processes that run scripts of a run: their rule by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == work:
                for word in (entry / "cmdline").read_bytes().split(b"\0")[1:3]:
                    if b"/.snakemake/scripts/" in word:
                        found[int(entry.name)] = word.decode().split(".")[-2]
    return found


def _end(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _unlock(work):
    """As `snakemake --unlock`, which would plan the run once more."""
    shutil.rmtree(work / ".snakemake" / "locks", ignore_errors=True)


def _wait_for_others(work):
    end = time.monotonic() + PATIENCE
    while jobs_of(work) and time.monotonic() < end:
        time.sleep(0.2)


# ---------------------------------------------------------------- all trials


def run_kills(folder, kills, seed=22):
    """Kill runs until there were so many kills; what an earlier call did counts.

    Returns
    -------
    rows : DataFrame
        One per kill: trial, domain, victim, while_, faults (of its trial).
    """
    reference, work = reference_run(folder / "undisturbed"), folder / "killed"
    kept = folder / "kills.tsv"
    rows = pd.read_csv(kept, sep="\t").to_dict("records") if kept.exists() else []
    if len(rows) < kills:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(reference, work, symlinks=True)
        outputs = list_results(work)
    trial = 1 + max((row["trial"] for row in rows), default=-1)
    while len(rows) < kills:
        new, faults = try_kills(reference, work.resolve(), outputs, trial, seed, kills - len(rows))
        rows += [{"trial": trial, **row, "faults": len(faults)} for row in new]
        print(f"trial {trial}: {len(rows)} of {kills} kills, {len(faults)} faults", flush=True)
        if rows:
            pd.DataFrame(rows).to_csv(kept, sep="\t", index=False)
        if faults:
            shutil.rmtree(work)
            shutil.copytree(reference, work, symlinks=True)
        trial += 1
    return pd.DataFrame(rows)
