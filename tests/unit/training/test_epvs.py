import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `training` is not installed")
pytest.importorskip("onnx", reason="the extra `training` is not installed")

from glymflow.training import epvs  # noqa: E402

SHAPE = (128, 112, 12)


def made(seed):
    """A phantom as from `slabs`: noise in which bright tubes on the second image are the truth."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(SHAPE, dtype=bool)
    for x, y in rng.integers(10, 110, (20, 2)):
        truth[x : x + 3, y : y + 3] = True
    images = rng.normal(0, 0.1, (2, *SHAPE)) + np.array([-0.8, 0.8])[:, None, None, None] * truth
    images[:, :4] = -1
    return images.astype(np.float16), truth, np.argwhere(truth).astype(np.int16), seed % 3 == 1


@pytest.fixture
def phantoms(monkeypatch):
    monkeypatch.setattr(epvs, "slabs", lambda seed, wide=False: [made(seed + k) for k in range(3)])


def test_crops_show_the_slice_of_their_truth_and_miss_one_contrast_at_times():
    rng = np.random.default_rng(0)
    missing = np.zeros(2)
    for _ in range(40):
        inputs, truths = epvs.batch([made(1), made(2), made(3)], rng)
        assert inputs.shape == (epvs.BATCH, 10, epvs.CROP, epvs.CROP)
        assert inputs.dtype == np.float32
        assert np.abs(inputs).max() <= 1
        for image, truth in zip(inputs, truths, strict=True):
            t1, t2 = image[2], image[7]  # the middle slices
            lacks = np.array([(image[:5] == -1).all(), (image[5:] == -1).all()])
            missing += lacks
            if truth.any() and not lacks.any():
                assert t1[truth == 1].mean() < t1[truth == 0].mean() - 0.3
                assert t2[truth == 1].mean() > t2[truth == 0].mean() + 0.3
    share = missing / (40 * epvs.BATCH)
    assert (share > 0.08).all()
    assert (share < 0.23).all()
    assert np.all(missing > 0)


def test_the_phantoms_come_in_the_same_order_from_other_processes():
    alone, beside = (list(_first_voxels(workers)) for workers in (0, 2))
    assert alone == beside
    assert len(set(alone)) == len(alone) == 3


def _first_voxels(workers):
    original, epvs.slabs = epvs.slabs, _numbers
    try:
        yield from epvs.phantoms(3, 3, workers)
    finally:
        epvs.slabs = original


def _numbers(seed):
    return [seed]


def test_training_learns_and_a_seed_gives_the_same_bytes(phantoms, tmp_path):
    lines = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        epvs.train(tmp_path / name, seed=4, steps=100, base=4, tell=lines.append)
    first, second = ((tmp_path / name / "epvs.onnx").read_bytes() for name in ("one", "two"))
    about = [json.loads((tmp_path / name / "epvs.json").read_text()) for name in ("one", "two")]
    assert about[0]["seed"] == 4
    assert about[0]["steps"] == about[0]["of_steps"] == 100
    assert "synthetic" in about[0]["trained_on"]
    assert first == second
    assert "step 100/100" in lines[1]
    assert _found(tmp_path / "one" / "epvs.onnx") > 0.3


def test_the_norms_are_the_means_over_many_batches():
    network = torch.nn.Sequential(torch.nn.Conv2d(10, 1, 1), torch.nn.BatchNorm2d(1))
    with torch.no_grad():
        network[0].weight.fill_(1)
        network[0].bias.fill_(0)
    network[1].running_mean.fill_(99)
    kept, rng = [made(1), made(2)], np.random.default_rng(0)
    epvs.settle(network, kept, rng, "cpu")
    rng = np.random.default_rng(0)
    means = [epvs.batch(kept, rng)[0].sum(axis=1).mean() for _ in range(epvs.NORM_BATCHES)]
    assert network[1].running_mean.item() == pytest.approx(np.mean(means), abs=0.02)


def _found(path):
    """Return how much more probable EPVS are where they are, by the file written."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images, truth, *_ = made(9)
    crop = images[:, :112, :112, 3:8].astype(np.float32)
    stack = np.moveaxis(crop, -1, 1).reshape(1, 10, 112, 112)
    answer = session.run(None, {"image": stack})[0]
    assert answer.shape == (1, 2, 112, 112)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
    inside = truth[:112, :112, 5]
    return answer[0, 1][inside].mean() - answer[0, 1][~inside].mean()
