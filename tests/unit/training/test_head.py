import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `training` is not installed")
onnx = pytest.importorskip("onnx", reason="the extra `training` is not installed")

from glymflow.image import networks  # noqa: E402
from glymflow.training import head  # noqa: E402
from glymflow.training.vb_net import VBNet, fold_norms  # noqa: E402

SHAPE = (48, 48, 48)


def example(seed, step):
    """A bright cube on noise, and its share, as from `make_head`."""
    rng = np.random.default_rng((seed, step))
    share = np.zeros((len(head.CLASSES), *SHAPE), dtype=np.float32)
    x, y, z = rng.integers(2, 30, 3)
    share[1, x : x + 14, y : y + 14, z : z + 14] = 1
    share[0] = 1 - share[1]
    return (rng.normal(-0.6, 0.1, SHAPE) + 1.2 * share[1]).astype(np.float32), share


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(head, "head", example)
    monkeypatch.setattr(head, "SHAPE", SHAPE)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_folding_the_norms_changes_no_answer(dimensions):
    torch.manual_seed(0)
    network = VBNet(dimensions, 2, 3, base=4)
    example = torch.randn(2, 2, *(32,) * dimensions)
    with torch.no_grad():
        for _ in range(3):
            network(3 * example + 1)  # running means and variances other than 0 and 1
        before = network.eval()(example)
        fold_norms(network)
        after = network.train()(example)
    assert before.std() > 0.05
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    assert not any("BatchNorm" in type(module).__name__ for module in network.modules())


def test_a_training_ends_with_a_network_without_norms(small, tmp_path):
    told = []
    head.train(tmp_path, seed=3, steps=13, tell=told.append)
    about = json.loads((tmp_path / "head.json").read_text())
    assert (about["seed"], about["steps"], about["of_steps"]) == (3, 13, 13)
    assert told[0].startswith("step 13/13  loss ")
    assert told[1] == f"midbrain's logits lower by {about['shift_midbrain']:.2f}"
    kinds = {node.op_type for node in onnx.load(tmp_path / "head.onnx").graph.node}
    assert "BatchNormalization" not in kinds
    session = networks.open_session(tmp_path / "head.onnx")
    image, _ = example(3, 0)
    answer = session.run(None, {"image": image[None, None]})[0]
    assert answer.shape == (1, len(head.CLASSES), *SHAPE)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)


def test_a_training_learns(small, tmp_path):
    told = []
    head.train(tmp_path, seed=1, steps=200, tell=told.append)
    losses = [line.split()[3] for line in told if line.startswith("step")]
    image, share = example(5, 0)
    session = networks.open_session(tmp_path / "head.onnx")
    found = session.run(None, {"image": image[None, None]})[0][0].argmax(axis=0)
    assert float(losses[1]) < float(losses[0])
    assert 2 * ((found == 1) & (share[1] == 1)).sum() / ((found == 1).sum() + share[1].sum()) > 0.9


def test_the_parts_of_a_training_add_up():
    assert [n for n, _ in head._parts(head.STEPS)] == [n for n, _ in head.PARTS]
    for steps in (1, 2, 7, 100):
        counts = [n for n, _ in head._parts(steps)]
        assert sum(counts) == steps
        assert min(counts) > 0


def test_shifts_give_the_regions_their_volume_and_leave_the_rest():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (len(head.CLASSES), 50_000))
    logits[head.REGIONS[-1]] += 1  # drawn too large
    true = np.array([6000, 3000, 1000])
    shift = head.shifts_to(logits, true)
    won = np.bincount((logits - shift[:, None]).argmax(axis=0), minlength=len(head.CLASSES))
    np.testing.assert_allclose(won[head.REGIONS], true, rtol=0.01)
    assert not shift[: head.REGIONS[0]].any()
    assert shift[-1] > shift[-2] > shift[-3]


def test_the_shortest_training_runs(small, tmp_path):
    head.train(tmp_path, steps=1, tell=str)
    assert (tmp_path / "head.onnx").is_file()
