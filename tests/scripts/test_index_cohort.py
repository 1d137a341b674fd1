"""scripts/index_cohort.py: the sheet of the run as tables of series, masks, images, exclusions."""

import shutil

import pytest
from bids_trees import SETTINGS, make_tree

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.intake import SERIES_COLUMNS
from glymflow.epvs.intake import IMAGE_COLUMNS
from glymflow.io import InputFault, read_tsv
from glymflow.lesions.intake import MASK_COLUMNS
from glymflow.workflow.sheet import plan_sheet


@pytest.fixture
def plan(tmp_path):
    """Plan a run; return where its sheet is kept."""

    def run(**options):
        settings = {"bids_dir": str(tmp_path / "bids ä"), "derivatives_dir": None}
        settings |= {"participants": None, "domains": SETTINGS} | options
        return plan_sheet(settings, planning=True, folder=tmp_path / "kept").path

    return run


@pytest.fixture
def index(load_main, tmp_path):
    def run(sheet):
        names = ("series", "masks", "images", "excluded")
        paths = {name: tmp_path / f"{name}.tsv" for name in names}
        load_main("index_cohort")(sheet=sheet, **paths)
        return tuple(read_tsv(path) for path in paths.values())

    return run


def test_series_are_listed_and_who_has_none_is_excluded(plan, index, tmp_path):
    dwi = tmp_path / "bids ä" / "sub-01" / "dwi"
    dwi.mkdir(parents=True)
    for extension in (".nii.gz", ".bval", ".bvec"):
        (dwi / f"sub-01_dwi{extension}").touch()
    (tmp_path / "bids ä" / "sub-02" / "anat").mkdir(parents=True)
    series, _, _, excluded = index(plan())
    assert list(series) == SERIES_COLUMNS
    assert series.series.tolist() == ["sub-01"]
    assert series.dwi.tolist() == [str(dwi / "sub-01_dwi.nii.gz")]
    assert list(excluded) == list(EXCLUDED_COLUMNS)
    assert excluded.participant_id.tolist() == ["sub-02"]


def test_masks_and_images(plan, index, tmp_path):
    bids = make_tree(
        tmp_path / "bids ä",
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_space-T1w_label-lesion_mask.nii.gz",
    )
    _, masks, images, _ = index(plan(derivatives_dir=str(bids)))
    assert list(masks) == MASK_COLUMNS
    assert masks.label.tolist() == ["lesion"]
    assert list(images) == IMAGE_COLUMNS
    assert images.t1w.tolist() == [str(bids / "sub-01/anat/sub-01_T1w.nii.gz")]


def test_it_is_the_sheet_that_was_planned_with(plan, index, tmp_path):
    """The folders are not listed again: what came or went since then is of the next run."""
    bids = make_tree(tmp_path / "bids ä", "sub-01/dwi/sub-01_dwi", "sub-02/dwi/sub-02_dwi")
    sheet = plan()
    before = index(sheet)
    shutil.rmtree(bids)
    assert all(one.equals(other) for one, other in zip(index(sheet), before, strict=True))
    assert index(sheet)[0].series.tolist() == ["sub-01", "sub-02"]


def test_folder_that_cannot_be_read_is_named(plan, tmp_path):
    with pytest.raises(InputFault) as fault:
        plan(bids_dir=str(tmp_path / "gone"))
    assert str(fault.value).startswith(f"{tmp_path / 'gone'}: ")
