"""Gradient tables, shells and motion, each against a known truth."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.dwi import series as dwi_series
from glymflow.dwi.tensor import predict_signal
from glymflow.image import grid as dwi
from glymflow.io import InputFault

STORED = [
    (order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]


def affine_of(order, signs, *, tilt=(0, 0, 0), size=(2.0, 2.5, 3.5)):
    """Return an affine whose voxel axis i runs along world axis order[i], tilted."""
    linear = np.zeros((3, 3))
    linear[order, range(3)] = np.multiply(signs, size)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ linear
    affine[:3, 3] = (-30, 12, 7)
    return affine


def directions(n, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def reason(call, *args, **options):
    """Return the message of the fault, which must be one line."""
    with pytest.raises(InputFault) as fault:
        call(*args, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


# ---------------------------------------------------------------- gradient tables


@pytest.fixture
def table(tmp_path):
    def write(bvals, bvecs):
        bval, bvec = tmp_path / "a b.bval", tmp_path / "a b.bvec"
        for path, content in ((bval, bvals), (bvec, bvecs)):
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content is not None:
                np.savetxt(path, np.atleast_2d(content), fmt="%.8f")
        return bval, bvec

    return write


BVALS = np.array([0, 1000, 1000, 1000, 1000, 2000, 5])
BVECS = np.vstack([np.zeros(3), directions(6)])


@pytest.mark.parametrize("layout", ["rows", "columns", "bval in a column"])
def test_tables_are_read_in_rows_or_columns(table, layout):
    bvals = BVALS[:, None] if layout == "bval in a column" else BVALS
    paths = table(bvals, BVECS if layout == "columns" else BVECS.T)
    read_bvals, read_bvecs = dwi_series.read_gradients(*paths, 7)
    np.testing.assert_array_equal(read_bvals, BVALS)
    np.testing.assert_allclose(read_bvecs, BVECS, atol=1e-7)


def test_commas_tabs_empty_lines_and_a_byte_order_mark_are_read(table):
    paths = table(
        b"\xef\xbb\xbf0, 1000,1000\t1000\r\n\r\n",
        b"0 1 0 0\r\n0 0 1 0\r\n0 0 0 1\r\n",
    )
    bvals, bvecs = dwi_series.read_gradients(*paths, 4)
    assert bvals.tolist() == [0, 1000, 1000, 1000]
    np.testing.assert_array_equal(bvecs[1:], np.eye(3))


def test_directions_become_unit_vectors_and_missing_ones_zero(table):
    bvecs = BVECS * np.array([1, 0.98, 1.02, 1.05, 1, 1, 1])[:, None]
    bvecs[4], bvecs[6] = np.nan, 0.01
    _, read = dwi_series.read_gradients(*table(BVALS, bvecs.T), 7)
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), [0, 1, 1, 1, 0, 1, 0], atol=1e-7)
    np.testing.assert_allclose(read[1:4], BVECS[1:4], atol=1e-7)


@pytest.mark.parametrize(("order", "signs"), [STORED[0], STORED[3], STORED[21]])
def test_a_table_of_mrtrix_is_in_world_axes(tmp_path, order, signs):
    affine = affine_of(order, signs, tilt=(10, -20, 5))
    rows = np.column_stack([BVECS * 0.99, BVALS])
    np.savetxt(tmp_path / "x.b", rows, fmt="%.9f", header="command_history: 1,2")
    bvals, bvecs = dwi_series.read_gradients(*[tmp_path / "x.b"] * 2, 7, affine)
    np.testing.assert_array_equal(bvals, BVALS)
    np.testing.assert_allclose(dwi_series.world_gradients(bvecs, affine), BVECS, atol=1e-7)
    with pytest.raises(InputFault, match=r"x\.b: 7 b-values for 8 volumes"):
        dwi_series.read_gradients(*[tmp_path / "x.b"] * 2, 8, affine)
    np.savetxt(tmp_path / "x.b", rows[:, :3])
    with pytest.raises(InputFault, match=r"x\.b: a row of a \.b table has four numbers"):
        dwi_series.read_gradients(*[tmp_path / "x.b"] * 2, 7, affine)


@pytest.mark.parametrize(
    ("bvals", "bvecs", "words"),
    [
        (BVALS[:-1], BVECS.T, "a b.bval: 6 b-values for 7 volumes"),
        (np.append(BVALS, 0), BVECS.T, "a b.bval: 8 b-values for 7 volumes"),
        (b"  \n", BVECS.T, "a b.bval: 0 b-values for 7 volumes"),
        (np.where(BVALS == 5, -5, BVALS), BVECS.T, "a b.bval: a b-value is negative or not a n"),
        (np.where(BVALS == 5, np.nan, BVALS), BVECS.T, "a b.bval: a b-value is negative or not"),
        (BVALS, BVECS[:-1].T, "a b.bvec: 3 x 6 numbers, 3 x 7 expected"),
        (BVALS, BVECS[:, :2].T, "a b.bvec: 2 x 7 numbers, 3 x 7 expected"),
        (BVALS, b"0 1\n0\n0 0\n", "a b.bvec: not a table of numbers with rows of equal length"),
        (b"0 ten\n", BVECS.T, "a b.bval: not a table of numbers"),
        (BVALS, b"\x1f\x8b\x08\xff\xfe", "a b.bvec: not a table of numbers"),
        (None, BVECS.T, "a b.bval: No such file"),
        (BVALS, None, "a b.bvec: No such file"),
        (BVALS, b"", "a b.bvec: the file is empty"),
        (BVALS, BVECS.T * (1, 2, 1, 1, 1, 1, 1), "a b.bvec: vectors of lengths 1 to 2: if the"),
        (BVALS * 1e6, BVECS.T, "a b.bval: the largest b-value is 2e+09; b-values are in s/mm^2"),
    ],
)
def test_table_that_does_not_fit_is_named(table, bvals, bvecs, words):
    paths = table(bvals, bvecs)
    assert reason(dwi_series.read_gradients, *paths, 7).startswith(f"{paths[0].parent}/{words}")


def test_what_is_decoded_is_said(table):
    coded = BVECS * np.sqrt([1, 0.5, 0.5, 0.5, 1, 1, 1])[:, None]
    ones = np.where(BVALS > 5, 1000, 0)
    bvals, bvecs, notes = dwi_series.read_table(*table(ones, coded[[0, 1, 2, 3, 4, 5, 5]].T), 7)
    np.testing.assert_allclose(bvals, [0, 500, 500, 500, 1000, 1000, 0], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(bvecs, axis=1), [0, 1, 1, 1, 1, 1, 1])
    assert set(notes) == {"vectors"}
    paths = table([0, *[2] * 6], BVECS.T)
    assert set(dwi_series.read_table(*paths, 7)[2]) == {"b_values"}
    assert dwi_series.read_bvals(paths[0], 7).max() == 2000
    assert dwi_series.read_table(*table(BVALS, BVECS.T), 7)[2] == {}


def test_a_written_table_is_read_again(tmp_path):
    paths = tmp_path / "a.bval", tmp_path / "a.bvec"
    dwi_series.write_gradients(BVALS + 0.25, BVECS, *paths)
    bvals, bvecs = dwi_series.read_gradients(*paths, 7)
    np.testing.assert_array_equal(bvals, BVALS + 0.25)
    np.testing.assert_allclose(bvecs, BVECS, atol=6e-9)
    assert paths[0].read_text().split()[:2] == ["0.25", "1000.25"]
    lines = paths[1].read_text().splitlines()
    assert len(lines) == 3
    assert all(len(number.split(".")[1]) == 8 for number in lines[0].split())


# ---------------------------------------------------------------- axes


def test_fsl_convention_in_the_two_plain_cases():
    """Radiological storage (det < 0): as written; neurological (det > 0): x flipped."""
    g = np.array([[0.6, 0.48, 0.64]])
    radiological, neurological = np.diag([-2.0, 2, 2, 1]), np.diag([2.0, 2, 2, 1])
    np.testing.assert_allclose(dwi_series.world_gradients(g, radiological), g * [-1, 1, 1])
    np.testing.assert_allclose(dwi_series.world_gradients(g, neurological), g * [-1, 1, 1])
    np.testing.assert_allclose(
        dwi_series.world_gradients(g, np.diag([2.0, -2, 2, 1])), g * [1, -1, 1]
    )


def test_mrtrix_writes_the_same_world_directions_for_other_storages():
    """One oblique series (sub-galan ses-ax30), stored three ways by MRtrix3 3.0.3.

    mrconvert -fslgrad bvec bval dwi.nii.gz -strides S,4 -export_grad_fsl bvec bval out.nii.gz
    with S = 3,-1,2 (det < 0) and -3,-1,2 (det > 0); directions 1 to 4 of each.
    """
    x, y = 2.5988731, 1.498619
    stored = [
        (
            [[-x, -y, 0], [-y, x, 0], [0, 0, 3]],
            [[0, 0.895421, 0.44522], [0.445221, 0, 0.895421], [0.895421, 0.44522, 0]],
        ),
        (
            [[y, 0, x], [-x, 0, y], [0, 3, 0]],
            [[-0.8954212, 0.4452201, 0], [0, 0.8954208, -0.4452209], [-0.4452201, 0, -0.8954212]],
        ),
        (
            [[y, 0, -x], [-x, 0, -y], [0, 3, 0]],
            [[0.8954212, 0.4452201, 0], [0, 0.8954208, 0.4452209], [0.4452201, 0, 0.8954212]],
        ),
    ]
    world = []
    for linear, bvecs in stored:
        affine = np.eye(4)
        affine[:3, :3] = linear
        world.append(dwi_series.world_gradients(bvecs, affine))
        np.testing.assert_allclose(dwi_series.fsl_gradients(world[0], affine), bvecs, atol=1e-6)
    np.testing.assert_allclose(world[1], world[0], atol=1e-6)
    np.testing.assert_allclose(world[2], world[0], atol=1e-6)


@pytest.mark.parametrize(("order", "signs"), STORED)
def test_fsl_and_world_directions_are_inverse_for_any_storage(order, signs):
    rng = np.random.default_rng([*order, *np.add(signs, 1)])
    world = directions(20)
    for tilt in ((0, 0, 0), rng.uniform(-40, 40, 3)):
        affine = affine_of(order, signs, tilt=tilt)
        bvecs = dwi_series.fsl_gradients(world, affine)
        np.testing.assert_allclose(dwi_series.world_gradients(bvecs, affine), world, atol=1e-12)
        # the definition: world = voxel axes times voxel components
        flip = [-1, 1, 1] if np.linalg.det(affine) > 0 else [1, 1, 1]
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        np.testing.assert_allclose((bvecs * flip) @ axes.T, world, atol=1e-12)


def test_gradients_do_not_change_their_input():
    bvecs = directions(5)
    dwi_series.world_gradients(bvecs, np.eye(4))
    np.testing.assert_array_equal(bvecs, directions(5))


def test_rotation_of_a_slightly_sheared_affine_is_orthogonal():
    affine = affine_of((1, 2, 0), (1, -1, 1), tilt=(10, 20, -5))
    affine[:3, :3] @= np.eye(3) + 0.02 * np.eye(3, k=1)
    rotation = dwi.rotation_of(affine)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.sign(np.linalg.det(rotation)) == np.sign(np.linalg.det(affine[:3, :3]))
    straight = dwi.rotation_of(affine_of((1, 2, 0), (1, -1, 1), tilt=(10, 20, -5)))
    assert np.degrees(np.arccos((np.trace(rotation.T @ straight) - 1) / 2)) < 2


# ---------------------------------------------------------------- shells


def shells(*groups):
    """(b, number of directions) per group -> bvals, bvecs; each group has its own directions."""
    bvals = np.concatenate([np.full(n, float(b)) for b, n in groups])
    bvecs = np.concatenate([directions(n, seed) for seed, (_, n) in enumerate(groups)])
    return bvals, bvecs


@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        ([(0, 1), (1000, 12)], [True, True]),
        ([(0, 1), (1000, 12), (3000, 12)], [True, True, False]),
        ([(0, 1), (2500, 12)], [True, True]),
        ([(0, 1), (2000, 12), (3000, 12)], [True, True, False]),
        ([(0, 1), (700, 6), (1500, 12), (1600, 12)], [True, True, True, False]),
        ([(0, 1), (2490, 6), (2500, 6), (2510, 6)], [True, True, True, True]),
        ([(0.5, 1), (1000, 12)], [True, True]),
        ([(5, 2), (50, 1), (1000, 12)], [True, True, True]),
    ],
)
def test_b0_and_the_shells_up_to_the_limit_are_kept(groups, kept):
    bvals, bvecs = shells(*groups)
    expected = np.repeat(kept, [n for _, n in groups])
    np.testing.assert_array_equal(dwi_series.select_volumes(bvals, bvecs), expected)


def test_b_at_the_threshold_is_a_b0():
    bvals, bvecs = shells((50, 1), (1000, 12))
    assert dwi_series.select_volumes(bvals, bvecs).all()
    assert "no b0 volume" in reason(dwi_series.select_volumes, bvals, bvecs, b0_threshold=49)


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ([(200, 12), (1000, 12)], [1000]),
        ([(200, 12), (1000, 4)], [200, 1000]),  # too few without
        ([(500, 6), (1000, 15), (2000, 15), (3000, 60)], [500, 1000]),
        ([(200, 20), (2000, 20), (3000, 20)], [200, 2000]),
        ([(200, 20)], [200]),
        ([(2000, 20), (3000, 20)], [2000]),
        ([(480, 12), (1550, 12)], [480, 1550]),
    ],
)
def test_shells_that_suit_a_tensor(there, taken):
    bvals, bvecs = shells((0, 1), *there)
    keep = dwi_series.select_volumes(bvals, bvecs)
    assert sorted(set(bvals[keep])) == [0, *taken]


def test_shells_by_their_b_values():
    bvals, bvecs = shells((0, 1), (705, 12), (1195, 12), (2000, 12))
    for wanted, taken in (([700], [705]), ([700, 2000], [705, 2000]), ([1200], [1195])):
        keep = dwi_series.select_volumes(bvals, bvecs, shells=wanted)
        assert sorted(set(bvals[keep])) == [0, *taken]
    words = reason(dwi_series.select_volumes, bvals, bvecs, shells=[1000])
    assert words == "no shell of b = 1000 (dwi.shells); there are 700, 1200, 2000"


def test_limits_are_those_of_the_config():
    bvals, bvecs = shells((0, 1), (80, 2), (1000, 12), (2000, 12))
    keep = dwi_series.select_volumes(bvals, bvecs, b0_threshold=100, shell_max=2000)
    assert keep.all()
    keep = dwi_series.select_volumes(bvals, bvecs, b0_threshold=100, shell_max=1000)
    assert keep.sum() == 15


def test_fractional_b_counts_as_b0_even_with_a_direction():
    """Some scanners store 0 < b < 1 and a direction for it."""
    bvals, bvecs = shells((0.7, 3), (1000, 6))
    assert dwi_series.select_volumes(bvals, bvecs).all()
    assert "no b0 volume" in reason(dwi_series.select_volumes, bvals, bvecs, b0_threshold=0)


def test_trace_volumes_without_a_direction_are_dropped():
    bvals, bvecs = shells((0, 1), (1000, 12), (1000, 1))
    bvecs[-1] = 0
    keep = dwi_series.select_volumes(bvals, bvecs)
    assert keep[:-1].all()
    assert not keep[-1]


@pytest.mark.parametrize(
    ("bvals", "bvecs", "words"),
    [
        (*shells((0, 3), (40, 6)), "no diffusion-weighted volume: every b-value is 40 or less"),
        (np.r_[0.0, [1000] * 6], np.zeros((7, 3)), "no diffusion-weighted volume has a gradient"),
        (*shells((1000, 12)), "no b0 volume: the smallest b-value is 1000"),
        (
            *shells((100, 2), (1000, 12)),
            "no b0 volume: the smallest b-value is 100, dwi.b0_threshold is 50; ",
        ),
        (
            *shells((0, 1), (3, 12)),
            "no diffusion-weighted volume: every b-value is 3 or less (b-val",
        ),
        (*shells((0, 1), (1000, 5)), "5 different gradient directions at b <= 1000"),
        (*shells((0, 1), (1000, 5), (3000, 30)), "5 different gradient directions at b <= 1000"),
        (*shells((0, 1), (2500, 5)), "5 different gradient directions at b <= 2500"),
    ],
)
def test_table_that_cannot_give_a_tensor_says_why(bvals, bvecs, words):
    assert reason(dwi_series.select_volumes, bvals, bvecs).startswith(words)


def test_opposite_and_repeated_directions_count_once():
    five = directions(5)
    bvecs = np.vstack([np.zeros((1, 3)), five, -five, five])
    words = reason(dwi_series.select_volumes, np.r_[0.0, np.full(15, 1000.0)], bvecs)
    assert words.startswith("5 different gradient directions")


@pytest.mark.parametrize("height", [0.0, 0.6])
def test_directions_in_a_plane_or_on_a_cone_are_refused(height):
    angles = np.linspace(0, np.pi if height == 0 else 2 * np.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.full(12, height)])
    ring = ring / np.linalg.norm(ring, axis=1, keepdims=True)
    ring = ring @ Rotation.from_euler("xyz", (20, 30, 40), degrees=True).as_matrix()
    bvals = np.r_[0.0, np.full(12, 1000.0)]
    words = reason(dwi_series.select_volumes, bvals, np.vstack([np.zeros(3), ring]))
    assert words.startswith("12 different gradient directions")
    assert "do not lie on one cone" in words


def test_six_directions_of_the_icosahedron_are_enough():
    g = (1 + 5**0.5) / 2
    six = np.array([[1, g, 0], [-1, g, 0], [0, 1, g], [0, -1, g], [g, 0, 1], [g, 0, -1]])
    six = six / np.linalg.norm(six, axis=1, keepdims=True)
    bvals = np.r_[0.0, np.full(6, 1000.0)]
    assert dwi_series.select_volumes(bvals, np.vstack([np.zeros(3), six])).all()


def test_shell_stored_a_little_above_its_nominal_value_is_kept():
    bvals = np.array([0, *[700] * 12, *[1505] * 12, *[3000] * 12])
    bvecs = np.vstack([np.zeros((1, 3)), *[directions(12)] * 3])
    assert (
        dwi_series.select_volumes(bvals, bvecs, shell_max=1500).tolist()
        == [True] * 25 + [False] * 12
    )


def test_scheme_is_the_shell_and_its_directions():
    vectors = directions(12)
    bvals = np.r_[0, np.full(12, 995.0), np.full(12, 1000.0), 1005]
    vectors = np.vstack([[0, 0, 0], vectors, -vectors, vectors[:1]])
    facts = {"BValue": 1000, "Shells": [1000], "Directions": 12}
    assert dwi_series.scheme(bvals, vectors) == facts
    bvals = np.r_[0, np.full(12, 702.0), np.full(13, 1198.0)]
    assert dwi_series.scheme(bvals, vectors)["Shells"] == [700, 1200]


# ---------------------------------------------------------------- motion


@pytest.fixture(scope="module")
def still(phantom_scan, phantom_fit):
    """A head that does not move: predicted signal, plus 3 % noise for the measured one."""
    predicted = phantom_fit["fill"](
        predict_signal(
            phantom_fit["triangle"], phantom_fit["s0"], phantom_scan["bvals"],
            phantom_fit["directions"],
        )
    )  # fmt: skip
    noise = np.random.default_rng(0).normal(0, 30, predicted.shape)
    return predicted[..., :4], (predicted + noise)[..., :4]


def moved(volume, affine, rotation_deg, shift_mm, centre):
    """Return a volume of which the head has been turned about its centre and shifted (world)."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    pose[:3, 3] = centre + shift_mm - pose[:3, :3] @ centre
    back = np.linalg.inv(affine) @ np.linalg.inv(pose) @ affine
    return ndimage.affine_transform(volume, back[:3, :3], back[:3, 3], order=1), pose


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("rotation", "shift"),
    [
        ((0, 0, 0), (2, 0, 0)),
        ((0, 0, 0), (0, -1.5, 1)),
        ((3, 0, 0), (0, 0, 0)),
        ((0, -2, 2), (0, 0, 0)),
        ((1, 2, -1), (1, 1, -2)),
    ],
)
def test_known_motion_is_recovered(phantom_scan, still, rotation, shift, masked):
    predicted, measured = still
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    points = np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]
    measured = measured.copy()
    measured[..., 2], pose = moved(
        measured[..., 2], affine, rotation, np.array(shift), points.mean(axis=0)
    )
    if masked:  # as `preprocess` returns it
        measured = measured * mask[..., None]
    steps = points @ pose[:3, :3].T + pose[:3, 3] - points
    truth = np.sqrt(np.mean(np.sum(steps**2, axis=1)))
    found = dwi_series.estimate_motion(measured, predicted, mask, affine)
    assert found[2] == pytest.approx(truth, rel=0.2)
    assert found[[0, 1, 3]].max() < 0.2


def test_still_head_has_no_motion(phantom_scan, still):
    predicted, measured = still
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    assert dwi_series.estimate_motion(predicted, predicted, mask, affine).max() < 1e-3
    assert dwi_series.estimate_motion(measured, predicted, mask, affine).max() < 0.2


def test_brightness_is_no_motion(phantom_scan, still):
    """Scanner drift: the later volumes are 5 % brighter."""
    predicted, _ = still
    found = dwi_series.estimate_motion(
        1.05 * predicted, predicted, phantom_scan["mask"], phantom_scan["affine"]
    )
    assert found.max() < 0.02
