"""What ALPS is measured in, as `glymflow check` says it."""

import json

import numpy as np
import pandas as pd
import pytest
from bids_trees import write_series

from glymflow.alps.intake import check, describe, index, page_files, settings
from glymflow.cohort.bids import list_cohort
from glymflow.dwi.preprocess import OFF
from glymflow.io import write_json

CONFIG = {
    "dwi": {"b0_threshold": 50, "shell_max": 1500, "shells": "auto"} | OFF,
    "roi_set": "one",
    "roi_sets": {"one": {}, "two": {}},
    "frame": "fibre",
    "combine_series": "mean",
    "qc": {"max_motion_mm": 2.0},
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


def test_lost_geometry_and_exchanged_sides_are_told(tmp_path):
    write_series(tmp_path, "sub-3", affine=np.eye(4))
    rows = index(list_cohort(tmp_path), settings(CONFIG, {}), {}).rows
    ball = {"shape": "sphere", "radius_mm": 2.5}
    ball |= {f"{part}_{side}": [x, -16, 27] for part in ("projection", "association")
             for side, x in (("left", 26), ("right", -26))}  # fmt: skip
    usable, faults = check(rows, CONFIG | {"roi_sets": {"mine": ball}})
    assert usable.empty
    (_, name, sides), (_, series, lost) = faults
    assert (name, series) == ("roi_sets.mine", "sub-3")
    assert "projection left lies on the right" in sides
    assert "sub-3_dwi.nii.gz: the affine is the identity" in lost


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


def test_a_scanner_frame_that_a_resampled_series_has_not_is_named(tmp_path):
    write_series(tmp_path / "raw", "sub-1")
    ready = write_series(tmp_path / "ready", "sub-1").parent
    for path in list(ready.iterdir()):
        path.rename(ready / path.name.replace("_dwi.", "_space-ACPC_desc-preproc_dwi."))
    rows = index(list_cohort(tmp_path / "raw", tmp_path / "ready"), settings(CONFIG, {}), {}).rows
    usable, faults = check(rows, CONFIG | {"frame": "scanner"})
    assert [fault[:2] for fault in faults] == [("no value", "sub-1_space-ACPC")]
    assert "its axes are those of ACPC" in faults[0][2]
    assert check(rows, CONFIG)[1] == []
    words = "1, of which 1 already preprocessed (desc-preproc 1)"
    assert describe(usable, CONFIG)["DWI series"] == words


def test_b_values_of_the_raw_series_are_named(tmp_path):
    raw = write_series(tmp_path / "raw", "sub-1")
    ready = write_series(tmp_path / "ready", "sub-1").parent
    (ready / "sub-1_dwi.bval").unlink()
    for path in list(ready.iterdir()):
        path.rename(ready / path.name.replace("_dwi.", "_desc-preproc_dwi."))
    rows = index(list_cohort(tmp_path / "raw", tmp_path / "ready"), settings(CONFIG, {}), {}).rows
    usable, faults = check(rows, CONFIG)
    assert usable.preprocessed.tolist() == [True]
    assert [fault[:2] for fault in faults] == [("borrowed", "sub-1")]
    assert faults[0][2].endswith(f"has the b-values of {raw.parent / 'sub-1_dwi.bval'}")


def test_a_pattern_without_any_file_is_named(series):
    pattern = "hcp/{participant_id}/data.nii.gz"
    faults = check(series, CONFIG | {"dwi": CONFIG["dwi"] | {"preprocessed": pattern}})[1]
    assert ("not used", "dwi.preprocessed", f"{pattern}: nobody has such a file") in faults


def test_a_low_shell_is_named(tmp_path):
    write_series(tmp_path, "sub-1", bvals=[0] + [200] * 6)
    rows = index(list_cohort(tmp_path), settings(CONFIG, {}), {}).rows
    usable, faults = check(rows, CONFIG)
    assert len(usable) == 1
    assert [fault[:2] for fault in faults] == [("low shell", "sub-1")]
    assert "200 is low for a tensor (shell_low)" in faults[0][2]


def write_told(path, **keys):
    path.with_suffix("").with_suffix(".json").write_text(json.dumps(keys))


def test_what_corrects_each_series_is_said(tmp_path):
    for label, direction in (("AP", "j-"), ("PA", "j")):
        path = write_series(tmp_path / label, "sub-1")
        for part in path.parent.iterdir():
            name = part.name.replace("_dwi", f"_dir-{label}_dwi")
            (tmp_path / "bids/sub-1/dwi").mkdir(parents=True, exist_ok=True)
            part.rename(tmp_path / "bids/sub-1/dwi" / name)
        write_told(
            tmp_path / f"bids/sub-1/dwi/sub-1_dir-{label}_dwi.nii.gz",
            PhaseEncodingDirection=direction, TotalReadoutTime=0.05,
        )  # fmt: skip
    write_series(tmp_path / "bids", "sub-2")
    config = CONFIG | {"dwi": CONFIG["dwi"] | {"distortion": "auto"}}
    found = index(list_cohort(tmp_path / "bids"), settings(config, {}), {}).rows
    usable, faults = check(found, config)
    facts = describe(usable, config)
    assert facts["distortion"] == "pair of opposite phase encodings 2, none 1"
    assert "sub-1_dir-PA_dwi.nii.gz (same session)" in facts["  sub-1_dir-AP"]
    assert facts["  sub-2"] == "none: no image of opposite phase encoding and no field map"
    assert faults == []

    sidecar = tmp_path / "bids/sub-1/dwi/sub-1_dir-PA_dwi.json"
    sidecar.write_text(json.dumps({"PhaseEncodingDirection": "j-"}))
    usable, faults = check(found, config)
    assert len(usable) == 3
    assert {(what, name) for what, name, _ in faults} == {
        ("not corrected", "sub-1_dir-AP"), ("not corrected", "sub-1_dir-PA"),
    }  # fmt: skip
    assert all("PhaseEncodingDirection is j-, dir-PA is j" in fault for *_, fault in faults)

    usable, faults = check(found, CONFIG)
    assert faults == []
    assert describe(usable, CONFIG)["distortion"] == "not corrected"


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
    assert files["volumes"][0].endswith("/sub-1_run-1_desc-confounds_timeseries.tsv")
    assert values["limits"] == {"max_motion_mm": 2.0}
