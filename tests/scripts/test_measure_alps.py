"""scripts/measure_alps.py: the rows of one series, and its regions as an image."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import bundles, index
from glymflow.alps.index import COLUMNS
from glymflow.alps.rois import ROLES, ellipsoid_points, mask_points
from glymflow.dwi.series import read_gradients, write_gradients
from glymflow.image.registration import map_points
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    read_tsv,
    save_image,
    write_json,
    write_placeholder,
)


@pytest.fixture(scope="module")
def table(walk):
    return read_tsv(walk.path["alps"])


def row_of(table, roi_set, frame):
    return table[(table.roi_set == roi_set) & (table.frame == frame)].iloc[0]


def test_one_row_per_set_and_frame(table):
    assert list(table) == COLUMNS
    assert list(zip(table.roi_set, table.frame, strict=True)) == [
        (roi_set, frame)
        for roi_set in ("barisano2025", "ad2025", "sheet", "longsheet")
        for frame in ("scanner", "template", "fibre")
    ]
    assert set(table.participant_id) == {"sub-01"}
    assert table.session_id.isna().all()
    assert set(table.source) == {"sub-01_dir-AP"}
    spheres = table.roi_set.isin(["barisano2025", "ad2025"])
    assert set(table.roi_radius_mm[spheres]) == {2.5}
    assert table.roi_radius_mm[~spheres].isna().all()
    calibrated = table.roi_set == "longsheet"
    assert set(table.steps[~calibrated]) == {"border_0.5"}
    # the phantom's fibres are not those of a head: they do not show its axes
    assert set(table.steps[calibrated]) == {"calibrate;keep_shape;border_1;level;partial_volume"}


@pytest.mark.parametrize("roi_set", ["barisano2025", "ad2025", "longsheet"])
@pytest.mark.parametrize("frame", ["scanner", "template", "fibre"])
def test_phantoms_index_is_found(table, phantom_scan, frame, roi_set):
    """Very coarse voxels: the demo's are held to 3 and 8 % (tests/end_to_end)."""
    truth = next(
        row
        for row in phantom_scan["truth"]["alps"]
        if (row["roi_set"], row["frame"]) == (roi_set, frame)
    )
    row = row_of(table, roi_set, frame)
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
        "registration_moved": registration["similarity_moved"],
        "motion_mm": fit["motion_mm"],
        "motion_worst_mm": fit["motion_worst_mm"],
        "gradient_margin": fit["gradient_margin"],
        "gradient_turn": fit["gradient_turn_deg"],
        "gradient_turn_se": fit["gradient_turn_se_deg"],
        "gradient_turn_y": fit["gradient_turn_axis"][1],
        "resolution_x_mm": fit["ResolutionMM"][0],
        "resolution_z_mm": fit["ResolutionMM"][2],
        "b_value": 1000,
        "directions": 15,
    }.items():
        np.testing.assert_allclose(table[name], value)


@pytest.mark.slow
def test_tissue_beside_free_water_has_rows_of_its_own(walk, rerun, table, tmp_path):
    """Where a second shell is there; what the tensor says stays as it is."""
    image = load_image(walk.path["preproc"])
    signal = image_data(image)
    n = signal.shape[3]
    bvals, bvecs = read_gradients(walk.path["sel.bval"], walk.path["sel.bvec"], n)
    # 15 % of free water: at twice the b-value tissue has its square, water that of its own
    b0, share = signal[..., bvals < 50].mean(axis=3, keepdims=True), 0.15
    tissue = np.divide(signal, b0, out=np.zeros_like(signal), where=b0 > 0)
    shells = [
        b0 * ((1 - share) * tissue**factor + share * np.exp(-factor * bvals * 3e-3))
        for factor in (1, 2)
    ]
    path = {name: str(tmp_path / name) for name in ("two.nii.gz", "two.bval", "two.bvec")}
    save_image(np.concatenate(shells, axis=3).astype(np.float32), image.affine, path["two.nii.gz"])
    write_gradients(
        np.r_[bvals, 2 * bvals], np.vstack([bvecs] * 2), path["two.bval"], path["two.bvec"]
    )
    written = rerun(
        "measure_alps", free_water=True, dwi=path["two.nii.gz"], bval=path["two.bval"],
        bvec=path["two.bvec"],
    )  # fmt: skip
    both = read_tsv(written.alps)
    assert both.model.value_counts().to_dict() == {"tensor": 12, "fwdti": 12}
    values = ["roi_set", "frame", "alps_left", "alps_right"]
    plain, wet = (both[both.model == name].reset_index(drop=True) for name in ("tensor", "fwdti"))
    pd.testing.assert_frame_equal(plain[values], table[values])
    np.testing.assert_allclose(wet.alps_mean, table.alps_mean, rtol=0.08)
    assert wet.alps_mean_se.isna().all()


