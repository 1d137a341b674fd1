"""`glymflow check`: what it says and how it exits."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bids_trees import write_series

from glymflow.cli import main
from glymflow.commands import check as check_module
from glymflow.io import write_json


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "étude un"
    write_series(root, "sub-01")
    return root


@pytest.fixture
def check(tmp_path, capsys):
    """Run the command on a config; return its exit status and what it printed."""

    def run(text):
        path = tmp_path / "my.yaml"
        path.write_text(text, encoding="utf-8")
        status = main(["check", str(path)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_all_is_well(root, check):
    status, out, err = check(f"bids_dir: {root}\n")
    assert status == 0
    assert err == ""
    assert "Nothing is missing or excluded." in out
    assert "barisano2025, ad2025, sheet, longsheet (primary)" in out
    assert "scanner, template (primary), fibre" in out
    assert "12 rows of alps.tsv" in out


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"n_volumes": 9}, "sub-02_dwi.bval: 7 b-values for 9 volumes"),
        ({"n_bvals": 5}, "sub-02_dwi.bval: 5 b-values for 7 volumes"),
        ({"n_bvecs": 6}, "sub-02_dwi.bvec: 3 x 6 numbers"),
        ({"bvals": [0] * 7}, "sub-02_dwi.bval: no diffusion-weighted volume"),
        ({"bvals": [0, 0, 0, 1, 1000, 1000, 1000]}, "sub-02_dwi.bval: 3 different gradient"),
        ({"shape": (4, 4), "n_volumes": 7}, "sub-02_dwi.nii.gz: 3-D image, 4-D expected"),
    ],
)
def test_a_series_that_cannot_be_measured(root, check, broken, words):
    write_series(root, "sub-02", **broken)
    status, out, _ = check(f"bids_dir: {root}\n")
    assert status == 0
    assert "Missing or excluded (1)" in out
    (line,) = [line for line in out.splitlines() if words in line]
    assert line.split()[:3] == ["not", "measured", "sub-02"]
    assert "1, of which 0 already preprocessed" in out


def test_a_table_in_other_units_is_decoded_and_said(root, check):
    write_series(root, "sub-02", bvals=[0] + [1] * 6)
    coded = write_series(root, "sub-03").with_suffix("").with_suffix(".bvec")
    np.savetxt(coded, np.loadtxt(coded) * np.sqrt([1, 1, 0.5, 1, 0.5, 1, 1]))
    write_series(root, "sub-04", bvals=[100] + [1000] * 6)
    _, out, _ = check(f"bids_dir: {root}\n")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    start = f"decoded sub-02 {root}/sub-02/dwi/sub-02_dwi.bval: b-values up to 1 were read as ms"
    assert any(line.startswith(start) for line in lines)
    start = f"decoded sub-03 {coded}: vectors of lengths 0.71 to 1 were read as b-values"
    assert any(line.startswith(start) for line in lines)
    assert "set dwi.b0_threshold to 100 to take it as b0" in out
    assert "3, of which 0 already preprocessed" in out


def test_derivatives_that_contribute_nothing_are_said(root, check, tmp_path):
    """One line that says what was looked for; silent as soon as something is used."""
    made = tmp_path / "made"
    folder = made / "sub-01" / "dwi"
    folder.mkdir(parents=True)
    (folder / "corrected.nii.gz").touch()
    config = f"bids_dir: {root}\nderivatives_dir: {made}\n"
    _, out, _ = check(config)
    (line,) = [line for line in out.splitlines() if "derivatives_dir" in line]
    for words in (
        "nothing in it is used",
        "eddy_rotated_bvecs",
        "desc-preproc",
        "in its 1 folders",
    ):
        assert words in line
    (folder / "corrected.eddy_rotated_bvecs").write_bytes(
        (root / "sub-01/dwi/sub-01_dwi.bvec").read_bytes()
    )
    (folder / "corrected.nii.gz").write_bytes((root / "sub-01/dwi/sub-01_dwi.nii.gz").read_bytes())
    _, out, _ = check(config)
    assert "nothing in it is used" not in out
    assert "1, of which 1 already preprocessed (eddy 1)" in out
    assert "has the b-values of" in out
    (made / "sub-01").rename(made / "sub-02")
    _, out, _ = check(config)
    assert "no sub-<label> folder in it has the name of one in bids_dir" in out


def test_an_image_that_is_none(root, check):
    path = write_series(root, "sub-02")
    path.write_bytes(path.read_bytes()[:40])
    _, out, _ = check(f"bids_dir: {root}\n")
    assert "sub-02_dwi.nii.gz: not a readable NIfTI image" in out
    path.write_bytes(b"")
    _, out, _ = check(f"bids_dir: {root}\n")
    assert "sub-02_dwi.nii.gz: the file is empty" in out


def test_excluded_subjects_are_listed(root, check):
    (root / "sub-03").mkdir()
    (root / "participants.tsv").write_text("participant_id\tage\nsub-03\t4\nsub-09\t4\n")
    status, out, _ = check(f"bids_dir: {root}\n")
    assert status == 0
    lines = out.split("Missing or excluded (3)\n")[1].splitlines()[:3]
    assert [line.split()[:3] for line in lines] == [
        ["no", "statistics", "sub-01"],
        ["not", "measured", "sub-03"],
        ["not", "measured", "sub-09"],
    ]
    # the names and the reasons stand below each other
    assert len({line.index("sub-0") for line in lines}) == 1
    assert len({line.index(str(root)) for line in lines}) == 1


def test_nothing_can_run(tmp_path, check):
    (tmp_path / "bids" / "sub-01").mkdir(parents=True)
    status, out, _ = check(f"bids_dir: {tmp_path / 'bids'}\n")
    assert status == 1
    assert "Nothing can run" in out


def test_config_that_is_refused(root, check):
    status, out, _ = check(f"bids_dir: {root}\nfrmae: fibre\n")
    assert status == 1
    assert "refused" in out
    assert "  - frmae: unknown key; did you mean frame?" in out


@pytest.mark.parametrize("text", ["bids_dir: [a", "- a"])
def test_no_config_at_all(check, text):
    status, out, err = check(text)
    assert status == 1
    assert out == ""
    assert len(err.splitlines()) == 1


def test_folder_without_subjects(tmp_path, check):
    status, _, err = check(f"bids_dir: {tmp_path}\n")
    assert status == 1
    assert err.startswith("glymflow check: ")
    assert len(err.splitlines()) == 1


def test_study_plan_and_columns(root, check, tmp_path, monkeypatch):
    """The plan is judged by glymflow.study.plan; here only that it is asked, and with what."""
    asked = []

    def plan_faults(plan, columns):
        asked.append((plan, columns))
        return ["plan: column grupp is not in participants.tsv"]

    monkeypatch.setattr(check_module, "load_plan", lambda path: Path(path).read_text())
    monkeypatch.setattr(check_module, "plan_faults", plan_faults)
    (root / "participants.tsv").write_text("participant_id\tgroup\nsub-01\ta\n")
    (tmp_path / "plan.yaml").write_text("plan")
    status, out, _ = check(f"bids_dir: {root}\nstudy: {tmp_path / 'plan.yaml'}\n")
    assert asked == [("plan", ["participant_id", "group"])]
    assert status == 1
    assert "  - plan: column grupp is not in participants.tsv" in out


def test_real_scans(check, shared_data):
    status, out, _ = check(f"bids_dir: {shared_data / 'real_bids'}\n")
    assert status == 0
    assert "12, of which 0 already preprocessed" in out
    assert "Nothing is missing or excluded." in out
    lines = out.split("Nothing to measure of one kind, no fault (10)\n")[1].splitlines()[:10]
    assert [line.split()[0] for line in lines if "no DWI" in line] == ["sub-ms01"]
    # there is a T2w, of one head
    assert "4 sessions (2 T1w and T2w, 2 T1w only), engine vbnet" in out
    assert sum("no T1w or T2w" in line for line in lines) == 9


def test_study_plan_warnings(root, check, tmp_path):
    """They are no refusal; only subjects with a folder are counted."""
    for number in range(2, 19):
        if number in (2, *range(10, 19)):
            write_series(root, f"sub-{number:02}")
    rows = "sub-01\ta\t60\nsub-02\tb\t50\n" + "".join(f"sub-{i}\ta\t70\n" for i in range(10, 19))
    rows += "sub-77\tb\t50\n"
    (root / "participants.tsv").write_text("participant_id\tgroup\tage\n" + rows)
    (tmp_path / "plan.yaml").write_text(
        "title: t\ngroups: { column: group, order: [a, b] }\n"
        "variables: { age: { type: continuous } }\n"
        "analyses: [{ id: one, kind: compare_groups, variables: [age] }]\n"
    )
    status, out, _ = check(f"bids_dir: {root}\nstudy: {tmp_path / 'plan.yaml'}\n")
    assert status == 0
    words = "groups: group 'b' has 1 usable member, it will not be tested"
    assert f"\nStudy plan (1 warning)\n  - {words}" in out


def test_epvs_sessions_and_their_faults(root, check):
    """Images that cannot be read, sessions without any; T1w alone beside DWI is not measured."""
    anat = root / "sub-01" / "anat"
    anat.mkdir()
    nib.save(
        nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.diag([1, 1, 1.2, 1])),
        anat / "sub-01_T1w.nii.gz",
    )
    _, out, _ = check(f"bids_dir: {root}\n")
    assert "not with the target all: there is no T2w (sessions: 1 T1w only)" in out
    assert "Nothing is missing or excluded." in out
    (anat / "sub-01_T2w.nii.gz").write_bytes(b"")
    write_series(root, "sub-02")
    status, out, _ = check(f"bids_dir: {root}\nepvs: {{engine: frangi}}\n")
    assert status == 0
    assert "1 sessions (1 T1w and T2w), engine frangi" in out
    (line,) = out.split("excluded (1)\n")[1].split("\n\n")[0].splitlines()
    assert line.split()[:3] == ["no", "EPVS", "sub-01"]
    assert "the file is empty" in line
    (line,) = out.split("no fault (1)\n")[1].split("\n\n")[0].splitlines()
    assert line.startswith("  sub-02  ")
    assert "no T1w or T2w" in line


def test_t1w_and_t2w_without_dwi_can_run(tmp_path, check):
    anat = tmp_path / "bids" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4)), anat / "sub-01_T2w.nii.gz")
    status, out, _ = check(f"bids_dir: {tmp_path / 'bids'}\n")
    assert status == 0
    assert "1 sessions (1 T2w only)" in out


def test_only_the_subjects_that_are_asked_for(root, check):
    write_series(root, "sub-02", n_volumes=9)
    status, out, _ = check(f"bids_dir: {root}\nparticipant_label: ['01']\n")
    assert status == 0
    assert "Nothing is missing or excluded." in out


def test_a_label_that_is_nobodys(root, check):
    status, out, err = check(f"bids_dir: {root}\nparticipant_label: ['1']\n")
    assert (status, out) == (1, "")
    expected = "participant_label: 1 is the label of no subject; the only subject is sub-01"
    assert err == f"glymflow check: {expected}\n"


def test_labels_without_quotes(root, check):
    """YAML reads 01 as a number, and 010 as eight."""
    status, out, _ = check(f"bids_dir: {root}\nparticipant_label: [01]\n")
    assert status == 1
    assert "participant_label[0]: 1 is not a text; put it in quotes" in out


def test_protocols_groups_and_sessions(root, check, tmp_path):
    """Two protocols that are those of the groups; the session that `first` takes."""
    lines = ["participant_id\tgroup"]
    for number in range(1, 5):
        path = root / f"sub-{number:02}" / "dwi" / f"sub-{number:02}_dwi.nii.gz"
        if number > 1:
            write_series(root, f"sub-{number:02}")
        model = "Prisma" if number > 2 else "Skyra"
        write_json({"ManufacturersModelName": model}, str(path).replace(".nii.gz", ".json"))
        lines.append(f"{number:02}\t{'ab'[number > 2]}")
    for session in ("ses-post", "ses-pre"):
        folder = root / "sub-05" / session / "dwi"
        folder.mkdir(parents=True)
        for file in (root / "sub-01" / "dwi").iterdir():
            shutil.copy(file, folder / file.name.replace("sub-01", f"sub-05_{session}"))
    lines.append("sub-05\ta")
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "plan.yaml").write_text(
        "title: t\ngroups: { column: group, order: [a, b] }\n"
        "variables: { alps_mean: { type: continuous } }\n"
        "analyses: [{ id: one, kind: compare_groups, variables: [alps_mean] }]\n"
    )
    _, out, _ = check(f"bids_dir: {root}\nstudy: {tmp_path / 'plan.yaml'}\n")
    assert "1 x 1 x 1 mm, Prisma: 2 series of 2 subjects" in out
    assert "ses-pre of 1; by label" in out
    lines = out.split("Protocols (2 warnings)\n")[1].splitlines()
    assert lines[0].startswith("  - PROTOCOL AND GROUP COINCIDE: 'a' and 'b'")
    assert lines[1].startswith("  - 2 protocols in one cohort")


PLAN = """title: t
groups: { column: group, order: [AD, HC] }
variables: { alps_mean: { type: continuous }, age: { type: continuous } }
analyses: [{ id: one, kind: compare_groups, variables: [alps_mean, age] }]
tables: [{ id: table1, analysis: one }]
"""


@pytest.fixture
def ready(tmp_path, check):
    """Check a study of a ready table, given as the lines of a CSV."""

    def run(*lines):
        (tmp_path / "plan.yaml").write_text(PLAN)
        (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
        return check(f"cohort: {tmp_path / 'table.csv'}\nstudy: {tmp_path / 'plan.yaml'}\n")

    return run


def test_a_ready_table(tmp_path, ready):
    rows = ("1,AD,1.4,60", "2,AD,1.3,61", "3,hc,1.5,62", '4,HC,1.5,"60,5"', "5,HC,NA,64")
    status, out, err = ready("participant_id,group,alps_mean,age", *rows)
    assert (status, err) == (0, "")
    assert f"cohort table  {tmp_path / 'table.csv'}: 5 rows, 5 participants" in out
    assert "images        none are looked for" in out
    assert "results       1 analysis, 1 table, 0 figures" in out
    assert "'hc' (1, is 'HC' meant?)" in out
    assert "'60,5' (sub-4, line 5); the variable cannot be used; write a decimal point: 60.5" in out
    assert "column 'alps_mean': 'NA' (1) read as missing" in out
    assert "not known yet" not in out
    assert "called like a measure" not in out


def test_each_fault_of_a_ready_table_is_one_line(ready):
    rows = ("1,AD,1.4", "1,AD,1.3", ",HC,1.5", "3,HC,1.5")
    status, out, _ = ready("participant_id,group,ALPS mean", *rows)
    assert status == 1
    first, *faults = out.splitlines()
    assert first.endswith("refused, nothing would run")
    assert len(faults) == 4
    assert "no participant_id in line 4" in faults[0]
    assert "lines 2 and 3 give different data for sub-1" in faults[1]
    assert "variables.alps_mean: no column 'alps_mean'" in faults[2]
    assert faults[2].endswith("(did you mean 'ALPS mean'?)")
    assert "variables.age: no column 'age'" in faults[3]


def test_a_folder_without_images(tmp_path, check):
    """The participants table is the study's if it has all columns; else nothing can run."""
    (tmp_path / "bids" / "sub-1" / "dwi").mkdir(parents=True)
    (tmp_path / "plan.yaml").write_text(PLAN)
    config = f"bids_dir: {tmp_path / 'bids'}\nstudy: {tmp_path / 'plan.yaml'}\n"
    path = tmp_path / "bids" / "participants.tsv"
    path.write_text("participant_id\tgroup\talps_mean\tage\n1\tAD\t1.4\t60\n2\tHC\t1.5\t61\n")
    status, out, _ = check(config)
    assert status == 0
    assert f"images        none in {tmp_path / 'bids'}" in out
    path.write_text("participant_id\tgroup\tage\n1\tAD\t60\n2\tHC\t61\n")
    status, out, _ = check(config)
    assert status == 1
    assert "name their table as cohort" in out
