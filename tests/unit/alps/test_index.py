"""The index of known tensors in every frame, and the sampling of regions."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import index
from glymflow.alps.rois import ROLES, sphere_points
from glymflow.dwi.tensor import lower_triangles

PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.3e-3])
ASSOCIATION = np.diag([0.66e-3, 1.2e-3, 0.38e-3])
ALPS = (0.6 + 0.66) / (0.4 + 0.38)


def turn(*angles):
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def head(rotation=None, left=1.0):
    """Regions of a turned head; the left side's Dxx is `left` times the right's."""
    rotation = np.eye(3) if rotation is None else rotation
    regions = {}
    for role in ROLES:
        tensor = (PROJECTION if role.startswith("projection") else ASSOCIATION).copy()
        tensor[0, 0] *= left if role.endswith("left") else 1
        regions[role] = {
            "tensor": rotation @ tensor @ rotation.T,
            "fa": 0.5,
            "coverage": 1.0,
            "inside_image": 1.0,
            "voxels": 9,
        }
    return regions


def measured(regions, rotation):
    return {row["frame"]: row for row in index.measure_set(regions, rotation)}


# ---------------------------------------------------------------- the index


def test_index_is_taokas_ratio_of_means():
    assert index.alps_index(PROJECTION, ASSOCIATION) == pytest.approx(ALPS)
    # of means, not the mean of ratios
    assert index.alps_index(10 * PROJECTION, ASSOCIATION) == pytest.approx((6 + 0.66) / (4 + 0.38))


@pytest.mark.parametrize("denominator", [0.0, -0.1e-3])
def test_index_without_a_positive_denominator_is_missing(denominator):
    tensor = np.diag([1e-3, denominator, denominator])
    assert np.isnan(index.alps_index(tensor, tensor))


@pytest.mark.parametrize("frame", ["scanner", "template", "fibre"])
def test_upright_head_has_its_index_in_every_frame(frame):
    row = measured(head(left=1.2), np.eye(3))[frame]
    assert row["alps_right"] == pytest.approx(ALPS)
    assert row["alps_left"] == pytest.approx(1.2 * ALPS)
    assert row["alps_mean"] == pytest.approx(1.1 * ALPS)
    assert row["dxx_projection_right"] == pytest.approx(0.6e-3)
    assert row["dyy_projection_right"] == pytest.approx(0.4e-3)
    assert row["dxx_association_right"] == pytest.approx(0.66e-3)
    assert row["dzz_association_right"] == pytest.approx(0.38e-3)
    assert row["dxx_projection_left"] == pytest.approx(0.72e-3)


TURNS = [(25, 0, 0), (0, 15, 0), (0, 0, 30), (12, -20, 25), (-40, 10, 35)]


@pytest.mark.parametrize("angles", TURNS)
def test_template_and_fibre_frames_do_not_see_the_heads_rotation(angles):
    rotation = turn(*angles)
    rows = measured(head(rotation, left=0.9), rotation)
    for frame in ("template", "fibre"):
        assert rows[frame]["alps_right"] == pytest.approx(ALPS, rel=1e-9)
        assert rows[frame]["alps_left"] == pytest.approx(0.9 * ALPS, rel=1e-9)


@pytest.mark.parametrize("angles", TURNS)
def test_scanner_frame_has_the_bias_of_the_rotation(angles):
    """D_kk of R diag(l) R^T is the sum of l_i R_ki^2."""
    rotation = turn(*angles)
    p, a = np.diag(PROJECTION), np.diag(ASSOCIATION)
    x, y, z = rotation**2
    expected = (x @ p + x @ a) / (y @ p + z @ a)
    row = measured(head(rotation), rotation)["scanner"]
    assert row["alps_left"] == pytest.approx(expected, rel=1e-9)
    assert abs(row["alps_left"] / ALPS - 1) > 1e-3


@pytest.mark.parametrize("pitch", [-20, 20])
def test_fibre_frame_does_not_need_the_right_pitch(pitch):
    """The registration's pitch may be off by 20 degrees."""
    rotation = turn(12, -20, 25)
    row = measured(head(rotation), rotation @ turn(pitch, 0, 0))["fibre"]
    assert row["alps_mean"] == pytest.approx(ALPS, rel=1e-9)


