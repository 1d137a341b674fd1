"""What runs again after a change, and that it gives the same bytes."""

import os
import shutil
import time

import pytest
from workflow_runs import CHECKOUT, dry_run, jobs_of, snakemake, subjects_of

from glymflow.workflow.checksums import RUN

SERIES = ("fit_tensor", "register_template", "measure_alps", "report_subject")
COHORT = dict.fromkeys(("collect_alps", "list_excluded", "merge_cohort", "run_study",
                        "render_tables", "render_figures", "report_cohort",
                        "record_provenance"), 1)  # fmt: skip


@pytest.fixture(scope="module")
def again(phantom_run, tmp_path_factory):
    """A copy of the finished run that a test may change, if it undoes that."""
    return phantom_run.copy(tmp_path_factory.mktemp("again") / "travail")


@pytest.fixture
def touch(again):
    """Give a file a new modification time; the old one comes back after the test."""
    old = {}

    def set_time(path):
        path = again.work / path
        old[path] = path.stat()
        os.utime(path, (time.time() + 5,) * 2)

    yield set_time
    for path, stat in old.items():
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_copied_folder_has_nothing_to_do(again):
    assert dry_run(again.work, config=again.config) == {}


def test_a_touched_dwi_reruns_its_subject_and_the_aggregate(again, touch):
    touch("bids/sub-02/dwi/sub-02_dwi.nii.gz")
    text = snakemake(again.work, "--dry-run", config=again.config)
    assert jobs_of(text) == dict.fromkeys(SERIES, 1) | COHORT
    assert subjects_of(text) == {"sub-02"}


def test_a_group_of_a_cluster_that_is_sent_again_does_what_is_left(again, monkeypatch):
    """Snakemake as a job of a cluster, told to do two steps of which one has finished."""
    monkeypatch.setenv(RUN, "this")
    (record,) = again.work.glob("results/logs/fit_tensor/sub-02/*.sha256.tsv")
    before = record.read_text()
    steps = [f"{rule}:folder=sub-02,series=sub-02" for rule in ("fit_tensor", "register_template")]
    remote = ("--mode", "remote", "--nolock", "--force", "--allowed-rules", *SERIES)
    try:
        record.write_text("# done in run this\n")
        jobs = dry_run(again.work, *remote, "--target-jobs", *steps, config=again.config)
    finally:
        record.write_text(before)
    assert jobs == {"register_template": 1}


def test_a_changed_participants_table_measures_nobody_again(again, touch):
    path = again.work / "bids" / "participants.tsv"
    before = path.read_text()
    touch("bids/participants.tsv")
    path.write_text(before.replace("\t25\n", "\t26\n"))
    try:
        jobs = dry_run(again.work, config=again.config)
    finally:
        path.write_text(before)
    assert "merge_cohort" in jobs
    assert not {*SERIES, "collect_alps"} & set(jobs)


def test_a_new_subject_measures_only_that_one(again):
    new = again.work / "bids" / "sub-99" / "dwi"
    new.mkdir(parents=True)
    try:
        for old in (again.work / "bids" / "sub-01" / "dwi").iterdir():
            shutil.copy2(old, new / old.name.replace("sub-01", "sub-99"))
        text = snakemake(again.work, "--dry-run", config=again.config)
    finally:
        shutil.rmtree(new.parent)
    jobs = dict.fromkeys(SERIES, 1) | COHORT | {"index_cohort": 1}
    assert jobs_of(text) == jobs
    assert subjects_of(text) == {"sub-99"}


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"qc": {"min_fa": 0.25}}, "measure_alps"),
        ({"registration": {"seed": 2}}, "register_template"),
        ({"tensor": {"fit": "OLS"}}, "fit_tensor"),
        ({"dwi": {"shell_max": 1200}}, "fit_tensor"),
    ],
)
def test_a_changed_key_reruns_what_uses_it(again, change, first):
    jobs = dry_run(again.work, config=again.config | change)
    assert {name for name in SERIES if name in jobs} == set(SERIES[SERIES.index(first) :])
    assert all(jobs[name] == 6 for name in SERIES[SERIES.index(first) :])


@pytest.fixture(scope="module")
def other_checkout(tmp_path_factory):
    """A copy of the checkout, to edit."""
    copy = tmp_path_factory.mktemp("checkout") / "glymflow"
    for folder in ("config", "glymflow", "rules", "scripts", "profiles", "envs"):
        if (CHECKOUT / folder).is_dir():
            shutil.copytree(CHECKOUT / folder, copy / folder)
    shutil.copy2(CHECKOUT / "Snakefile", copy)
    return copy


def test_another_checkout_of_the_same_code_reruns_nothing(again, other_checkout):
    assert dry_run(again.work, config=again.config, checkout=other_checkout) == {}


@pytest.mark.parametrize(
    ("file", "spared"),
    [
        ("glymflow/dwi/tensor.py", set()),
        ("glymflow/image/registration.py", set()),  # N4 of the fit goes through its images too
        ("glymflow/alps/qc.py", {"fit_tensor", "register_template"}),
        ("scripts/fit_tensor.py", set()),
        ("glymflow/figures/charts.py", {*SERIES} - {"report_subject"}),
        ("glymflow/commands/simulate.py", {*SERIES, *COHORT}),
    ],
)
def test_an_edited_file_reruns_its_dependants(again, other_checkout, file, spared):
    """Per series; the aggregates follow whatever they are made from."""
    path = other_checkout / file
    before, times = path.read_bytes(), path.stat()
    path.write_bytes(before + b"EDITED = True\n")
    try:
        jobs = dry_run(again.work, config=again.config, checkout=other_checkout)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not spared & set(jobs)
    expected = {*SERIES, *COHORT} - spared
    if file == "glymflow/figures/charts.py":  # of the cohort, only what draws
        expected = {"report_subject", "report_cohort", "render_figures", "record_provenance"}
    assert set(jobs) - {"index_cohort", "prepare_template", "describe_derivatives"} == expected
    assert all(jobs[name] == 6 for name in expected & {*SERIES})


def test_a_run_from_scratch_gives_the_same_bytes(phantom_run, tmp_path):
    """One core instead of two, fewer subjects, another folder: images, tables, transforms."""
    subjects = ("sub-05",)
    (tmp_path / "bids").mkdir()
    for subject in subjects:
        (tmp_path / "bids" / subject).symlink_to(phantom_run.work / "bids" / subject)
    snakemake(tmp_path, "--cores", 1, "alps", config={"bids_dir": "bids"})
    compared = 0
    for subject in subjects:
        for path in (tmp_path / "results" / "derivatives" / subject).rglob("*.*"):
            name = path.relative_to(tmp_path / "results")
            assert path.read_bytes() == (phantom_run.results / name).read_bytes(), name
            compared += 1
    assert compared == 31
    rows = (tmp_path / "results" / "cohort" / "alps.tsv").read_text().splitlines()
    assert set(rows) <= set((phantom_run.results / "cohort" / "alps.tsv").read_text().splitlines())
    assert len(rows) == 1 + 4 * 3
