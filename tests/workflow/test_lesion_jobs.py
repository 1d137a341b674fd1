"""Which jobs lesion masks add to a cohort of empty files, and which they take away."""

import pytest
from workflow_runs import dry_run, empty_cohort, snakemake

MASK = "{0}/anat/{0}_space-{1}_label-lesion_mask.nii.gz"
LESIONS = {"measure_lesions": 1, "collect_lesions": 1, "map_lesions": 1}
COHORT = {"index_cohort": 1, "merge_cohort": 1, "list_excluded": 1, "describe_derivatives": 1}
SERIES = ("fit_tensor", "register_template", "measure_alps")
PARTICIPANTS = ["participant_id\tage\tplace", "sub-01\t60\tdeep", "sub-02\t61\tlobar"]
PLAN = """title: t
variables: {volume_lesion_ml: {type: continuous}, share_deep: {type: continuous}}
analyses: [{id: one, kind: describe, variables: [volume_lesion_ml, share_deep]}]
tables: [{id: t1, analysis: one}]
"""


def masks_only(tmp_path, n=2):
    names = [MASK.format(f"sub-{i:02}", "MNI152") for i in range(1, n + 1)]
    bids = empty_cohort(tmp_path / "bids", *names, participants=PARTICIPANTS)
    return {"bids_dir": str(bids), "derivatives_dir": str(bids)}


def test_masks_only(tmp_path):
    config = masks_only(tmp_path)
    jobs = dry_run(tmp_path, config=config)
    assert jobs == LESIONS | COHORT | {
        "report_subject": 2,
        "report_cohort": 1,
        "record_provenance": 1,
    }
    assert dry_run(tmp_path, "lesions", config=config) == LESIONS | COHORT
    assert dry_run(tmp_path, "qc", config=config) == {
        name: n
        for name, n in jobs.items()
        if name not in ("describe_derivatives", "record_provenance")
    }


@pytest.mark.parametrize("target", ["stats", "tables"])
def test_plan_on_masks_only(tmp_path, target):
    (tmp_path / "plan.yaml").write_text(PLAN)
    config = masks_only(tmp_path) | {"study": "plan.yaml"}
    jobs = {"measure_lesions": 1, "collect_lesions": 1, "merge_cohort": 1, "run_study": 1}
    jobs |= {"render_tables": 1} if target == "tables" else {}
    assert dry_run(tmp_path, target, config=config) == jobs


def test_sessions_are_measured_in_batches(tmp_path):
    jobs = dry_run(tmp_path, "lesions", config=masks_only(tmp_path, 60))
    assert jobs["measure_lesions"] == 3


def test_native_masks_wait_for_the_registration_only(tmp_path):
    """The mask of sub-02, in template space, needs no registration; sub-03 has no DWI."""
    bids = empty_cohort(tmp_path / "bids", "sub-01/dwi/sub-01_dwi", "sub-02/dwi/sub-02_dwi",
                        "sub-03/anat/sub-03_T2w.nii.gz")  # fmt: skip
    spaces = {"sub-01": "SWI", "sub-02": "MNI152", "sub-03": "T2w"}
    masks = empty_cohort(tmp_path / "masks", *(MASK.format(*item) for item in spaces.items()))
    config = {"bids_dir": str(bids), "derivatives_dir": str(masks)}
    path = "results/resources/lesions/batch-001_lesions.tsv"
    assert dry_run(tmp_path, path, config=config) == {
        **dict.fromkeys(SERIES[:2], 1), "prepare_template": 1, "measure_lesions": 1,
    }  # fmt: skip
    jobs = dry_run(tmp_path, config=config)
    once = LESIONS | COHORT | {"prepare_template": 1, "collect_alps": 1, "report_cohort": 1}
    once["record_provenance"] = 1
    assert jobs == dict.fromkeys(SERIES, 2) | once | {"report_subject": 3}


def test_without_masks_nothing_is_added(tmp_path):
    bids = empty_cohort(tmp_path / "bids", "sub-01/dwi/sub-01_dwi")
    config = {"bids_dir": str(bids), "derivatives_dir": str(bids)}
    assert not any("lesion" in rule for rule in dry_run(tmp_path, config=config))
    text = snakemake(tmp_path, "--cores", 1, "lesions", config=config, status=None)
    (line,) = {line for line in text.splitlines() if line.startswith("collect_lesions: ")}
    assert "there is no lesion mask to measure" in line


def test_a_column_that_is_not_there_is_refused(tmp_path):
    config = masks_only(tmp_path) | {"lesions": {"side_column": "hemi"}}
    text = snakemake(tmp_path, "--cores", 1, config=config, status=None)
    lines = [
        line for line in text.splitlines() if "lesions.side_column: hemi is not a column" in line
    ]
    assert len(lines) == 1
    assert "Traceback" not in text