@pytest.mark.parametrize("error", [(0, 3, 0), (0, 0, 3), (0, -3, 3)])
def test_fibre_frame_hardly_feels_a_midplane_that_is_off(error):
    """3 degrees of roll or yaw: below 1 %; the template frame has the same or more."""
    rotation = turn(12, -20, 25)
    row = measured(head(rotation), rotation @ turn(*error))["fibre"]
    assert row["alps_mean"] == pytest.approx(ALPS, rel=0.01)


def test_fibre_frame_takes_directions_of_both_sides_but_diffusivities_of_one():
    """One region's direction is off by 20 degrees of roll: half of it remains."""
    regions = head(left=0.9)
    error = turn(0, 20, 0)
    tensor = regions["projection_left"]["tensor"]
    regions["projection_left"]["tensor"] = error @ tensor @ error.T
    row = measured(regions, np.eye(3))["fibre"]
    off = np.radians(10)
    right, leak = np.diag(PROJECTION), np.sin(off) ** 2
    across = right[0] * (1 - leak) + right[2] * leak  # the right side's own, 10 degrees off
    assert row["dxx_projection_right"] == pytest.approx(across, rel=0.02)
    assert row["dyy_projection_right"] == pytest.approx(right[1])
    assert row["dyy_projection_left"] == pytest.approx(tensor[1, 1])
    assert row["alps_left"] / row["alps_right"] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("angles", TURNS)
def test_index_values_are_those_of_the_rows(angles):
    rotation = turn(*angles)
    regions = head(turn(3, -4, 5) @ rotation, left=0.9)
    values = index.index_values({role: regions[role]["tensor"] for role in ROLES}, rotation)
    rows = measured(regions, rotation)
    assert set(values) == {(f, s) for f in rows for s in ("left", "right", "mean")}
    for (frame, side), value in values.items():
        assert value == rows[frame][f"alps_{side}"]


def test_alignment_is_with_the_heads_crown_and_front():
    rotation = turn(10, 20, 30)
    rows = measured(head(rotation), rotation)
    for role in ROLES:
        assert rows["scanner"][f"alignment_{role}"] == pytest.approx(1)
    rows = measured(head(rotation), np.eye(3))
    assert rows["fibre"]["alignment_projection_left"] == pytest.approx(abs(rotation[2, 2]))
    assert rows["fibre"]["alignment_association_right"] == pytest.approx(abs(rotation[1, 1]))


@pytest.mark.parametrize("role", ROLES)
def test_region_without_data_makes_its_side_missing_and_only_it(role):
    regions = head()
    regions[role] |= {"tensor": np.full((3, 3), np.nan), "fa": np.nan, "coverage": 0.0, "voxels": 0}
    side = role.rsplit("_", 1)[1]
    other = "left" if side == "right" else "right"
    for row in index.measure_set(regions, np.eye(3)):
        assert np.isnan(row[f"alps_{side}"])
        assert np.isnan(row["alps_mean"])
        assert np.isnan(row[f"dxx_projection_{side}"])
        assert np.isnan(row[f"alignment_{role}"])
        assert row[f"alps_{other}"] == pytest.approx(ALPS)


def test_table_has_the_documented_columns_and_order():
    rows = [{"qc_reasons": "", "frame": "fibre", "alps_left": 1.5, "unknown": 1}]
    table = index.alps_table(rows)
    assert list(table) == index.COLUMNS
    assert len(set(index.COLUMNS)) == len(index.COLUMNS)
    assert table.alps_left[0] == 1.5
    assert pd.isna(table.alps_right[0])
    for name in ("participant_id", "session_id", "source", "roi_set", "frame", "qc_status"):
        assert name in table


