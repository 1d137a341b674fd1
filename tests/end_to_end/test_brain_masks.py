"""Brain masks of real scans. What deepbet 1.0.2 says of them: benchmarks/brain_masks.py."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.epvs import anat
from glymflow.image import grid
from glymflow.io import image_data, load_image

# mL of deepbet's masks: run_bet(images, mask_paths=masks, no_gpu=True)
DEEPBET_ML = {
    "sub-elition/anat/sub-elition_T1w": 1566,
    "sub-ms01/ses-1/anat/sub-ms01_ses-1_T1w": 1336,
    "sub-ms01/ses-1/anat/sub-ms01_ses-1_T2w": 1382,
    "sub-ms01/ses-2/anat/sub-ms01_ses-2_T1w": 1394,
    "sub-ms01/ses-2/anat/sub-ms01_ses-2_T2w": 1378,
    "sub-prisma/anat/sub-prisma_T1w": 1546,
}


@pytest.mark.parametrize("name", DEEPBET_ML)
def test_a_real_brain_is_whole_and_as_large_as_deepbet_finds_it(shared_data, name):
    image = load_image(shared_data / "real_bids" / f"{name}.nii.gz", ndim=3)
    scan = anat.find_brain(image_data(image), image.affine)
    volume = scan.mask.sum() * grid.volume_ml(scan.grid)
    assert volume == pytest.approx(DEEPBET_ML[name], rel=0.03)
    assert ndimage.label(scan.mask)[1] == 1
    np.testing.assert_array_equal(ndimage.binary_fill_holes(scan.mask), scan.mask)