@pytest.mark.parametrize("roi_set", ["barisano2025", "ad2025", "sheet", "longsheet"])
def test_every_value_has_an_interval_round_it(table, roi_set):
    for frame in ("scanner", "template", "fibre"):
        row = row_of(table, roi_set, frame)
        for side in ("left", "right", "mean"):
            value, error = row[f"alps_{side}"], row[f"alps_{side}_se"]
            low, high = row[f"alps_{side}_ci_low"], row[f"alps_{side}_ci_high"]
            assert low < value < high
            assert 0 < error < 0.3
            assert high - low == pytest.approx(2 * 1.96 * error, rel=1e-3)
    # both sides are measured: the mean is more certain than the worse of them
    worse = table[["alps_left_se", "alps_right_se"]].max(axis=1)
    assert (table.alps_mean_se < worse).all()


def test_longer_region_is_more_certain(table):
    """Of the same centres; single sides may differ by placement."""
    sheet, sphere = (row_of(table, name, "template") for name in ("sheet", "barisano2025"))
    assert sheet.alps_mean_se < sphere.alps_mean_se


def mapping(walk, row=None):
    """The registration alone, or moved as a row without the steps of `alps` says."""
    transforms = {key: walk.path[key] for key in ("affine", "warp")}

    def mapped(points):
        return map_points(points, transforms)

    if row is None:
        return mapped
    assert row.steps == "border_0.5"
    borders = {side: row[f"border_{side}_mm"] for side in ("left", "right")}
    return bundles.align_to_border(mapped, borders, gain=0.5)


def test_place_of_the_fibres_is_in_every_row(table):
    classic = table.steps == "border_0.5"
    for side in ("left", "right"):
        for value in ("border", "level"):
            for rows in (table[classic], table[~classic]):
                assert rows[f"{value}_{side}_mm"].drop_duplicates().size == 1
        assert table[f"level_{side}_mm"].between(-4, 4).all()
        assert table[f"border_{side}_mm"].between(28, 36).all()
        assert table[f"shift_{side}_mm"].drop_duplicates().size == 1
        assert 0 <= table[f"shift_{side}_mm"][0] < 2.5
        vector = [table[f"shift_{side}_{axis}_mm"][0] for axis in "xyz"]
        assert np.linalg.norm(vector) == pytest.approx(table[f"shift_{side}_mm"][0])


def test_calibration_and_fibres_are_in_every_row(table, phantom_scan):
    for name in ("gm_xx", "gm_yy", "gm_zz", "gm_points"):
        assert table[name].drop_duplicates().size == 1
    assert table.gm_xx[0] + table.gm_yy[0] + table.gm_zz[0] == pytest.approx(3)
    classic = table.steps == "border_0.5"
    assert (table.calibration_change[classic] == 0).all()
    assert table.calibration_change[~classic].abs().between(1e-6, 0.05).all()
    assert table.fibre_similarity.between(0.2, 0.5).all()
    turned = phantom_scan["head"].rotation
    angles = table.loc[~classic, ["fibre_pitch", "fibre_roll", "fibre_yaw"]].iloc[0]
    found = Rotation.from_euler("xyz", angles, degrees=True)
    assert np.degrees((found * Rotation.from_matrix(turned).inv()).magnitude()) < 8


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"calibrate": False}, "keep_shape;border_1;level;partial_volume"),
        ({"shift": True}, "calibrate;shift;keep_shape;border_1;level;partial_volume"),
        ({"border_gain": 0}, "calibrate;keep_shape;level;partial_volume"),
        ({"keep_shape": False}, "calibrate;border_1;level;partial_volume"),
        ({"level": False}, "calibrate;keep_shape;border_1;partial_volume"),
        ({"partial_volume": False}, "calibrate;keep_shape;border_1;level"),
    ],
)
def test_each_step_has_a_switch(walk, rerun, table, change, steps):
    arguments = walk.arguments["measure_alps"]
    written = rerun("measure_alps", settings=arguments["settings"] | change)
    found = read_tsv(written.alps)
    classic = found.steps == "border_0.5"
    assert set(found.steps[~classic]) == {steps}
    assert (found.alps_mean[~classic] != table.alps_mean[~classic]).all()
    pd.testing.assert_frame_equal(found[classic], table[classic])
    assert not table.qc_reasons.fillna("").str.contains("roi_displaced").any()


