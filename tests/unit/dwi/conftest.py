"""What several tests of gradient tables share."""

import pytest

from glymflow.dwi.mask import brain_mask
from glymflow.dwi.series import read_gradients, select_volumes, world_gradients
from glymflow.dwi.tensor import fit_tensor
from glymflow.io import image_data, load_image


@pytest.fixture(scope="session")
def real_fit(shared_data):
    """A third of a real head: triangle of the voxels in the mask, mask, affine."""
    path = shared_data / "real_bids/sub-galan/ses-ortho/dwi/sub-galan_ses-ortho_dwi"
    image = load_image(f"{path}.nii.gz", ndim=4)
    table = read_gradients(f"{path}.bval", f"{path}.bvec", image.shape[3])
    keep = select_volumes(*table)
    data, (bvals, bvecs) = image_data(image)[..., keep], (part[keep] for part in table)
    mask = brain_mask(data[..., bvals == 0].mean(axis=3), image.affine)
    mask[:, :, :16] = mask[:, :, 28:] = False  # a third of the brain is enough, and faster
    triangle, _ = fit_tensor(data[mask], bvals, world_gradients(bvecs, image.affine))
    return triangle, mask, image.affine
