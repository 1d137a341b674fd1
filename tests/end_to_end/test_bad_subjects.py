"""Broken scans beside a good one: each is named with its fault, and stops nobody."""

import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from workflow_runs import snakemake

# subject: what excluded.tsv must say of it (the file, the fault)
FAULTS = {
    "sub-truncated": ("sub-truncated_dwi.nii.gz", "truncated"),
    "sub-flat": ("sub-flat_dwi.nii.gz", "3-D"),
    "sub-nobvec": ("sub-nobvec_dwi.nii.gz", "no .bvec"),
    "sub-nobval": ("sub-nobval_dwi.nii.gz", "no .bval"),
    "sub-shortbvec": ("sub-shortbvec_dwi.bvec", "3 x 8 numbers, 3 x 9 expected"),
    "sub-shortbval": ("sub-shortbval_dwi.bval", "8 b-values for 9 volumes"),
    "sub-allb0": ("sub-allb0_dwi.bval", "no diffusion-weighted volume"),
    "sub-few": ("sub-few_dwi.bval", "5 different gradient directions"),
    "sub-nan": ("sub-nan_dwi.nii.gz", "volume 3 contains NaN"),
    "sub-zero": ("sub-zero_dwi.nii.gz", "volume 4 is all zero"),
    "sub-twice": ("sub-twice_dwi.nii", "has the same series name"),
    "sub-anat": ("sub-anat", "no DWI"),
    "sub-text": ("sub-text_dwi.nii.gz", "not a readable NIfTI"),
}
GOOD = "sub-good"


def small_scan():
    """A small head: image and gradients that are in order."""
    from glymflow.commands.simulate import simulate_subject

    made = simulate_subject(
        alps_left=1.5, alps_right=1.4, seed=3, voxel_mm=3.0, t1w_mm=6.0, n_directions=8, n_b0=1,
        orientation="LAS",
    )  # fmt: skip
    return made["dwi"].round().astype(np.int16), made["affine"], made["bvals"], made["bvecs"]


def write(bids, subject, data, affine, bvals, bvecs, extension=".nii.gz"):
    """Write one series; None leaves a gradient file out."""
    stem = bids / subject / "dwi" / f"{subject}_dwi"
    stem.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), f"{stem}{extension}")
    if bvals is not None:
        np.savetxt(f"{stem}.bval", bvals[None], fmt="%g")
    if bvecs is not None:
        np.savetxt(f"{stem}.bvec", bvecs.T, fmt="%.6f")
    return stem.with_name(f"{stem.name}{extension}")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def work(once):
    """The folder of a run of the whole workflow."""
    return once("bad", make)


def make(work):
    """Run it on a good subject and one of each kind of fault."""
    scan = small_scan()
    bids = work / "bids"
    data, affine, bvals, bvecs = scan
    write(bids, GOOD, *scan)
    truncate(write(bids, "sub-truncated", *scan))
    write(bids, "sub-flat", data[..., 0], affine, bvals, bvecs)
    write(bids, "sub-nobvec", data, affine, bvals, None)
    write(bids, "sub-nobval", data, affine, None, bvecs)
    write(bids, "sub-shortbvec", data, affine, bvals, bvecs[:-1])
    write(bids, "sub-shortbval", data, affine, bvals[:-1], bvecs)
    write(bids, "sub-allb0", data, affine, np.zeros_like(bvals), bvecs)
    write(bids, "sub-few", data[..., :6], affine, bvals[:6], bvecs[:6])
    broken = data.astype(np.float32)
    broken[20, 20, 20, 3] = np.nan
    write(bids, "sub-nan", broken, affine, bvals, bvecs)
    empty = data.copy()
    empty[..., 4] = 0
    write(bids, "sub-zero", empty, affine, bvals, bvecs)
    write(bids, "sub-twice", *scan)
    write(bids, "sub-twice", *scan, extension=".nii")
    (bids / "sub-anat" / "anat").mkdir(parents=True)
    write(bids, "sub-text", *scan).write_text("not an image")
    rows = [f"{subject}\t60\tF" for subject in FAULTS if subject != "sub-zero"]
    (bids / "participants.tsv").write_text(
        "\n".join(
            ["participant_id\tage\tsex", "sub-good\t61\tM", "sub-zero\t62\tF", "sub-zero\t26\tF",
             "n/a\t63\tF", "sub-unknown\t64\tM", *rows]
        ) + "\n"
    )  # fmt: skip
    snakemake(work, "--cores", 2, config={"bids_dir": "bids"})


