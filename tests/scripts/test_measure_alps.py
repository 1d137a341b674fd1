"""scripts/measure_alps.py: the rows of one series, and its regions as an image."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from glymflow.alps import COLUMNS
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    read_tsv,
    write_json,
    write_placeholder,
)
from glymflow.registration import map_points
from glymflow.rois import ROLES, sphere_points


@pytest.fixture(scope="module")
def table(walk):
    return read_tsv(walk.path["alps"])


def row_of(table, roi_set, frame):
    return table[(table.roi_set == roi_set) & (table.frame == frame)].iloc[0]


def test_one_row_per_set_and_frame(table):
    assert list(table) == COLUMNS
    assert list(zip(table.roi_set, table.frame, strict=True)) == [
        (roi_set, frame)
        for roi_set in ("barisano2025", "ad2025")
        for frame in ("scanner", "template", "fibre")
    ]
    assert set(table.participant_id) == {"sub-01"}
    assert table.session_id.isna().all()
    assert set(table.source) == {"sub-01_dir-AP"}
    assert set(table.roi_radius_mm) == {2.5}


@pytest.mark.parametrize("frame", ["scanner", "template", "fibre"])
def test_phantoms_index_is_found(table, phantom_scan, frame):
    """Very coarse voxels: the demo's are held to 3 and 8 % (tests/end_to_end)."""
    truth = next(
        row
        for row in phantom_scan["truth"]["alps"]
        if (row["roi_set"], row["frame"]) == ("barisano2025", frame)
    )
    row = row_of(table, "barisano2025", frame)
    assert row.alps_mean == pytest.approx(truth["alps_mean"], rel=0.12)
    assert row.alps_mean == pytest.approx((row.alps_left + row.alps_right) / 2)
    assert row.alps_left > row.alps_right


def test_index_is_the_ratio_of_its_components(table):
    for side in ("left", "right"):
        across = table[f"dxx_projection_{side}"] + table[f"dxx_association_{side}"]
        other = table[f"dyy_projection_{side}"] + table[f"dzz_association_{side}"]
        np.testing.assert_allclose(table[f"alps_{side}"], across / other, rtol=1e-6)


def test_values_of_the_series_are_in_every_row(table, walk):
    registration, fit = read_json(walk.path["registration"]), read_json(walk.path["fit"])
    for name, value in {
        **{name: registration[name] for name in ("pitch", "roll", "yaw")},
        "registration_similarity": registration["similarity"],
        "motion_mm": fit["motion_mm"],
        "gradient_margin": fit["gradient_margin"],
    }.items():
        np.testing.assert_allclose(table[name], value)


def test_regions_of_the_primary_set_are_drawn(walk):
    image = load_image(walk.path["regions"], ndim=3)
    labels = image_data(image)
    roi_set = walk.arguments["measure_alps"]["roi_sets"]["barisano2025"]
    transforms = {key: walk.path[key] for key in ("affine", "warp")}
    for number, role in enumerate(ROLES, start=1):
        cloud = map_points(sphere_points(roi_set[role], roi_set["radius_mm"]), transforms)
        voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), cloud))
        drawn = {tuple(voxel) for voxel in np.argwhere(labels == number)}
        assert drawn == {tuple(voxel) for voxel in voxels.astype(int)}


def test_poor_registration_and_unknown_gradient_margin_are_judged(walk, rerun, tmp_path):
    facts = read_json(walk.path["registration"]) | {"similarity": 0.1}
    write_json(facts, tmp_path / "registration.json")
    write_json(read_json(walk.path["fit"]) | {"gradient_margin": None}, tmp_path / "fit.json")
    written = rerun(
        "measure_alps", registration=tmp_path / "registration.json", fit=tmp_path / "fit.json"
    )
    table = read_tsv(written.alps)
    assert set(table.qc_status) == {"fail"}
    assert table.qc_reasons.str.contains("registration_poor").all()
    assert not table.qc_reasons.str.contains("gradient").any()
    assert table.gradient_margin.isna().all()


def test_region_outside_the_image_fails_and_is_missing(walk, rerun):
    far = walk.arguments["measure_alps"]["roi_sets"]["ad2025"] | {
        "projection_left": [-26, -16, 300]
    }
    table = read_tsv(rerun("measure_alps", roi_sets={"far": far}, roi_set="far").alps)
    assert table.alps_left.isna().all()
    assert table.alps_mean.isna().all()
    assert table.alps_right.notna().all()
    assert set(table.qc_status) == {"fail"}
    for code in ("roi_outside_image", "roi_outside_brain", "alps_undefined"):
        assert table.qc_reasons.str.contains(code).all()
    assert (table.coverage_projection_left == 0).all()


@pytest.mark.parametrize("name", ["tensor", "mask", "affine", "warp", "registration", "fit"])
def test_reason_of_an_excluded_series_is_passed_on(rerun, tmp_path, name):
    extension = {"tensor": ".nii.gz", "mask": ".nii.gz", "warp": ".nii.gz"}.get(name, ".json")
    path = tmp_path / f"x{extension}"
    write_placeholder(path, "raw.nii.gz: truncated")
    with pytest.raises(InputFault, match=r"^raw\.nii\.gz: truncated$"):
        rerun("measure_alps", **{name: path})


def test_other_set_that_cannot_be_placed_is_missing_and_stops_nothing(walk, rerun):
    """A native mask that this subject does not have."""
    sets = walk.arguments["measure_alps"]["roi_sets"]
    own = {"shape": "mask", "space": "native", **dict.fromkeys(ROLES, "/gone/{participant_id}.nii")}
    table = read_tsv(rerun("measure_alps", roi_sets={"own": own} | sets).alps)
    assert table.roi_set.tolist() == ["own"] * 3 + ["barisano2025"] * 3 + ["ad2025"] * 3
    missing = table[table.roi_set == "own"]
    assert missing.alps_mean.isna().all()
    assert set(missing.qc_status) == {"fail"}
    assert missing.qc_reasons.notna().all()
    pd.testing.assert_frame_equal(
        table[3:].reset_index(drop=True), read_tsv(walk.path["alps"]), check_dtype=False
    )


def test_primary_set_that_cannot_be_placed_excludes_the_series(walk, rerun):
    sets = walk.arguments["measure_alps"]["roi_sets"]
    own = {"shape": "mask", "space": "native", **dict.fromkeys(ROLES, "/gone/{participant_id}.nii")}
    with pytest.raises(InputFault, match=r"^/gone/sub-01\.nii: No such file or directory$"):
        rerun("measure_alps", roi_sets={"own": own} | sets, roi_set="own")
