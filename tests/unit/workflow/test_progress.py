"""What a run prints while it runs: one subject after another, faults, jobs that fail, time left."""

import logging
import subprocess
import sys

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from glymflow.workflow.progress import Progress

STATS = {"fit_tensor": 2, "report_subject": 2, "total": 4}


def record(event=None, msg="", level=logging.INFO, **values):
    made = logging.LogRecord("snakemake", level, "", 0, msg, None, None)
    made.__dict__.update(values, event=event)
    return made


def start(progress, jobid, rule, subject, log, now=0.0):
    info = record(LogEvent.JOB_INFO, jobid=jobid, rule_name=rule, wildcards={"series": subject},
                  log=[str(log)])  # fmt: skip
    assert progress.lines(info, now) == []


def end(progress, jobid, now):
    return progress.lines(record(LogEvent.JOB_FINISHED, job_id=jobid), now)


@pytest.fixture
def progress():
    made = Progress()
    assert made.lines(record(LogEvent.RUN_INFO, stats=STATS), 0.0) == ["2 subjects, 4 steps to do"]
    return made


def test_subjects_steps_and_time_left(progress, tmp_path):
    for number, (rule, seconds) in enumerate([("fit_tensor", 60), ("report_subject", 20)]):
        start(progress, number, rule, "sub-01", tmp_path / "none.log", 0.0)
        (line,) = end(progress, number, float(seconds))
        progress.began, progress.said = 0.0, -100.0
    # 80 s of work took 20 s: four at a time; 80 s are left
    assert line == "1 of 2 subjects, 2 of 4 steps, about 20 s left"


def test_progress_is_not_said_too_often(progress, tmp_path):
    for number in range(4):
        start(progress, number, "fit_tensor", f"sub-0{number}", tmp_path / "none.log")
    said = [end(progress, number, float(number)) for number in range(4)]
    assert said == [[], [], [], ["0 of 2 subjects, 4 of 4 steps"]]


def test_a_fault_of_the_data_is_said_once(progress, tmp_path):
    log = tmp_path / "sub-01.log"
    log.write_text("reading\nnot measured: sub-01_dwi.bval: 5 values, 6 volumes\n")
    for number, rule in enumerate(("fit_tensor", "measure_alps")):
        start(progress, number, rule, "sub-01", log)
    assert end(progress, 0, 1.0) == ["  sub-01: not measured: sub-01_dwi.bval: 5 values, 6 volumes"]
    assert end(progress, 1, 2.0) == []


def test_a_job_that_failed(progress, tmp_path):
    log = tmp_path / "sub-01.log"
    log.write_text("Traceback\nMemoryError: not enough memory\n")
    start(progress, 0, "fit_tensor", "sub-01", log)
    error = record(LogEvent.JOB_ERROR, jobid=0, rule_name="fit_tensor", log=[log], indent=False)
    (line,) = progress.lines(error, 1.0)
    assert line == (f"FAILED: fit_tensor of sub-01: MemoryError: not enough memory; see {log}")


def test_of_a_group_the_step_that_failed_is_named(progress, tmp_path):
    """The first step ended, the second was cut off, the third never began."""
    infos = []
    for number, rule in enumerate(("fit_tensor", "register_template", "measure_alps")):
        log, output = tmp_path / f"{rule}.log", tmp_path / f"{rule}.nii.gz"
        infos.append({"rule_name": rule, "jobid": number, "log": [log], "output": [output]})
        start(progress, number, rule, "sub-01", log)
        if number < 2:
            log.write_text("working\n")
        if number < 1:
            output.touch()
    error = record(LogEvent.GROUP_ERROR, groupid="series", job_error_info=infos, aux_logs=[])
    (line,) = progress.lines(error, 1.0)
    assert line.startswith("FAILED: register_template of sub-01: working; see ")
    member = record(LogEvent.JOB_ERROR, jobid=2, rule_name="measure_alps", log=[], indent=True)
    assert progress.lines(member, 1.0) == []


def test_a_group_that_never_began(progress):
    error = record(LogEvent.GROUP_ERROR, groupid="series", job_error_info=[], aux_logs=["1.log"])
    assert progress.lines(error, 1.0) == ["FAILED before its first step: series; see 1.log"]


def test_messages(progress):
    assert progress.lines(record(msg="Building DAG of jobs..."), 0.0) == []
    nothing = "Nothing to be done (all requested files are present and up to date)."
    assert progress.lines(record(msg=nothing), 0.0) == [nothing]
    assert progress.lines(record(LogEvent.PROGRESS, "None", done=1, total=4), 0.0) == []
    assert progress.lines(record(LogEvent.ERROR, "no space", logging.ERROR), 0.0) == ["no space"]


def test_snakemake_finds_the_plugin(capsys):
    handler = LoggerPluginRegistry().get_plugin("glymflow").log_handler(None, None)
    handler.emit(record(LogEvent.RUN_INFO, stats=STATS))
    handler.emit(record(LogEvent.RUN_INFO, stats=None))  # cannot be read: the run goes on
    assert capsys.readouterr().err.startswith("2 subjects, 4 steps to do\n")


def test_the_plugin_imports_the_package_only_where_it_is_used():
    """Snakemake imports all plugins before a checkout can say where its own package is."""
    code = "import sys, snakemake_logger_plugin_glymflow; print('glymflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
