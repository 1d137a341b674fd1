"""Which lesion masks of a cohort are used: names, spaces, raters, patterns, and who is left out."""

import numpy as np
import pytest
from bids_trees import index_all, make_tree

from glymflow.io import InputFault, save_image
from glymflow.lesions.intake import MASK_COLUMNS, check, way_to_dwi
from glymflow.workflow.sheet import Sheet


def index(root, **settings):
    """Index a folder of images and masks."""
    rows, excluded = index_all(root, root, lesions=settings)
    assert list(rows["lesions"]) == MASK_COLUMNS
    return rows["alps"], rows["lesions"], excluded


def chosen(masks, *columns):
    return list(masks[list(columns)].itertuples(index=False, name=None))


def test_masks_only(tmp_path):
    make_tree(tmp_path, "sub-1/anat/sub-1_space-MNI152_label-lesion_mask.nii.gz",
         "sub-2/ses-a/dwi/sub-2_ses-a_space-DWI_label-lesion_desc-manual_mask.nii",
         "sub-3/anat/sub-3_label-GM_mask.nii.gz",
         "sub-3/anat/sub-3_label-lesion_probseg.nii.gz")  # fmt: skip
    series, masks, excluded = index(tmp_path)
    assert series.empty
    assert chosen(masks, "folder", "label", "space", "template", "volume") == [
        ("sub-1", "lesion", "MNI152", True, True),
        ("sub-2/ses-a", "lesion", "DWI", False, True),
    ]
    assert masks.rater.tolist() == [None, None]
    assert excluded.participant_id.tolist() == ["sub-3"]  # neither DWI nor a lesion


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("hematoma", "haematoma"),
        ("Haematoma", "haematoma"),
        ("edema", "oedema"),
        ("lesion", "lesion"),
    ],
)
def test_spellings(tmp_path, written, label):
    make_tree(tmp_path, f"sub-1/anat/sub-1_space-SWI_label-{written}_mask.voi")
    assert index(tmp_path)[1].label.tolist() == [label]


def test_the_space_in_which_it_was_drawn_gives_the_volume(tmp_path):
    stems = ["space-T1w_label-haematoma", "space-SWI_label-haematoma", "label-haematoma",
             "space-MNI152NLin6Asym_label-haematoma", "space-T2w_label-lesion"]  # fmt: skip
    make_tree(tmp_path, *(f"sub-1/anat/sub-1_{stem}_mask.nii.gz" for stem in stems))
    _, masks, _ = index(tmp_path)
    assert chosen(masks, "label", "space", "template", "volume") == [
        ("haematoma", "SWI", False, True),
        ("haematoma", "MNI152NLin6Asym", True, False),
        ("lesion", "T2w", False, True),
    ]


@pytest.mark.parametrize("name", ["desc-rater{}", "rater-{}"])
def test_two_raters(tmp_path, name):
    stems = [f"sub-1_space-SWI_label-haematoma_{name.format(i)}_mask.nii.gz" for i in (2, 1)]
    make_tree(tmp_path, *(f"sub-1/anat/{stem}" for stem in stems))
    _, masks, excluded = index(tmp_path)
    assert masks.rater.tolist() == ["1", "2"]
    make_tree(tmp_path, f"sub-1/anat/sub-1_space-SWI_label-haematoma_{name.format(3)}_mask.nii.gz")
    _, masks, excluded = index(tmp_path)
    assert masks.empty
    assert "masks of more than two raters; remove the others" in excluded.reason.tolist()[-1]


def test_what_cannot_be_told_apart_leaves_its_session_out(tmp_path):
    make_tree(tmp_path, *(f"sub-{i}/anat/sub-{i}_label-lesion_mask.nii.gz" for i in (1, 2, 3)),
         "sub-1/anat/sub-1_label-lesion_desc-auto_mask.nii.gz",
         "sub-2/anat/sub-9_label-lesion_mask.nii.gz",)  # fmt: skip
    _, masks, excluded = index(tmp_path)
    assert masks.participant_id.tolist() == ["sub-3"]
    reasons = dict(zip(excluded.participant_id, excluded.reason, strict=True))
    assert reasons["sub-1"].startswith("two masks for one label: ")
    assert "does not begin with the folder's subject, sub-2" in reasons["sub-2"]
    assert set(excluded.stage) == {"intake"}


