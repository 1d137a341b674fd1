"""What failed jobs cost: the series whose results are missing, each with the log that says why."""

import os
from types import SimpleNamespace

import pytest

from glymflow.commands import crashed
from glymflow.io import write_placeholder
from glymflow.workflow.checksums import record_outputs, record_path

HEADER = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"
LOGS = "results/logs"


@pytest.fixture
def listing(monkeypatch):
    """Let Snakemake list these outputs: (path, rule, log, status)."""

    def listed(*rows):
        text = HEADER + "".join(
            f"{p}\t-\t{r}\t{log}\t{s}\tupdate pending\n" for p, r, log, s in rows
        )
        monkeypatch.setattr(
            crashed.subprocess, "run", lambda words, **_: SimpleNamespace(stdout=text, args=words)
        )

    return listed


def sheet(*lesions, **batches):
    rows = [{"folder": folder, "series": series} for folder, series in lesions]
    return SimpleNamespace(rows={"lesions": rows}, batches={n[1:]: b for n, b in batches.items()})


def one(domain, name, log):
    return {"domain": domain, "name": name, "log": log}


def test_the_log_of_the_job_that_failed_is_the_newest(listing, tmp_path):
    folder, log = "results/derivatives/sub-1/dwi", f"{LOGS}/{{}}/sub-1/sub-1.log"
    first, then = (log.format(rule) for rule in ("register_template", "measure_alps"))
    listing(
        ("results/cohort/alps.tsv", "collect_alps", f"{LOGS}/collect_alps.log", "missing"),
        (f"{folder}/sub-1_xfm.mat", "register_template", first, "missing"),
        (f"{folder}/sub-1_alps.tsv", "measure_alps", then, "missing"),
        (f"{folder}/sub-2_alps.tsv", "measure_alps", f"{LOGS}/measure_alps/sub-2.log", "ok"),
        ("results/report/sub-1.html", "report_subject", f"{LOGS}/report/sub-1.log", "missing"),
    )
    for age, path in enumerate((first, then)):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
        os.utime(tmp_path / path, (2000 - age, 2000 - age))  # of an earlier run
    assert crashed.crashed_jobs(["snakemake"], sheet(), tmp_path) == [one("alps", "sub-1", first)]


def test_lesions_that_need_the_series_are_lost_with_it(listing, tmp_path):
    log = f"{LOGS}/fit_tensor/sub-1/sub-1.log"
    listing(("results/derivatives/sub-1/dwi/sub-1_fa.nii.gz", "fit_tensor", log, "missing"))
    found = crashed.crashed_jobs(["snakemake"], sheet(("sub-1", "sub-1"), ("sub-2", "b")), tmp_path)
    assert found == [one("alps", "sub-1", log), one("lesions", "sub-1", log)]


def test_a_batch_of_lesions_is_lost_as_a_whole(listing, tmp_path):
    log = f"{LOGS}/measure_lesions/002.log"
    listing(("results/resources/lesions/batch-002_lesions.tsv", "measure_lesions", log, "missing"))
    some = sheet(_001=["sub-1"], _002=["sub-2", "sub-3/ses-1"])
    found = crashed.crashed_jobs(["snakemake"], some, tmp_path)
    assert found == [one("lesions", "sub-2", log), one("lesions", "sub-3/ses-1", log)]


def test_sessions_of_images_are_those_of_epvs(listing, tmp_path):
    log = f"{LOGS}/segment_epvs/sub-1/ses-a/sub-1_ses-a.log"
    listing(("results/derivatives/sub-1/ses-a/anat/x.nii.gz", "segment_epvs", log, "missing"))
    found = crashed.crashed_jobs(["snakemake", "--dry-run"], sheet(), tmp_path)
    assert found == [one("epvs", "sub-1_ses-a", log)]


def test_what_data_at_fault_left_out_did_not_crash(listing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, log = (
        "results/derivatives/sub-1/dwi/sub-1_fa.nii.gz",
        f"{LOGS}/fit_tensor/sub-1/sub-1.log",
    )
    listing((path, "fit_tensor", log, "missing"))
    write_placeholder(path, "truncated")
    record_outputs([path], log)
    (tmp_path / path).unlink()  # as at the end of a run
    assert crashed.crashed_jobs(["snakemake"], sheet(), tmp_path) == []
    record_path(log).unlink()  # as at the start of a job
    assert crashed.crashed_jobs(["snakemake"], sheet(), tmp_path) == [one("alps", "sub-1", log)]


def test_a_failed_job_of_the_cohort_costs_no_series(listing, tmp_path):
    listing(("results/cohort/alps.tsv", "collect_alps", f"{LOGS}/collect_alps.log", "missing"))
    assert crashed.crashed_jobs(["snakemake"], sheet(), tmp_path) == []


def test_outputs_are_listed_without_running_anything(monkeypatch):
    asked = []

    def run(words, **_):
        asked.append(words)
        return SimpleNamespace(stdout=f"{HEADER}a.tsv\t-\tcollect\ta.log\tok\tno update\nnoise\n")

    monkeypatch.setattr(crashed.subprocess, "run", run)
    listed = crashed.list_outputs(["snakemake", "all", "--dry-run"])
    assert listed == [crashed.Output("a.tsv", "collect", "a.log", "ok")]
    assert asked == [["snakemake", "all", "--summary"]]
