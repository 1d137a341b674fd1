"""The four regions as points: spheres, masks in either space, and atlas labels by name and side."""

import nibabel as nib
import numpy as np
import pytest

from glymflow.alps import rois
from glymflow.io import InputFault, save_image

NOBODY = {"participant_id": "sub-01", "session_id": None, "series": "sub-01_dir-AP"}
SPHERES = {
    "shape": "sphere",
    "radius_mm": 2.5,
    "projection_left": [-26, -16, 27],
    "projection_right": [26, -16, 27],
    "association_left": [-38, -16, 27],
    "association_right": [38, -16, 27],
}


def shifted(points):
    """A stand-in for the registration: the subject lies 100 mm further on."""
    return points + np.array([100, 0, 0])


def reason(call, *args, **options):
    """Return the message of the fault, which must be one line."""
    with pytest.raises(InputFault) as fault:
        call(*args, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


# ---------------------------------------------------------------- spheres


@pytest.mark.parametrize("radius", [2.0, 2.5, 3.0, 5.0])
def test_sphere_has_its_volume(radius):
    volume = len(rois.sphere_points((1, 2, 3), radius)) * rois.POINT_SPACING_MM**3
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.05)


@pytest.mark.parametrize("radius", [0.3, 2.0, 2.5, 2.7])
def test_sphere_is_symmetric_round_its_centre_which_is_in_it(radius):
    centre = np.array([-26.3, -16.1, 27.7])
    points = rois.sphere_points(centre, radius)
    offsets = np.round(points - centre, 6) + 0.0
    assert (np.abs(offsets).sum(axis=1) == 0).sum() == 1
    assert np.linalg.norm(offsets, axis=1).max() <= radius + 1e-6
    as_set = set(map(tuple, offsets))
    assert as_set == {tuple(-offset + 0.0) for offset in offsets}
    assert as_set == {tuple(offset[[2, 0, 1]]) for offset in offsets}
    assert len(as_set) == len(points)


def test_sphere_reaches_its_radius():
    assert np.linalg.norm(rois.sphere_points((0, 0, 0), 2.5), axis=1).max() == pytest.approx(2.5)


@pytest.mark.parametrize("radii", [(2.5, 7.5, 5), (4, 2, 3), (0.5, 0.5, 6)])
def test_ellipsoid_has_its_extent_and_is_symmetric(radii):
    centre = np.array([26.2, -16.4, 27.1])
    offsets = np.round(rois.ellipsoid_points(centre, radii) - centre, 6) + 0.0
    np.testing.assert_allclose(offsets.max(axis=0), radii)
    assert (((offsets / radii) ** 2).sum(axis=1) <= 1 + 1e-6).all()
    as_set = set(map(tuple, offsets))
    assert len(as_set) == len(offsets)
    for signs in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        assert as_set == {tuple(offset * signs + 0.0) for offset in offsets}


def test_ellipsoid_has_its_volume():
    volume = len(rois.ellipsoid_points((0, 0, 0), (2.5, 7.5, 5))) * rois.POINT_SPACING_MM**3
    assert volume == pytest.approx(4 / 3 * np.pi * 2.5 * 7.5 * 5, rel=0.03)


def test_ellipsoid_of_equal_half_axes_is_the_sphere():
    np.testing.assert_array_equal(
        rois.ellipsoid_points((1, 2, 3), (2.7,) * 3), rois.sphere_points((1, 2, 3), 2.7)
    )


def test_ellipsoids_are_mapped_to_the_subject():
    sheet = {key: SPHERES[key] for key in rois.ROLES}
    sheet |= {"shape": "ellipsoid", "radii_mm": [2.5, 7.5, 5]}
    points = rois.roi_points(sheet, shifted, NOBODY)
    assert tuple(points) == rois.ROLES
    for role in rois.ROLES:
        centre = SPHERES[role] + np.array([100, 0, 0])
        np.testing.assert_allclose(points[role].mean(axis=0), centre)
        np.testing.assert_allclose(points[role].max(axis=0) - centre, [2.5, 7.5, 5])


def test_spheres_are_mapped_to_the_subject():
    points = rois.roi_points(SPHERES, shifted, NOBODY)
    assert tuple(points) == rois.ROLES
    for role in rois.ROLES:
        np.testing.assert_allclose(points[role].mean(axis=0), SPHERES[role] + np.array([100, 0, 0]))


# ---------------------------------------------------------------- masks


OBLIQUE = np.array([[0, 0, 2.5, -40], [-3.0, 0, 0.5, 50], [0, 4.0, 0, -20], [0, 0, 0, 1]])


LEVEL = {role: 3 if role.endswith("left") else 29 for role in rois.ROLES}


@pytest.fixture
def masks(tmp_path):
    """Four masks of one voxel each: (1 + number, 2, 3 or 29), 32.5 mm left or right."""
    paths = {}
    for number, role in enumerate(rois.ROLES):
        data = np.zeros((6, 7, 30), dtype=np.uint8)
        data[1 + number, 2, LEVEL[role]] = 1
        paths[role] = str(tmp_path / f"{role}.nii.gz")
        save_image(data, OBLIQUE, paths[role])
    return {"shape": "mask", "space": "template", **paths}


