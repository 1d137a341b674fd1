"""Faults of a cluster for benchmarks/faults.py: a private Slurm of two nodes on this machine."""

import os
import shutil
import signal
import time

import cluster
import numpy as np
from fault_cases import SUBJECT, expect, redo
from fault_kills import CONFIG, jobs_of
from workflow_runs import CHECKOUT, SnakemakeProcess, differences

from glymflow.io import read_tsv

OPTIONS = (
    "--profile", CHECKOUT / "profiles" / "slurm", "--latency-wait", 20,
    "--slurm-init-seconds-before-status-checks", 3,
)  # fmt: skip
PATIENCE = 1800.0  # seconds
MEASURES = ("fit_tensor", "register_template", "measure_alps")


def start(work, slurm, *options, series=2, config=None):
    """Start the workflow on the cluster."""
    return SnakemakeProcess(
        work, *OPTIONS, "--group-components", f"series={series}", *options, "--", "alps",
        config=config or CONFIG, env=slurm.environment,
    )  # fmt: skip


def wait_for_step(process, rule):
    """Return the process that runs the script of a rule, as soon as there is one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        for pid, one in jobs_of(process.work).items():
            if one == rule:
                return pid
        time.sleep(0.2)
    raise AssertionError(process.said())


def finish(process, slurm):
    """Wait for a run whose jobs may have to be sent again; nothing is left in the queue."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None:
        expect(time.monotonic() < end, process.said())
        slurm.hurry()
        time.sleep(1)
    expect(process.returncode == 0, process.said())
    expect(not slurm.ask("squeue", "--noheader"), "a job is left over")


def time_limit(work, slurm):
    """A step that hangs until Slurm ends its job; the next try has more time."""
    redo(work)
    process = start(work, slurm, "--set-resources", "measure_alps:runtime=attempt*attempt")
    os.kill(wait_for_step(process, "measure_alps"), signal.SIGSTOP)
    finish(process, slurm)
    expect("DUE TO TIME LIMIT" in process.said(), process.said())
    return "the job is sent again with more time"


def cancelled(work, slurm):
    """A job that somebody cancels."""
    redo(work)
    process = start(work, slurm)
    wait_for_step(process, "measure_alps")
    slurm.ask("scancel", *slurm.jobs())
    finish(process, slurm)
    return "the job is sent again"


def preempted(work, slurm):
    """A job that has to make room, and is put back into the queue."""
    redo(work, fit=True)
    process = start(work, slurm)
    wait_for_step(process, "register_template")
    slurm.ask("scontrol", "requeue", *slurm.jobs())
    finish(process, slurm)
    return "Slurm begins the job anew; what had finished is not done again"


def told_to_stop(work, slurm):
    """SIGTERM to Snakemake."""
    redo(work)
    process = start(work, slurm)
    wait_for_step(process, "measure_alps")
    process.terminate()
    expect(process.wait(120) != 0, process.said())
    end = time.monotonic() + 60
    while (jobs_of(work) or slurm.ask("squeue", "--noheader")) and time.monotonic() < end:
        time.sleep(0.5)
    expect(not jobs_of(work), "a process goes on")
    expect(not slurm.ask("squeue", "--noheader"), "a job is left over")
    finish(start(work, slurm), slurm)
    return "the jobs are cancelled, no process is left; the same command goes on"


def accounted(work, slurm):
    """A step that is killed, on a cluster with accounting: sacct says how its job ended."""
    redo(work)
    process = start(work, slurm, "--slurm-status-command", "sacct")
    os.kill(wait_for_step(process, "measure_alps"), signal.SIGKILL)
    finish(process, slurm)
    told = slurm.ask("sacct", "-X", "--noheader", "--parsable2", "--format=State").split()
    expect(told.count("FAILED") == 1 and "COMPLETED" in told, told)
    return "the job is sent again"


CASES = {
    "Slurm: time limit": time_limit,
    "Slurm: job cancelled": cancelled,
    "Slurm: job preempted and requeued": preempted,
    "Slurm: SIGTERM to the run": told_to_stop,
    "Slurm with accounting (sacct): step killed": accounted,
}


# ---------------------------------------------------------------- many subjects


