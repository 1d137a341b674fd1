"""How good an outline do slices of 3 mm allow? The EPVS alone, scanned without noise.

    python benchmarks/epvs_ceiling.py WORK [--heads N]

WORK is that of `epvs_proof.py`, which makes the anatomy. In the heads of its strata nothing but
the true EPVS is scanned: 1 inside, 0 elsewhere, no anatomy, no noise, no contrast to lose. The scan
(T1, or the mean of T1 and T2) is brought to the grid of 1 mm as in the phantoms, and cut at the
threshold that is best for this head. What such a picture does not show, no image of tissue does; a
network could gain on it only by knowing the shapes of EPVS. Printed is the Dice over all voxels of
a stratum, within the regions.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from glymflow.phantoms import epvs as phantom_epvs  # noqa: E402
from glymflow.phantoms.epvs_scan import SETTINGS, acquire, onto_grid, rotation  # noqa: E402

STRATA = {"test": ("test", 59000), "slices of 3 mm": ("thick", 59200)}  # as in epvs_proof.py
THRESHOLDS = np.arange(0.05, 0.7, 0.025)


def seen(truth, rng, setting):
    """Return the EPVS as T1 and T2 show them, the T2 moved as in the phantoms."""
    shift, turn = (rng.uniform(-1, 1, 3) * amount for amount in setting.moved)
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = rotation(turn), shift
    thick = setting.thick[0] > 0
    return [
        onto_grid(*acquire(truth, rng, setting, thick, 0.0), truth.shape, way)
        for way in (None, move)
    ]


def best(image, truth):
    """Return voxels in both, found and true, at the threshold with the best Dice."""
    rows = [((image > t) & truth, image > t) for t in THRESHOLDS]
    counts = [(both.sum(), found.sum(), truth.sum()) for both, found in rows]
    return max(counts, key=lambda c: 2 * c[0] / max(c[1] + c[2], 1))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--heads", type=int, default=30)
    args = parser.parse_args(argv)
    anatomy = phantom_epvs.anatomy_from_tissues(**np.load(args.work / "anatomy.npz"))
    for name, (key, first) in STRATA.items():
        total = {"T1": np.zeros(3), "T1 and T2": np.zeros(3)}
        for seed in range(first, first + args.heads):
            phantom = phantom_epvs.make_phantom(seed, anatomy=anatomy, setting=key)
            inside, true = phantom.regions > 0, phantom.labels > 0
            t1, t2 = seen(true.astype(np.float32), np.random.default_rng(seed), SETTINGS[key])
            for shown, image in (("T1", t1), ("T1 and T2", (t1 + t2) / 2)):
                total[shown] += best(image[inside], true[inside])
        for shown, (both, found, truth) in total.items():
            dice = 2 * both / (found + truth)
            print(f"{name}, {shown}: Dice {dice:.3f} of {args.heads} heads", flush=True)


if __name__ == "__main__":
    main()