def test_registration_of_the_session(tmp_path):
    make_tree(tmp_path, "sub-1/ses-a/dwi/sub-1_ses-a_dir-AP_dwi",
         "sub-1/ses-a/dwi/sub-1_ses-a_dir-PA_dwi",
         "sub-1/ses-a/anat/sub-1_ses-a_space-SWI_label-lesion_mask.nii.gz",
         "sub-1/ses-b/anat/sub-1_ses-b_space-SWI_label-lesion_mask.nii.gz",
         "sub-2/ses-a/dwi/sub-2_ses-a_dwi",
         "sub-2/anat/sub-2_space-SWI_label-lesion_mask.nii.gz")  # fmt: skip
    _, masks, excluded = index(tmp_path)
    assert chosen(masks, "folder", "series") == [
        ("sub-1/ses-a", "sub-1_ses-a_dir-AP"),
        ("sub-1/ses-b", None),
        ("sub-2/ses-a", "sub-2_ses-a"),  # the only session of the subject is meant
    ]
    assert excluded.session_id.tolist() == ["ses-b"]  # of ALPS: no DWI there


def test_image_and_sidecar(tmp_path):
    make_tree(tmp_path, "sub-1/anat/sub-1_space-T2w_label-lesion_mask.nii.gz",
         "sub-1/anat/sub-1_acq-wip_T2w.nii.gz", "sub-1/anat/sub-1_T2w.nii.gz",
         "sub-1/anat/sub-1_T2w.json", "sub-1/swi/sub-1_part-phase_swi.nii.gz",
         "sub-1/swi/sub-1_part-mag_swi.nii.gz",
         "sub-1/anat/sub-1_space-SWI_label-haematoma_mask.nii.gz",
         "sub-1/anat/sub-1_space-SWI_label-haematoma_mask.json")  # fmt: skip
    _, masks, _ = index(tmp_path)
    names = [[path.rsplit("/", 1)[1] for path in row] for row in chosen(masks, "image", "sidecar")]
    assert names == [
        ["sub-1_part-mag_swi.nii.gz", "sub-1_space-SWI_label-haematoma_mask.json"],
        ["sub-1_T2w.nii.gz", "sub-1_T2w.json"],
    ]


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("sub-1_T1w_label-lesion_roi", "T1w"),
        ("sub-1_acq-x_FLAIR_label-lesion_roi", "FLAIR"),
        ("sub-1_label-lesion_roi", None),
    ],
)
def test_the_name_of_fmriprep_and_qsiprep_is_read(tmp_path, name, space):
    """It lies beside the raw T1w; a mask in the folder of derivatives counts more."""
    make_tree(tmp_path, f"raw/sub-1/anat/{name}.nii.gz", "raw/sub-2/anat/sub-2_T1w.nii.gz",
              f"raw/sub-3/anat/{name.replace('sub-1', 'sub-3')}.nii.gz",
              "derived/sub-3/anat/sub-3_space-T2w_label-lesion_mask.nii.gz")  # fmt: skip
    for derived in (None, tmp_path / "derived"):
        rows, _ = index_all(tmp_path / "raw", derived, lesions={})
        found = chosen(rows["lesions"], "participant_id", "label", "space")
        third = ("sub-3", "lesion", space if derived is None else "T2w")
        assert found == [("sub-1", "lesion", space), third]
    assert len(index(tmp_path / "raw")[1]) == 2


