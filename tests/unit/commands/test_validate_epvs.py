"""EPVS masks against raters: values by hand, copied references, grids, files that are not there."""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow import cli
from glymflow.commands.validate_epvs import (
    COPIED_SHARE,
    agree,
    compare_masks,
    compare_session,
    copied_share,
    study_columns,
    summarise,
)
from glymflow.io import read_tsv, save_image, write_tsv

SHAPE = (14, 12, 10)
AFFINE = np.array([[1.0, 0, 0, -7], [0, 1, 0, -6], [0, 0, 1, -5], [0, 0, 0, 1]])


def boxes(*places, shape=SHAPE):
    """A mask of boxes (x, y, z, length along x)."""
    mask = np.zeros(shape, bool)
    for x, y, z, length in places:
        mask[x : x + length, y, z] = True
    return mask


# engine: 4 + 3 + 2 voxels in three objects; reader 1 draws the first shifted by one voxel, the
# second as it is, not the third, and a fourth of 2; reader 2 the first as it is, and nothing else
ENGINE = boxes((1, 1, 1, 4), (1, 5, 5, 3), (8, 8, 8, 2))
READER1 = boxes((2, 1, 1, 4), (1, 5, 5, 3), (10, 1, 5, 2))
READER2 = boxes((1, 1, 1, 4))


# ------------------------------------------------------------------ one pair of masks


def test_values_by_hand():
    row = compare_masks(ENGINE, READER1, 2.0)
    # 3 + 3 voxels shared of 9 and 9; 2 of 3 objects found on both sides
    assert row["dsc"] == pytest.approx(2 * 6 / 18)
    assert row["recall"] == row["precision"] == pytest.approx(6 / 9)
    assert (
        row["object_f1"] == row["object_recall"] == row["object_precision"] == pytest.approx(2 / 3)
    )
    assert (row["count"], row["count_reference"]) == (3, 3)
    assert (row["volume_mm3"], row["volume_mm3_reference"]) == (18.0, 18.0)
    assert row["volume_difference_mm3"] == row["volume_difference_percent"] == 0


def test_recall_and_precision_are_not_confused():
    row = compare_masks(ENGINE, READER2, 0.5)
    assert row["recall"] == row["object_recall"] == 1
    assert row["precision"] == pytest.approx(4 / 9)
    assert row["object_precision"] == pytest.approx(1 / 3)
    assert row["dsc"] == pytest.approx(8 / 13)
    assert row["object_f1"] == pytest.approx(2 * (1 / 3) / (4 / 3))
    assert row["volume_difference_mm3"] == pytest.approx(2.5)
    assert row["volume_difference_percent"] == pytest.approx(125)


def test_objects_touch_at_corners():
    corner = np.zeros(SHAPE, bool)
    corner[1, 1, 1] = corner[2, 2, 2] = corner[4, 4, 4] = True
    row = compare_masks(corner, boxes((1, 1, 1, 1)), 1.0)
    assert (row["count"], row["object_precision"]) == (2, 0.5)


def test_one_object_over_two_others():
    row = compare_masks(boxes((1, 1, 1, 7)), boxes((1, 1, 1, 2), (5, 1, 1, 2)), 1.0)
    assert (row["object_recall"], row["object_precision"], row["object_f1"]) == (1, 1, 1)


def test_empty_masks_have_no_dice():
    empty = np.zeros(SHAPE, bool)
    row = compare_masks(empty, empty, 1.0)
    for name in ("dsc", "recall", "precision", "object_f1", "volume_difference_percent"):
        assert np.isnan(row[name]), name
    assert row["volume_difference_mm3"] == 0
    row = compare_masks(ENGINE, empty, 1.0)
    assert (row["dsc"], row["precision"], row["object_f1"]) == (0, 0, 0)
    assert np.isnan(row["recall"])
    row = compare_masks(empty, ENGINE, 1.0)
    assert (row["dsc"], row["recall"], row["object_f1"]) == (0, 0, 0)
    assert np.isnan(row["precision"])


def test_nothing_in_common():
    row = compare_masks(boxes((1, 1, 1, 2)), boxes((9, 9, 9, 2)), 1.0)
    assert (row["dsc"], row["object_f1"]) == (0, 0)


