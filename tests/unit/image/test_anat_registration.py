"""N4, T2 to T1, and the brain to the template, on a small head with known truth."""

import numpy as np
import pytest
from anat_heads import STEP, head, moved

from glymflow.image import anat_registration, grid, registration
from glymflow.image.template import load_template
from glymflow.io import InputFault, MachineFault


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(anat_registration, "N4_MM", STEP)
    monkeypatch.setattr(anat_registration, "N4_SHRINK", 2)


def stripped(contrast="T1w"):
    image, affine = head(contrast, stripped=True)
    return image, affine


@pytest.mark.slow
def test_the_field_is_that_which_was_put_in():
    image, affine = stripped()
    mask = image > 0
    x, y, z = (np.linspace(-1, 1, side) for side in image.shape)
    truth = np.exp(0.5 * y[None, :, None] - 0.2 * z + 0.15 * x[:, None, None] ** 2)
    found = anat_registration.bias_field(image * truth, affine, mask)
    plain = anat_registration.bias_field(image, affine, mask)
    assert found[mask].mean() == pytest.approx(1, abs=0.02)
    ratio = (found / plain / truth)[mask]
    assert ratio.std() / ratio.mean() < 0.04
    assert truth[mask].std() / truth[mask].mean() > 0.12


@pytest.mark.parametrize(("shift", "turn"), [((0, 0, 0), (0, 0, 0)), ((6, -9, 4), (5, -4, 8))])
def test_rigid_finds_the_motion_between_contrasts(shift, turn):
    """Also from a start; the result is from fixed to moving world."""
    (fixed, affine), (moving, other) = stripped(), stripped("T2w")
    truth = moved(np.eye(4), shift, turn)
    start = np.eye(4)
    start[:3, 3] = np.add(shift, (3, -2, 2))
    found = anat_registration.rigid(fixed, affine, moving, truth @ other, start)
    corners = np.array([[x, y, z] for x in (-60, 60) for y in (-90, 60) for z in (-30, 70)])
    away = grid.map_points(found, corners) - grid.map_points(truth, corners)
    assert np.linalg.norm(away, axis=1).max() < STEP / 4  # a quarter of a voxel
    np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-5)


def test_a_failed_rigid_registration_is_no_fault_of_the_data(monkeypatch):
    import ants

    def fail(*_, **__):
        raise RuntimeError("all samples\nmap outside")

    monkeypatch.setattr(ants, "registration", fail)
    image, affine = stripped()
    with pytest.raises(MachineFault, match=r"^ANTs failed, .*: all samples map outside$"):
        anat_registration.rigid(image, affine, image, affine, np.eye(4))
    apart = np.eye(4)
    apart[0, 3] = 500
    with pytest.raises(InputFault, match=r"^registration failed: the two images do not overlap$"):
        anat_registration.rigid(image, affine, image, affine, apart)


# ---------------------------------------------------------------- to the template


def test_a_t2_alone_is_turned_round():
    image = np.full((8, 8, 8), -1, np.float32)
    image[2:6, 2:6, 2:6] = 0.5
    mask = image > -1
    bright, _, _ = anat_registration.brain_to_match(image, None, mask, np.eye(4), 1)
    dark, affine, inside = anat_registration.brain_to_match(None, image, mask, np.eye(4), 1)
    assert bright[mask] == pytest.approx(0.75)
    assert dark[mask] == pytest.approx(0.25)
    assert np.all(bright[~mask] == 0)
    assert np.all(dark[~mask] == 0)
    np.testing.assert_array_equal(inside, mask)
    np.testing.assert_array_equal(affine, np.eye(4))


@pytest.fixture(scope="module")
def registered():
    image, affine = stripped()
    subject = moved(affine, (5, -8, 10), (12, -4, 6)) @ np.diag([0.92, 0.95, 0.9, 1])
    brain = np.where(image > 0, np.clip((image - 400) / 1100, 0, 1), 0)
    template, target = load_template("t1", 4)
    mask = load_template("mask", 4)[0]
    runs = [anat_registration.to_template(brain, subject, template, target, mask) for _ in range(2)]
    return runs, subject @ np.linalg.inv(affine), brain, subject


@pytest.mark.slow
def test_template_points_reach_the_subject(registered):
    (found, _, score), truth, _, _ = registered[0][0], *registered[1:]
    points = np.array([[-26, -16, 27], [26, -16, 27], [0, -28, -12], [-20, 5, 5], [30, -40, 35.0]])
    away = registration.map_points(points, found) - grid.map_points(truth, points)
    assert np.linalg.norm(away, axis=1).max() < 2.5
    assert score > 0.9


@pytest.mark.slow
def test_the_pose_is_that_of_the_head(registered):
    from glymflow.image.pose import head_angles

    _, pose, _ = registered[0][0]
    np.testing.assert_allclose(head_angles(pose), (12, -4, 6), atol=2.5)


@pytest.mark.slow
def test_same_seed_same_bytes(registered):
    (first, _, _), (second, _, _) = registered[0]
    for name in ("affine", "warp", "inverse_warp"):
        with open(first[name], "rb") as one, open(second[name], "rb") as other:
            assert one.read() == other.read(), name


def test_an_empty_brain_is_one_line():
    template, target = load_template("t1", 4)
    with pytest.raises(InputFault, match="the brain is empty"):
        anat_registration.to_template(np.zeros((9, 9, 9)), np.eye(4), template, target, template)
