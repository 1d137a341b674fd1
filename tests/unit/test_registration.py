"""Between our arrays and ANTs: places and directions stay, and a failure is one line."""

from itertools import permutations, product

import ants
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow import phantom, registration
from glymflow.io import InputFault
from glymflow.pose import find_pose
from glymflow.template import load_template

STORED = [*product(permutations(range(3)), [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])]


def affine_of(order, signs, tilt):
    linear = np.zeros((3, 3))
    linear[order, range(3)] = np.multiply(signs, (2.0, 2.5, 3.5))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ linear
    affine[:3, 3] = (-30, 12, 7)
    return affine


# ---------------------------------------------------------------- axes


@pytest.mark.parametrize(("order", "signs"), STORED)
def test_voxel_lies_at_the_same_place_for_ants(order, signs):
    """ANTs' world is LPS: x and y have the other sign."""
    data = np.random.default_rng(0).uniform(size=(5, 6, 7)).astype(np.float32)
    for tilt in ((0, 0, 0), (20, -35, 15)):
        affine = affine_of(order, signs, tilt)
        image = registration.to_ants(data, affine)
        np.testing.assert_array_equal(image.numpy(), data)
        for voxel in ((0, 0, 0), (4, 0, 0), (1, 5, 2), (3, 2, 6)):
            place = affine[:3, :3] @ voxel + affine[:3, 3]
            there = ants.transform_index_to_physical_point(image, list(voxel))
            np.testing.assert_allclose(there * np.array([-1, -1, 1]), place, atol=1e-4)


@pytest.fixture
def known(tmp_path):
    """Transform files of a known affine (template to subject world) and of no deformation."""

    def write(matrix, shape=(40, 40, 40)):
        grid = np.diag([5.0, 5, 5, 1])
        grid[:3, 3] = -100
        zero = registration.to_ants(np.zeros(shape), grid)
        field = ants.from_numpy(
            np.zeros((*shape, 3), dtype=np.float32), origin=list(zero.origin),
            spacing=list(zero.spacing), direction=zero.direction, has_components=True,
        )  # fmt: skip
        paths = {"affine": tmp_path / "a.mat", "warp": tmp_path / "w.nii.gz"}
        paths["inverse_warp"] = paths["warp"]
        ants.write_transform(registration._ants_affine(matrix), str(paths["affine"]))
        ants.image_write(field, str(paths["warp"]))
        return paths

    return write


MATRIX = np.eye(4)
MATRIX[:3, :3] = 1.1 * Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix()
MATRIX[:3, 3] = (4, -7, 11)
POINTS = np.array([[0, 0, 0], [26, -16, 27], [-38, -16, 27], [5, 40, -12.5]])


@pytest.mark.parametrize("matrix", [np.eye(4), MATRIX])
def test_points_go_through_a_known_affine(known, matrix):
    expected = POINTS @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(registration.map_points(POINTS, known(matrix)), expected, atol=1e-4)


@pytest.mark.parametrize("matrix", [np.eye(4), MATRIX])
def test_maps_go_the_same_way_as_points(known, matrix):
    """A template blob warped to an oblique, permuted grid sits where its centre is mapped to."""
    transforms = known(matrix)
    grid = np.diag([4.0, 4, 4, 1])
    grid[:3, 3] = -80
    centre = np.array([16.0, -12, 24])
    world = np.moveaxis(np.indices((41, 41, 41)), 0, -1) * 4.0 - 80
    blob = np.exp(-np.sum((world - centre) ** 2, axis=-1) / (2 * 12**2))
    affine = affine_of((1, 2, 0), (1, -1, 1), (20, 10, -15))
    shape = (60, 70, 80)
    affine[:3, 3] -= affine[:3, :3] @ (np.array(shape) / 2) + affine[:3, 3]
    warped = registration.warp_to_subject(blob, grid, shape, affine, transforms)
    assert warped.shape == shape
    assert warped.dtype == np.float32
    voxels = np.argwhere(warped > 0.05)
    weight = warped[tuple(voxels.T)]
    middle = (weight @ voxels / weight.sum()) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(
        middle, registration.map_points(centre[None], transforms)[0], atol=0.2
    )


def test_labels_stay_labels(known):
    labels = np.zeros((40, 40, 40))
    labels[10:20], labels[20:30] = 3, 7
    grid = np.diag([5.0, 5, 5, 1])
    grid[:3, 3] = -100
    warped = registration.warp_to_subject(
        labels, grid, (50, 50, 50), np.diag([4.0, 4, 4, 1]) - np.diag([0, 0, 0, 0]), known(MATRIX),
        interpolator="nearestNeighbor",
    )  # fmt: skip
    assert set(np.unique(warped)) <= {0, 3, 7}
    assert len(np.unique(warped)) > 1


