"""The intake: every domain looks in one listing, and each subject that is left out has a line."""

import pandas as pd
import pytest
from bids_trees import make_tree

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.domains import DOMAINS
from glymflow.io import InputFault
from glymflow.workflow.config import load_config
from glymflow.workflow.intake import index_cohort, intake_settings, leave_out_crashed


@pytest.fixture
def find(tmp_path):
    """Index a folder by a config."""
    bids = tmp_path / "bids"

    def found(*names, people=None, **more):
        make_tree(bids, *names)
        if people:
            (bids / "participants.tsv").write_text("\n".join(["participant_id", *people]) + "\n")
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
