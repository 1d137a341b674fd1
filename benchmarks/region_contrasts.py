"""How much the EPVS regions of a session depend on its contrasts: T1w and T2w, each alone, both.

    python benchmarks/region_contrasts.py T1W T2W

T1W, T2W  a session's raw scans.

Printed for each: the volumes (mL) of the three regions by the head network, and the brain's. Which
image's white matter the centrum semiovale lies in: `glymflow.epvs.segmentation.white_image`; if the
T1w is poor, what it would give by the rule for others is printed too. Some 40 s.
"""

import argparse

import numpy as np

from glymflow.commands import simulate_epvs
from glymflow.epvs import anat, regions, segmentation
from glymflow.epvs.domain import REGIONS
from glymflow.image.grid import volume_ml
from glymflow.io import image_data, load_image


def tell(name, place, affine, facts):
    """Print the volumes of a session's regions."""
    volumes = np.bincount(place.ravel(), minlength=2 * len(REGIONS) + 1) * volume_ml(affine)
    sides = volumes[1:].reshape(-1, 2).sum(axis=1)
    words = [f"{region} {volume:.1f}" for region, volume in zip(REGIONS, sides, strict=True)]
    print(f"{name}: {', '.join(words)}; brain {facts['brain_volume_ml']:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("t1w")
    parser.add_argument("t2w")
    args = parser.parse_args()
    t1, t2 = (
        anat.find_brain(image_data(image, dtype=np.float32), image.affine)
        for image in (load_image(path) for path in (args.t1w, args.t2w))
    )
    images, place, affine, facts = simulate_epvs.prepare(t1, t2)
    poor = segmentation.poor_t1(facts["fluid"])
    tell(f"T1w and T2w, the T1w is {'poor' if poor else 'not poor'}", place, affine, facts)
    if poor:
        by_t1 = regions.network_regions(images["T1w"], images["classes"], affine)
        tell("  as if the T1w were not", by_t1, affine, facts)
    for name, given in (("T1w alone", (t1, None)), ("T2w alone", (None, t2))):
        tell(name, *simulate_epvs.prepare(*given)[1:])


if __name__ == "__main__":
    main()
