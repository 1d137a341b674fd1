"""What is refused before any job starts: one line that names it, and nothing is written."""

import pytest
import yaml
from workflow_runs import DEMO_PLAN, as_a_user, empty_cohort, jobs_of, snakemake

PARTICIPANTS = ["participant_id\tgroup\tage\tsex\tscore", "sub-01\tcontrol\t60\tF\t25"]


@pytest.fixture
def bids(tmp_path):
    return empty_cohort(tmp_path / "bids", "sub-01/dwi/sub-01_dwi", participants=PARTICIPANTS)


def refused(work, config, *words):
    """Run in earnest (no dry run); the words must stand together in one line."""
    text = snakemake(work, "--cores", 1, config=config, status=None)
    lines = [line for line in text.splitlines() if all(word in line for word in words)]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    assert "Job stats" not in text
    assert not (work / "results").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"roi_sett": "ad2025"}, ("roi_sett", "unknown key", "did you mean roi_set?")),
        ({"dwi": {"shelmax": 1500}}, ("dwi.shelmax", "did you mean shell_max?")),
        ({"roi_set": "barisano2024"}, ("roi_set", "barisano2024", "barisano2025")),
        ({"frame": "world"}, ("frame", "world", "scanner, template, fibre")),
        ({"tensor": {"fit": "wls"}}, ("tensor.fit", "wls", "WLS")),
        ({"registration": {"resolution_mm": 9}}, ("registration.resolution_mm", "9", "1 to 4")),
        ({"qc": {"min_fa": "low"}}, ("qc.min_fa", "low", "number")),
        ({"bids_dir": "nowhere"}, ("bids_dir", "there is no folder nowhere")),
        ({"bids_dir": None}, ("bids_dir", "not set")),
        ({"cohort": "table.csv"}, ("cohort", "there is no file table.csv")),
        ({"participants": "people.tsv"}, ("participants", "there is no file people.tsv")),
        ({"study": "plan.yaml"}, ("study", "there is no file plan.yaml")),
    ],
)
def test_config_fault(tmp_path, bids, change, words):
    refused(tmp_path, {"bids_dir": str(bids)} | change, *words)


def test_every_fault_is_said_at_once(tmp_path, bids):
    config = {"bids_dir": str(bids), "frame": "world", "combine_series": "median"}
    text = snakemake(tmp_path, "--cores", 1, config=config, status=None)
    assert "frame: world" in text
    assert "combine_series: median" in text


def test_folder_without_subjects(tmp_path):
    (tmp_path / "bids" / "data" / "sub-01").mkdir(parents=True)
    refused(tmp_path, {"bids_dir": "bids"}, "bids: there is no sub-<label> folder", "data in it")


def test_participants_table_without_the_id_column(tmp_path, bids):
    (bids / "participants.tsv").write_text("subject\tage\nsub-01\t60\n")
    refused(tmp_path, {"bids_dir": str(bids)}, "participants.tsv", "no column participant_id")


def plan_with(**changes):
    return yaml.safe_load(DEMO_PLAN.read_text(encoding="utf-8")) | changes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": {"column": "grupo", "order": ["control", "patient"]}}, ("groups", "grupo")),
        ({"groups": {"column": "diagnosis", "order": ["a", "b"]}}, ("groups", "diagnosis")),
        ({"sessions": "first"}, ("sessions", "session")),
        ({"include": [{"column": "weight", "min": 40}]}, ("include", "weight")),
    ],
)
def test_study_plan_fault(tmp_path, bids, change, words):
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan_with(**change), sort_keys=False))
    refused(tmp_path, {"bids_dir": str(bids), "study": "plan.yaml"}, *words)


@pytest.mark.skipif(as_a_user() is None, reason="root may read everything, and no setpriv here")
def test_unreadable_folder(tmp_path, bids):
    bids.chmod(0)
    try:
        refused(tmp_path, {"bids_dir": str(bids)}, str(bids), "Permission denied")
    finally:
        bids.chmod(0o755)


def test_a_folder_whose_name_is_a_command(tmp_path, bids):
    """It is left out with one line; nothing of its name reaches Snakemake's wildcards."""
    for label in ("$(touch X)", "a;b", "{0}", "b,c=d %s"):
        (bids / f"sub-{label}" / "dwi").mkdir(parents=True)
        for extension in (".nii.gz", ".bval", ".bvec"):
            (bids / f"sub-{label}" / "dwi" / f"sub-{label}_dwi{extension}").touch()
    text = snakemake(tmp_path, "--dry-run", config={"bids_dir": str(bids)})
    assert jobs_of(text)["fit_tensor"] == 1
    snakemake(tmp_path, "--cores", 1, "results/cohort/series.tsv", config=tmp_path / "config.yaml")
    lines = (tmp_path / "results/cohort/excluded/intake.tsv").read_text().splitlines()
    left_out = [line for line in lines if "letters and digits only" in line]
    assert len(left_out) == 4
    assert not [path for path in tmp_path.rglob("*") if path.name == "X"]
