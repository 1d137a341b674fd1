"""Heads of any contrast: the image may be anything, the classes must stay those of the head."""

from pathlib import Path

import numpy as np
import pytest

import glymflow
from glymflow.phantoms import contrasts
from glymflow.phantoms.contrasts import CLASSES, LABELS, NUMBER, SHAPE, load_head, make_head

FOLDER = Path(glymflow.__file__).parent / "phantoms" / "data"


@pytest.fixture(scope="module", params=["head_colin27", "head_template"])
def head(request):
    return load_head(FOLDER / f"{request.param}.nii.gz")


@pytest.mark.slow
def test_the_label_maps_are_whole_heads(head):
    litres = np.bincount(head.classes.ravel(), minlength=len(CLASSES)) / 1e6
    volume = dict(zip(CLASSES, litres, strict=True))
    assert 1.1 < 1 - volume["outside"] / litres.sum() + sum(litres[1:]) < 2.8
    assert 0.05 < volume["basal_ganglia"] < 0.09
    assert 0.04 < volume["centrum_semiovale"] < 0.09
    assert 0.005 < volume["midbrain"] < 0.012
    assert np.isin(range(len(LABELS)), head.labels).all()  # skull, fat, eyes and all
    brain = np.isin(head.labels, [NUMBER["cortex"], NUMBER["white_matter"], NUMBER["brainstem"]])
    assert (head.classes[brain] > 0).all()


@pytest.mark.slow
def test_an_image_and_its_classes(head):
    image, share = make_head(head, np.random.default_rng(3))
    assert image.shape == SHAPE
    assert image.dtype == share.dtype == np.float32
    assert image.min() == -1
    assert image.max() <= 1
    np.testing.assert_allclose(share.sum(axis=0), 1, atol=1e-6)
    assert len(np.unique(share[1])) > 2  # voxels on a border have a share of each class


@pytest.mark.slow
def test_the_seed_decides(head):
    one, again, other = (make_head(head, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one[0].tobytes() == again[0].tobytes()
    assert one[1].tobytes() == again[1].tobytes()
    assert one[0].tobytes() != other[0].tobytes()


@pytest.mark.slow
def test_brains_have_the_size_of_brains(head):
    inside = [make_head(head, np.random.default_rng(seed))[1][1:].sum() for seed in range(12)]
    litres = np.array(inside) * 2**3 / 1e6
    assert 0.9 < np.median(litres) < 2.3
    assert litres.std() > 0.1  # they differ


@pytest.mark.slow
def test_the_neck_goes_on_below_the_map_but_the_brain_does_not(head):
    where = np.zeros((3, 1, 1, 4), dtype=np.float32)
    where[:2] = np.array(head.labels.shape)[:2, None, None, None] / 2
    where[2] = (-30, -1, 0, head.labels.shape[2] + 5)
    point, outside = contrasts._nearest(where, np.zeros(3), head.labels.shape)
    assert point[2].ravel().tolist() == [0, 0, 0, head.labels.shape[2] - 1]
    assert outside.ravel().tolist() == [False, False, False, True]


def test_a_cut_field_of_view_has_no_brain_where_there_is_no_image():
    image = np.ones((40, 40, 40), dtype=np.float32)
    share = np.zeros((len(CLASSES), 40, 40, 40), dtype=np.float32)
    share[1] = 1
    contrasts._cut(image, share, np.random.default_rng(0))
    assert (image == 0).any()
    assert (share[0] == (image == 0)).all()
    assert (share[1] == (image != 0)).all()


def test_thick_slices_blur_between_slices_only():
    image = np.zeros((32, 32, 32), dtype=np.float32)
    image[16, 16, 16] = 1
    for seed in range(5):
        thick = contrasts._thick_slices(image, np.random.default_rng(seed))
        extent = [np.ptp(axis) for axis in np.nonzero(thick > 1e-6)]
        assert sorted(e > 0 for e in extent) in ([False, False, True], [False, False, False])


def test_smooth_fields_have_the_size_that_is_asked_for():
    field = contrasts._smooth_field(np.random.default_rng(0), (64, 64, 64), 8, 2.0)
    assert field.shape == (64, 64, 64)
    assert 0.8 < field.std() < 2.2
    assert np.abs(np.diff(field, axis=0)).max() < 2.0


@pytest.mark.slow
def test_heads_of_the_training_do_not_depend_on_who_makes_them():
    from glymflow.training import head as training

    alone = [image for image, _ in training.heads(5, 3)]
    shared = [image for image, _ in training.heads(5, 3, workers=2)]
    assert [a.tobytes() for a in alone] == [b.tobytes() for b in shared]


def test_training_without_torch_is_one_clear_line(tmp_path, monkeypatch, capsys):
    import sys

    from glymflow.cli import main

    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["train-head", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "glymflow train-head: torch is missing; install glymflow[training]\n"
    )
