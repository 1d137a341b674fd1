"""The phantom's scans: the truth at the ROIs, storage, gradients, noise."""

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.commands.simulate import simulate_subject
from glymflow.phantoms import head as phantom
from glymflow.phantoms.scan import fsl_bvecs, gradient_scheme

COARSE = {"voxel_mm": 5.0, "t1w_mm": 4.0, "n_directions": 12}


def simulate(**options):
    return simulate_subject(**{"alps_left": 1.6, "alps_right": 1.3, "seed": 5} | COARSE | options)


def truth_row(subject, roi_set, frame):
    rows = subject["truth"]["alps"]
    return next(row for row in rows if (row["roi_set"], row["frame"]) == (roi_set, frame))


@pytest.fixture(scope="module")
def plain():
    return simulate(deformation_mm=0.0, snr=np.inf)


def world_tensors(dwi, bvals, bvecs, affine):
    """Fit tensors along voxel axes as FSL does, then turn them to world axes."""
    gradients = bvecs * ([-1, 1, 1] if np.linalg.det(affine[:3, :3]) > 0 else [1, 1, 1])
    x, y, z = gradients.T
    design = np.column_stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    design = np.column_stack([-bvals[:, None] * design, np.ones(len(bvals))])
    beta = np.linalg.lstsq(design, np.log(dwi.T.astype(float)), rcond=None)[0]
    tensors = beta[[0, 3, 4, 3, 1, 5, 4, 5, 2]].T.reshape(-1, 3, 3)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return axes @ tensors @ axes.T


@pytest.mark.parametrize("frame", ["scanner", "template", "fibre"])
def test_straight_head_has_the_chosen_alps(plain, frame):
    row = truth_row(plain, "barisano2025", frame)
    assert row["alps_left"] == pytest.approx(1.6, rel=0.01)
    assert row["alps_right"] == pytest.approx(1.3, rel=0.01)
    assert row["alps_mean"] == pytest.approx((row["alps_left"] + row["alps_right"]) / 2)


def test_ad2025_spheres_touch_cortex_and_read_lower(plain):
    row = truth_row(plain, "ad2025", "template")
    assert 1.4 < row["alps_left"] < 1.59
    assert 1.2 < row["alps_right"] < 1.3


@pytest.mark.parametrize("pose", [(20, 0, 0), (0, 15, 0), (0, 0, -25), (8, -6, 12)])
def test_rotation_biases_the_scanner_frame_as_theory_predicts(pose):
    """A turned head's world diffusivities are the diagonal of R diag(l1, l2, l3) R^T."""
    pitch, roll, yaw = pose
    head = simulate(pitch=pitch, roll=roll, yaw=yaw, deformation_mm=0.0)
    turn = Rotation.from_euler("xyz", pose, degrees=True).as_matrix()
    for side, alps in (("left", 1.6), ("right", 1.3)):
        small, along = 0.96e-3 / (1 + alps), 2.1e-3 - 0.96e-3
        projection = turn @ np.diag([alps * small, small, along]) @ turn.T
        association = turn @ np.diag([alps * small, along, small]) @ turn.T
        expected = (projection[0, 0] + association[0, 0]) / (projection[1, 1] + association[2, 2])
        scanner = truth_row(head, "barisano2025", "scanner")[f"alps_{side}"]
        assert scanner == pytest.approx(expected, rel=0.01)
        for frame in ("template", "fibre"):
            value = truth_row(head, "barisano2025", frame)[f"alps_{side}"]
            assert value == pytest.approx(alps, rel=0.01)


@pytest.mark.slow
def test_fibre_frame_does_not_see_the_pose():
    straight = simulate()
    turned = simulate(pitch=20, roll=-10, yaw=15)
    for roi_set in ("ad2025", "barisano2025"):
        for key in ("alps_left", "alps_right"):
            expected = truth_row(straight, roi_set, "fibre")[key]
            assert truth_row(turned, roi_set, "fibre")[key] == pytest.approx(expected, rel=1e-3)


def test_roi_centres_lie_in_the_head_on_their_fibres(plain):
    back = np.linalg.inv(plain["affine"])
    for row in plain["truth"]["rois"]:
        world = np.array([row["x"], row["y"], row["z"]])
        voxel = np.rint(back[:3, :3] @ world + back[:3, 3]).astype(int)
        assert plain["mask"][tuple(voxel)]
        tensor = phantom.true_tensors(world[None], plain["head"])[0]
        along = 2 if row["roi"].startswith("projection") else 1
        assert abs(np.linalg.eigh(tensor)[1][along, 2]) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("orientation", ["LAS", "PSR", "LSA", "IRP"])
