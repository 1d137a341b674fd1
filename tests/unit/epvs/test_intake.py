"""Which T1w, T2w and masks of EPVS a session has, and when a run measures them."""

import os

import numpy as np
import pytest
from bids_trees import index_all, make_tree, write_series

from glymflow.epvs.intake import IMAGE_COLUMNS, check, settings
from glymflow.io import InputFault, save_image
from glymflow.study.plan import load_plan

AUTO = {"measure": "auto", "mask": None, "planned": False}


def index(root, derivatives=None, **epvs):
    """Index a folder; return its images by folder of the session."""
    images = index_all(root, derivatives, epvs=AUTO | epvs)[0]["epvs"]
    assert list(images) == IMAGE_COLUMNS
    return {row["folder"]: row for row in images.to_dict("records")}


def names(row, *columns):
    return tuple(row[c] and os.path.basename(row[c]) for c in columns or ("t1w", "t2w"))


def test_the_plainest_name_first_and_no_by_product(tmp_path):
    make_tree(
        tmp_path,
        *(f"sub-1/anat/sub-1_{stem}.nii.gz" for stem in (
            "acq-mprage_T1w", "run-2_T1w", "ce-gd_T1w", "desc-preproc_T1w", "space-MNI152_T1w",
            "space-MNI152_desc-preproc_T2w", "acq-x_run-1_T2w", "acq-x_run-2_T2w", "FLAIR",
            "part-phase_T2w")),
        "sub-2/anat/sub-2_ce-gd_T1w.nii.gz", "sub-2/anat/sub-2_acq-a_rec-b_run-1_T1w.nii",
        "sub-3/anat/sub-3_space-MNI152_T1w.nii.gz", "sub-3/dwi/sub-3_T1w.nii.gz",
    )  # fmt: skip
    found = index(tmp_path)
    assert names(found["sub-1"]) == ("sub-1_acq-mprage_T1w.nii.gz", "sub-1_acq-x_run-1_T2w.nii.gz")
    assert names(found["sub-1"], "flair") == ("sub-1_FLAIR.nii.gz",)
    assert names(found["sub-2"]) == ("sub-2_acq-a_rec-b_run-1_T1w.nii", None)
    assert found["sub-2"]["flair"] is None
    assert found["sub-1"]["fault"] is None
    assert found["sub-1"]["session"] == "sub-1"
    assert found["sub-3"]["fault"] == f"{tmp_path / 'sub-3'}: no T1w or T2w (anat/*_T1w.nii.gz)"
    assert not found["sub-3"]["measured"]


def test_images_are_of_the_session(tmp_path):
    make_tree(tmp_path, "sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz", "sub-1/ses-a/dwi/x.txt",
         "sub-1/ses-b/anat/sub-1_ses-b_T2w.nii.gz", "sub-1/ses-c/dwi/x.txt",
         "sub-2/ses-a/anat/sub-2_ses-b_T1w.nii.gz", "sub-3/anat/sub-1_T1w.nii.gz")  # fmt: skip
    found = index(tmp_path)
    assert names(found["sub-1/ses-a"]) == ("sub-1_ses-a_T1w.nii.gz", None)
    assert names(found["sub-1/ses-b"]) == (None, "sub-1_ses-b_T2w.nii.gz")
    assert found["sub-1/ses-b"]["session"] == "sub-1_ses-b"
    assert "no T1w or T2w" in found["sub-1/ses-c"]["fault"]
    assert "the session in the name is not that of the folder" in found["sub-2/ses-a"]["fault"]
    assert "does not begin with the folder's subject, sub-3" in found["sub-3"]["fault"]
    assert "sub-1" not in found  # it has sessions, and nothing beside them


def test_a_broken_link_is_said(tmp_path):
    make_tree(tmp_path, "sub-1/anat/x.txt")
    os.symlink(tmp_path / "gone", tmp_path / "sub-1" / "anat" / "sub-1_T1w.nii.gz")
    assert "the link points to a missing file" in index(tmp_path)["sub-1"]["fault"]


def test_masks_by_name(tmp_path):
    bids, made = tmp_path / "bids", tmp_path / "made"
    make_tree(bids, *(f"sub-{i}/anat/sub-{i}_T1w.nii.gz" for i in range(1, 6)),
         "sub-6/ses-a/anat/sub-6_ses-a_T1w.nii.gz")  # fmt: skip
    make_tree(made, "sub-1/anat/sub-1_label-EPVS_mask.nii.gz",
         "sub-1/anat/sub-1_desc-vbnet_label-EPVS_mask.nii.gz",
         "sub-2/anat/sub-2_desc-rater1_label-EPVS_mask.nii.gz",
         "sub-2/anat/sub-2_desc-rater2_label-EPVS_mask.nii.gz",
         "sub-3/anat/sub-3_space-MNI152_label-EPVS_mask.nii.gz",
         "sub-4/anat/sub-4_label-lesion_mask.nii.gz",
         "sub-5/anat/sub-9_label-EPVS_mask.nii.gz",
         "sub-6/anat/sub-6_space-T1w_label-EPVS_mask.nii.gz")  # fmt: skip
    found = index(bids, made)
    assert names(found["sub-1"], "mask") == ("sub-1_label-EPVS_mask.nii.gz",)
    assert found["sub-1"]["mask_fault"] is None
    assert found["sub-2"]["mask"] is None
    assert found["sub-2"]["mask_fault"].startswith("several masks of EPVS: ")
    assert found["sub-3"]["mask_fault"].endswith("the mask is in template space")
    assert (found["sub-4"]["mask"], found["sub-4"]["mask_fault"]) == (None, None)
    assert "does not begin with the folder's subject, sub-5" in found["sub-5"]["mask_fault"]
    # without a session it is of the only one
    assert names(found["sub-6/ses-a"], "mask") == ("sub-6_space-T1w_label-EPVS_mask.nii.gz",)
    assert all(row["measured"] for row in found.values())


