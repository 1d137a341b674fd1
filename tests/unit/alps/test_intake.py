"""What ALPS is measured in, as `glymflow check` says it."""

import pandas as pd
import pytest
from bids_trees import write_series

from glymflow.alps.intake import check, describe, index, page_files, settings
from glymflow.cohort.bids import list_cohort
from glymflow.dwi.preprocess import OFF
from glymflow.io import write_json

CONFIG = {
    "dwi": {"b0_threshold": 50, "shell_max": 1500} | OFF,
    "roi_set": "one",
    "roi_sets": {"one": {}, "two": {}},
    "frame": "fibre",
    "combine_series": "mean",
}


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path, "sub-1")
    write_series(tmp_path, "sub-2", n_bvals=5)
    return index(list_cohort(tmp_path), settings(CONFIG, {}), {}).rows


def test_a_gradient_table_that_does_not_fit_is_named(series):
    usable, faults = check(series, CONFIG)
    assert usable.series.tolist() == ["sub-1"]
    ((loss, name, fault),) = faults
    assert (loss, name) == ("not measured", "sub-2")
    assert "sub-2_dwi.bval" in fault


def test_a_preprocessed_series_made_with_other_steps_is_named(tmp_path):
    write_series(tmp_path / "raw", "sub-1")
    ready = write_series(tmp_path / "ready", "sub-1").parent
    for path in list(ready.iterdir()):
        path.rename(ready / path.name.replace("_dwi.", "_desc-preproc_dwi."))
    sidecar = tmp_path / "ready/sub-1/dwi/sub-1_desc-preproc_dwi.json"
    write_json({"Steps": OFF | {"denoise": "mppca"}}, sidecar)
    listing = list_cohort(tmp_path / "raw", tmp_path / "ready")
    rows = index(listing, settings(CONFIG, {}), {}).rows
    usable, faults = check(rows, CONFIG)
    assert len(usable) == 1
    words = f"{sidecar}: denoise: mppca recorded, none in the config"
    assert faults == [("mixed steps", "sub-1", words)]
    same = CONFIG | {"dwi": CONFIG["dwi"] | {"denoise": "mppca"}}
    assert check(rows, same)[1] == []


def test_what_will_be_measured(series):
    facts = describe(series, CONFIG)
    assert facts["subjects"] == 2
    assert facts["DWI series"] == "2, of which 0 already preprocessed"
    assert facts["ROI sets"] == "one (primary), two"
    assert facts["frames"] == "scanner, template, fibre (primary)"
    assert facts["values"] == "12 rows of alps.tsv"
    assert facts["several series"] == "no session"
    twice = pd.concat([series, series])
    assert describe(twice, CONFIG)["several series"] == "mean of a session"


def test_files_of_a_page():
    class Sheet:
        subjects = {"sub-1": ["sub-1_run-1", "sub-1_run-2"]}  # noqa: RUF012
        series = {  # noqa: RUF012
            f"sub-1_run-{i}": {"folder": "sub-1", "series": f"sub-1_run-{i}"} for i in (1, 2)
        }

    files, values = page_files(Sheet, "sub-1", CONFIG)
    assert values["series"] == ["sub-1_run-1", "sub-1_run-2"]
    assert files["alps"] == [f"<derivatives>/sub-1/dwi/sub-1_run-{i}_alps.tsv" for i in (1, 2)]
    assert {len(paths) for paths in files.values()} == {2}