def test_every_measure_has_a_column():
    assert set(index.measure_set(head(), np.eye(3))[0]) <= set(index.COLUMNS)


# ---------------------------------------------------------------- sampling


SHAPE = (14, 12, 10)
AFFINE = np.array([[2.0, 0, 0, -13], [0, 2.5, 0, -9], [0, 0, 3, 4], [0, 0, 0, 1]])


def place(*voxel):
    return AFFINE[:3, :3] @ voxel + AFFINE[:3, 3]


@pytest.fixture
def field():
    """Tensors that change linearly with the place, as a map: Dxx grows along x, and so on."""
    world = np.moveaxis(np.indices(SHAPE), 0, -1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.stack([linear(world, k) for k in range(6)], axis=-1).astype(np.float32)


def linear(world, k):
    slope = np.array([(1, 0, 0), (0, 0.3, 0.1), (0.2, 1, 0), (0, 0, 0.1), (0.1, 0, 0), (0, 0, 1)])
    base = 1e-3 if k in (0, 2, 5) else 0.05e-3
    return base + 1e-5 * (world @ slope[k])


def test_linear_field_is_read_exactly_between_voxels(field):
    points = sphere_points(place(6.3, 5.8, 4.4), 2.5)
    mask = np.ones(SHAPE, dtype=bool)
    found = index.sample_region(field, mask, AFFINE, points)
    expected = [linear(points, k).mean() for k in range(6)]
    np.testing.assert_allclose(lower_triangles(found["tensor"]), expected, rtol=1e-5)
    assert found["coverage"] == found["inside_image"] == 1
    nearest = np.rint((points - AFFINE[:3, 3]) / np.diag(AFFINE)[:3])
    assert found["voxels"] == len(np.unique(nearest, axis=0))


@pytest.mark.parametrize(
    ("order", "signs"),
    [
        ((0, 1, 2), (-1, 1, 1)), ((1, 2, 0), (1, 1, 1)), ((2, 1, 0), (-1, 1, -1)),
        ((0, 2, 1), (1, -1, -1)),
    ],
)  # fmt: skip
def test_other_storage_of_the_same_image_gives_the_same(field, order, signs):
    rng = np.random.default_rng(2)
    field = field * rng.uniform(0.8, 1.2, SHAPE)[..., None].astype(np.float32)
    mask = rng.uniform(size=SHAPE) > 0.1
    field = np.where(mask[..., None], field, 0)
    points = sphere_points(place(6.31, 5.83, 4.44), 4.0)
    change = np.eye(4)
    change[:3, :3] = np.eye(3)[:, order] * signs
    ends = np.where(np.array(signs) < 0, np.array(SHAPE)[list(order)] - 1, 0)
    change[:3, 3] = -change[:3, :3] @ ends
    flips = [axis for axis, sign in enumerate(signs) if sign < 0]
    stored = np.flip(field.transpose([*order, 3]), flips)
    stored_mask = np.flip(mask.transpose(order), flips)
    plain = index.sample_region(field, mask, AFFINE, points)
    other = index.sample_region(stored, stored_mask, AFFINE @ change, points)
    np.testing.assert_allclose(other["tensor"], plain["tensor"], rtol=1e-6, atol=1e-11)
    assert other["fa"] == pytest.approx(plain["fa"], rel=1e-5)
    for name in ("coverage", "inside_image", "voxels"):
        assert other[name] == plain[name]


def test_region_half_outside_the_mask_is_the_mean_of_its_inside():
    tensor = lower_triangles(PROJECTION).astype(np.float32)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:7] = True  # the border lies at voxel 6.5
    field = np.where(mask[..., None], tensor, 0)
    points = sphere_points(place(6.5, 5.8, 4.4), 3.0, 0.1) + np.array([0.01, 0, 0])
    found = index.sample_region(field, mask, AFFINE, points)
    np.testing.assert_allclose(found["tensor"], PROJECTION, rtol=1e-5, atol=1e-12)
    assert found["coverage"] == pytest.approx(0.5, abs=0.02)
    assert found["inside_image"] == 1