def test_masks_by_path_win_over_names(tmp_path):
    make_tree(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_label-EPVS_mask.nii.gz",
         "sub-2/anat/sub-2_T1w.nii.gz", "m/one.nii.gz")  # fmt: skip
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tdrawn\nsub-1\tone\nsub-2\tgone\n", encoding="utf-8"
    )
    found = index(tmp_path, tmp_path, mask=str(tmp_path / "m" / "{drawn}.nii.gz"))
    assert names(found["sub-1"], "mask") == ("one.nii.gz",)
    assert found["sub-2"]["mask_fault"].endswith("gone.nii.gz: there is no such file (epvs.mask)")
    with pytest.raises(InputFault, match=r"epvs\.mask: \{nobody\} is not a column"):
        index(tmp_path, mask="{nobody}.nii.gz")


@pytest.mark.parametrize(
    ("changed", "measured"),
    [
        ({}, False),
        ({"planned": True}, True),
        ({"measure": "always"}, True),
        ({"measure": "never", "planned": True}, False),
    ],
)
def test_t1w_beside_dwi_is_measured_for_a_reason_only(tmp_path, changed, measured):
    write_series(tmp_path, "sub-1")
    make_tree(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz")
    assert index(tmp_path, **changed)["sub-1"]["measured"] == measured
    make_tree(tmp_path, "sub-2/anat/sub-2_T2w.nii.gz")
    assert index(tmp_path)["sub-1"]["measured"]


def test_a_t2w_beside_lesion_masks_is_no_reason(tmp_path):
    """It is the image on which they were drawn (the sICH paper)."""
    write_series(tmp_path / "bids", "sub-1")
    make_tree(tmp_path / "bids", "sub-1/anat/sub-1_T2w.nii.gz")
    make_tree(tmp_path / "masks", "sub-1/anat/sub-1_label-haematoma_mask.nii.gz")
    assert index(tmp_path / "bids")["sub-1"]["measured"]
    assert not index(tmp_path / "bids", tmp_path / "masks")["sub-1"]["measured"]
    assert index(tmp_path / "bids", tmp_path / "masks", planned=True)["sub-1"]["measured"]


def test_who_has_images_is_not_said_to_lack_dwi_where_nobody_has_it(tmp_path):
    make_tree(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-2/anat/x.txt")
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-2\n")
    excluded = index_all(tmp_path, epvs=AUTO)[1]
    assert sorted(zip(excluded.participant_id, excluded.stage, strict=True)) == [
        ("sub-1", "statistics"), ("sub-2", "intake"),
    ]  # fmt: skip


def test_a_plan_counts_if_participants_tsv_lacks_its_column(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "title: t\nvariables: {burden: {type: continuous, column: epvs_permille_bg}}\n"
        "analyses: [{id: one, kind: describe, variables: [burden]}]\n"
    )
    config = {"bids_dir": str(tmp_path), "participants": None,
              "epvs": {"measure": "auto", "mask": None, "engine": "vbnet"}}  # fmt: skip
    assert settings(config, load_plan(plan)) == AUTO | {"planned": True}
    assert settings(config, {}) == AUTO
    (tmp_path / "participants.tsv").write_text("participant_id\tepvs_permille_bg\nsub-1\t0.2\n")
    assert settings(config, load_plan(plan)) == AUTO


@pytest.mark.parametrize("suffix", ["T1w", "T2w"])
def test_check_names_an_image_that_lost_its_geometry(tmp_path, suffix):
    place = np.diag([1.0, 1, 1, 1])
    place[:3, 3] = -90
    for one in ("T1w", "T2w"):
        path = tmp_path / "sub-1" / "anat" / f"sub-1_{one}.nii.gz"
        save_image(np.zeros((4, 4, 4), np.uint8), np.eye(4) if one == suffix else place, path)
    images = index_all(tmp_path, None, epvs=AUTO)[0]["epvs"]
    ((what, session, fault),) = check(images, {})[1]
    assert (what, session) == ("no EPVS", "sub-1")
    assert f"sub-1_{suffix}.nii.gz: the affine is the identity" in fault
