"""Between our arrays and ANTs: places and directions stay, and a failure is one line."""

import subprocess
import sys
from itertools import permutations, product

import ants
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.image import registration
from glymflow.image.pose import find_pose
from glymflow.image.template import load_template
from glymflow.io import InputFault, MachineFault
from glymflow.phantoms import head as phantom

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


def test_the_last_bits_of_fa_do_not_reach_the_registration():
    fa = np.random.default_rng(3).uniform(0.1, 0.9, (9, 9, 9)).round(4) + 2e-5
    mask, md = np.ones(fa.shape, dtype=bool), np.full(fa.shape, 0.7e-3)
    white = registration.white_matter_image(fa, md, mask)
    np.testing.assert_array_equal(white, registration.white_matter_image(fa + 1e-6, md, mask))
    assert np.abs(white - fa)[white > 0].max() <= 0.0005 + 1e-9


def test_similarity_is_the_correlation_inside():
    rng = np.random.default_rng(0)
    fa = rng.uniform(size=(6, 7, 8))
    mask = rng.uniform(size=fa.shape) > 0.4
    wm = np.where(mask, 2 * fa + 1, rng.uniform(size=fa.shape))
    assert registration.similarity(fa, wm, mask) == pytest.approx(1)
    assert registration.similarity(fa, -wm, mask) == pytest.approx(-1)
    wm[np.argwhere(mask)[0][0]] = np.nan
    assert registration.similarity(fa, wm, mask) == pytest.approx(1)


@pytest.mark.parametrize("size", [(2, 2, 2), (1.5, 2, 4)])
@pytest.mark.parametrize("way", [1, -1])
def test_a_registration_that_is_off_fits_better_away(size, way):
    shape = np.rint(np.divide(80, size)).astype(int)
    noise = np.random.default_rng(1).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, np.divide(4, size))
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(n // 6, -(n // 6)) for n in shape)] = True
    affine = np.diag([*size, 1])
    for axis, step in enumerate(np.diag(np.divide(4 * way, size))):
        off = ndimage.shift(smooth, step, order=1, cval=np.nan)
        assert registration.moved_similarity(smooth, off, mask, affine) > 1, axis
    assert registration.moved_similarity(smooth, smooth, mask, affine) < 0.8
    assert np.isnan(registration.moved_similarity(smooth, -smooth, mask, affine))


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


@pytest.mark.slow
def test_phantoms_regions_are_found(phantom_scan, registered):
    """Known deformation, 4 mm voxels: centres within 4 mm, half of it on average."""
    centres = np.array([[-26, -16, 27], [26, -16, 27], [-38, -16, 27], [38, -16, 27.0]])
    truth = phantom.to_world(centres, phantom_scan["head"])
    found = registration.map_points(centres, registered["runs"][0])
    error = np.linalg.norm(found - truth, axis=1)
    assert error.max() < 4
    assert error.mean() < 3


@pytest.mark.slow
def test_warped_template_lies_on_the_phantom(phantom_scan, registered):
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    warped = registration.warp_to_subject(
        registered["wm"], registered["wm_affine"], mask.shape, affine, registered["runs"][0]
    )
    assert registration.similarity(registered["white"], warped, mask) > 0.8


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes(registered):
    first, second = registered["runs"]
    assert first["folder"] != second["folder"]
    for name in ("affine", "warp", "inverse_warp"):
        with open(first[name], "rb") as one, open(second[name], "rb") as other:
            assert one.read() == other.read(), name


# ---------------------------------------------------------------- lesions

CENTRES = np.array([[-26, -16, 27], [26, -16, 27], [-38, -16, 27], [38, -16, 27.0]])


def test_lesion_masks_of_several_grids_come_together():
    """A box and a ball, on an oblique and a permuted grid, on a third one in the same world."""
    grids = [
        affine_of((1, 2, 0), (1, -1, 1), (20, 10, -15)),
        affine_of((0, 1, 2), (-1, 1, 1), 3 * [0]),
    ]
    shape, spheres = (40, 36, 30), (((-28.0, 30, 30), 14.0), ((-60.0, 40, 50), 9.0))
    drawn = []
    for affine, (centre, radius) in zip(grids, spheres, strict=True):
        affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) / 2)
        world = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
        drawn.append((np.linalg.norm(world - centre, axis=-1) <= radius, affine))
    wanted = np.diag([2.0, 2, 3, 1])
    wanted[:3, 3] = (-100, 0, 0)
    found = registration.lesion_on_grid(drawn, (50, 40, 30), wanted, margin_mm=0)
    world = np.moveaxis(np.indices(found.shape), 0, -1) * (2, 2, 3) + (-100, 0, 0)
    distance = [np.linalg.norm(world - centre, axis=-1) - radius for centre, radius in spheres]
    assert found[np.min(distance, axis=0) < -2].all()
    assert not found[np.min(distance, axis=0) > 2].any()
    wide = registration.lesion_on_grid(drawn, (50, 40, 30), wanted, margin_mm=6)
    assert wide[np.min(distance, axis=0) < 3].all()
    assert not wide[np.min(distance, axis=0) > 8].any()