def test_turned_head_is_named_in_the_scanner_frame_only(table):
    """Pitch 10, roll -8, yaw 12."""
    turned = table.qc_reasons.fillna("").str.contains("head_turned")
    assert turned[table.frame == "scanner"].all()
    assert not turned[table.frame != "scanner"].any()


def test_regions_of_the_primary_set_are_drawn(walk, table, rerun):
    """Where they are measured: moved to the border of the bundles."""
    primary = "barisano2025"
    image = load_image(rerun("measure_alps", roi_set=primary).rois, ndim=3)
    labels = image_data(image)
    roi_set = walk.arguments["measure_alps"]["roi_sets"][primary]
    aligned = mapping(walk, row_of(table, primary, "template"))
    for number, role in enumerate(ROLES, start=1):
        cloud = aligned(ellipsoid_points(roi_set[role], (roi_set["radius_mm"],) * 3))
        voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(image.affine), cloud))
        drawn = {tuple(voxel) for voxel in np.argwhere(labels == number)}
        expected = {tuple(voxel) for voxel in voxels.astype(int)}
        assert len(drawn ^ expected) <= 0.02 * len(expected)  # rounding of the table's numbers


@pytest.fixture(scope="module")
def script_masks(walk, tmp_path_factory):
    """Four masks of a script in template space, as boxes 2 mm apart: a set, and their points."""
    folder = tmp_path_factory.mktemp("masks")
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-90, -126, -72)
    own, points = {"shape": "mask", "space": "template"}, {}
    for role in ROLES:
        centre = walk.arguments["measure_alps"]["roi_sets"]["barisano2025"][role]
        voxel = np.rint((np.array(centre) - affine[:3, 3]) / 2).astype(int)
        data = np.zeros((91, 109, 91), dtype=np.uint8)
        data[tuple(slice(at - 1, at + 2) for at in voxel)] = 1
        own[role] = str(folder / f"{role}.nii.gz")
        save_image(data, affine, own[role])
        points[role] = mask_points(data, affine)
    return own, points


def test_plain_masks_are_averaged_where_they_are(walk, rerun, script_masks, table):
    """Parity with common scripts: no alignment to the border, and 0 outside the mask counts."""
    own, points = script_masks
    sets = {"plain": own | {"plain": True}, "own": own}
    holed = load_image(walk.path["mask"], ndim=3)
    mask = image_data(holed).copy()
    mask[(np.indices(mask.shape).sum(axis=0) % 3) == 0] = 0
    tensor = load_image(walk.path["tensor"], ndim=4)
    triangle = np.where(mask[..., None] > 0, image_data(tensor), 0)
    folder = walk.folder
    save_image(mask.astype(np.uint8), holed.affine, folder / "holed.nii.gz")
    save_image(triangle.astype(np.float32), tensor.affine, folder / "holed_tensor.nii.gz")
    written = rerun(
        "measure_alps", roi_sets=sets, roi_set="own",
        mask=str(folder / "holed.nii.gz"), tensor=str(folder / "holed_tensor.nii.gz"),
    )  # fmt: skip
    found = read_tsv(written.alps)
    data = (triangle, mask > 0, tensor.affine)
    assert found.steps.unique().tolist() == ["none", "border_0.5"]
    own_way = mapping(walk, row_of(found, "own", "scanner"))  # no whole voxels of grey matter
    for name, to_subject in (("plain", mapping(walk)), ("own", own_way)):
        regions = {
            role: index.sample_region(*data, to_subject(points[role]), plain=name == "plain")
            for role in ROLES
        }
        row = row_of(found, name, "scanner")
        expected = index.measure_set(regions, np.eye(3))[0]
        for column in ("alps_left", "alps_right", "dxx_projection_left", "dzz_association_right"):
            assert row[column] == pytest.approx(expected[column], rel=1e-4)
    plain, weighted = (row_of(found, name, "scanner") for name in ("plain", "own"))
    assert plain.dxx_projection_left < 0.9 * weighted.dxx_projection_left


