"""What the choice of shells does to ALPS: a fibre with restricted, hindered and free water.

Print the index by the tensor for several gradient schemes, without noise and with SNR 30 in b0
(mean and SD of voxels). `python benchmarks/shells.py` takes a few seconds.
"""

import numpy as np

from glymflow.dwi.tensor import fit_tensor, full_tensors
from glymflow.phantoms.head import spread_directions

SCHEMES = (
    (1000,), (200,), (2000,), (2500,), (200, 2000), (200, 1000), (500, 1000), (700, 1200),
    (500, 1000, 2000), (1000, 2000), (1000, 3000),
)  # fmt: skip
FREE = 3e-3
STICK, ALONG = 2.0e-3, 1.7e-3  # mm^2/s: in the axons; along them outside
ACROSS = (0.75e-3, 0.45e-3)  # outside, with and without perivascular spaces: the index is 1.5
SHARE_IN = 0.45


def fibre_signal(bvals, directions, free):
    """Signal of one voxel whose fibres run along z."""
    x, y, z = directions.T
    inside = np.exp(-bvals * STICK * z**2)
    outside = np.exp(-bvals * (ALONG * z**2 + ACROSS[0] * x**2 + ACROSS[1] * y**2))
    tissue = SHARE_IN * inside + (1 - SHARE_IN) * outside
    return (1 - free) * tissue + free * np.exp(-bvals * FREE)


def scheme(shells, count=30):
    """Return b-values and directions, two b0 first."""
    bvals = np.r_[0, 0, np.repeat(shells, count)].astype(float)
    return bvals, np.vstack([np.zeros((2, 3)), *[spread_directions(count, s) for s in shells]])


def index(signal, bvals, directions):
    """Return Dxx / Dyy of each voxel."""
    tensors = full_tensors(fit_tensor(signal, bvals, directions)[0])
    return tensors[:, 0, 0] / tensors[:, 1, 1]


def main():
    rng = np.random.default_rng(1)
    print("| shells | free water 0 | 0.05 | 0.15 | SNR 30, free water 0.05: mean | SD of a voxel |")
    print("|---|---|---|---|---|---|")
    for shells in SCHEMES:
        bvals, directions = scheme(shells)
        clean = [fibre_signal(bvals, directions, free)[None] for free in (0, 0.05, 0.15)]
        values = [index(one, bvals, directions)[0] for one in clean]
        noise = rng.normal(0, 1 / 30, (2, 4000, len(bvals)))
        noisy = index(np.hypot(clean[1] + noise[0], noise[1]), bvals, directions)
        noisy = noisy[(noisy > 0) & (noisy < 5)]
        row = [*values, np.mean(noisy), np.std(noisy)]
        print(f"| {', '.join(map(str, shells))} | " + " | ".join(f"{v:.3f}" for v in row) + " |")


if __name__ == "__main__":
    main()