def test_storage_is_a_reordering_of_the_same_voxels(orientation):
    plain = simulate(oblique=(12, -5, 8))
    stored = simulate(oblique=(12, -5, 8), orientation=orientation)
    assert nib.aff2axcodes(stored["affine"]) == tuple(orientation)
    for key in ("dwi", "mask", "tensor_truth"):
        data = stored[key].astype(np.float32)
        image = nib.as_closest_canonical(nib.Nifti1Image(data, stored["affine"]))
        np.testing.assert_allclose(image.affine, plain["affine"], atol=1e-9)
        np.testing.assert_array_equal(np.asarray(image.dataobj), plain[key])
    np.testing.assert_array_equal(stored["t1w"], plain["t1w"])
    assert stored["truth"]["alps"] == plain["truth"]["alps"]


@pytest.mark.parametrize(
    ("orientation", "oblique"),
    [("RAS", (0, 0, 0)), ("LAS", (20, 0, 0)), ("PSR", (0, 0, 0)), ("SAL", (5, -14, 9))],
)
def test_bvecs_follow_the_fsl_convention(orientation, oblique):
    scan = simulate(snr=np.inf, orientation=orientation, oblique=oblique, yaw=10.0)
    inside = scan["mask"]
    fitted = world_tensors(scan["dwi"][inside], scan["bvals"], scan["bvecs"], scan["affine"])
    np.testing.assert_allclose(fitted, scan["tensor_truth"][inside], atol=2e-8)


@pytest.mark.slow
def test_voxels_may_be_anisotropic():
    scan = simulate(voxel_mm=(4.0, 5.0, 6.0), orientation="PSR")
    np.testing.assert_allclose(nib.affines.voxel_sizes(scan["affine"]), (5, 6, 4))


def test_tensor_truth_is_the_field_at_the_voxel_centres(plain):
    voxels = np.argwhere(plain["mask"])[::50]
    points = voxels @ plain["affine"][:3, :3].T + plain["affine"][:3, 3]
    expected = phantom.true_tensors(points, plain["head"], (5.0, 5.0, 5.0))
    found = plain["tensor_truth"][tuple(voxels.T)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_gradient_scheme_of_two_shells():
    bvals, directions = gradient_scheme(10, (1000, 2000), 3, b0_value=5)
    assert bvals[0] == 5
    assert sorted(bvals) == [5] * 3 + [1000] * 10 + [2000] * 10
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.all(gradient_scheme(10, 1000, 2)[1][0] == 0)


def test_fsl_bvecs_by_hand():
    right = np.array([[1.0, 0, 0]])
    assert fsl_bvecs(right, np.diag([2, 2, 2, 1])).tolist() == [[-1, 0, 0]]
    assert fsl_bvecs(right, np.diag([-2, 2, 2, 1])).tolist() == [[-1, 0, 0]]


def test_brain_fits_its_grid_and_has_its_size(plain):
    for axis in range(3):
        profile = plain["mask"].any(axis=tuple({0, 1, 2} - {axis}))
        assert not profile[0]
        assert not profile[-1]
    volume = plain["mask"].sum() * 5.0**3 / np.prod(plain["head"].scale)
    assert volume == pytest.approx(phantom.load_template("mask")[0].sum(), rel=0.02)


@pytest.mark.slow
def test_noise_has_the_asked_snr():
    quiet, noisy = simulate(snr=np.inf), simulate(snr=20)
    inside = quiet["mask"]
    noise = (noisy["dwi"] - quiet["dwi"])[inside][:, 0]
    assert phantom.S0_WHITE / noise.std() == pytest.approx(20, rel=0.05)
    air = noisy["dwi"][quiet["dwi"][..., 0] == 0]
    assert air.mean() == pytest.approx(50 * np.sqrt(np.pi / 2), rel=0.02)


def test_contrast_is_that_of_b0_and_t1w(plain):
    b0 = plain["dwi"][..., 0][plain["mask"]]
    assert 2000 < np.percentile(b0, 99.5) < 3000
    assert 900 < np.percentile(b0, 5) < 1100
    assert 900 < np.percentile(plain["t1w"][plain["t1w"] > 100], 90) <= 1001
