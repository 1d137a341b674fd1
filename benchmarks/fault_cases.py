"""Faults of machines and files for benchmarks/faults.py, one function each, on a finished run.

A function gets a copy of the undisturbed run, makes something go wrong while one subject's values
are made again, lets the workflow heal it, and returns what happened. Its results are then compared
with the undisturbed run's.
"""

import os
import shutil
import subprocess
import sys
import time

from fault_kills import CONFIG, jobs_of
from workflow_runs import CHECKOUT, SnakemakeProcess, as_a_user, snakemake

SUBJECT = "sub-01"


class Broken(AssertionError):
    """What should have happened and did not."""


def expect(holds, what):
    """Raise `Broken` unless something holds."""
    if not holds:
        raise Broken(what)


def run(work, *options, status=0, config=None):
    """Make the values of the demo's subjects; return what Snakemake says."""
    return snakemake(work, "--cores", 1, *options, "alps", config=config or CONFIG, status=status)


def redo(work, *, fit=False):
    """Take away the values of one subject, also its tensor if asked to: they are to be made."""
    for path in (work / "results/derivatives" / SUBJECT / "dwi").iterdir():
        if fit or path.name.endswith(("_alps.tsv", "_desc-alps_dseg.nii.gz")):
            path.unlink()
    (work / "results/cohort/alps.tsv").unlink()


def nobody_is_left_out(work):
    """Whether the list of who was left out is as it was: an intake line for each missing image."""
    return "crashed" not in (work / "results/cohort/excluded.tsv").read_text()


def full_disk(work):
    """A tmpfs on which the tensor does not fit."""
    disk = work.parent / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        return None
    try:
        copy = disk / "run"
        shutil.copytree(work, copy, symlinks=True)
        redo(copy, fit=True)
        _resize(disk, 700_000)
        said = run(copy, status=None)
        expect("No space left" in said, said)
        expect(nobody_is_left_out(copy), "somebody was left out")
        _resize(disk, 400_000_000)
        run(copy)
        shutil.rmtree(work)
        shutil.copytree(copy, work, symlinks=True)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    return "the job fails and says so; with space the rerun makes all"


def _resize(disk, free):
    size = shutil.disk_usage(disk).used + free
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def unreadable_input(work):
    """An input whose permissions were taken away."""
    if as_a_user() is None:
        return None
    redo(work, fit=True)
    (image,) = (work / "bids" / SUBJECT / "dwi").glob("*.nii.gz")
    mode = image.stat().st_mode
    image.chmod(0)
    said = run(work, status=None)
    image.chmod(mode)
    expect("not for its data" in said, said)
    expect(nobody_is_left_out(work), "somebody was left out")
    run(work)
    return "the job fails, nobody is left out; the rerun makes all"


def too_little_memory(work):
    """A limit of memory in which the fit does not fit."""
    redo(work, fit=True)
    command = [
        "prlimit", "--data=260000000", "--", sys.executable, "-P", "-m", "snakemake", "--snakefile",
        CHECKOUT / "Snakefile", "--directory", work, "--configfile", work / "config.yaml",
        "--cores", "1", "alps",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=work)
    expect(done.returncode != 0, "there was enough memory")
    expect(nobody_is_left_out(work), "somebody was left out")
    shutil.rmtree(work / ".snakemake" / "locks", ignore_errors=True)
    run(work)
    return "the run fails, nobody is left out; with memory the rerun makes all"


def damaged_file(work):
    """A tensor that was cut off after it was written, and kept its date."""
    (path,) = (work / "results/derivatives" / SUBJECT / "dwi").glob("*_param-tensor_dwimap.nii.gz")
    times = path.stat()
    path.write_bytes(path.read_bytes()[:5000])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    said = _verify(work, status=1)
    expect(path.name in said, said)
    run(work, *said.rpartition(" -- ")[2].split(), "--")
    _verify(work, status=0)
    return "`glymflow verify` names it; the run that it prints makes it again"


def replaced_input(work):
    """An input with another content and its old date."""
    (image,) = (work / "bids" / SUBJECT / "dwi").glob("*.bvec")
    before, times = image.read_bytes(), image.stat()
    image.write_bytes(before.replace(b"1", b"2", 1))
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    expect("Nothing to be done" in run(work, "-n"), "Snakemake saw it")
    said = _verify(work, status=1)
    expect(image.name in said, said)
    image.write_bytes(before)
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    _verify(work, status=0)
    return "Snakemake compares dates and does not see it; `glymflow verify` names it"


def _verify(work, status):
    command = [sys.executable, "-P", "-m", "glymflow", "verify", work]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    expect(done.returncode == status, done.stdout + done.stderr)
    return done.stdout


def two_runs(work):
    """The same command twice at once."""
    redo(work)
    first = SnakemakeProcess(work, "--cores", 1, "alps", config=CONFIG)
    _wait_for_job(first)
    said = run(work, status=None)
    expect("lock" in said.lower(), said)
    expect(first.wait(600) == 0, first.said())
    return "the second is refused: the folder is locked; the first ends"


def dry_run_beside(work):
    """A new subject, and a dry run that sees it, while a run goes on."""
    redo(work)
    first = SnakemakeProcess(work, "--cores", 1, "alps", config=CONFIG)
    _wait_for_job(first)
    new = work / "bids" / "sub-new"
    shutil.copytree(work / "bids" / SUBJECT, new)
    for path in list(new.rglob("*_dwi.*")):
        path.rename(path.with_name(path.name.replace(SUBJECT, "sub-new")))
    said = run(work, "-n", "--nolock")
    shutil.rmtree(new)
    expect("sub-new" in said, said)
    expect(first.wait(600) == 0, first.said())
    return "the run ends as if alone"


def _wait_for_job(process):
    while not jobs_of(process.work):
        expect(process.poll() is None, process.said())
        time.sleep(0.2)


CASES = {
    "disk full": full_disk,
    "input not readable": unreadable_input,
    "too little memory": too_little_memory,
    "own file cut off, date kept": damaged_file,
    "input replaced, date kept": replaced_input,
    "two runs at once": two_runs,
    "new subject and dry run beside a run": dry_run_beside,
}
