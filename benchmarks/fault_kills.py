"""Randomised kills for benchmarks/faults.py: kill -9, go on, compare with an undisturbed run.

A trial takes away what one subject has from some step on, with the tables that follow, and runs
the workflow. Some times in a row the run, or a job of it, is killed at a random moment; a run that
ended is started again. After each kill, what stands under its own name must be as in the
undisturbed run; in the end the run is left alone, and each file is compared. What is drawn depends
on the seed and the trial's number only; where a kill hits depends on the machine's speed too.
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
from fault_forks import ForkedSnakemake
from workflow_runs import CHECKOUT, DEMO_PLAN, RESULTS, differences, snakemake

from glymflow.commands.crashed import list_outputs
from glymflow.io import is_placeholder

CONFIG = {
    "bids_dir": "bids",
    "derivatives_dir": "bids/derivatives/lesions",
    "study": str(DEMO_PLAN),
    "registration": {"resolution_mm": 4},
    "epvs": {"measure": "always"},
}
# what trials are about, in turn: domain, its target, the steps of one subject
DOMAINS = (
    ("demo", "alps", ("fit_tensor", "register_template", "measure_alps")),
    ("EPVS", "epvs", ("preprocess_anat", "register_anat", "segment_epvs")),
    ("lesions", "lesions", ("measure_lesions",)),
    ("demo", "all", ()),
)
# what is taken away beyond the subject's own files; the domain's collect_ rule comes to it
TABLES = ("merge_cohort", "list_excluded")
REST = ("run_study", "render_tables", "render_figures", "report_cohort", "record_provenance")
PART = ".part-"  # in the name of a file that is being written
VICTIMS = ("snakemake", "job", "both")
IN_A_ROW = (8, 16)  # kills of a trial, at least and at most; fewer if the run ends before
AGAIN = 2  # times that a run begins a job anew that was killed, as on a cluster
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


def kills_of(reference, work, outputs, trial, seed):
    """Yield one row per kill of a trial: domain, victim, while_, wrong.

    while_ is the job that was cut off, or planning; wrong counts the files that stand under their
    own name after the kill and are not those of the undisturbed run.

    Parameters
    ----------
    reference, work : Path
        The undisturbed run, and its copy in which runs are killed.
    outputs : list of glymflow.commands.crashed.Output
        All that a run writes.
    trial, seed : int
    """
    draw = np.random.default_rng([seed, trial])
    name, target, steps = DOMAINS[trial % len(DOMAINS)]
    _take_away(work, outputs, target, steps, draw)
    process, done, wanted = None, 0, int(draw.integers(IN_A_ROW[0], IN_A_ROW[1] + 1))
    while done < wanted:
        victim = VICTIMS[draw.integers(3)]
        planning, share = draw.random() < 0.15, draw.random()
        new = process is None
        if new:
            _unlock(work)
            process = ForkedSnakemake(work, "--cores", 2, "--retries", AGAIN, target)
        planning = planning and new and victim != "job"
        killed = _kill(process, victim, planning=planning, share=share)
        if killed:
            done += 1
            if victim != "job":
                process = None
                _wait_for_others(work)
            wrong = wrong_files(work / "results", reference / "results")
            if wrong:
                print(f"trial {trial}, {victim} at {killed}: {wrong}", flush=True)
            yield {"domain": name, "victim": victim, "while_": killed, "wrong": len(wrong)}
        elif process.wait() == 0:
            return  # the run had ended: it is compared
        else:  # a job was killed more often than it is begun anew
            process = None
    if process is not None:
        process.wait()


def wrong_files(results, reference):
    """Return the files under their own name that are not as in the undisturbed run.

    A placeholder (`glymflow.io`) is no result: it goes when its run ends.
    """
    found = []
    for folder in RESULTS:
        for path in (results / folder).rglob("*"):
            name = path.relative_to(results)
            if path.is_file() and PART not in path.name:
                twin = reference / name
                # a run that goes on may be removing what it is about to make
                with contextlib.suppress(FileNotFoundError):
                    if is_placeholder(path) or (
                        twin.is_file() and path.read_bytes() == twin.read_bytes()
                    ):
                        continue
                    found.append(str(name))
    return found


def end_trial(reference, work, trial):
    """Let the run of a trial end, as a user would; return the files that differ."""
    _unlock(work)
    _wait_for_others(work)
    _, target, _ = DOMAINS[trial % len(DOMAINS)]
    said = snakemake(work, "--cores", 2, target, config=CONFIG)
    faults = [f for f in differences(work / "results", reference / "results") if PART not in f]
    if faults:
        (work.parent / f"trial-{trial}.txt").write_text("\n".join([*faults, said]))
    return faults


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
        time.sleep(2.0 * load * share)
        jobs = {}
    else:
        _wait_for_job(process, load)
        time.sleep(3.0 * load * share)
        jobs = _wait_for_job(process, load)  # the first may have ended
    if process.poll() is not None or (victim == "job" and not jobs):
        return None
    job = min(jobs, default=None)
    if victim == "job":
        _end(job)
        while job in jobs_of(process.work):
            time.sleep(0.05)
        return jobs[job]
    process.kill()
    process.wait()
    for one in jobs_of(process.work) if victim == "both" else ():
        _end(one)
    return jobs.get(job, "planning")


def _wait_for_job(process, load):
    """Return the jobs of a run as soon as there are some; none if it ends or plans too long."""
    end = time.monotonic() + PATIENCE * load
    while not (jobs := jobs_of(process.work)) and time.monotonic() < end:
        if process.poll() is not None:
            break
        time.sleep(0.1)
    return jobs


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

    Each kill is kept at once: a call that was stopped goes on where it was.
    """
    reference, work = folder / "undisturbed", (folder / "killed").resolve()
    kept = folder / "kills.tsv"
    rows = pd.read_csv(kept, sep="\t").to_dict("records") if kept.exists() else []
    if len(rows) >= kills and not _open(rows):
        return
    reference_run(reference)
    if not _open(rows):
        _copy(reference, work)
    outputs = list_results(work)
    trial = max((row["trial"] for row in rows), default=-1)
    while _open(rows) or len(rows) < kills:
        if not _open(rows):
            trial += 1
            for row in kills_of(reference, work, outputs, trial, seed):
                rows.append({"trial": trial, **row, "faults": np.nan})
                _keep(rows, kept)
        faults = end_trial(reference, work, trial)
        for row in rows:
            row["faults"] = len(faults) if row["trial"] == trial else row["faults"]
        _keep(rows, kept)
        print(f"trial {trial}: {len(rows)} of {kills} kills, {len(faults)} faults", flush=True)
        if faults:
            _copy(reference, work)


def read_kills(folder):
    """Return what is known of all kills whose trial has ended and was compared.

    Returns
    -------
    DataFrame
        One row per kill: trial, domain, victim, while_, wrong (files after the kill), faults
        (files that differ at the end of its trial). Empty if there was none.
    """
    kept = folder / "kills.tsv"
    return pd.read_csv(kept, sep="\t").dropna(subset="faults") if kept.exists() else pd.DataFrame()


def _open(rows):
    """Whether the last trial was cut off before its results were compared."""
    return bool(rows) and bool(np.isnan(rows[-1]["faults"]))


def _copy(reference, work):
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(reference, work, symlinks=True)


def _keep(rows, path):
    part = path.with_suffix(".part")
    pd.DataFrame(rows).to_csv(part, sep="\t", index=False, na_rep="n/a")
    part.replace(path)
