"""Which masks of raters and engine belong together."""

import numpy as np
import pytest

from glymflow.commands.validate_epvs_masks import find_masks, pair_masks
from glymflow.io import InputFault, save_image

SHAPE = (14, 12, 10)


AFFINE = np.array([[1.0, 0, 0, -7], [0, 1, 0, -6], [0, 0, 1, -5], [0, 0, 0, 1]])


def boxes(*places, shape=SHAPE):
    """A mask of boxes (x, y, z, length along x)."""
    mask = np.zeros(shape, bool)
    for x, y, z, length in places:
        mask[x : x + length, y, z] = True
    return mask


# engine: 4 + 3 + 2 voxels in three objects; reader 1 draws the first shifted by one voxel, the
# second as it is, not the third, and a fourth of 2; reader 2 the first as it is, and nothing else
ENGINE = boxes((1, 1, 1, 4), (1, 5, 5, 3), (8, 8, 8, 2))


def write(path, mask, affine=AFFINE):
    save_image(mask.astype(np.uint8), affine, path)


def test_sessions_are_paired_with_care():
    engine = {("sub-1", "ses-a"): ["e1"], ("sub-2", "ses-a"): ["e2"], ("sub-2", "ses-b"): ["e3"]}
    reader = {("sub-1", None): ["r1"], ("sub-2", None): ["r2"]}
    sessions, left_out = pair_masks({"engine": engine, "reader1": reader})
    assert sessions == {("sub-1", "ses-a"): {"engine": "e1", "reader1": "r1"}}
    assert [(row["participant_id"], row["session_id"]) for row in left_out] == [
        ("sub-2", None), ("sub-2", "ses-a"), ("sub-2", "ses-b"),
    ]  # fmt: skip
    only = {("sub-1", None): ["e1"]}
    sessions, _ = pair_masks({"engine": only, "reader1": {("sub-1", "ses-9"): ["r1"]}})
    assert sessions == {("sub-1", None): {"engine": "e1", "reader1": "r1"}}


def test_names_are_matched_whole(tmp_path):
    for name in ("sub-1_epvs.nii", "sub-1_epvs.nii.gz", "xsub-1_epvs.nii", "sub-12_epvs.nii"):
        write(tmp_path / name, ENGINE)
    found = find_masks(str(tmp_path / "{participant_id}_epvs.nii"), option="--rater")
    assert set(found) == {("sub-1", None), ("sub-12", None)}
    with pytest.raises(InputFault, match="no file has such a name"):
        find_masks(str(tmp_path / "{participant_id}" / "{participant_id}.nii"), option="--rater")
