"""MP-PCA on signals of known rank and noise."""

import numpy as np

from glymflow.dwi.denoise import denoise


def test_denoising_takes_noise_and_keeps_the_signal():
    """64 voxels of one tissue in 20 volumes: what MP-PCA leaves is the tissue's signal."""
    rng = np.random.default_rng(0)
    signal = 1000 * np.exp(-rng.uniform(0, 1, 20))
    clean = np.broadcast_to(signal, (9, 9, 9, 20))
    noisy = clean + rng.normal(0, 30, clean.shape)
    out = denoise(noisy, np.ones((9, 9, 9), dtype=bool))
    inner = (slice(2, -2),) * 3
    assert np.std((out - clean)[inner]) < 0.4 * 30
    assert abs((out - clean)[inner].mean()) < 2
