"""The intake: every domain looks in one listing, and each subject that is left out has a line."""

import json

import pandas as pd
import pytest
from bids_trees import make_tree

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.domains import DOMAINS
from glymflow.io import InputFault
from glymflow.workflow.config import load_config
from glymflow.workflow.intake import (
    index_cohort,
    intake_settings,
    leave_out_crashed,
    leave_out_unsafe,
)


@pytest.fixture
def find(tmp_path):
    """Index a folder by a config."""
    bids = tmp_path / "bids"

    def found(*names, people=None, header="participant_id", **more):
        make_tree(bids, *names)
        if people:
            (bids / "participants.tsv").write_text("\n".join([header, *people]) + "\n")
        path = tmp_path / "config.yaml"
        lines = [f"bids_dir: {bids}", *(f"{key}: {value}" for key, value in more.items())]
        path.write_text("\n".join(lines) + "\n")
        return index_cohort(**intake_settings(load_config(path), {}))

    return found


def test_every_domain_has_its_rows(find):
    rows, excluded = find(
        *("sub-1/dwi/sub-1_dwi", "sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_T2w.nii.gz"),
        people=["sub-1"],
    )
    assert list(rows) == [domain.name for domain in DOMAINS]
    assert rows["alps"].series.tolist() == ["sub-1"]
    assert rows["epvs"].folder.tolist() == ["sub-1"]
    assert rows["lesions"].empty
    assert list(excluded) == EXCLUDED_COLUMNS
    assert excluded.empty


def test_who_is_left_out_has_one_line(find):
    _, excluded = find(
        "sub-1/dwi/sub-1_dwi", "sub-2/func/sub-2_bold.nii.gz", people=["sub-1", "sub-7"]
    )
    lines = dict(zip(excluded.participant_id, excluded.reason, strict=True))
    assert set(lines) == {"sub-2", "sub-7"}
    assert "no DWI" in lines["sub-2"]


def test_one_folder_for_images_and_masks(find, tmp_path):
    rows, _ = find(
        "sub-1/anat/sub-1_space-MNI152_label-lesion_mask.nii.gz",
        derivatives_dir=tmp_path / "bids",
    )
    assert len(rows["lesions"]) == 1
    assert rows["alps"].empty


def test_a_table_that_was_named_must_be_there(find, tmp_path):
    with pytest.raises(InputFault):
        find("sub-1/dwi/sub-1_dwi", participants=tmp_path / "gone.tsv")


def test_what_crashed_is_left_out_and_named():
    series = pd.DataFrame(
        [("sub-1", None, "sub-1_dir-AP"), ("sub-1", None, "sub-1_dir-PA")],
        columns=["participant_id", "session_id", "series"],
        dtype=object,
    )
    rows = {"alps": series, "epvs": pd.DataFrame(), "lesions": pd.DataFrame()}
    excluded = pd.DataFrame(columns=EXCLUDED_COLUMNS, dtype=object)
    names = (("alps", "sub-1_dir-AP"), ("alps", "of-nobody"), ("lesions", "sub-9"))
    crashed = [{"domain": domain, "name": name, "log": "a.log"} for domain, name in names]
    left, added = leave_out_crashed(rows, excluded, crashed)
    assert left["alps"].series.tolist() == ["sub-1_dir-PA"]
    assert added.to_numpy().tolist() == [
        ["sub-1", None, "sub-1_dir-AP", "crashed", "ALPS: the job failed, see a.log"]
    ]


HOSTILE = ["$(touch X)", "`touch X`", 'a"b', "a\\b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_name_that_a_shell_would_run_leaves_its_mask_out(find, tmp_path, name):
    """The participants table may name any file."""
    for one in (name, "good O'Neil {0} %s"):
        path = tmp_path / "masks" / f"{one}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    rows, excluded = find(
        *("sub-1/dwi/sub-1_dwi", "sub-2/dwi/sub-2_dwi"),
        people=[f"sub-1\t{name}", "sub-2\tgood O'Neil {0} %s"],
        header="participant_id\tfile",
        lesions=f"{{masks: {{lesion: '{tmp_path}/masks/{{file}}.nii.gz'}}}}",
    )
    assert rows["lesions"].participant_id.tolist() == ["sub-2"]
    assert rows["alps"].participant_id.tolist() == ["sub-1", "sub-2"]
    (line,) = excluded.itertuples()
    assert line.participant_id == "sub-1"
    assert "a file name with $" in line.reason
    assert line.reason.isprintable()


def test_the_names_of_the_users_own_folders_do_not_count():
    table = pd.DataFrame([{"participant_id": "sub-1", "session_id": None, "dwi": "a$b/sub-1.nii"}])
    empty = pd.DataFrame(columns=EXCLUDED_COLUMNS)
    kept, lost = leave_out_unsafe({"alps": table}, empty, ("a$b", None))
    assert len(kept["alps"]) == 1
    assert lost.empty
    kept, lost = leave_out_unsafe({"alps": table}, empty, ("b", None))
    assert kept["alps"].empty
    assert len(lost) == 1


def test_a_file_that_may_correct_a_series_is_left_out_not_the_series():
    files = [{"image": "$(x)"}, {"image": "b.nii"}]
    row = {"participant_id": "sub-1", "session_id": None, "corrections": json.dumps(files)}
    empty = pd.DataFrame(columns=EXCLUDED_COLUMNS)
    kept, lost = leave_out_unsafe({"alps": pd.DataFrame([row])}, empty, ())
    assert kept["alps"].corrections.tolist() == [json.dumps(files[1:])]
    assert lost.reason[0].startswith("$(x): ")
    kept, lost = leave_out_unsafe({"alps": pd.DataFrame([row])}, lost, ())
    assert len(lost) == 1  # said once


def test_a_hostile_acquisition_beside_a_good_one(find):
    rows, excluded = find(
        "sub-1/dwi/sub-1_dwi", "sub-1/dwi/sub-1_acq-$(touch X)_dwi", people=["sub-1"]
    )
    assert rows["alps"].series.tolist() == ["sub-1"]
    assert "touch" not in rows["alps"].to_csv()
    assert len(excluded) == 1