class TestWayToTheDwi:
    @pytest.mark.parametrize(
        ("space", "series", "way"),
        [
            ("SWI", "sub-1", "same"),
            (None, "sub-1_dir-AP", "same"),
            ("CT", "sub-1", "same"),
            ("ACPC", "sub-1_space-ACPC", "same"),
            ("T1w", "sub-1_space-T1w", "same"),
            ("T2w", None, "same"),
            ("T2w", "sub-1_space-ACPC", "there"),
            ("T2w", "sub-1_space-T1w", "there"),
            (None, "sub-1_space-ACPC", "there"),
            ("ACPC", "sub-1", "back"),
            ("T2w", "sub-1_space-other", "unknown"),
            ("CT", "sub-1_space-ACPC", "unknown"),
        ],
    )
    @pytest.mark.parametrize("names", [("anat", "acpc"), ("t1wnative", "t1wacpc")])
    def test_names_and_transforms(self, space, series, way, names):
        here, there = names
        transforms = {("sub-1", None, here, there): "there", ("sub-1", None, there, here): "back"}
        assert way_to_dwi(("sub-1", "ses-a"), space, series, transforms) == way
        if way in ("there", "back"):
            assert way_to_dwi(("sub-1", None), space, series, {}) == "unknown"
            assert way_to_dwi(("sub-2", None), space, series, transforms) == "unknown"

    def test_in_a_cohort(self, tmp_path):
        dwi = "sub-{0}/dwi/sub-{0}_space-ACPC_desc-preproc_dwi"
        mask = "sub-{0}/anat/sub-{0}_space-SWI_label-haematoma_mask.nii.gz"
        xfm = "sub-1/anat/sub-1_from-anat_to-ACPC_mode-image_xfm.mat"
        for number in (1, 2):
            make_tree(tmp_path / "raw", f"sub-{number}/anat/sub-{number}_T1w.nii.gz")
            make_tree(tmp_path / "qsiprep", dwi.format(number), mask.format(number))
        make_tree(tmp_path / "qsiprep", xfm)
        rows, excluded = index_all(tmp_path / "raw", tmp_path / "qsiprep", lesions={})
        assert chosen(rows["lesions"], "series", "to_dwi") == [
            ("sub-1_space-ACPC", str(tmp_path / "qsiprep" / xfm)),
            (None, "unknown"),  # no registration leads from the mask to the template
        ]
        sheet = Sheet(rows, excluded)
        assert sheet.native_ways("sub-1") == sheet.lesion_transforms("sub-1")
        assert sheet.lesion_files(["sub-1"])[-1].endswith(".mat")
        assert sheet.native_masks("sub-2") == sheet.lesion_transforms("sub-2") == []
        save_image(np.ones((2, 2, 2), np.uint8), np.eye(4), tmp_path / "qsiprep" / mask.format(2))
        masks = rows["lesions"][rows["lesions"].participant_id == "sub-2"]
        _, ((what, who, words),) = check(masks, {})
        assert (what, who) == ("no place", "sub-2")
        assert "bring the mask to the space of the DWI" in words


class TestPatterns:
    @pytest.fixture
    def cohort(self, tmp_path):
        for subject in ("sub-01", "sub-02", "sub-03"):
            (tmp_path / subject).mkdir()
        (tmp_path / "participants.tsv").write_text(
            "participant_id\tdrawn\nsub-01\t7.voi\nsub-02\tn/a\nsub-03\tgone.voi\n"
        )
        for name in ("voi/7.voi", "voi/sub-02_t2.voi"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    def test_a_column_says_who_has_one(self, cohort):
        _, masks, excluded = index(cohort, masks={"haematoma": f"{cohort}/voi/{{drawn}}"})
        assert chosen(masks, "participant_id", "label", "mask") == [
            ("sub-01", "haematoma", f"{cohort}/voi/7.voi")
        ]
        (reason,) = excluded.reason[excluded.reason.str.contains("no such file")]
        assert reason == f"{cohort}/voi/gone.voi: there is no such file (lesions.masks.haematoma)"

    def test_a_file_named_by_the_id_may_be_absent(self, cohort):
        pattern = f"{cohort}/voi/{{participant_id}}_t2.voi"
        _, masks, excluded = index(cohort, masks={"lesion": pattern})
        assert masks.participant_id.tolist() == ["sub-02"]
        assert not excluded.reason.str.contains("no such file").any()

    def test_two_patterns_are_two_raters(self, cohort):
        (cohort / "voi" / "sub-02_B.voi").touch()
        patterns = [f"{cohort}/voi/{{participant_id}}_{who}.voi" for who in ("t2", "B")]
        _, masks, _ = index(cohort, masks={"lesion": patterns})
        assert masks.rater.tolist() == ["1", "2"]

    def test_a_pattern_counts_more_than_a_name(self, cohort):
        make_tree(cohort, "sub-01/anat/sub-01_label-haematoma_mask.nii.gz")
        _, masks, _ = index(cohort, masks={"haematoma": f"{cohort}/voi/{{drawn}}"})
        assert [path.rsplit("/", 1)[1] for path in masks["mask"]] == ["7.voi"]

    def test_sessions(self, cohort):
        for name in ("sub-01/ses-b", "sub-01/ses-a"):
            (cohort / name).mkdir()
        (cohort / "voi" / "sub-01_ses-b.voi").touch()
        pattern = f"{cohort}/voi/{{participant_id}}_{{session_id}}.voi"
        _, masks, _ = index(cohort, masks={"lesion": pattern})
        assert masks.folder.tolist() == ["sub-01/ses-b"]

    @pytest.mark.parametrize(
        "settings",
        [
            {"masks": {"oedema": "{file}.voi"}},
            {"side_column": "hemi"},
            {"location_column": "place"},
        ],
    )
    def test_a_column_that_is_not_there(self, cohort, settings):
        with pytest.raises(
            InputFault, match=r"lesions\.\w+(\.oedema)?: .* is not a column of .*tsv"
        ):
            index(cohort, **settings)
