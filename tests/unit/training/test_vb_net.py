"""The architecture in PyTorch; skipped where the extra `training` is not installed."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch (the extra `training`) is not installed")

from glymflow.training.vb_net import VBNet, dice_focal_loss, export  # noqa: E402


@pytest.mark.parametrize(("dimensions", "side"), [(2, 32), (3, 16)])
def test_the_output_has_the_grid_of_the_input(dimensions, side):
    network = VBNet(dimensions, 3, 4, base=4).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, *[side] * dimensions)).shape == (
            1,
            4,
            *[side] * dimensions,
        )


def test_deep_units_are_bottlenecks():
    network = VBNet(2, 1, 2, base=16)
    shapes = [tuple(p.shape) for p in network.down[3].parameters() if p.ndim == 4]
    assert (64, 256, 1, 1) in shapes
    assert (64, 64, 3, 3) in shapes
    assert (256, 64, 1, 1) in shapes


def test_the_loss_is_least_for_the_truth_and_takes_shares():
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    one_hot = torch.nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    right = dice_focal_loss(20 * one_hot, target)
    assert right < 0.01
    assert dice_focal_loss(20 * one_hot, one_hot) == right
    assert dice_focal_loss(-20 * one_hot, target) > 1


def test_it_learns_what_is_in_front_of_it():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 32, 32)
    target = (image[:, 0] > 0).long()
    network = VBNet(2, 1, 2, base=4)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(40):
        loss = dice_focal_loss(network(image), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.2


def test_onnx_gives_what_torch_gives_on_other_sizes(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = VBNet(2, 2, 2, base=4)
    network(torch.randn(4, 2, 32, 32))  # moves the running means
    export(network.eval(), torch.zeros(1, 2, 32, 32), tmp_path / "a.onnx", {"seed": 3})
    image = torch.randn(3, 2, 48, 64)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    (found,) = session.run(None, {"image": image.numpy()})
    with torch.no_grad():
        wanted = torch.softmax(network(image), dim=1).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert session.get_modelmeta().custom_metadata_map == {"seed": "3"}
