"""scripts/map_lesions.py: how many subjects have a lesion at each voxel."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from glymflow.io import save_image, write_tsv

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = [-98, -134, -72]
SHAPE = (99, 117, 95)


@pytest.fixture
def batches(tmp_path):
    """Two batches: three subjects, one of them twice, one without a way to the template."""
    rows = [("sub-1", "ses-1", "left"), ("sub-1", "ses-2", "left"), ("sub-2", None, "right"),
            ("sub-3", None, "bilateral"), ("sub-4", None, None)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "side"])
    write_tsv(table, tmp_path / "lesions.tsv")
    for name, part in (("a", table[:3]), ("b", table[3:])):
        write_tsv(part.drop(columns="side"), tmp_path / f"{name}.tsv")
        masks = np.zeros((*SHAPE, len(part)), np.uint8)
        for number, side in enumerate(part.side):
            if side in ("left", "bilateral"):
                masks[30:34, 50:60, 40:45, number] = 1
            if side in ("right", "bilateral"):
                masks[65:69, 50:60, 40:45, number] = 1
        save_image(masks, AFFINE, tmp_path / f"{name}.nii.gz")
    return tmp_path


@pytest.mark.parametrize(
    ("flip_to", "left", "right"), [("none", 2, 2), ("left", 3, 1), ("right", 1, 3)]
)
def test_counts(batches, load_main, flip_to, left, right):
    figures = [batches / "map.png", batches / "map.svg"]
    load_main("map_lesions")(
        table=batches / "lesions.tsv",
        tables=[batches / "a.tsv", batches / "b.tsv"],
        masks=[batches / "a.nii.gz", batches / "b.nii.gz"],
        flip_to=flip_to,
        counts=batches / "counts.nii.gz",
        sidecar=batches / "counts.json",
        figures=figures,
        background=batches / "t1.nii.gz",
    )
    counts = np.asarray(nib.load(batches / "counts.nii.gz").dataobj)
    assert counts[:49].max() == left
    assert counts[50:].max() == right
    assert (counts == left).sum() == (400 if left == right else 200)
    facts = json.loads((batches / "counts.json").read_text())
    assert facts["subjects"] == 3
    assert facts["sides"] == {"left": 1, "right": 1, "bilateral": 1}
    assert nib.load(batches / "t1.nii.gz").shape == SHAPE
    assert figures[0].read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in figures[1].read_bytes()
