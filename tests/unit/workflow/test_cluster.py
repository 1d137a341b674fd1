"""Runs on a cluster, with stand-ins for Snakemake's objects; tests/slurm has the real ones."""

import logging
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from glymflow.workflow import checksums, cluster


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory in which the fits of two of three subjects have finished in this run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(checksums.RUN, "before")
    jobs = [job(name) for name in ("01", "02", "03")]
    for one in jobs:
        finish(one)
    cluster.name_run(os.environ)
    for one in jobs[:2]:
        finish(one)
    return jobs


def job(name):
    return SimpleNamespace(output=[f"{name}.nii", f"{name}.json"], log=[f"logs/fit/{name}.log"])


def finish(one):
    for path in one.output:
        with open(path, "w") as file:
            file.write("made")
    checksums.record_outputs(one.output, one.log[0])


def test_each_run_has_a_name():
    names = [{}, {}]
    for environment in names:
        cluster.name_run(environment)
    assert names[0][checksums.RUN] != names[1][checksums.RUN]


# ------------------------------------------------------------------ groups


def test_what_has_finished_in_this_run_stays(run, tmp_path):
    cluster.remove_unfinished([*run, SimpleNamespace(output=["none"], log=["logs/none.log"])])
    assert {path.name for path in tmp_path.glob("*.*")} == {
        "01.nii", "01.json", "02.nii", "02.json",
    }  # fmt: skip


def test_old_outputs_are_removed(run, tmp_path):
    (tmp_path / "folder").mkdir()
    cluster.remove_old_outputs([run[0], SimpleNamespace(output=["folder", "none"])])
    assert not (tmp_path / "01.nii").exists()
    assert (tmp_path / "02.nii").exists()
    assert (tmp_path / "folder").is_dir()


def command(*names, triggers=("mtime", "code")):
    targets = [f"fit:folder=sub-1/ses-1,subject={name}" for name in names]
    return ["--rerun-triggers", *triggers, "--target-jobs", *targets, "--cores", "1"]


def log_of(rule, wildcards):
    logs = {"fit": "logs/fit/{subject}.log", "one": "one.log"}
    return logs[rule].format(**wildcards) if rule in logs else None


def test_a_group_that_is_sent_again_does_what_is_left(run):
    assert cluster.without_finished(command("01", "02", "03"), log_of) == command(
        "03", triggers=["mtime"]
    )


def test_snakemake_is_never_left_without_a_target(run):
    assert cluster.without_finished(command("01", "02"), log_of) == command(
        "02", triggers=["mtime"]
    )


def test_a_group_that_is_sent_first_does_all(run):
    assert cluster.without_finished(command("03"), log_of) is None
    assert cluster.without_finished(["--cores", "1"], log_of) is None


def test_a_rule_without_wildcards_or_log(run):
    checksums.record_outputs([], "one.log")
    words = ["--target-jobs", "one:", "none:"]
    assert cluster.without_finished(words, log_of) == ["--target-jobs", "none:"]


# ------------------------------------------------------------------ the terminal


def error(event, **values):
    record = logging.makeLogRecord({"msg": "Error"})
    vars(record).update(event=event, **values)
    return record


def info(one):
    return {"rule_name": "fit", "log": [f"{one.log[0]} (check log file(s) for error details)"]}


def test_of_a_group_the_step_that_was_cut_off_is_shown(run):
    checksums.record_begin(run[2].log[0])
    record = error("group_error", job_error_info=[info(one) for one in run])
    assert cluster.FailedStepsOnly().filter(record)
    assert record.job_error_info == [info(run[2])]


def test_a_group_that_never_began_shows_its_first_step(run):
    record = error("group_error", job_error_info=[info(run[2])])
    assert cluster.FailedStepsOnly().filter(record)
    assert record.job_error_info == [info(run[2])]


def test_other_lines_stay(run):
    only = cluster.FailedStepsOnly()
    assert only.filter(error("job_error", indent=False, **info(run[0])))
    assert not only.filter(error("job_error", indent=True, **info(run[0])))
    assert only.filter(logging.makeLogRecord({"msg": "3 of 9 steps done"}))


# ------------------------------------------------------------------ the end of a run


@pytest.fixture
def scancel(tmp_path, monkeypatch):
    """A scancel that writes down how it is called."""
    program = tmp_path / "bin" / "scancel"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "called"


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in cluster.STOP}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_cancels_all_jobs_and_sends_no_more(scancel, handlers, monkeypatch, number):
    atexit = []
    monkeypatch.setattr(cluster.atexit, "register", lambda *call: atexit.append(call))
    asleep = threading.Thread(target=threading.Event().wait, daemon=True)
    pool = ThreadPoolExecutor(1)
    gate = threading.Event()
    pool.submit(gate.wait)
    waits = pool.submit(print)
    executor = SimpleNamespace(
        run_uuid="run-1", wait_thread=asleep, _job_submission_executor=pool,
        _submitted_job_clusters=set(),
    )  # fmt: skip
    assert cluster.end_jobs_with_run(SimpleNamespace(_executor=executor))
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    executor.wait_thread.join(10)
    assert not executor.wait_thread.is_alive()
    assert scancel.read_text() == "--quiet --name=run-1\n"
    for _ in range(100):
        if waits.cancelled():
            break
        threading.Event().wait(0.05)
    gate.set()
    assert waits.cancelled()
    assert atexit == [(cluster.cancel_jobs, "run-1", set())]


def test_several_clusters(scancel):
    cluster.cancel_jobs("run-1", {"a"})
    assert scancel.read_text() == "--quiet --name=run-1 --clusters=all\n"


def test_without_slurm_nothing_is_changed(handlers, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    assert not cluster.end_jobs_with_run(SimpleNamespace(_executor=SimpleNamespace()))
    assert cluster.start_on_cluster(SimpleNamespace(scheduler=None), logging.getLogger("x")) == []
    assert signal.getsignal(signal.SIGTERM) is before
    monkeypatch.setenv("PATH", "")
    cluster.cancel_jobs("run-1")  # no scancel: nothing to cancel


def test_what_will_be_made_is_kept_in_mind(run, scancel, handlers, monkeypatch):
    monkeypatch.setattr(cluster.atexit, "register", lambda *call: None)
    executor = SimpleNamespace(run_uuid="run-1", wait_thread=None)
    of = SimpleNamespace(
        scheduler=SimpleNamespace(_executor=executor),
        execution_settings=SimpleNamespace(keep_incomplete=True),
        dag=SimpleNamespace(needrun_jobs=lambda: iter(run)),
    )
    logger = logging.Logger("x")
    assert cluster.start_on_cluster(of, logger) == run
    assert not os.path.exists("01.nii")
    assert isinstance(logger.filters[0], cluster.FailedStepsOnly)
    of.execution_settings.keep_incomplete = False
    assert cluster.start_on_cluster(of, logger) == []
