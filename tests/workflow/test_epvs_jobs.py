"""Which jobs T1w and T2w images and masks of EPVS add to a cohort of empty files."""

import pytest
from workflow_runs import dry_run, empty_cohort, snakemake

SESSION = ("preprocess_anat", "register_anat", "segment_epvs")
SERIES = ("fit_tensor", "register_template", "measure_alps")
COHORT = {"index_cohort": 1, "merge_cohort": 1, "list_excluded": 1, "describe_derivatives": 1}
REPORT = {"report_cohort": 1, "record_provenance": 1}
ALPS = {"prepare_template": 1, "collect_alps": 1}
PLAN = """title: t
variables: {{{column}: {{type: continuous}}}}
analyses: [{{id: one, kind: describe, variables: [{column}]}}]
"""


def anat(subject, *suffixes, session=None):
    stem = f"{subject}_{session}" if session else subject
    folder = f"{subject}/{session}" if session else subject
    return [f"{folder}/anat/{stem}_{suffix}.nii.gz" for suffix in suffixes]


def dwi(subject):
    return f"{subject}/dwi/{subject}_dwi"


def make(tmp_path, *names, **config):
    bids = empty_cohort(
        tmp_path / "bids", *names, participants=["participant_id\tage", "sub-01\t60"]
    )
    return {"bids_dir": str(bids)} | config


def epvs(n):
    return dict.fromkeys(SESSION, n) | {"collect_epvs": 1}


def test_without_dwi(tmp_path):
    """A T1w without a T2w is enough where there is nothing else."""
    names = [*anat("sub-01", "T1w", "T2w", "FLAIR"), *anat("sub-02", "T2w"), "sub-03/anat/x.txt"]
    config = make(tmp_path, *names)
    assert dry_run(tmp_path, "epvs", config=config) == epvs(2) | COHORT
    jobs = dry_run(tmp_path, config=config)
    assert jobs == epvs(2) | COHORT | REPORT | {"report_subject": 2}
    alone = make(tmp_path / "alone", *anat("sub-01", "T1w"))
    assert dry_run(tmp_path / "alone", config=alone)["segment_epvs"] == 1


def test_each_session_is_measured_on_its_own(tmp_path):
    names = [
        *anat("sub-01", "T1w", "T2w", session="ses-a"),
        *anat("sub-01", "T1w", session="ses-b"),
        "sub-01/ses-c/dwi/none.txt",
    ]
    text = snakemake(tmp_path, "--summary", "epvs", config=make(tmp_path, *names))
    listed = [line.split("\t")[0] for line in text.splitlines()]
    made = {path for path in listed if path.endswith("_desc-epvs_measures.tsv")}
    assert made == {
        f"results/derivatives/sub-01/{name}/anat/sub-01_{name}_desc-epvs_measures.tsv"
        for name in ("ses-a", "ses-b")
    }


def test_dwi_with_t1w_only_plans_the_jobs_that_it_always_did(tmp_path):
    names = [dwi("sub-01"), dwi("sub-02"), *anat("sub-01", "T1w"), *anat("sub-02", "T1w", "FLAIR")]
    config = make(tmp_path, *names)
    alps = dict.fromkeys(SERIES, 2) | ALPS | COHORT | REPORT | {"report_subject": 2}
    assert dry_run(tmp_path, config=config) == alps
    never = {"epvs": {"measure": "never"}}
    assert dry_run(tmp_path, config=config | never) == alps
    # the target measures them, and does not touch the cohort's table of what `all` measures
    only = dry_run(tmp_path, "epvs", config=config)
    assert only == epvs(2) | {"describe_derivatives": 1}
    always = dry_run(tmp_path, config=config | {"epvs": {"measure": "always"}})
    assert always == alps | epvs(2)


@pytest.mark.parametrize("reason", ["a T2w", "a mask by name", "a mask by path", "the plan"])
def test_what_makes_all_measure_epvs(tmp_path, reason):
    names, changed = [dwi("sub-01"), *anat("sub-01", "T1w"), *anat("sub-02", "T1w")], {}
    if reason == "a T2w":
        names += anat("sub-01", "T2w")
    elif reason == "a mask by name":
        made = empty_cohort(tmp_path / "m", "sub-01/anat/sub-01_label-EPVS_mask.nii.gz")
        changed = {"derivatives_dir": str(made)}
    elif reason == "a mask by path":
        empty_cohort(tmp_path / "m", "sub-01.nii.gz")
        changed = {"epvs": {"mask": str(tmp_path / "m" / "{participant_id}.nii.gz")}}
    else:
        (tmp_path / "plan.yaml").write_text(PLAN.format(column="epvs_permille_bg"))
        changed = {"study": "plan.yaml"}
    jobs = dry_run(tmp_path, config=make(tmp_path, *names, **changed))
    assert {name: jobs.get(name) for name in epvs(2)} == epvs(2)
    assert jobs["measure_alps"] == 1
    assert jobs["report_subject"] == 2  # sub-02, without DWI, has a page


def test_a_plan_on_columns_of_participants_measures_nothing(tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN.format(column="epvs_count"))
    config = make(tmp_path, dwi("sub-01"), *anat("sub-01", "T1w"), study="plan.yaml")
    table = tmp_path / "bids" / "participants.tsv"
    table.write_text("participant_id\tepvs_count\nsub-01\t5\n")
    assert "segment_epvs" not in dry_run(tmp_path, config=config)


def test_an_external_engine_without_masks_is_refused(tmp_path):
    config = make(tmp_path, *anat("sub-01", "T1w", "T2w"))
    text = snakemake(
        tmp_path, "--dry-run", config=config | {"epvs": {"engine": "external"}}, status=None
    )
    assert "epvs.engine: external needs masks; name epvs.mask or derivatives_dir" in text
    assert "Traceback" not in text


def test_nobody_has_an_image(tmp_path):
    config = make(tmp_path, dwi("sub-01"))
    text = snakemake(tmp_path, "--cores", 1, "epvs", config=config, status=None)
    (line,) = {line for line in text.splitlines() if line.startswith("collect_epvs: ")}
    assert "no EPVS could be measured" in line
    assert "no T1w or T2w" in line


def test_regions_by_network_need_no_registration(tmp_path):
    config = make(tmp_path, *anat("sub-01", "T1w", "T2w"), epvs={"regions": "vbnet"})
    jobs = dry_run(tmp_path, config=config)
    assert "register_anat" not in jobs
    assert jobs["segment_epvs"] == 1
