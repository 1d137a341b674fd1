"""scripts/index_cohort.py: the sheet of series and the exclusions of the intake."""

import pytest

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.intake import SERIES_COLUMNS
from glymflow.io import InputFault, read_tsv


@pytest.fixture
def index(load_main, tmp_path):
    def run(**options):
        load_main("index_cohort")(
            **{"bids_dir": tmp_path / "bids ä", "derivatives_dir": None, "participants": None}
            | options,
            lesions=None,
            epvs=None,
            images=tmp_path / "images.tsv",
            masks=tmp_path / "masks.tsv",
            series=tmp_path / "series.tsv",
            excluded=tmp_path / "excluded.tsv",
        )
        return read_tsv(tmp_path / "series.tsv"), read_tsv(tmp_path / "excluded.tsv")

    return run


def test_series_are_listed_and_who_has_none_is_excluded(index, tmp_path):
    dwi = tmp_path / "bids ä" / "sub-01" / "dwi"
    dwi.mkdir(parents=True)
    for extension in (".nii.gz", ".bval", ".bvec"):
        (dwi / f"sub-01_dwi{extension}").touch()
    (tmp_path / "bids ä" / "sub-02" / "anat").mkdir(parents=True)
    series, excluded = index()
    assert list(series) == SERIES_COLUMNS
    assert series.series.tolist() == ["sub-01"]
    assert series.dwi.tolist() == [str(dwi / "sub-01_dwi.nii.gz")]
    assert list(excluded) == list(EXCLUDED_COLUMNS)
    assert excluded.participant_id.tolist() == ["sub-02"]


def test_folder_that_cannot_be_read_is_named(index, tmp_path):
    with pytest.raises(InputFault) as fault:
        index(bids_dir=tmp_path / "gone")
    assert str(fault.value).startswith(f"{tmp_path / 'gone'}: ")
