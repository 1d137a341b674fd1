"""Which jobs a cohort of empty files would run: per rule, for each shape of cohort and target."""

import os

import pytest
from workflow_runs import (
    CHECKOUT,
    DEMO_PLAN,
    dry_run,
    empty_cohort,
    jobs_of,
    snakemake,
    subjects_of,
)

PARTICIPANTS = [
    "participant_id\tgroup\tage\tsex\tscore",
    "sub-01\tcontrol\t60\tF\t25",
    "sub-02\tpatient\t61\tM\t22",
]
ONCE = {"index_cohort": 1, "prepare_template": 1, "collect_alps": 1, "list_excluded": 1,
        "merge_cohort": 1, "describe_derivatives": 1}  # fmt: skip
STUDY = {"run_study": 1, "render_tables": 1, "render_figures": 1}
SERIES = ("fit_tensor", "register_template", "measure_alps")

COHORTS = {
    "one subject": (["sub-01/dwi/sub-01_dwi"], 1, 1),
    "with a T1w": (["sub-01/dwi/sub-01_dwi", "sub-01/anat/sub-01_T1w.nii.gz"], 1, 1),
    "two sessions": (
        ["sub-01/ses-a/dwi/sub-01_ses-a_dwi", "sub-01/ses-b/dwi/sub-01_ses-b_dwi"], 2, 1,
    ),
    "AP and PA": (["sub-01/dwi/sub-01_dir-AP_dwi", "sub-01/dwi/sub-01_dir-PA_dwi"], 2, 1),
    "two runs, and another subject": (
        ["sub-01/dwi/sub-01_run-1_dwi", "sub-01/dwi/sub-01_run-2_dwi", "sub-02/dwi/sub-02_dwi"],
        3, 2,
    ),
    "a subject without DWI": (
        ["sub-01/dwi/sub-01_dwi", "sub-02/anat/sub-02_T1w.nii.gz"], 1, 1,
    ),
    "a session without DWI": (
        ["sub-01/ses-a/dwi/sub-01_ses-a_dwi", "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz"], 1, 1,
    ),
    "more entities in the name": (["sub-x1/ses-24/dwi/sub-x1_ses-24_acq-b1000_dwi"], 1, 1),
}  # fmt: skip


def expected(n_series, n_subjects, *, target="all"):
    """The jobs of a target."""
    jobs = dict.fromkeys(SERIES, n_series) | ONCE
    if target in ("all", "qc"):
        jobs |= {"report_subject": n_subjects, "report_cohort": 1}
    if target == "qc":
        del jobs["describe_derivatives"]
    if target == "all":
        jobs["record_provenance"] = 1
    return jobs


def test_ratings_are_compared_where_there_are_some(tmp_path):
    empty_cohort(tmp_path / "bids", "sub-01/dwi/sub-01_dwi")
    (tmp_path / "a.tsv").write_text("series\trater\trating\nsub-01\tAB\texclude\n")
    config = {"bids_dir": "bids", "qc": {"ratings": ["a.tsv"]}}
    assert dry_run(tmp_path, config=config) == expected(1, 1) | {"compare_ratings": 1}


@pytest.mark.parametrize("shape", COHORTS)
def test_jobs_of_a_cohort_without_study_plan(tmp_path, shape):
    names, n_series, n_subjects = COHORTS[shape]
    bids = empty_cohort(tmp_path / "bids", *names)
    assert dry_run(tmp_path, config={"bids_dir": str(bids)}) == expected(n_series, n_subjects)
    assert not (tmp_path / "results").exists()


@pytest.fixture
def pair(tmp_path):
    """Two subjects with participants.tsv, and the config of a study."""
    bids = empty_cohort(
        tmp_path / "bids",
        "sub-01/dwi/sub-01_dwi",
        "sub-02/dwi/sub-02_dwi",
        participants=PARTICIPANTS,
    )
    return tmp_path, {"bids_dir": str(bids), "study": str(DEMO_PLAN)}


