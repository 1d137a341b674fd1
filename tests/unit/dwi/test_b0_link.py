"""b0 volumes: among each other, linked to the weighted ones, and when the link is not applied."""

from dataclasses import replace

import numpy as np
import pytest
from dwi_heads import small_scan

from glymflow.dwi import b0_link, motion


@pytest.fixture(scope="module")
def scan():
    return small_scan(8, move=1.0, n_b0=3)


@pytest.fixture(scope="module")
def moved(scan):
    """The true motion of the weighted volumes: the link has only itself to answer for."""
    still = motion.still(len(scan.bvals), scan.mask, scan.affine)
    poses = scan.poses.copy()
    poses[:3] = np.eye(4)
    return replace(still, poses=poses)


def off(scan, found, numbers):
    rest = np.linalg.inv(found.poses[numbers]) @ scan.poses[numbers]
    return np.array([motion.displacement(pose, found.brain) for pose in rest])


def test_b0_volumes_are_aligned_and_linked(scan, moved):
    found, facts = b0_link.link_b0(scan.data, scan.affine, scan.bvals, scan.mask, moved)
    assert facts["applied"]
    assert facts["reason"] == ""
    assert off(scan, moved, slice(0, 3)).max() > 0.8
    assert off(scan, found, slice(0, 3)).max() < 0.5
    np.testing.assert_array_equal(found.poses[3:], moved.poses[3:])
    among = np.linalg.inv(found.poses[0]) @ found.poses[1]
    true = np.linalg.inv(scan.poses[0]) @ scan.poses[1]
    assert motion.displacement(np.linalg.inv(among) @ true, moved.brain) < 0.1


def test_an_implausible_link_is_not_applied(scan, moved):
    data = scan.data.copy()
    data[..., :3] = np.roll(data[..., :3], 2, axis=1)  # 8 mm
    found, facts = b0_link.link_b0(data, scan.affine, scan.bvals, scan.mask, moved)
    assert not facts["applied"]
    assert facts["reason"]
    middle = found.poses[:3].mean(axis=0)
    assert motion.displacement(middle, moved.brain) < 0.3  # aligned among each other only


def test_two_measurements_that_disagree_link_nothing(scan, moved, monkeypatch):
    def measured(*args):
        return np.array([0.3 if args[4] == 0.3 else 1.1, 0, 0, 0, 0, 0]), 0.1

    monkeypatch.setattr(b0_link, "_maximise", measured)
    found, facts = b0_link.link_b0(scan.data, scan.affine, scan.bvals, scan.mask, moved)
    assert facts["reason"] == "two measurements disagree"
    assert facts["disagreement_mm"] == pytest.approx(0.8)
    assert motion.displacement(found.poses[:3].mean(axis=0), moved.brain) < 0.1


def test_noise_links_nothing(scan, moved):
    data = scan.data.copy()
    data[..., :3] = np.random.default_rng(0).uniform(0, 500, data[..., :3].shape)
    _, facts = b0_link.link_b0(data, scan.affine, scan.bvals, scan.mask, moved)
    assert not facts["applied"]


def test_without_b0_or_brain_there_is_nothing_to_link(scan, moved):
    weighted = scan.bvals > 50
    only = replace(moved, poses=moved.poses[weighted], eddy=moved.eddy[weighted],
                   odd=moved.odd[weighted])  # fmt: skip
    _, facts = b0_link.link_b0(
        scan.data[..., weighted], scan.affine, scan.bvals[weighted], scan.mask, only
    )
    assert facts == {"applied": False, "reason": "nothing to link"}
    empty = np.zeros_like(scan.mask)
    assert not b0_link.link_b0(scan.data, scan.affine, scan.bvals, empty, moved)[1]["applied"]