def write_copies(bids, source, number):
    """Write so many subjects, all with the series of one."""
    for index in range(number):
        name = f"sub-{index:03}"
        for path in (source / SUBJECT / "dwi").iterdir():
            target = bids / name / "dwi" / path.name.replace(SUBJECT, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return [f"sub-{index:03}" for index in range(number)]


def wrong_copies(work, reference, names):
    """Return the subjects whose values or images are not those of the one they are copies of."""
    tables = [
        read_tsv(one / "results/cohort/alps.tsv").astype(str).drop(columns=["source"])
        for one in (work, reference)
    ]
    mine, theirs = (one.set_index("participant_id") for one in tables)
    right = theirs.loc[[SUBJECT]].to_numpy().tolist()
    wrong = [name for name in names if name not in mine.index]
    wrong += [name for name in names if name in mine.index
              and mine.loc[[name]].to_numpy().tolist() != right]  # fmt: skip
    folder = reference / "results/derivatives" / SUBJECT / "dwi"
    for name in set(names) - set(wrong):
        for path in folder.glob("*.nii.gz"):
            copy = work / "results/derivatives" / name / "dwi" / path.name.replace(SUBJECT, name)
            if not copy.is_file() or copy.read_bytes() != path.read_bytes():
                wrong.append(name)
                break
    return wrong


def group_of_ten(work, reference, slurm, number=10):
    """One step of one subject of a group crashes in its first try."""
    names = write_copies(work / "bids", reference / "bids", number)
    config = {"bids_dir": "bids", "registration": CONFIG["registration"]}
    process = start(work, slurm, series=number, config=config)
    log, seen, killed = f"/register_template/{names[3]}/", {}, 0
    while process.poll() is None:
        for pid, rule in jobs_of(work).items():
            if rule in MEASURES:
                target = os.path.realpath(f"/proc/{pid}/fd/1")
                seen.setdefault(target, set()).add(pid)
                if log in target and not killed:
                    os.kill(pid, signal.SIGKILL)
                    killed = 1
        time.sleep(0.2)
    expect(process.returncode == 0, process.said())
    again = [one for one, pids in seen.items() if len(pids) > 1]
    expect(len(again) == 1 and log in again[0], f"done again: {again}")
    return "only the step that crashed, and what waited for it, ran again", names


def forty_subjects(work, reference, slurm, number=40, seed=22):
    """Many subjects on two nodes, one of which loses its power at a random moment."""
    draw = np.random.default_rng(seed)
    names = write_copies(work / "bids", reference / "bids", number)
    config = {"bids_dir": "bids", "registration": CONFIG["registration"]}
    process = start(work, slurm, series=10, config=config)
    wait_for_step(process, "register_template")
    time.sleep(draw.uniform(0, 60))
    node = cluster.NODES[draw.integers(2)]
    slurm.kill_node(node)
    time.sleep(5)
    slurm.start_node(node)
    finish(process, slurm)
    return f"{number} rows of {number}; the jobs of the node ran on, or began anew", names


MANY = {
    "Slurm: one of ten subjects of a group crashes": group_of_ten,
    "Slurm: 40 subjects, two nodes, one killed": forty_subjects,
}


def run_slurm(folder, reference, wanted):
    """Yield (case, what happened, files that differ) of the cases that are wanted."""
    for accounting in (False, True):
        needed = cluster.PROGRAMS + (cluster.ACCOUNTING if accounting else ())
        names = [name for name in (*CASES, *MANY) if name in wanted]
        names = [name for name in names if (CASES.get(name) is accounted) == accounting]
        if names and not cluster.missing_programs(needed):
            yield from _on_cluster(folder, reference, names, accounting=accounting)


def _on_cluster(folder, reference, names, *, accounting):
    """Yield what `run_slurm` yields, of cases on one cluster."""
    home = folder / "cluster"
    shutil.rmtree(home, ignore_errors=True)
    slurm = cluster.Cluster(home, accounting=accounting)
    try:
        slurm.start()
        for name in names:
            work = (folder / "slurm").resolve()
            shutil.rmtree(work, ignore_errors=True)
            try:
                yield name, *_try(name, work, reference, slurm)
            except AssertionError as fault:
                print(f"{name}: {fault}", flush=True)
                slurm.ask("scancel", *slurm.jobs())
                yield name, "not as it should: the benchmark says what", ["not compared"]
    finally:
        slurm.stop()


def _try(name, work, reference, slurm):
    """Try a case; return what happened, and the files or subjects that differ."""
    if name in CASES:
        shutil.copytree(reference, work, symlinks=True)
        said = CASES[name](work, slurm)
        return said, differences(work / "results", reference / "results")
    work.mkdir()
    said, names = MANY[name](work, reference, slurm)
    return said, wrong_copies(work, reference, names)