def test_margin_is_at_least_a_voxel():
    one = np.zeros((9, 9, 9))
    one[4, 4, 4] = 1
    wide = registration.lesion_on_grid(
        [(one, np.diag([4.0, 4, 4, 1]))], one.shape, np.diag([4.0, 4, 4, 1])
    )
    assert wide.sum() == 7


@pytest.mark.parametrize("size", [1.9999998, 2.0, 2.0000002])
def test_the_margin_does_not_hang_on_the_last_digit_of_the_voxel_size(size):
    one = np.zeros((9, 9, 9))
    one[4, 4, 4] = 1
    affine = np.diag([size, size, size, 1])
    wide = registration.lesion_on_grid([(one, affine)], one.shape, affine, margin_mm=4.0)
    assert wide.sum() == 33  # two voxels away, not more


def test_no_lesion_is_an_empty_mask():
    empty = np.zeros((5, 5, 5))
    for masks in ([], [(empty, np.eye(4))]):
        assert not registration.lesion_on_grid(masks, (6, 6, 6), np.eye(4)).any()


@pytest.mark.parametrize("lesion", [None, "empty", "drawn"])
def test_ants_gets_a_mask_only_with_a_lesion(lesion, monkeypatch, phantom_scan):
    """Without a lesion the call, and so every byte, is what it was."""
    given = {}

    def record(*args, **options):
        given.update(options)
        raise RuntimeError("enough")

    monkeypatch.setattr(ants, "registration", record)
    fa, affine = phantom_scan["mask"].astype(float), phantom_scan["affine"]
    if lesion is not None:
        lesion = np.zeros(fa.shape, dtype=bool) if lesion == "empty" else fa.cumsum(axis=0) < 5
    with pytest.raises(MachineFault, match="enough"):
        registration.register(fa, affine, fa, affine, np.eye(4), lesion=lesion)
    plain = {"type_of_transform", "initial_transform", "outprefix"}
    if lesion is None or not lesion.any():
        assert set(given) == plain
    else:
        assert set(given) == plain | {"moving_mask", "mask_all_stages"}
        assert given["mask_all_stages"] is True
        np.testing.assert_array_equal(given["moving_mask"].numpy() > 0, ~lesion)