def test_masks_in_template_space_are_mapped_and_native_ones_are_not(masks):
    nearby = lambda points: points + np.array([2, 0, 0])  # noqa: E731
    for space, offset in (("template", 2), ("native", 0)):
        points = rois.roi_points(masks | {"space": space}, nearby, NOBODY)
        for number, role in enumerate(rois.ROLES):
            expected = (OBLIQUE @ [1 + number, 2, LEVEL[role], 1])[:3] + np.array([offset, 0, 0])
            np.testing.assert_allclose(points[role], [expected], atol=1e-5)


def test_native_paths_name_the_subject(masks, tmp_path):
    folder = tmp_path / "sub-01" / "sub-01_dir-AP"
    folder.mkdir(parents=True)
    pattern = str(tmp_path / "{participant_id}{session_id}" / "{series}" / "pl.nii.gz")
    (tmp_path / "projection_left.nii.gz").rename(folder / "pl.nii.gz")
    native = masks | {"space": "native", "projection_left": pattern}
    assert len(rois.roi_points(native, lambda points: points, NOBODY)["projection_left"]) == 1


def test_template_paths_are_taken_as_they_are(masks, tmp_path):
    odd = tmp_path / "{series}.nii.gz"
    (tmp_path / "projection_left.nii.gz").rename(odd)
    points = rois.roi_points(masks | {"projection_left": str(odd)}, shifted, NOBODY)
    assert len(points["projection_left"]) == 1


def test_mask_with_a_trailing_axis_is_read(masks):
    path = masks["association_left"]
    image = nib.load(path)
    save_image(np.asarray(image.dataobj)[..., None], OBLIQUE, path)
    assert rois.roi_points(masks, shifted, NOBODY)["association_left"].shape == (1, 3)


@pytest.mark.parametrize("space", ["template", "native"])
def test_missing_or_empty_mask_is_named(masks, space):
    masks["space"] = space
    path = masks["association_right"]
    save_image(np.zeros((6, 7, 8), dtype=np.uint8), OBLIQUE, path)
    words = reason(rois.roi_points, masks, shifted, NOBODY)
    assert words == f"{path}: the mask of association right is empty"
    masks["association_left"] += ".gone"
    words = reason(rois.roi_points, masks, shifted, NOBODY)
    assert words == f"{masks['association_left']}: No such file or directory"


@pytest.mark.parametrize("space", ["template", "native"])
@pytest.mark.parametrize("part", ["projection", "association"])
def test_exchanged_sides_of_masks_are_refused(masks, space, part):
    left, right = f"{part}_left", f"{part}_right"
    wrong = masks | {"space": space, left: masks[right], right: masks[left]}
    words = reason(rois.roi_points, wrong, lambda points: points, NOBODY)
    side = f"{part} left lies on the right of the head (x < 0 is left)"
    assert words == f"{wrong[left]}: {side}; exchange the two sides, or mend the header of the mask"