def test_same_inputs_give_the_same_bytes(walk, rerun):
    from pathlib import Path

    assert Path(rerun("measure_alps").alps).read_bytes() == Path(walk.path["alps"]).read_bytes()


def test_poor_registration_and_unknown_gradient_margin_are_judged(walk, rerun, tmp_path):
    facts = read_json(walk.path["registration"]) | {"similarity": 0.1}
    write_json(facts, tmp_path / "registration.json")
    write_json(read_json(walk.path["fit"]) | {"gradient_margin": None}, tmp_path / "fit.json")
    written = rerun(
        "measure_alps",
        registration=tmp_path / "registration.json",
        tensor_sidecar=tmp_path / "fit.json",
    )
    table = read_tsv(written.alps)
    assert set(table.qc_status) == {"fail"}
    assert table.qc_reasons.str.contains("registration_poor").all()
    assert not table.qc_reasons.str.contains("gradient").any()
    assert table.gradient_margin.isna().all()


def test_mask_that_follows_the_brain_is_not_judged_a_fault(table):
    assert table.mask_missing.max() < 0.005
    assert table.mask_outside.max() < 0.015
    assert table.brain_in_image.min() > 0.8
    assert not table.qc_reasons.str.contains("mask_").any()


@pytest.mark.parametrize(
    ("centre", "radius", "code"),
    [((0, -20, -5), 22, "mask_incomplete"), ((60, -10, 60), 35, "mask_leaks")],
)
def test_mask_that_cuts_out_or_leaks_is_named(walk, rerun, tmp_path, centre, radius, code):
    """A ball round the thalamus cut out of the mask; one beyond the skull added to it."""
    image = load_image(walk.path["mask"])
    mask = image_data(image) > 0
    found = np.moveaxis(np.indices(mask.shape), 0, -1) @ image.affine[:3, :3].T
    middle = map_points(
        np.array([centre], dtype=float),
        {name: walk.path[name] for name in ("affine", "warp")},
    )
    ball = np.linalg.norm(found + image.affine[:3, 3] - middle, axis=-1) < radius
    save_image(mask | ball if code == "mask_leaks" else mask & ~ball, image.affine,
               tmp_path / "m.nii.gz")  # fmt: skip
    one = {"barisano2025": walk.arguments["measure_alps"]["roi_sets"]["barisano2025"]}
    written = rerun(
        "measure_alps", mask=str(tmp_path / "m.nii.gz"), roi_sets=one, roi_set="barisano2025"
    )
    assert code in row_of(read_tsv(written.alps), "barisano2025", "template").qc_reasons.split(";")


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


@pytest.mark.parametrize(
    "name",
    [
        "tensor",
        "fa",
        "mask",
        "dwi",
        "affine",
        "warp",
        "registration",
        "tensor_sidecar",
    ],
)
def test_reason_of_an_excluded_series_is_passed_on(rerun, tmp_path, name):
    extension = ".nii.gz" if name in ("tensor", "fa", "mask", "dwi", "warp") else ".json"
    path = tmp_path / f"x{extension}"
    write_placeholder(path, "raw.nii.gz: truncated")
    with pytest.raises(InputFault, match=r"^raw\.nii\.gz: truncated$"):
        rerun("measure_alps", **{name: path})


def test_other_set_that_cannot_be_placed_is_missing_and_stops_nothing(walk, rerun):
    """A native mask that this subject does not have."""
    sets = walk.arguments["measure_alps"]["roi_sets"]
    own = {"shape": "mask", "space": "native", **dict.fromkeys(ROLES, "/gone/{participant_id}.nii")}
    table = read_tsv(rerun("measure_alps", roi_sets={"own": own} | sets).alps)
    assert table.roi_set.tolist() == [
        name for name in ("own", "barisano2025", "ad2025", "sheet", "longsheet") for _ in range(3)
    ]
    missing = table[table.roi_set == "own"]
    assert missing.alps_mean.isna().all()
    assert missing.alps_mean_se.isna().all()
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