# ---------------------------------------------------------------- the image that is matched


def test_only_tissue_inside_the_rim_is_matched():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1:8, 1:8, 1:8] = True
    fa, md = np.full(mask.shape, 0.6), np.full(mask.shape, 0.7e-3)
    md[4, 4, 4], md[5, 4, 4], md[3, 4, 4] = 3e-3, 0.1e-3, 1.5e-3
    white = registration.white_matter_image(fa, md, mask)
    assert white[4, 4, 4] == white[5, 4, 4] == 0
    assert white[3, 4, 4] == 0.6
    assert white[1, 4, 4] == white[7, 4, 4] == white[0, 0, 0] == 0
    assert (white > 0).sum() == 5**3 - 2


def test_similarity_is_the_correlation_inside():
    rng = np.random.default_rng(0)
    fa = rng.uniform(size=(6, 7, 8))
    mask = rng.uniform(size=fa.shape) > 0.4
    wm = np.where(mask, 2 * fa + 1, rng.uniform(size=fa.shape))
    assert registration.similarity(fa, wm, mask) == pytest.approx(1)
    assert registration.similarity(fa, -wm, mask) == pytest.approx(-1)
    wm[np.argwhere(mask)[0][0]] = np.nan
    assert registration.similarity(fa, wm, mask) == pytest.approx(1)


@pytest.mark.parametrize("case", ["flat template", "flat fa", "no mask"])
def test_similarity_of_nothing_is_zero(case):
    fa = np.random.default_rng(0).uniform(size=(6, 7, 8))
    flat, mask = np.zeros(fa.shape), np.ones(fa.shape, dtype=bool)
    arguments = {
        "flat template": (fa, flat, mask),
        "flat fa": (flat, fa, mask),
        "no mask": (fa, fa, ~mask),
    }[case]
    assert registration.similarity(*arguments) == 0


# ---------------------------------------------------------------- the search itself


@pytest.fixture(scope="module")
def registered(phantom_scan, phantom_fit):
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    white = registration.white_matter_image(phantom_fit["fa_map"], phantom_fit["md_map"], mask)
    wm, wm_affine = load_template("wm", 4)
    head, _ = find_pose(white, affine, wm, wm_affine, load_template("mask", 4)[0])
    runs = [registration.register(white, affine, wm, wm_affine, head, seed=1) for _ in range(2)]
    return {"white": white, "wm": wm, "wm_affine": wm_affine, "runs": runs}


def test_phantoms_regions_are_found(phantom_scan, registered):
    """Known deformation, 4 mm voxels: centres within 4 mm, half of it on average."""
    centres = np.array([[-26, -16, 27], [26, -16, 27], [-38, -16, 27], [38, -16, 27.0]])
    truth = phantom.to_world(centres, phantom_scan["head"])
    found = registration.map_points(centres, registered["runs"][0])
    error = np.linalg.norm(found - truth, axis=1)
    assert error.max() < 4
    assert error.mean() < 3


def test_warped_template_lies_on_the_phantom(phantom_scan, registered):
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    warped = registration.warp_to_subject(
        registered["wm"], registered["wm_affine"], mask.shape, affine, registered["runs"][0]
    )
    assert registration.similarity(registered["white"], warped, mask) > 0.8


def test_same_seed_gives_the_same_bytes(registered):
    first, second = registered["runs"]
    assert first["folder"] != second["folder"]
    for name in ("affine", "warp", "inverse_warp"):
        with open(first[name], "rb") as one, open(second[name], "rb") as other:
            assert one.read() == other.read(), name


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_empty_fa_is_refused(value, phantom_scan):
    fa = np.full(phantom_scan["mask"].shape, value)
    wm, wm_affine = load_template("wm", 4)
    with pytest.raises(InputFault, match=r"^registration to the template failed: the FA map is e"):
        registration.register(fa, phantom_scan["affine"], wm, wm_affine, np.eye(4))


def test_error_of_ants_becomes_a_fault_of_one_line(monkeypatch, tmp_path, phantom_scan):
    def fail(*args, **options):
        raise RuntimeError("itk::ERROR:\n  all samples map outside\n")

    monkeypatch.setattr(ants, "registration", fail)
    monkeypatch.setattr(registration.tempfile, "tempdir", str(tmp_path))
    wm, wm_affine = load_template("wm", 4)
    with pytest.raises(InputFault) as fault:
        registration.register(
            np.ones(phantom_scan["mask"].shape), phantom_scan["affine"], wm, wm_affine, np.eye(4)
        )
    assert "all samples map outside" in str(fault.value)
    assert "\n" not in str(fault.value)
    assert not list(tmp_path.glob("glymflow-*"))