def test_comparisons_of_a_session():
    rows = compare_session({"engine": ENGINE, "reader1": READER1, "reader2": READER2}, 1.0)
    found = {row["comparison"]: row for row in rows}
    assert list(found) == ["reader1", "reader2", "union", "intersection", "readers"]
    # union: 5 + 3 + 2 voxels, 7 of them the engine's; intersection: 3 voxels
    assert found["union"]["recall"] == pytest.approx(7 / 10)
    assert found["union"]["precision"] == pytest.approx(7 / 9)
    assert found["intersection"]["dsc"] == pytest.approx(6 / 12)
    # reader 1 is tested against reader 2: 3 shared of 9 and 4
    assert found["readers"]["precision"] == pytest.approx(3 / 9)
    assert found["readers"]["recall"] == pytest.approx(3 / 4)
    one = compare_session({"engine": ENGINE, "reader1": READER1}, 1.0)
    assert [row["comparison"] for row in one] == ["reader1"]


# ------------------------------------------------------------------ a cohort


def cohort(counts, comparison="reader1"):
    """Rows with the given (count, count of the reference)."""
    rows = [
        {
            "participant_id": f"sub-{i:02}", "session_id": None, "group": "a" if i % 2 else "b",
            "comparison": comparison, "dsc": i / 10, "recall": 0.5, "precision": 0.5,
            "object_f1": 0.5, "object_recall": 0.5, "object_precision": 0.5,
            "volume_difference_mm3": 1.0, "volume_difference_percent": 1.0,
            "count": mine, "count_reference": theirs, "volume_mm3": 10.0 * mine,
            "volume_mm3_reference": 10.0 * theirs, "objects_checked": 5, "objects_copied": 1,
        }
        for i, (mine, theirs) in enumerate(counts, start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


COUNTS = [(40, 38), (28, 31), (62, 55), (15, 20), (33, 33), (51, 44)]


def test_icc_and_bland_altman():
    rows = agree(cohort(COUNTS)).set_index(["measure", "row"])
    count = rows.loc["count"]
    # R 4.2, psych 2.2.9: x <- cbind(c(38, 31, 55, 20, 33, 44), c(40, 28, 62, 15, 33, 51))
    # ICC(x, lmer = FALSE)$results[2, ]
    icc = [0.946176982745, 0.698961692053, 0.992180531333]
    found = count.loc["test", ["estimate", "estimate_low", "estimate_high"]].astype(float)
    assert found.tolist() == pytest.approx(icc, rel=1e-6)
    # d <- x[, 2] - x[, 1]; mean(d); mean(d) + c(-1, 1) * qnorm(.975) * sd(d)
    assert count.loc["bias", "estimate"] == pytest.approx(8 / 6)
    assert count.loc["limit_low", "estimate"] == pytest.approx(-8.4795443165748, rel=1e-6)
    assert count.loc["limit_high", "estimate"] == pytest.approx(11.1462109832414, rel=1e-6)
    assert count.loc["bias", "contrast"] == "engine - reader1"
    assert rows.loc[("volume_mm3", "bias"), "estimate"] == pytest.approx(80 / 6)


def test_too_few_for_an_icc_is_a_note():
    rows = agree(cohort(COUNTS[:2]))
    assert rows["note"].str.contains("2 participants").all()


def test_summary_over_all_and_by_group():
    summary = summarise(cohort(COUNTS)).set_index(["measure", "group"])
    # 0.1 ... 0.6; the odd ones are of group a; type 7
    row = summary.loc["dsc", "all"]
    assert [row["median"], row["q1"], row["q3"]] == pytest.approx([0.35, 0.225, 0.475])
    assert summary.loc[("dsc", "a"), "median"] == pytest.approx(0.3)
    assert summary.loc[("dsc", "b"), "n"] == 3


def test_missing_dice_is_counted_and_not_averaged():
    table = cohort(COUNTS)
    table.loc[0, "dsc"] = np.nan
    row = summarise(table).set_index(["measure", "group"]).loc["dsc", "all"]
    assert (row["n"], row["missing"], row["median"]) == (5, 1, pytest.approx(0.4))


def test_columns_of_the_study():
    rows = compare_session({"engine": ENGINE, "reader1": READER1, "reader2": READER2}, 1.0)
    keys = {"participant_id": "sub-01", "session_id": None, "group": None}
    table = study_columns(pd.DataFrame([keys | row for row in rows]))
    references = ("reader1", "reader2", "union", "intersection")
    wanted = [f"{m}_{r}" for m in ("dsc", "recall", "precision") for r in references]
    assert list(table) == ["participant_id", *wanted]
    assert table["precision_reader2"].tolist() == pytest.approx([4 / 9])


def test_the_study_plan_asks_for_these_columns():
    from pathlib import Path

    plan = Path(__file__).resolve().parents[3] / "config/studies/ad.yaml"
    asked = set(re.findall(r"^  ((?:dsc|recall|precision)_\w+):", plan.read_text(), re.MULTILINE))
    rows = compare_session({"engine": ENGINE, "reader1": READER1, "reader2": READER2}, 1.0)
    keys = {"participant_id": "sub-01", "session_id": None}
    assert asked == set(study_columns(pd.DataFrame([keys | row for row in rows]))) - set(keys)


# ------------------------------------------------------------------ references that were copied


def scattered(rng, shape=(60, 60, 60), count=60):
    """A mask of short tubes that do not touch."""
    mask = np.zeros(shape, bool)
    for x, y, z in rng.permutation(np.argwhere(np.ones([s // 10 for s in shape])))[:count] * 10 + 4:
        length = rng.integers(3, 7)
        mask[x : x + 2, y : y + 2, z - length // 2 : z - length // 2 + length] = True
    return mask


def redrawn(mask, rng, rate):
    """Trace a mask anew: each voxel in or beside it may change sides."""
    from scipy import ndimage

    edge = ndimage.binary_dilation(mask)
    inside = mask & (rng.random(mask.shape) > rate)
    return inside | (edge & ~mask & (rng.random(mask.shape) < rate * 0.3))


def shares(engine, reference):
    rows = [{"comparison": "reader1", **compare_masks(engine, reference, 1.0)}]
    return copied_share(pd.DataFrame(rows)).iloc[0]


def test_a_corrected_reference_is_noticed():
    rng = np.random.default_rng(3)
    engine = scattered(rng)
    reference = engine.copy()
    reference[:, :, 45:] = False  # the rater deletes a part, and adds something
    reference[4:6, 4:9, 12] = True
    row = shares(engine, reference)
    assert row["independent"] is False
    assert row["share"] > 0.5


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_an_independent_reference_is_not(rate):
    rng = np.random.default_rng(4)
    truth = scattered(rng)
    engine, reference = redrawn(truth, rng, rate), redrawn(truth, rng, rate)
    row = shares(engine, reference)
    assert row["independent"] is True
    assert row["share"] < COPIED_SHARE / 2


def test_few_or_small_objects_tell_nothing():
    engine = boxes((1, 1, 1, 5), (1, 5, 5, 5), (8, 8, 8, 2))
    row = shares(engine, engine)
    assert (row["objects_checked"], row["objects_copied"]) == (2, 2)
    assert row["independent"] is None


def test_a_copy_with_one_voxel_more_is_no_copy():
    longer = compare_masks(boxes((1, 1, 1, 6)), boxes((1, 1, 1, 7)), 1.0)
    shorter = compare_masks(boxes((1, 1, 1, 6)), boxes((1, 1, 1, 5)), 1.0)
    same = compare_masks(boxes((1, 1, 1, 6)), boxes((1, 1, 1, 6), (1, 5, 1, 6)), 1.0)
    assert (longer["objects_copied"], shorter["objects_copied"], same["objects_copied"]) == (
        0,
        0,
        1,
    )


# ------------------------------------------------------------------ files


def write(path, mask, affine=AFFINE):
    save_image(mask.astype(np.uint8), affine, path)


@pytest.fixture
def study(tmp_path):
    """Six subjects with masks of the engine (BIDS folder) and of two raters (patterns)."""
    rng = np.random.default_rng(1)
    for i in range(1, 7):
        anat = tmp_path / "results" / "derivatives" / f"sub-{i:02}" / "ses-1" / "anat"
        engine = redrawn(ENGINE | READER1, rng, 0.2)
        for desc, mask in (("vbnet", engine), ("frangi", READER2)):
            write(anat / f"sub-{i:02}_ses-1_desc-{desc}_label-EPVS_mask.nii.gz", mask)
        write(tmp_path / "a" / f"sub-{i:02}_epvs.nii.gz", READER1)
        write(tmp_path / "b" / f"sub-{i:02}" / f"sub-{i:02}_ses-1.nii", redrawn(READER1, rng, 0.3))
    people = [{"participant_id": f"{i:02}", "arm": ("AD", "NC")[i % 2]} for i in range(1, 7)]
    write_tsv(pd.DataFrame(people), tmp_path / "participants.tsv")
    return tmp_path


@pytest.fixture
def quick(monkeypatch):
    """Draw nothing: for tests of what is compared, listed and told."""
    monkeypatch.setattr("glymflow.figures.charts.figure_bytes", lambda *_, **__: b"<svg></svg>")


def validate(study, *more, raters=2):
    patterns = (
        "a/{participant_id}_epvs.nii.gz",
        "b/{participant_id}/{participant_id}_{session_id}.nii",
    )
    given = [part for p in patterns[:raters] for part in ("--rater", str(study / p))]
    where = ["--engine", str(study / "results"), "--out", str(study / "out")]
    return cli.main(["validate-epvs", *where, *given, *more])


@pytest.mark.slow
def test_command(study, capsys):
    more = ["--participants", str(study / "participants.tsv"), "--group", "arm"]
    assert validate(study, *more) == 0
    printed = capsys.readouterr().out
    assert "6 sessions of 6 subjects compared, 0 left out." in printed
    assert "AI vs. intersection" in printed
    table = read_tsv(study / "out" / "sessions.tsv", text=("participant_id", "session_id", "group"))
    assert len(table) == 6 * 5
    assert set(table["session_id"]) == {"ses-1"}
    assert set(table["group"]) == {"AD", "NC"}
    wide = read_tsv(study / "out" / "participants_columns.tsv")
    assert len(wide.columns) == 2 + 12
    assert "frangi" not in printed
    page = (study / "out" / "index.html").read_text()
    assert page.count("<svg") == 2
    assert "Reader 1 vs. reader 2" in page
    head, *rows = (study / "out" / "table2.tsv").read_text().splitlines()
    assert head.split("\t")[1:5] == [
        "AI vs. reader 1", "AI vs. reader 2", "AI vs. union", "AI vs. intersection",
    ]  # fmt: skip
    assert [row.split("\t")[0].strip() for row in rows[::3]] == ["DSC", "Recall", "Precision"]


@pytest.mark.slow
def test_same_bytes_twice(study, capsys):
    validate(study)
    first = {path.name: path.read_bytes() for path in (study / "out").iterdir()}
    validate(study)
    again = {path.name: path.read_bytes() for path in (study / "out").iterdir()}
    assert first == again


def test_one_rater(study, capsys, quick):
    assert validate(study, raters=1) == 0
    wide = read_tsv(study / "out" / "participants_columns.tsv")
    assert list(wide)[2:] == ["dsc_reader1", "recall_reader1", "precision_reader1"]


def test_other_engine(study, capsys, quick):
    validate(study, "--desc", "frangi", raters=1)
    table = read_tsv(study / "out" / "sessions.tsv")
    assert set(table["count"]) == {1}


def test_missing_mask_is_listed_and_the_others_go_on(study, capsys, quick):
    (study / "a" / "sub-03_epvs.nii.gz").unlink()
    write(study / "a" / "sub-77_epvs.nii.gz", READER1)
    assert validate(study) == 0
    left_out = read_tsv(study / "out" / "left_out.tsv")
    assert dict(zip(left_out.participant_id, left_out.reason, strict=True)) == {
        "sub-03": "no mask of reader 1",
        "sub-77": "no mask of the engine; no mask of reader 2",
    }
    assert len(read_tsv(study / "out" / "participants_columns.tsv")) == 5
    assert "Left out: sub-03 ses-1: no mask of reader 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            np.array([[1.0, 0, 0, -6.5], [0, 1, 0, -6], [0, 0, 1, -5], [0, 0, 0, 1]]),
            "(-6.5, -6, -5)",
        ),
        (np.diag([1.0, 1, 2, 1]) @ AFFINE, "1 x 1 x 2 mm"),
    ],
)
def test_other_grid_is_one_clear_line(study, capsys, quick, change, told):
    path = study / "a" / "sub-02_epvs.nii.gz"
    write(path, READER1, change)
    assert validate(study, raters=1) == 0
    (line,) = [text for text in capsys.readouterr().out.splitlines() if "sub-02" in text]
    assert str(path) in line
    assert told in line
    assert (
        "sub-02_ses-1_desc-vbnet_label-EPVS_mask.nii.gz: 14 x 12 x 10 voxels of 1 x 1 x 1 mm"
        in line
    )
    assert len(read_tsv(study / "out" / "sessions.tsv")) == 5


def test_the_order_of_the_axes_does_not_matter(study, capsys, quick):
    validate(study)
    before = read_tsv(study / "out" / "sessions.tsv")
    path = study / "a" / "sub-02_epvs.nii.gz"
    flip = np.array([[0, -1.0, 0, 6], [0, 0, 1.0, -6], [1.0, 0, 0, -5], [0, 0, 0, 1]])
    write(path, READER1.transpose(2, 0, 1)[:, ::-1], flip)
    validate(study)
    pd.testing.assert_frame_equal(read_tsv(study / "out" / "sessions.tsv"), before)


def test_values_of_masks(study, capsys, quick):
    save_image(READER1 * np.float32(0.7), AFFINE, study / "a" / "sub-01_epvs.nii.gz")
    bad = np.where(READER1, np.nan, 0).astype(np.float32)
    save_image(bad, AFFINE, study / "a" / "sub-02_epvs.nii.gz")
    (study / "a" / "sub-04_epvs.nii.gz").write_bytes(b"no image")
    assert validate(study, raters=1) == 0
    printed = capsys.readouterr().out
    assert "sub-01_epvs.nii.gz: values other than 0 and 1" in printed
    assert "sub-02_epvs.nii.gz: the mask has values that are not numbers" in printed
    assert "sub-04_epvs.nii.gz: not a readable NIfTI image" in printed
    assert len(read_tsv(study / "out" / "sessions.tsv")) == 4


def test_both_empty_is_told(study, capsys, quick):
    empty = np.zeros(SHAPE, bool)
    write(study / "a" / "sub-01_epvs.nii.gz", empty)
    name = "sub-01/ses-1/anat/sub-01_ses-1_desc-vbnet_label-EPVS_mask.nii.gz"
    write(study / "results" / "derivatives" / name, empty)
    validate(study, raters=1)
    printed = capsys.readouterr().out
    assert "AI vs. reader 1: both masks are empty in 1 sessions, which have no Dice." in printed
    assert "n/a" in (study / "out" / "participants_columns.tsv").read_text()


def test_copied_reference_is_told_first(tmp_path, capsys, quick):
    rng = np.random.default_rng(2)
    for i in range(1, 4):
        engine = scattered(rng, shape=(40, 40, 40), count=20)
        corrected = engine.copy()
        corrected[:, :, :12] = False
        write(tmp_path / f"sub-{i}_e.nii", engine)
        write(tmp_path / f"sub-{i}_r.nii", corrected)
    given = ["--engine", str(tmp_path / "{participant_id}_e.nii")]
    given += ["--rater", str(tmp_path / "{participant_id}_r.nii"), "--out", str(tmp_path / "out")]
    assert cli.main(["validate-epvs", *given]) == 0
    assert (
        "masks of reader 1 voxel for voxel. So these masks are the engine's own, corrected"
        in capsys.readouterr().out
    )
    assert 'class="note warn"' in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("rater", "told"),
    [
        ("a/{participant_id}_epvs.mgz", "a mask ends in .nii, .nii.gz, .voi"),
        ("a/{subject}_epvs.nii.gz", "{subject} is not a field"),
        ("a/sub-01_epvs.nii.gz", "neither a folder nor a path with {participant_id}"),
        ("a/{participant_id_epvs.nii.gz", "expected '}'"),
        ("c/{participant_id}.nii.gz", "no file has such a name"),
        ("a", "no mask with a name like sub-01_label-EPVS_mask.nii.gz"),
    ],
)
def test_patterns_that_cannot_be_used(study, capsys, rater, told):
    where = ["--engine", str(study / "results"), "--out", str(study / "out")]
    assert cli.main(["validate-epvs", *where, "--rater", str(study / rater)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert rater in line
    assert not (study / "out").exists()


def test_nobody_can_be_compared(study, capsys):
    for path in (study / "a").iterdir():
        path.write_bytes(b"")
    assert validate(study, raters=1) == 1
    assert "no session can be compared; sub-01: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--rater", "x"], "--rater is given 3 times"),
        (["--group", "arm"], "give --participants and --group together, or neither"),
    ],
)
def test_arguments_that_do_not_fit(study, capsys, more, told):
    assert validate(study, *more) == 1
    assert told in capsys.readouterr().err


def test_group_column_that_is_not_there(study, capsys):
    table = str(study / "participants.tsv")
    assert validate(study, "--participants", table, "--group", "disease") == 1
    assert "--group: disease is not a column of" in capsys.readouterr().err


def test_two_masks_of_one_session(study, capsys, quick):
    folder = study / "results" / "derivatives" / "sub-01" / "ses-1" / "anat"
    write(folder / "sub-01_ses-1_run-2_desc-vbnet_label-EPVS_mask.nii.gz", ENGINE)
    validate(study)
    reason = read_tsv(study / "out" / "left_out.tsv").reason.iloc[0]
    assert reason.startswith("several masks of one session: ")
