"""The workflow on a Slurm cluster, for real: the same bytes whatever happens to its jobs.

benchmarks/faults.py tries more: time limits, preemption, a group of ten, forty subjects.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from workflow_runs import CHECKOUT, DEMO_PLAN, SnakemakeProcess, differences, dry_run

# as a user gives it; only the waiting is shortened, and both series are one job
OPTIONS = (
    "--profile", CHECKOUT / "profiles" / "slurm",
    "--slurm-init-seconds-before-status-checks", 3, "--latency-wait", 20,
    "--group-components", "series=2", "pages=100",
)  # fmt: skip
HOSTILE = ("sub-$(touch X)", "sub-`touch X`", "sub-b,c=d %s", "sub-{0}", "sub-a;touch X")


def scripts(work):
    """Return the scripts that run in a folder by process id: (rule, log), and the file that runs.

    Snakemake writes a script anew, under another name, each time that it starts it: what a script
    forks has the same file.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == work:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                files = [one for one in words[1:3] if "/scripts/tmp" in one]
                if files:
                    log = Path((entry / "fd" / "1").readlink())
                    found[int(entry.name)] = ((files[0].split(".")[-2], log.name), files[0])
    return found


def write_hostile_names(bids):
    """Folders and files whose names a shell would run, beside two good subjects."""
    good = bids / "sub-01" / "dwi"
    for name in (*HOSTILE, "sub-01/ses-$(touch X)"):
        shutil.copytree(good, bids / name / "dwi")
    for path in list(good.iterdir()):
        shutil.copy(path, good / path.name.replace("_dwi", "_acq-$(touch X)_dwi"))
    masks = bids.parent / "masks"
    masks.mkdir()
    (masks / "$(touch X).nii.gz").touch()
    table = pd.read_csv(bids / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    table = table[table.participant_id.isin(["sub-01", "sub-02"])]
    table = table.assign(file=["$(touch X)", "n/a"])
    table.to_csv(bids / "participants.tsv", sep="\t", index=False)


def start(work, slurm, **config):
    return SnakemakeProcess(work, *OPTIONS, config=config, env=slurm.environment)


def wait_until(ready, process, seconds=600):
    """Wait for something that comes while Snakemake runs."""
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.said()
        assert time.monotonic() < end, process.said()
        time.sleep(0.1)


class Watch:
    """What ran how often: the starts of each step, seen while waiting."""

    def __init__(self, work):
        self.work, self.seen = work, {}

    def __call__(self):
        now = scripts(self.work)
        for step, file in now.values():
            self.seen.setdefault(step, set()).add(file)
        return now

    def running(self, rule, subject):
        return [pid for pid, (step, _) in self().items() if step == (rule, f"{subject}.log")]


@pytest.fixture(scope="module")
def on_slurm(once, slurm, small_run):
    """A run in which a step was killed, then a node died: folder, config, starts, what was said."""

    def make(folder):
        work = folder / "travail à Slurm $(touch Y)"
        config, seen, said = run_on_slurm(work, slurm, small_run)
        starts = [[*step, len(files)] for step, files in seen.items()]
        (folder / "what.json").write_text(json.dumps([config, starts, said]))

    folder = once("slurm", make)
    config, starts, said = json.loads((folder / "what.json").read_text())
    work = (folder / "travail à Slurm $(touch Y)").resolve()
    return work, config, {(rule, log): number for rule, log, number in starts}, said


def run_on_slurm(work, slurm, small_run):
    """Run two subjects; kill a step, then its node. Return the config, what ran, what was said."""
    work.mkdir()
    work = work.resolve()
    other = shutil.ignore_patterns("sub-03", "sub-04", "derivatives")
    shutil.copytree(small_run.work / "bids", work / "bids", ignore=other)
    write_hostile_names(work / "bids")
    masks = {"lesion": "masks/{file}.nii.gz"}
    config = {"registration": {"resolution_mm": 4}, "bids_dir": "bids", "lesions": {"masks": masks}}
    process, watch = start(work, slurm, **config), Watch(work)
    try:
        wait_until(lambda: watch.running("register_template", "sub-02"), process)
        time.sleep(0.5)
        for pid in watch.running("register_template", "sub-02"):  # as the kernel does for memory
            os.kill(pid, signal.SIGKILL)
        # the group was sent again; now the power of its node fails
        again = ("register_template", "sub-02.log")
        wait_until(lambda: watch() and len(watch.seen[again]) > 1, process)
        wait_until(lambda: watch.running("measure_alps", "sub-02"), process)
        (job,) = slurm.jobs()
        node = slurm.ask("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()
        slurm.kill_node(node)
        slurm.start_node(node)
        wait_until(slurm.hurry, process)
        while process.poll() is None:
            watch()
            time.sleep(0.1)
        assert process.returncode == 0, process.said()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
    return config, watch.seen, process.said()


def test_the_results_are_those_of_a_local_run(on_slurm, small_run):
    work, *_ = on_slurm
    found = differences(work / "results", small_run.results, folders=["derivatives"])
    assert found == []
    tables = [one / "cohort" / "alps.tsv" for one in (work / "results", small_run.results)]
    mine, theirs = (set(path.read_text().splitlines()) for path in tables)
    assert mine < theirs
    assert len(mine) > 2
    assert not list(work.rglob(".part-*"))


def test_nothing_runs_from_a_name(on_slurm):
    """Folders, files, a table's cell, and the folder in which the run was started."""
    work, *_ = on_slurm
    places = [work, work.parent, Path.cwd(), CHECKOUT]
    assert not [name for place in places for name in ("X", "Y") if (place / name).exists()]
    assert not list(work.rglob("X"))
    excluded = pd.read_csv(work / "results" / "cohort" / "excluded.tsv", sep="\t")
    assert set(HOSTILE) <= set(excluded.participant_id)
    assert excluded.participant_id.isin(HOSTILE).sum() == len(HOSTILE)
    assert excluded.reason[excluded.participant_id == "sub-01"].str.contains("touch X").sum() == 3


@pytest.mark.parametrize("place", ["roi_sets", "roi_set", "study"])
def test_a_name_of_the_config_that_a_shell_would_run_is_refused(slurm, small_run, tmp_path, place):
    (tmp_path / "bids").symlink_to(small_run.work / "bids")
    plan = tmp_path / "plan.yaml"
    text = DEMO_PLAN.read_text(encoding="utf-8")
    plan.write_text(re.sub(r"\bid: \w+", 'id: "$(touch X)"', text, count=1), encoding="utf-8")
    config = {
        "roi_sets": {"roi_sets": {"$(touch X)": {"radius_mm": 3}}},
        "roi_set": {"roi_set": "$(touch X)"},
        "study": {"study": "plan.yaml"},
    }[place]
    config = {"bids_dir": "bids", **config}
    process = SnakemakeProcess(tmp_path, *OPTIONS, config=config, env=slurm.environment)
    assert process.wait(120) != 0
    assert "$(touch X)" in process.said()
    assert "Traceback" not in process.said()
    assert not slurm.ask("squeue", "--noheader")
    assert not list(tmp_path.rglob("X"))


def test_only_what_was_cut_off_ran_again(on_slurm):
    """One step was killed, one died with its node; the others of their group stayed."""
    steps = ("fit_tensor", "register_template", "measure_alps")
    starts = {
        step: number
        for step, number in on_slurm[2].items()
        if step[0] in steps and step[1].endswith(".log")
    }
    twice = {("register_template", "sub-02.log"), ("measure_alps", "sub-02.log")}
    assert len(starts) == 6
    assert {step for step, number in starts.items() if number > 1} == twice
    assert max(starts.values()) == 2


def test_the_terminal_names_the_step_that_failed(on_slurm):
    *_, said = on_slurm
    part = next(part for part in said.split("\n    message: ") if "jobs:" in part)
    part = part.partition("Trying to restart")[0]
    named = [line.strip() for line in part.splitlines() if line.strip().startswith("rule ")]
    assert named == ["rule register_template:"]
    assert "fit_tensor/" not in part.partition("====")[0]


def test_short_jobs_are_sent_together(on_slurm):
    """One Slurm job for the six steps of two series, and again; one for the pages."""
    *_, said = on_slurm
    sent = [line for line in said.splitlines() if "has been submitted with SLURM jobid" in line]
    assert len([line for line in sent if "group_series" in line]) == 2
    assert len([line for line in sent if "group_pages" in line]) == 1


def test_a_run_that_is_told_to_stop_ends_with_its_jobs(small_run, slurm, tmp_path):
    """SIGTERM: no job in the queue, no process that goes on writing, nothing lost."""
    # not of `on_slurm`: the tests' second worker would wait for the first one's run
    run = small_run.copy((tmp_path / "à Slurm").resolve())
    work, config = run.work, run.config
    dwi = work / "results" / "derivatives" / "sub-02" / "dwi"
    for path in (*dwi.glob("*_xfm*"), *dwi.glob("*_alps.tsv")):
        path.unlink()
    (work / "results" / "cohort" / "alps.tsv").unlink()
    process = start(work, slurm, **config)
    wait_until(lambda: scripts(work), process)
    told = time.monotonic()
    process.terminate()
    assert process.wait(120) != 0
    assert time.monotonic() - told < 60
    end = time.monotonic() + 60  # Slurm's KillWait
    while (scripts(work) or slurm.ask("squeue", "--noheader")) and time.monotonic() < end:
        time.sleep(0.2)
    assert not scripts(work)
    assert not slurm.ask("squeue", "--noheader")
    assert not (work / ".snakemake" / "locks").exists() or not list(
        (work / ".snakemake" / "locks").iterdir()
    )
    jobs = dry_run(work, "--cores", 1, config=config)
    assert jobs["register_template"] == 1