@pytest.mark.parametrize("target", ["all", "alps", "stats", "tables", "qc"])
def test_jobs_of_a_target_with_study_plan(pair, target):
    work, config = pair
    jobs = expected(2, 2, target=target)
    if target == "all":
        jobs |= STUDY
    elif target == "stats":
        jobs = dict.fromkeys(SERIES, 2) | {"prepare_template": 1, "collect_alps": 1}
        jobs |= {"merge_cohort": 1, "run_study": 1}
    elif target == "tables":
        jobs = dict.fromkeys(SERIES, 2) | {"prepare_template": 1, "collect_alps": 1}
        jobs |= {"merge_cohort": 1} | STUDY
    elif target == "qc":
        jobs |= STUDY
    assert dry_run(work, target, config=config) == jobs


@pytest.mark.parametrize(("wanted", "once"), [("auto", 1), ([2, 2, 4], 0), ("off", 0)])
def test_resolution_of_the_study_is_found_once_if_asked(pair, wanted, once):
    work, config = pair
    config |= {"study": None, "dwi": {"match_resolution": wanted}}
    jobs = dry_run(work, "alps", config=config)
    assert jobs == expected(2, 2, target="alps") | ({"find_resolution": 1} if once else {})


@pytest.mark.parametrize(("wanted", "again"), [("auto", {"fit_tensor": 1}), ("off", {})])
def test_files_that_correct_a_series_are_its_inputs_if_asked(tmp_path, wanted, again):
    names = ["sub-01/dwi/sub-01_dir-AP_dwi", "sub-01/fmap/sub-01_dir-PA_epi.nii.gz"]
    bids = empty_cohort(tmp_path / "bids", *names)
    config = {"bids_dir": str(bids), "dwi": {"distortion": wanted}}
    stem = "results/derivatives/sub-01/dwi/sub-01_dir-AP_"
    target = f"{stem}desc-brain_mask.nii.gz"
    for name in ("desc-preproc_dwi.nii.gz", "desc-preproc_dwi.bval", "desc-preproc_dwi.bvec",
                 "desc-preproc_dwi.json", "desc-brain_mask.nii.gz", "model-tensor_dwimap.json",
                 "model-tensor_param-tensor_dwimap.nii.gz", "model-tensor_param-fa_dwimap.nii.gz",
                 "model-tensor_param-md_dwimap.nii.gz",
                 "model-tensor_param-colorfa_dwimap.nii.gz"):  # fmt: skip
        (tmp_path / (stem + name)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / (stem + name)).touch()
    only_times = ("--rerun-triggers", "mtime", "--", target)
    assert dry_run(tmp_path, *only_times, config=config) == {}
    made = (tmp_path / target).stat().st_mtime
    os.utime(bids / names[1], (made + 9, made + 9))
    assert dry_run(tmp_path, *only_times, config=config) == again


@pytest.mark.parametrize("target", ["alps", "stats", "tables", "qc"])
def test_jobs_of_a_target_without_study_plan(pair, target):
    work, config = pair
    jobs = {} if target in ("stats", "tables") else expected(2, 2, target=target)
    assert dry_run(work, target, config=config | {"study": None}) == jobs


def test_another_plan_and_another_roi_set_change_no_job_of_a_subject(pair):
    work, config = pair
    sets = {"mine": {"shape": "sphere", "radius_mm": 4, "projection_left": [-25, -15, 25],
                     "projection_right": [25, -15, 25], "association_left": [-37, -15, 25],
                     "association_right": [37, -15, 25]}}  # fmt: skip
    jobs = dry_run(work, config=config | {"roi_sets": sets, "roi_set": "mine", "frame": "fibre"})
    assert jobs == expected(2, 2) | STUDY


def test_four_jobs_per_subject(tmp_path):
    """What a further subject costs on the whole ALPS path: three of its series, and its page."""
    few, many = (
        sum(
            dry_run(
                tmp_path / f"{n}",
                config={
                    "bids_dir": str(
                        empty_cohort(
                            tmp_path / f"bids{n}",
                            *(f"sub-{i:03}/dwi/sub-{i:03}_dwi" for i in range(n)),
                        )
                    )
                },
            ).values()
        )
        for n in (1, 11)
    )
    assert (many - few) / 10 == 4