@pytest.fixture(scope="module")
def excluded(work):
    return pd.read_csv(work / "results" / "cohort" / "excluded.tsv", sep="\t", na_values="n/a")


@pytest.mark.parametrize("subject", FAULTS)
def test_fault_is_named_in_one_line(excluded, subject):
    file, fault = FAULTS[subject]
    rows = excluded[(excluded.participant_id == subject) & (excluded.stage != "statistics")]
    assert len(rows) == (2 if subject == "sub-twice" else 1)  # one per file
    for reason in rows.reason:
        assert file in reason
        assert fault in reason
        assert "\n" not in reason
        assert "Traceback" not in reason


def test_rows_that_contradict_each_other_are_out_of_the_statistics(excluded):
    row = excluded[excluded.stage == "statistics"]
    assert row.participant_id.tolist() == ["sub-zero"]
    assert "participants.tsv: lines 3 and 4 give different data" in row.reason.item()


def test_rows_of_the_participants_table_without_a_subject(excluded):
    nobody = excluded[excluded.participant_id.isna()]
    assert nobody.reason.str.contains("no participant_id in line 5").all()
    assert len(nobody) == 1
    unknown = excluded[excluded.participant_id == "sub-unknown"]
    assert "line 6: there is no folder sub-unknown" in unknown.reason.item()


def test_nobody_else_is_listed(excluded):
    assert set(excluded.participant_id.dropna()) == {*FAULTS, "sub-unknown"}


def test_the_good_one_is_measured(work):
    table = pd.read_csv(work / "results" / "cohort" / "alps.tsv", sep="\t", na_values="n/a")
    assert set(table.participant_id) == {GOOD}
    assert len(table) == 4 * 3
    assert table.alps_mean.between(0.9, 2.2).all()
    cohort = pd.read_csv(work / "results" / "cohort" / "cohort.tsv", sep="\t", na_values="n/a")
    assert cohort.set_index("participant_id").age.to_dict() == {GOOD: 61}


def test_pages_say_what_happened(work):
    report = work / "results" / "report"
    index = (report / "index.html").read_text("utf-8")
    for subject in (*FAULTS, GOOD):
        assert subject in index, subject
    assert "volume 4 is all zero" in (report / "sub-zero.html").read_text("utf-8")
    assert (report / "sub-good.html").is_file()


def test_a_second_run_has_nothing_to_do(work):
    text = snakemake(work, "--cores", 2, config={"bids_dir": "bids"})
    assert "Nothing to be done" in text


def test_a_repaired_scan_is_measured_next_time(work, tmp_path):
    """The placeholders of a fault do not stay when the fault is gone."""
    work = shutil.copytree(work, tmp_path / "again")
    source, target = (work / "bids" / f"sub-{name}" / "dwi" for name in ("good", "truncated"))
    shutil.copy(source / "sub-good_dwi.nii.gz", target / "sub-truncated_dwi.nii.gz")
    snakemake(work, "--cores", 2, "alps", config={"bids_dir": "bids"})
    table = pd.read_csv(work / "results" / "cohort" / "alps.tsv", sep="\t", na_values="n/a")
    assert set(table.participant_id) == {GOOD, "sub-truncated"}
    excluded = (work / "results" / "cohort" / "excluded.tsv").read_text("utf-8")
    assert "sub-truncated" not in excluded


def one_line_that_says(text, *words):
    lines = [line for line in text.splitlines() if all(word in line for word in words)]
    assert lines, text
    assert "Traceback" not in text


def test_a_run_in_which_every_scan_is_bad_fails_in_one_line(tmp_path):
    truncate(write(tmp_path / "bids", "sub-01", *small_scan()))
    text = snakemake(tmp_path, "--cores", 2, config={"bids_dir": "bids"}, status=None)
    one_line_that_says(text, "no series could be measured", "sub-01_dwi.nii.gz", "truncated")


def test_a_run_without_any_series_fails_in_one_line(tmp_path):
    (tmp_path / "bids" / "sub-01" / "anat").mkdir(parents=True)
    (tmp_path / "bids" / "sub-01" / "anat" / "sub-01_FLAIR.nii.gz").touch()
    text = snakemake(tmp_path, "--cores", 2, config={"bids_dir": "bids"}, status=None)
    one_line_that_says(text, "collect_alps", "no DWI series to measure", "intake.tsv")