def test_region_half_outside_the_image_says_so():
    tensor = lower_triangles(ASSOCIATION).astype(np.float32)
    mask = np.ones(SHAPE, dtype=bool)
    field = np.broadcast_to(tensor, (*SHAPE, 6))
    points = sphere_points(place(13.5, 5.8, 4.4), 3.0, 0.1) + np.array([0.01, 0, 0])
    found = index.sample_region(field, mask, AFFINE, points)
    assert found["inside_image"] == pytest.approx(0.5, abs=0.02)
    assert found["coverage"] <= found["inside_image"]
    np.testing.assert_allclose(found["tensor"], ASSOCIATION, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("where", ["mask", "image"])
def test_region_wholly_outside_has_no_value(field, where):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:3] = True
    voxel = (9, 5, 5) if where == "mask" else (40, 5, 5)
    found = index.sample_region(field, mask, AFFINE, sphere_points(place(*voxel), 2.5))
    assert np.isnan(found["tensor"]).all()
    assert np.isnan(found["fa"])
    assert found["coverage"] == 0
    assert found["voxels"] == 0
    assert found["inside_image"] == (1 if where == "mask" else 0)


def test_plain_mean_counts_what_is_outside_as_zero():
    """Half of the region is outside the mask: half of each diffusivity, as a script has it."""
    tensor = lower_triangles(PROJECTION).astype(np.float32)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:7] = True
    field = np.where(mask[..., None], tensor, 0)
    points = np.array([place(x, 5, 4) for x in (4, 5, 6, 7, 8)])  # three of five inside
    found = index.sample_region(field, mask, AFFINE, points, plain=True)
    np.testing.assert_allclose(found["tensor"], 0.6 * PROJECTION, rtol=1e-5, atol=1e-12)
    weighted = index.sample_region(field, mask, AFFINE, points)
    np.testing.assert_allclose(weighted["tensor"], PROJECTION, rtol=1e-5, atol=1e-12)
    assert found["coverage"] == weighted["coverage"] == pytest.approx(0.6)
    assert found["fa"] == weighted["fa"]
    far = np.array([place(40, 5, 4)])
    assert np.isnan(index.sample_region(field, mask, AFFINE, far, plain=True)["tensor"]).all()


def test_plain_mean_is_the_same_where_all_is_inside(field):
    points = sphere_points(place(6.3, 5.8, 4.4), 2.5)
    mask = np.ones(SHAPE, dtype=bool)
    plain = index.sample_region(field, mask, AFFINE, points, plain=True)
    weighted = index.sample_region(field, mask, AFFINE, points)
    np.testing.assert_allclose(plain["tensor"], weighted["tensor"], rtol=1e-6)


@pytest.fixture
def ragged(field):
    """The field with noise and a mask that has holes: field, mask."""
    rng = np.random.default_rng(3)
    mask = rng.uniform(size=SHAPE) > 0.15
    noisy = field * rng.uniform(0.8, 1.2, (*SHAPE, 6)).astype(np.float32)
    return np.where(mask[..., None], noisy, 0), mask


def test_many_regions_are_sampled_as_each_alone(ragged):
    field, mask = ragged
    cloud = sphere_points(place(6.3, 5.8, 4.4), 3.0)
    steps = np.random.default_rng(4).normal(0, 3, (20, 3))
    steps[7] = (500, 0, 0)
    clouds = cloud[None] + steps[:, None]
    found = index.sample_tensors(field, mask, AFFINE, clouds)
    for tensor, points in zip(found, clouds, strict=True):
        alone = index.sample_region(field, mask, AFFINE, points)["tensor"]
        np.testing.assert_allclose(tensor, alone, rtol=1e-5, atol=1e-11)
    assert np.isnan(found[7]).all()