def test_sides_of_native_masks_are_those_of_the_head_not_of_the_scanner(masks):
    """A head that lies 40 mm to the right, turned by half a turn: its left is at x > 40."""
    turned = lambda points: points * (-1, -1, 1) + (40, 0, 0)  # noqa: E731
    words = reason(rois.roi_points, masks | {"space": "native"}, turned, NOBODY)
    assert "projection left lies on the right" in words
    named = [*rois.ROLES]
    swapped = {role: masks[named[number ^ 1]] for number, role in enumerate(named)}
    path = swapped["projection_right"]  # at -32.5: the right of this head
    move = np.array([[1, 0, 0, 80], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for role in ("projection_left", "association_left"):
        image = nib.load(swapped[role])
        save_image(np.asarray(image.dataobj), move @ image.affine, swapped[role])
    assert nib.load(path).affine[0, 3] == -40
    rois.roi_points(masks | swapped | {"space": "native"}, turned, NOBODY)


def test_spheres_on_the_wrong_side_and_sets_that_check_names(masks):
    wrong = SPHERES | {"association_right": [-38, -16, 27]}
    assert "association_right: association right lies on the left" in reason(
        rois.roi_points, wrong, shifted, NOBODY
    )
    swapped = masks | {"projection_left": masks["projection_right"]}
    sets = {"good": SPHERES, "wrong": wrong, "masks": swapped, "own": masks | {"space": "native"}}
    assert [name for _, name, _ in rois.side_faults(sets)] == ["roi_sets.wrong", "roi_sets.masks"]


# ---------------------------------------------------------------- atlas


@pytest.fixture(params=["RAS", "x flipped", "permuted"])
def atlas(request, tmp_path):
    """A label map, 5 mm: 2 = corona (|x| 20-30), 7 = fasciculus (35-45), y -25..-5, z 15..35."""
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = (-60, -40, 0)
    world = np.moveaxis(np.indices((25, 17, 11)), 0, -1) @ affine[:3, :3] + affine[:3, 3]
    x, y, z = np.abs(world[..., 0]), world[..., 1], world[..., 2]
    level = (y >= -25) & (y <= -5) & (z >= 15) & (z <= 35)
    labels = np.zeros(x.shape, dtype=np.uint8)
    labels[level & (x >= 20) & (x <= 30)] = 2
    labels[level & (x >= 35) & (x <= 45)] = 7
    labels[level & (world[..., 0] < 0) & (x == 45)] = 8  # only the left has this strip
    labels[level & (x == 0)] = 2  # the midline belongs to no side
    if request.param == "x flipped":
        labels = labels[::-1]
        affine = affine @ np.array([[-1, 0, 0, 24], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    if request.param == "permuted":
        labels = labels.transpose(2, 0, 1)
        affine = affine @ np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    save_image(labels, affine, tmp_path / "atlas.nii.gz")
    (tmp_path / "labels.tsv").write_text("index\tname\n7\tSLF\n2\tSCR\n8\tSLF strip\n9\tnowhere\n")
    return {
        "shape": "atlas",
        "image": str(tmp_path / "atlas.nii.gz"),
        "labels": str(tmp_path / "labels.tsv"),
        "projection": "SCR",
        "association": ["SLF", "SLF strip"],
    }


def test_labels_are_found_by_name_and_sides_by_world_x(atlas):
    points = rois.roi_points(atlas, shifted, NOBODY)
    for side, sign in (("left", -1), ("right", 1)):
        projection = points[f"projection_{side}"] - [100, 0, 0]
        association = points[f"association_{side}"] - [100, 0, 0]
        assert len(projection) == len(association) == 3 * 5 * 5
        np.testing.assert_allclose(projection.mean(axis=0), [sign * 25, -15, 25], atol=1e-4)
        np.testing.assert_allclose(association.mean(axis=0), [sign * 40, -15, 25], atol=1e-4)


def test_one_name_takes_only_its_own_label(atlas):
    points = rois.roi_points(atlas | {"association": "SLF"}, shifted, NOBODY)
    assert len(points["association_left"]) == 2 * 25
    assert len(points["association_right"]) == 3 * 25


def test_within_keeps_what_lies_in_the_sphere_of_the_other_set(atlas):
    sphere = SPHERES | {"radius_mm": 6.0}
    points = rois.roi_points(atlas | {"within": "mine"}, shifted, NOBODY, {"mine": sphere})
    for role in rois.ROLES:
        distance = np.linalg.norm(points[role] - [100, 0, 0] - sphere[role], axis=1)
        assert 0 < len(distance) < 75
        assert distance.max() <= 6
    plain = rois.roi_points(atlas, shifted, NOBODY)["projection_left"] - [100, 0, 0]
    inside = np.linalg.norm(plain - sphere["projection_left"], axis=1) <= 6
    assert len(points["projection_left"]) == inside.sum()


def test_atlas_faults_name_the_file_and_the_region(atlas):
    words = reason(rois.roi_points, atlas | {"projection": "nowhere"}, shifted, NOBODY)
    assert words == f"{atlas['image']}: no voxel of nowhere on the left"
    words = reason(rois.roi_points, atlas | {"association": "SLF strip"}, shifted, NOBODY)
    assert words == f"{atlas['image']}: no voxel of SLF strip on the right"
    far = {"far": SPHERES | {"projection_right": [26, 90, 27], "radius_mm": 6.0}}
    words = reason(rois.roi_points, atlas | {"within": "far"}, shifted, NOBODY, far)
    assert words == f"{atlas['image']}: no voxel of SCR on the right within the sphere of far"
    for key in ("image", "labels"):
        words = reason(rois.roi_points, atlas | {key: "/gone/a.x"}, shifted, NOBODY)
        assert words == "/gone/a.x: No such file or directory"


def test_label_table_without_its_columns_is_named(atlas, tmp_path):
    (tmp_path / "labels.tsv").write_text("number\tlabel\n2\tSCR\n")
    words = reason(rois.roi_points, atlas, shifted, NOBODY)
    assert words == f"{atlas['labels']}: the columns index and name are needed"


# ---------------------------------------------------------------- drawing


def test_regions_are_drawn_where_they_lie():
    affine = OBLIQUE
    points = {
        role: (affine @ np.array([[n + 1, 2, 3, 1], [n + 1, 3, 3, 1]]).T).T[:, :3]
        for n, role in enumerate(rois.ROLES)
    }
    points["projection_left"] += 0.3  # the nearest voxel
    points["association_right"] = np.vstack([points["association_right"], [[500.0, 0, 0]]])
    labels = rois.label_image(points, (6, 7, 8), affine)
    assert labels.dtype == np.uint8
    expected = np.zeros((6, 7, 8))
    for number in range(4):
        expected[number + 1, 2:4, 3] = number + 1
    np.testing.assert_array_equal(labels, expected)
