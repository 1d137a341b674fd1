"""What failed jobs cost: the series whose results are missing, each with the log that says why."""

import os
from types import SimpleNamespace

import pandas as pd
import pytest

from glymflow.commands import crashed

HEADER = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"
LOGS = "results/logs"


@pytest.fixture
def listing(monkeypatch):
    """Let Snakemake list these outputs: (path, log, status)."""

    def listed(*rows):
        text = HEADER + "".join(f"{p}\t-\trule\t{log}\t{s}\tupdate pending\n" for p, log, s in rows)
        monkeypatch.setattr(
            crashed.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=text)
        )

    return listed


def one(domain, name, log):
    return {"domain": domain, "name": name, "log": log}


def lesions(*rows):
    return {"lesions": pd.DataFrame(rows, columns=["folder", "series"], dtype=object)}


def test_the_log_of_the_job_that_failed_is_the_newest(listing, tmp_path):
    folder = "results/derivatives/sub-1/dwi"
    listing(
        ("results/cohort/alps.tsv", f"{LOGS}/collect_alps.log", "missing"),
        (f"{folder}/sub-1_xfm.mat", f"{LOGS}/register_template/sub-1/sub-1.log", "missing"),
        (f"{folder}/sub-1_alps.tsv", f"{LOGS}/measure_alps/sub-1/sub-1.log", "missing"),
        (f"{folder}/sub-2_alps.tsv", f"{LOGS}/measure_alps/sub-2/sub-2.log", "ok"),
        ("results/report/sub-1.html", f"{LOGS}/report_subject/sub-1.log", "missing"),
    )
    for age, rule in enumerate(("register_template", "measure_alps")):
        log = tmp_path / LOGS / rule / "sub-1" / "sub-1.log"
        log.parent.mkdir(parents=True)
        log.touch()
        os.utime(log, (2000 - age, 2000 - age))  # of an earlier run
    found = crashed.crashed_jobs(["snakemake"], lesions(), tmp_path)
    assert found == [one("alps", "sub-1", f"{LOGS}/register_template/sub-1/sub-1.log")]


def test_lesions_that_need_the_series_are_lost_with_it(listing, tmp_path):
    log = f"{LOGS}/fit_tensor/sub-1/sub-1.log"
    listing(("results/derivatives/sub-1/dwi/sub-1_fa.nii.gz", log, "missing"))
    rows = lesions(("sub-1", "sub-1"), ("sub-2", "sub-2"))
    found = crashed.crashed_jobs(["snakemake"], rows, tmp_path)
    assert found == [one("alps", "sub-1", log), one("lesions", "sub-1", log)]


def test_sessions_of_images_are_those_of_epvs(listing, tmp_path):
    log = f"{LOGS}/segment_epvs/sub-1/ses-a/sub-1_ses-a.log"
    listing(("results/derivatives/sub-1/ses-a/anat/sub-1_ses-a_mask.nii.gz", log, "missing"))
    found = crashed.crashed_jobs(["snakemake", "--dry-run"], lesions(), tmp_path)
    assert found == [one("epvs", "sub-1_ses-a", log)]


def test_a_failed_job_of_the_cohort_costs_no_series(listing, tmp_path):
    listing(("results/cohort/alps.tsv", f"{LOGS}/collect_alps.log", "missing"))
    assert crashed.crashed_jobs(["snakemake"], lesions(), tmp_path) == []