def test_shares_of_the_voxels_give_the_regions_mean_tensor(ragged):
    field, _ = ragged
    mask = np.ones(SHAPE, dtype=bool)
    points = sphere_points(place(6.31, 5.83, 4.44), 3.0)
    voxels, shares = index.voxel_weights(mask, AFFINE, points)
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()
    assert len(np.unique(voxels, axis=0)) == len(voxels)
    expected = index.sample_region(field, mask, AFFINE, points)["tensor"]
    mean = shares @ field[tuple(voxels.T)]
    np.testing.assert_allclose(mean, lower_triangles(expected), rtol=1e-5)


def test_shares_leave_out_what_is_outside_mask_and_image(ragged):
    _, mask = ragged
    for voxel in ((6.3, 5.8, 4.4), (0.2, 5.8, 4.4), (6.3, 11.1, 9.2)):
        points = sphere_points(place(*voxel), 3.0)
        voxels, shares = index.voxel_weights(mask, AFFINE, points)
        assert mask[tuple(voxels.T)].all()
        assert (voxels >= 0).all()
        assert shares.sum() == pytest.approx(1)
    voxels, shares = index.voxel_weights(mask, AFFINE, sphere_points(place(40, 5, 5), 2.5))
    assert len(voxels) == len(shares) == 0


def test_point_on_a_voxel_takes_that_voxel_alone():
    mask = np.ones(SHAPE, dtype=bool)
    voxels, shares = index.voxel_weights(mask, AFFINE, np.array([place(3, 4, 5)]))
    np.testing.assert_array_equal(voxels, [[3, 4, 5]])
    np.testing.assert_allclose(shares, [1])
    voxels, shares = index.voxel_weights(mask, AFFINE, np.array([place(3.25, 4, 5)]))
    np.testing.assert_array_equal(voxels, [[3, 4, 5], [4, 4, 5]])
    np.testing.assert_allclose(shares, [0.75, 0.25])


def test_fa_is_the_mean_over_the_points_not_that_of_the_mean_tensor():
    """Two crossing halves: each point is anisotropic, the mean is less so."""
    field = np.tile(lower_triangles(PROJECTION).astype(np.float32), (*SHAPE, 1))
    field[7:] = lower_triangles(ASSOCIATION)
    mask = np.ones(SHAPE, dtype=bool)
    apart = np.vstack([sphere_points(place(3, 5, 5), 2.0), sphere_points(place(10, 5, 5), 2.0)])
    found = index.sample_region(field, mask, AFFINE, apart)
    fa = [
        index.sample_region(field, mask, AFFINE, sphere_points(place(x, 5, 5), 2.0))["fa"]
        for x in (3, 10)
    ]
    assert found["fa"] == pytest.approx(np.mean(fa), rel=1e-5)
    np.testing.assert_allclose(found["tensor"], (PROJECTION + ASSOCIATION) / 2, atol=2e-8)


def test_phantoms_regions_have_the_true_index(phantom_scan, phantom_fit):
    """With the true centres, at 4 to 5 mm voxels and SNR 30: within 10 % of the truth."""
    regions = {
        role: index.sample_region(
            phantom_fit["triangle_map"], phantom_scan["mask"], phantom_scan["affine"],
            sphere_points([row["x"], row["y"], row["z"]], 2.5),
        )
        for row in phantom_scan["truth"]["rois"]
        if row["roi_set"] == "barisano2025"
        for role in [row["roi"]]
    }  # fmt: skip
    rows = measured(regions, phantom_scan["head"].rotation)
    for row in phantom_scan["truth"]["alps"]:
        if row["roi_set"] == "barisano2025":
            assert rows[row["frame"]]["alps_mean"] == pytest.approx(row["alps_mean"], rel=0.1)
    assert rows["template"]["alps_left"] > rows["template"]["alps_right"]
