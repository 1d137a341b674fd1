"""MP-PCA on signals of known rank and noise, and against the method written out for one voxel."""

import numpy as np
import pytest

from glymflow.dwi.denoise import denoise, patch_size
from glymflow.io import InputFault

SD = 30.0
# two components of the 27 that a patch's voxels span take their share of the noise along
FOUND = SD * np.sqrt(1 - 2 / 27)


@pytest.fixture(scope="module")
def noisy():
    """Two tissues, mixed differently in each voxel, in 20 volumes: what is sure, and with noise."""
    rng = np.random.default_rng(0)
    tissues = 1000 * np.exp(-rng.uniform(0, 1, (2, 20)))
    clean = rng.uniform(0, 1, (12, 11, 10, 2)) @ tissues
    return clean, (clean + rng.normal(0, SD, clean.shape)).astype(np.float32)


EVERYWHERE = np.ones((12, 11, 10), dtype=bool)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def test_two_tissues_are_left_and_their_noise_is_known(noisy):
    clean, data = noisy
    before = data.copy()
    out, level = denoise(data, EVERYWHERE)
    assert out.dtype == level.dtype == np.float32
    # two components of 20 in patches of 27: noise of at least 2/20 + 2/27 of the variance stays
    assert rms(out - clean) < 0.5 * SD
    assert abs((out - clean).mean()) < 1
    assert level.shape == EVERYWHERE.shape
    assert np.median(level) == pytest.approx(FOUND, rel=0.01)
    np.testing.assert_array_equal(data, before)


def test_overlap_is_better_than_the_middle_of_a_patch_alone(noisy):
    clean, data = noisy
    overlap, _ = denoise(data, EVERYWHERE)
    middle, level = denoise(data, EVERYWHERE, centre_only=True)
    assert rms(overlap - clean) < 0.95 * rms(middle - clean)
    assert np.median(level) == pytest.approx(FOUND, rel=0.01)


@pytest.mark.parametrize("voxel", [(6, 5, 5), (0, 5, 9), (11, 10, 0)])
def test_middle_of_a_patch_is_the_method_written_out(noisy, voxel):
    """Singular values in double precision; at the border the patch ends where the image does."""
    _, data = noisy
    first = np.clip(np.subtract(voxel, 1), 0, np.subtract(EVERYWHERE.shape, 3))
    patch = data[tuple(slice(low, low + 3) for low in first)].reshape(27, 20)
    clean, sigma, _ = written_out(patch)
    own = np.ravel_multi_index(np.subtract(voxel, first), (3, 3, 3))
    out, levels = denoise(data, EVERYWHERE, centre_only=True)
    np.testing.assert_allclose(out[voxel], clean[own], rtol=1e-4)
    assert levels[voxel] == pytest.approx(sigma, rel=1e-3)


def written_out(patch):
    """Return a patch (V, N) without noise, the noise's SD and the number of components."""
    voxels, n = patch.shape
    left, singular, right = np.linalg.svd(patch.astype(float), full_matrices=False)
    values = singular[::-1] ** 2 / voxels
    for count in range(1, n + 1):
        level = values[:count].mean()
        width = 4 * np.sqrt(count / (voxels - (n - count)))
        if (values[count - 1] - values[0]) / width < level:
            noise, sigma = count, np.sqrt(level)
    singular[n - noise :] = 0
    return (left * singular) @ right, sigma, n - noise


def test_a_voxel_is_the_weighted_mean_of_its_patches():
    """Signal grows along x, so that patches differ in how many components they keep."""
    rng = np.random.default_rng(3)
    parts = rng.normal(size=(9, 20)) * (30 * 2.0 ** -np.arange(9)[:, None])
    signal = np.geomspace(0.03, 3, 9)[:, None, None, None] * (rng.normal(size=(9, 9, 9, 9)) @ parts)
    data = signal + rng.normal(0, 3, (9, 9, 9, 20)) + 500
    out, level = denoise(data, np.ones((9, 9, 9), dtype=bool))
    voxel = (4, 3, 4)
    total, weight, sigmas, ranks = 0, 0, [], []
    for first in np.ndindex(4, 4, 4):
        first = 2 * np.array(first)
        own = np.subtract(voxel, first)
        if (own >= 0).all() and (own < 3).all():
            patch = data[tuple(slice(low, low + 3) for low in first)].reshape(27, 20)
            clean, sigma, rank = written_out(patch)
            total = total + clean[np.ravel_multi_index(own, (3, 3, 3))] / (1 + rank)
            weight += 1 / (1 + rank)
            sigmas.append(sigma)
            ranks.append(rank)
    assert len(set(ranks)) > 1
    np.testing.assert_allclose(out[voxel], total / weight, rtol=1e-4)
    assert level[voxel] == pytest.approx(np.mean(sigmas), rel=1e-3)


@pytest.mark.parametrize("centre_only", [True, False])
def test_outside_the_mask_nothing_changes_and_inside_every_voxel_does(noisy, centre_only):
    _, data = noisy
    mask = np.zeros_like(EVERYWHERE)
    mask[0, 4, 5] = mask[3:6, 2:9, 4:] = mask[11, 10, 9] = True
    out, level = denoise(data, mask, centre_only=centre_only)
    np.testing.assert_array_equal(out[~mask], data[~mask])
    assert not level[~mask].any()
    assert (level[mask] > 0).all()
    assert (out[mask] != data[mask]).any(axis=1).all()


def test_storage_does_not_matter(noisy):
    _, data = noisy
    mask = EVERYWHERE.copy()
    mask[2:5] = False
    out, _ = denoise(np.asfortranarray(data), mask)
    np.testing.assert_array_equal(out, denoise(np.ascontiguousarray(data), mask)[0])


@pytest.mark.parametrize(
    ("shape", "volumes", "size"),
    [
        ((128, 128, 60), 7, (3, 3, 3)),
        ((128, 128, 60), 27, (3, 3, 3)),
        ((128, 128, 60), 28, (5, 5, 5)),
        ((128, 128, 60), 126, (7, 7, 7)),
        ((128, 128, 3), 60, (5, 5, 3)),
        ((128, 128, 3), 76, (7, 7, 3)),
    ],
)
def test_patch_is_the_smallest_cube_with_as_many_voxels_as_volumes(shape, volumes, size):
    assert patch_size(shape, volumes) == size


def test_fewer_voxels_than_volumes_are_a_fault():
    with pytest.raises(InputFault, match="fewer voxels than its 28 volumes"):
        denoise(np.ones((3, 3, 3, 28)), np.ones((3, 3, 3), dtype=bool))
