"""A killed job, a killed Snakemake, a full disk: nothing half-written stays, a rerun heals all.

benchmarks/faults.py kills at random moments, many times (docs/reliability.md).
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workflow_runs import RESULTS, SnakemakeProcess, differences, snakemake


@pytest.fixture
def broken(small_run, tmp_path):
    """A copy of the finished run that lacks what comes after the preprocessing of one subject."""
    run = small_run.copy(tmp_path / "work")
    remove_after_preprocessing(run, "sub-02")
    return run


def remove_after_preprocessing(run, subject):
    """Take away a subject's maps, transforms and values: four steps and all tables are to do."""
    for path in (run.results / "derivatives" / subject / "dwi").iterdir():
        if "desc-preproc" not in path.name and "desc-brain" not in path.name:
            path.unlink()
    (run.results / "cohort" / "alps.tsv").unlink()  # else nobody needs what is gone


def wait_for_job(rule, snakemake_process, seconds=120):
    """Return the id of the process that runs the script of a rule, when there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and snakemake_process.poll() is None:
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cwd").readlink() == snakemake_process.work:
                    arguments = (entry / "cmdline").read_bytes().split(b"\0")
                    if any(part.endswith(f".{rule}.py".encode()) for part in arguments[1:3]):
                        return int(entry.name)
        time.sleep(0.02)
    raise AssertionError(f"{rule} did not run: {snakemake_process.said()}")


def assert_heals(run, reference):
    """A rerun finishes, the results are those of an undisturbed run, nothing else is left."""
    snakemake(run.work, "--cores", 2, config=run.config)
    assert differences(run.results, reference.results) == []
    records = [(one.results / "provenance.json").read_bytes() for one in (run, reference)]
    assert records[0] == records[1]
    assert "Nothing to be done" in snakemake(run.work, "--cores", 2, config=run.config)
    assert not list(run.results.rglob(".part-*"))


def test_kills_one_after_the_other(broken, small_run):
    """A job, as the kernel kills for memory; then Snakemake; the rest is made in two parts."""
    process = SnakemakeProcess(broken.work, "--cores", 2, config=broken.config)
    job = wait_for_job("register_template", process)
    time.sleep(1.0)
    os.kill(job, signal.SIGKILL)
    assert process.wait(300) != 0
    done = broken.results / "derivatives" / "sub-02" / "dwi"
    assert list(done.glob("*_param-tensor_dwimap.nii.gz")), process.said()
    assert not list(done.glob("*_xfm*"))
    assert "register_template" in process.said()
    assert differences(broken.results, small_run.results, folders=["derivatives"]) == []

    assert_others_get_their_tables(broken)

    process = SnakemakeProcess(broken.work, "--cores", 2, config=broken.config)
    job = wait_for_job("register_template", process)
    process.kill()
    process.wait(60)
    end = time.monotonic() + 20
    while Path(f"/proc/{job}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{job}").exists()  # it ends with its Snakemake
    said = snakemake(broken.work, "--cores", 2, config=broken.config, status=None)
    assert "--unlock" in said
    snakemake(broken.work, "--unlock", config=broken.config)
    assert differences(broken.results, small_run.results, folders=["derivatives"]) == []

    for part in ("1/2", "2/2"):  # as for a cohort too large to be planned at once (docs/scale.md)
        text = snakemake(
            broken.work, "--cores", 2, "--batch", f"collect_alps={part}", "alps",
            config=broken.config,
        )  # fmt: skip
        assert f"batch {part}" in text
    assert_heals(broken, small_run)


def assert_others_get_their_tables(run):
    """What `glymflow run` does after a job failed."""
    lost = {"domain": "alps", "name": "sub-02", "log": "results/logs/fit_tensor/sub-02.log"}
    snakemake(run.work, "--cores", 2, config=run.config | {"crashed": [lost]})
    assert set(run.table("cohort/alps.tsv").participant_id) == {"sub-01", "sub-03", "sub-04"}
    (row,) = run.table("cohort/excluded.tsv").itertuples()
    assert (row.series, row.stage) == ("sub-02", "crashed")
    assert "the job failed, see results/logs/fit_tensor/sub-02.log" in row.reason
    assert (run.results / "report" / "index.html").is_file()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, in memory, whose size can be set."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a full disk is a small tmpfs, which only root can mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", disk],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")

    def set_free(size):
        used = shutil.disk_usage(disk).used
        options = f"remount,size={used + size}"
        subprocess.run(["mount", "-o", options, disk], check=True)

    yield disk, set_free
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk(small_run, small_disk):
    disk, set_free = small_disk
    run = small_run.copy(disk / "work")
    remove_after_preprocessing(run, "sub-02")
    tensor = next(small_run.results.rglob("derivatives/sub-02/**/*_param-tensor_dwimap.nii.gz"))
    # Snakemake's own files fit, the tensor does not
    set_free(tensor.stat().st_size // 2 + 1_000_000)
    said = snakemake(run.work, "--cores", 1, "alps", config=run.config, status=None)
    assert "fit_tensor" in said
    assert "No space left" in said
    assert not (run.results / tensor.relative_to(small_run.results)).exists()
    assert differences(run.results, small_run.results, folders=["derivatives"]) == []
    set_free(500_000_000)
    snakemake(run.work, "--cores", 2, "alps", config=run.config)
    assert differences(run.results, small_run.results) == []


def test_the_comparison_sees_a_difference(small_run, tmp_path):
    """What the tests above rest on."""
    for folder in RESULTS:
        shutil.copytree(small_run.results / folder, tmp_path / folder)
    assert differences(tmp_path, small_run.results) == []
    table = tmp_path / "cohort" / "alps.tsv"
    table.write_bytes(table.read_bytes()[:-1])
    next(tmp_path.rglob("derivatives/**/*_alps.tsv")).unlink()
    assert len(differences(tmp_path, small_run.results)) == 2