@pytest.fixture(scope="module")
def spoilt(phantom_scan, registered):
    """Mapped points and poses with a ball of 16 mm near the left regions set to FA 0 or 0.9."""
    white, affine = registered["white"], phantom_scan["affine"]
    middle = phantom.to_world(np.array([[-30.0, -30, 42]]), phantom_scan["head"])[0]
    world = np.moveaxis(np.indices(white.shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    ball = np.linalg.norm(world - middle, axis=-1) < 16
    lesion = registration.lesion_on_grid([(ball, affine)], white.shape, affine)
    template = (registered["wm"], registered["wm_affine"])
    points, poses = {}, {}
    for way, left_out in (("ignored", None), ("masked", lesion)):
        for value in (0.0, 0.9):
            fa = np.where(ball, value, white)
            brain = load_template("mask", 4)[0]
            pose, _ = find_pose(fa, affine, *template, brain, lesion=left_out)
            found = registration.register(fa, affine, *template, pose, lesion=left_out)
            points[way, value] = registration.map_points(CENTRES, found)
            poses[way, value] = pose
    return points, poses


@pytest.mark.slow
def test_what_is_in_a_lesion_does_not_move_the_regions(spoilt, registered):
    points, _ = spoilt
    healthy = registration.map_points(CENTRES, registered["runs"][0])
    apart, added = {}, {}
    for way in ("ignored", "masked"):
        apart[way] = np.linalg.norm(points[way, 0.0] - points[way, 0.9], axis=1).max()
        added[way] = max(
            np.linalg.norm(points[way, value] - healthy, axis=1).max() for value in (0.0, 0.9)
        )
    assert apart["masked"] == 0
    assert apart["ignored"] > 1.5
    assert added["masked"] < 0.7 * added["ignored"]


@pytest.mark.slow
def test_what_is_in_a_lesion_does_not_turn_the_head(spoilt):
    _, poses = spoilt
    masked = abs(poses["masked", 0.0] - poses["masked", 0.9])[:3, :3].max()
    ignored = abs(poses["ignored", 0.0] - poses["ignored", 0.9])[:3, :3].max()
    assert masked < 0.2 * ignored


@pytest.mark.parametrize("ending", ["mat", "txt"])
def test_an_image_in_the_world_of_a_transform_lies_where_ants_puts_it(tmp_path, ending):
    """The transform as ANTs applies it to an image, against the image's affine alone."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (12, -6, 9), degrees=True).as_matrix()
    pose[:3, 3] = (4, -9, 6)  # ACPC point to native point
    path = tmp_path / f"xfm.{ending}"
    linear = registration.LPS @ pose @ registration.LPS
    kind = "Euler3DTransform" if ending == "txt" else "AffineTransform"
    transform = ants.create_ants_transform(
        transform_type=kind, matrix=linear[:3, :3], translation=linear[:3, 3], center=[3, 1, 2]
    )
    ants.write_transform(transform, str(path))
    shape, affine = (30, 32, 28), np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = (-30, -32, -28)
    points = np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    ball = (np.linalg.norm(points - (8, -4, 5), axis=1) < 9).reshape(shape).astype(np.float32)
    there = ants.apply_transforms(
        registration.to_ants(ball, affine), registration.to_ants(ball, affine), [str(path)]
    ).numpy()
    moved = registration.world_of(affine, str(path))
    assert np.isclose(np.linalg.det(moved), np.linalg.det(affine), rtol=1e-5)
    centre = np.argwhere(ball > 0.5).mean(0) @ moved[:3, :3].T + moved[:3, 3]
    truth = np.argwhere(there > 0.5).mean(0) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(centre, truth, atol=0.15)
    assert np.linalg.norm(truth - (8, -4, 5)) > 5
    assert registration.world_of(affine, "same") is affine


def test_what_is_no_linear_transform_is_named(tmp_path):
    path = tmp_path / "xfm.mat"
    path.write_text("#Insight Transform File V1.0\nnothing\n")
    with pytest.raises(InputFault, match=r"xfm\.mat: not a linear ITK transform"):
        registration.world_of(np.eye(4), str(path))
    with pytest.raises(InputFault, match="No such file"):
        registration.world_of(np.eye(4), str(tmp_path / "none.mat"))


# ---------------------------------------------------------------- faults

FAR = np.array([[0, 0, 0, 500.0], [0] * 4, [0] * 4, [0] * 4])  # mm


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_empty_fa_is_refused(value, phantom_scan):
    fa = np.full(phantom_scan["mask"].shape, value)
    wm, wm_affine = load_template("wm", 4)
    with pytest.raises(InputFault, match=r"^registration to the template failed: the FA map is e"):
        registration.register(fa, phantom_scan["affine"], wm, wm_affine, np.eye(4))


def test_error_of_ants_is_no_fault_of_the_data(monkeypatch, tmp_path, phantom_scan):
    def fail(*args, **options):
        raise RuntimeError("itk::ERROR:\n  code 1\n")

    monkeypatch.setattr(ants, "registration", fail)
    monkeypatch.setattr(registration.tempfile, "tempdir", str(tmp_path))
    wm, wm_affine = load_template("wm", 4)
    with pytest.raises(MachineFault, match=r"^ANTs failed, .* memory: itk::ERROR: code 1$"):
        registration.register(wm, wm_affine, wm, wm_affine, np.eye(4))
    assert not list(tmp_path.glob("glymflow-*"))


@pytest.mark.parametrize("megabytes", [20, 60])
def test_a_lack_of_memory_is_no_fault_of_the_data(megabytes):
    """In a process with as much memory more than it has when ANTs starts."""
    code = f"""
import resource, numpy as np, ants
from glymflow.image import registration
from glymflow.image.template import load_template
from glymflow.io import MachineFault
wm, affine = load_template("wm", 2)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
try:
    registration.register(wm, affine, wm, affine, np.eye(4))
except (MachineFault, MemoryError) as fault:
    print("machine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "machine"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda fa, affine: (np.full_like(fa, 0.4), affine), "has no contrast"),
        (lambda fa, affine: (fa, affine + FAR), "not overlap"),
    ],
)
def test_images_that_cannot_be_registered_are_the_datas_fault(change, match):
    wm, affine = load_template("wm", 4)
    image, moved = change(wm, affine)
    with pytest.raises(InputFault, match=rf"^registration to the template failed: .*{match}$"):
        registration.register(image, moved, wm, affine, np.eye(4))


def test_a_registration_in_words_and_numbers(capsys):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (10, -4, 6), degrees=True).as_matrix() * 1.05
    facts = registration.describe(["fa.nii.gz", "wm.nii.gz"], pose, 0.8, 0.7, 0.75)
    assert list(facts)[:5] == ["Sources", "Template", "pose", "pose_score", "similarity"]
    np.testing.assert_allclose([facts[name] for name in ("pitch", "roll", "yaw")], (10, -4, 6))
    printed = capsys.readouterr().out
    assert (
        printed
        == "pose 0.80, similarity 0.70 (moved 0.75 of it), pitch 10, roll -4, yaw 6 degrees\n"
    )


def test_files_are_kept_and_the_folder_goes_even_after_a_fault(tmp_path, monkeypatch):
    folder = tmp_path / "ants"
    folder.mkdir()
    found = {"affine": folder / "a.mat", "folder": folder}
    found["affine"].write_bytes(b"matrix")
    monkeypatch.setattr(registration, "warp_to_subject", lambda *args: "warped")
    kept = {"affine": tmp_path / "kept" / "a.mat"}
    assert registration.keep(found, kept, None, None, None, None) == "warped"
    assert kept["affine"].read_bytes() == b"matrix"
    assert not folder.exists()
    folder.mkdir()  # without the file
    with pytest.raises(FileNotFoundError):
        registration.keep(found, {"affine": tmp_path / "other.mat"}, None, None, None, None)
    assert not folder.exists()
    assert not (tmp_path / "other.mat").exists()