def test_more_subjects_cost_their_own_jobs_and_the_aggregate(tmp_path):
    """Empty files stand for the results of 20 subjects; then 5 more come."""
    names = [f"sub-{i:03}/dwi/sub-{i:03}_dwi" for i in range(20)]
    config = {"bids_dir": str(empty_cohort(tmp_path / "bids", *names))}
    summary = snakemake(tmp_path, "--summary", config=config)
    for line in summary.splitlines():
        if line.startswith("results/"):
            path = tmp_path / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    snakemake(tmp_path, "--touch", "--cores", 1, config=config)
    assert dry_run(tmp_path, config=config) == {}

    more = [f"sub-9{i}" for i in range(5)]
    empty_cohort(tmp_path / "bids", *(f"{subject}/dwi/{subject}_dwi" for subject in more))
    text = snakemake(tmp_path, "--dry-run", config=config)
    assert subjects_of(text) == {*more}
    once = {*expected(1, 1)} - {*SERIES, "report_subject", "prepare_template"}
    once -= {"describe_derivatives", "index_cohort"}  # --touch keeps no parameter to compare
    assert jobs_of(text) == dict.fromkeys((*SERIES, "report_subject"), 5) | dict.fromkeys(once, 1)


def test_names_with_blanks_accents_and_other_scripts(tmp_path):
    home = tmp_path / "Étude ALPS (größe) 脳"
    bids = empty_cohort(
        home / "données brutes", "sub-01/dwi/sub-01_dwi", participants=PARTICIPANTS[:2]
    )
    plan = home / "plan d'étude.yaml"
    plan.write_text(DEMO_PLAN.read_text(encoding="utf-8"), encoding="utf-8")
    config = {"bids_dir": str(bids), "study": str(plan)}
    assert dry_run(home / "mon travail", config=config) == expected(1, 1) | STUDY


def test_a_relative_bids_folder_is_that_of_the_run_directory(tmp_path):
    empty_cohort(tmp_path / "here" / "bids", "sub-01/dwi/sub-01_dwi")
    jobs = dry_run(tmp_path / "here", config={"bids_dir": "bids"}, cwd=tmp_path)
    assert jobs == expected(1, 1)


def test_dry_run_says_in_a_line_what_is_done_to_whom(pair):
    work, config = pair
    text = snakemake(work, "--dry-run", config=config)
    assert subjects_of(text) == {"sub-01", "sub-02"}
    assert "Check and preprocess sub-02, fit its tensor" in text


def test_linter_has_no_finding():
    """What `make lint` runs: all rules, a study plan included."""
    lint = CHECKOUT / "tests" / "workflow" / "lint.yaml"
    text = snakemake(CHECKOUT, "--lint", config=lint)
    assert "Congratulations" in text, text


@pytest.mark.parametrize(
    "keys",
    [
        {"cohort": "table.tsv"},
        {"participants": "table.tsv"},
        {"participants": "table.tsv", "bids_dir": "bids"},
    ],
)
def test_a_study_of_a_table_alone(tmp_path, keys):
    """No folder, no image, or folders without one: the table is the cohort."""
    for subject in ("sub-01", "sub-02"):
        (tmp_path / "bids" / subject / "dwi").mkdir(parents=True)
    names = ("alps_mean", "alps_left", "alps_right", "qc_status")
    rows = ["\t".join([PARTICIPANTS[0], *names])]
    rows += [f"{line}\t1.4\t1.4\t1.4\tpass" for line in PARTICIPANTS[1:]]
    (tmp_path / "table.tsv").write_text("\n".join(rows) + "\n")
    jobs = {"take_cohort": 1, "report_cohort": 1, "record_provenance": 1} | STUDY
    assert dry_run(tmp_path, config=keys | {"study": str(DEMO_PLAN)}) == jobs
    tables = dry_run(tmp_path, "tables", config=tmp_path / "config.yaml")
    assert tables == {"take_cohort": 1} | STUDY
