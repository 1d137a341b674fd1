"""Whether the brain mask that comes with a preprocessed series can be used."""

import numpy as np

from glymflow.dwi.mask import concavity, holes_ml
from glymflow.image.grid import volume_ml
from glymflow.image.masks import largest_piece

LEAST_ML, MOST_ML = 200, 3000  # as of a mask that is found here
LEAST_SIGNAL = 0.95  # share of the mask in which b0 is above 0
LEAST_PIECE = 0.9  # share of the mask in its largest piece
MOST_HOLLOW = 0.2  # of the mask without its holes
MOST_CONCAVE = 0.06  # docs/notes/brain-mask.md: with more, tissue was cut out


def check_mask(mask, b0, affine):
    """Say what is wrong with a brain mask, None if nothing is.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    b0 : (X, Y, Z) array
        Mean b0 on the same grid.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    str or None
    """
    from scipy import ndimage

    volume = float(mask.sum() * volume_ml(affine))
    if not LEAST_ML <= volume <= MOST_ML:
        return f"it has {volume:.0f} mL"
    signal = np.mean(b0[mask] > 0)
    if signal < LEAST_SIGNAL:
        return f"{1 - signal:.0%} of it has no signal in b0"
    if np.mean(b0[mask]) <= np.mean(b0[~mask]):
        return "b0 is brighter outside of it"
    hollow = 1 - mask.sum() / ndimage.binary_fill_holes(mask).sum()
    if hollow > MOST_HOLLOW:
        return f"{hollow:.0%} of it is a hole"
    piece = largest_piece(mask).sum() / mask.sum()
    if piece < LEAST_PIECE:
        return f"its largest piece is {piece:.0%} of it"
    cut = concavity(mask, affine)
    if cut > MOST_CONCAVE:
        return f"tissue is cut out of it (concavity {cut:.3f})"
    return None


def use_mask(mask, b0, affine):
    """Return a given brain mask as one piece without holes, and the facts for the sidecar.

    Parameters
    ----------
    mask : (X, Y, Z) bool array or str
        Or why it could not be read.
    b0, affine
        As in `check_mask`.

    Returns
    -------
    mask : (X, Y, Z) bool array or None
        None if it is not used.
    facts : dict
        As of `glymflow.dwi.mask.mask_brain`, and `MaskSource`.
    """
    from scipy import ndimage

    fault = mask if isinstance(mask, str) else check_mask(mask, b0, affine)
    if fault:
        return None, {"MaskSource": f"b0, since the mask of the derivatives is not used: {fault}"}
    piece = largest_piece(mask)
    return ndimage.binary_fill_holes(piece), {
        "MaskSource": "derivatives",
        "MaskHolesML": holes_ml(piece, affine),
        "MaskFilledML": 0.0,
    }
