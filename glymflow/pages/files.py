"""Reading what a page shows; a file that cannot be used costs only the picture that needs it."""

import numpy as np

from glymflow.io import InputFault, image_data, load_image


def attempt(faults, kind, action):
    """Return the action's result, or None with the fault kept in `faults` under `kind`."""
    try:
        return action()
    except InputFault as fault:
        faults[kind] = str(fault)
        return None


def load_picture(path, dtype="float32"):
    """Return (data, affine, path) of an image; RGB images get a last axis of three."""
    image = load_image(path)
    if image.get_data_dtype().names:
        structured = image_data(image, dtype=None)
        return np.stack([structured[c] for c in "RGB"], axis=-1), image.affine, path
    return image_data(image, dtype=dtype), image.affine, path


def same_grid(**images):
    """Return the data of images from `load_picture`, then their affine; all lie on one grid."""
    (first, affine, path), *others = images.values()
    for data, _, other in others:
        if data.shape[:3] != first.shape[:3]:
            raise InputFault(f"{other}: shape {data.shape[:3]}, but {path} has {first.shape[:3]}")
    return *(data for data, *_ in images.values()), affine
