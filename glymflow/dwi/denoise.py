"""Noise of a series by MP-PCA: what of a small patch is noise, its eigenvalues tell.

The signals of a patch in N volumes have few independent components; the rest are noise, whose
eigenvalues follow the law of Marchenko and Pastur. The patch is projected on those above it.
Patches lie two voxels apart and overlap: a voxel is the mean of what they give, and a patch with
fewer components counts more, since it keeps less noise.

References
----------
Veraart J. et al. Denoising of diffusion MRI using random matrix theory. NeuroImage 142, 394-406
(2016).
Cordero-Grande L. et al. Complex diffusion-weighted image estimation via matrix recovery under
general noise models. NeuroImage 200, 391-404 (2019); the estimator of the noise level.
Manjon J. V. et al. Diffusion weighted image denoising using overcomplete local PCA. PLoS ONE 8,
e73021 (2013); overlapping patches and their weights.
"""

import numpy as np

from glymflow.io import InputFault

_STRIDE = 2  # voxels between patches; 1 takes eight times as long for the same result
_BLOCK = 2_000_000  # numbers at a time: keeps memory flat


def denoise(data, mask, *, centre_only=False):
    """Remove noise with MP-PCA.

    Parameters
    ----------
    data : (X, Y, Z, N) array
        Raw signals: what was interpolated or masked before has no noise of this kind.
    mask : (X, Y, Z) bool array
        Where noise is removed. A margin round the brain belongs in it if the signals there are
        needed later.
    centre_only : bool
        Give each voxel a patch of its own and take of it the middle alone, as MRtrix3's dwidenoise
        does: slower and noisier, for comparisons.

    Returns
    -------
    denoised : (X, Y, Z, N) float32 array
        As `data` outside the mask.
    noise : (X, Y, Z) float32 array
        Standard deviation of the noise, in units of the signal; 0 outside the mask. Components of
        signal take some noise along, so it is a few per cent low, as MRtrix3's is.

    Raises
    ------
    InputFault
        If the image has fewer voxels than volumes.
    """
    denoised = np.array(data, dtype=np.float32)
    # voxels in the order in which NIfTI stores them, each with its volumes side by side
    data, mask = denoised.transpose(2, 1, 0, 3), mask.T
    shape, n = mask.shape, data.shape[3]
    signal = np.ascontiguousarray(data).reshape(-1, n)
    size = patch_size(shape, n)
    offsets = np.ravel_multi_index(np.indices(size).reshape(3, -1), shape)
    corners, own = _corners(mask, size, centre_only)
    total = np.zeros((signal.shape[0], n + 3), dtype=np.float32)
    step = max(_BLOCK // (len(offsets) * n), 1)
    for start in range(0, len(corners), step):
        block = slice(start, start + step)
        at = corners[block, None] + offsets
        patches = signal[at]
        projector, sigma, rank = _separate(patches)
        share = 1 / (1 + rank).astype(np.float32)
        if centre_only:
            at, patches = (x[np.arange(len(at)), own[block]][:, None] for x in (at, patches))
        kept = np.empty((*at.shape, n + 3), dtype=np.float32)
        np.matmul(patches, projector * share[:, None, None], out=kept[..., :n])
        kept[..., n:] = np.stack([share, sigma, np.ones_like(share)], axis=1)[:, None]
        for place in range(at.shape[1]):  # at one place of the patches, a voxel occurs once
            total[at[:, place]] += kept[:, place]
    total = total[mask.ravel()]
    data[mask] = total[:, :n] / total[:, n, None]
    noise = np.zeros(shape, dtype=np.float32)
    noise[mask] = total[:, n + 1] / total[:, n + 2]
    return denoised, noise.T


def patch_size(shape, n_volumes):
    """Return the edges of the smallest cube of odd edge with at least as many voxels as volumes.

    Along an axis with fewer voxels than that the patch is as long as the image.

    Parameters
    ----------
    shape : tuple of 3 ints
    n_volumes : int
    """
    edge = 3
    while edge < max(shape) and np.prod(np.minimum(edge, shape)) < n_volumes:
        edge += 2
    size = np.minimum(edge, shape)
    if size.prod() < n_volumes:
        raise InputFault(
            f"an image of fewer voxels than its {n_volumes} volumes has no noise to see"
        )
    return tuple(size.tolist())


def _corners(mask, size, centre_only):
    """Return the flat number of each patch's first voxel, and the place of its middle in it.

    Patches cover the mask; with `centre_only` each is that of one voxel, its own middle, which is
    not in the middle where the image ends.
    """
    from scipy import ndimage

    shape = np.array(mask.shape)
    voxels = np.argwhere(mask)
    first = np.clip(voxels - np.array(size) // 2, 0, shape - size)
    if centre_only:
        flat = np.ravel_multi_index(tuple(first.T), mask.shape)
        return flat, np.ravel_multi_index(tuple((voxels - first).T), size)
    needed = np.zeros(mask.shape, dtype=bool)
    needed[tuple(first.T)] = True
    needed = ndimage.maximum_filter(needed, 2 * (_STRIDE // 2) + 1, mode="constant")
    lattice = np.zeros(mask.shape, dtype=bool)
    # the last patch ends where the image does
    lattice[np.ix_(*(np.r_[0:last:_STRIDE, last] for last in (shape - size).tolist()))] = True
    return np.flatnonzero(needed & lattice), None


def _separate(patches):
    """Return projectors on the signal (P, N, N), noise SD (P,) and number of components (P,)."""
    voxels, n = patches.shape[1:]
    values, vectors = np.linalg.eigh(patches.transpose(0, 2, 1) @ patches)
    values = np.maximum(values.astype(float), 0) / voxels
    order = np.arange(1, n + 1)  # of the smallest eigenvalues, taken as noise
    level = np.cumsum(values, axis=1) / order
    gamma = order / (voxels - (n - order))
    width = (values - values[:, :1]) / (4 * np.sqrt(gamma))
    count = n - np.argmax((width < level)[:, ::-1], axis=1)
    sigma = np.sqrt(np.take_along_axis(level, count[:, None] - 1, axis=1)[:, 0])
    signal = vectors * (order - 1 >= count[:, None])[:, None]
    return signal @ vectors.transpose(0, 2, 1), sigma.astype(np.float32), n - count
