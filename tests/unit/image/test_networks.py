"""The networks' inputs and outputs, with tiny networks in place of the trained ones."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from glymflow.image import grid, networks
from glymflow.io import InputFault


def save(path, nodes, channels, ndim, constants=()):
    """Write an ONNX file with the names of the real ones: image to probability."""
    sides = [f"s{axis}" for axis in range(ndim)]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, *sides]),
        helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", "c", *sides]),
    ]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


@pytest.fixture
def head_network(tmp_path, monkeypatch):
    """Six equal channels: the image itself."""
    node = helper.make_node("Concat", ["image"] * 6, ["probability"], axis=1)
    save(tmp_path / "head.onnx", [node], 1, 3)
    monkeypatch.setattr(
        networks, "network", lambda n: networks.open_session(tmp_path / f"{n}.onnx")
    )


@pytest.fixture
def epvs_network(tmp_path, monkeypatch):
    """Class 1 is a weighted sum of the ten channels, which count 1, 2, 4, ..."""
    weights = np.zeros((2, 10, 1, 1), np.float32)
    weights[1, :, 0, 0] = 2.0 ** np.arange(10)
    node = helper.make_node("Conv", ["image", "w"], ["probability"])
    save(tmp_path / "epvs.onnx", [node], 10, 2, [numpy_helper.from_array(weights, "w")])
    monkeypatch.setattr(networks, "EPVS_NETWORKS", ("epvs", "epvs"))
    monkeypatch.setattr(
        networks, "network", lambda n: networks.open_session(tmp_path / f"{n}.onnx")
    )


# ---------------------------------------------------------------- intensities


def test_percentiles_inside_the_mask_become_minus_one_and_one():
    image = np.arange(1001.0).reshape(7, 11, 13)
    mask = image >= 500
    scaled = networks.normalise(image, mask)
    assert scaled.dtype == np.float32
    assert np.all(scaled[~mask] == -1)
    low, high = np.percentile(image[mask], (0.5, 99.5))
    assert scaled.flat[750] == pytest.approx(2 * (750 - low) / (high - low) - 1, abs=1e-5)
    assert scaled.flat[500] == -1
    assert scaled.flat[1000] == 1
    assert networks.normalise(image).flat[500] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("mask", [None, np.zeros((3, 3, 3), bool)])
def test_no_contrast_is_a_fault(mask):
    with pytest.raises(InputFault, match="no contrast"):
        networks.normalise(np.full((3, 3, 3), 7.0), mask)


# ---------------------------------------------------------------- heads


def ball(shape, affine, centre, radius):
    world = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return (np.linalg.norm(world - centre, axis=-1) < radius).astype(np.float32)


def test_head_keeps_its_place_on_a_grid_the_network_takes(head_network):
    affine = np.diag([1.5, 1.5, 4, 1.0])
    affine[:3, 3] = (-90, -100, -60)
    image = ball((120, 130, 40), affine, (10, 5, 20), 50)
    found, coarse = networks.head_probabilities(100 * image + 5, affine)
    assert found.shape[0] == 6
    assert all(side % 16 == 0 for side in found.shape[1:])
    assert all(a >= b for a, b in zip(found.shape[1:], (96, 112, 96), strict=True))
    np.testing.assert_allclose(grid.spacing_of(coarse), 2)
    assert set(np.unique(found.round(1))) >= {-1.0, 1.0}
    weight = (found[0] > 0.5).astype(float)
    there = np.argwhere(weight).mean(axis=0) @ coarse[:3, :3].T + coarse[:3, 3]
    np.testing.assert_allclose(there, (10, 5, 20), atol=1)


def test_mirrored_answers_are_averaged(tmp_path, monkeypatch):
    """A network whose answer grows to the right gives the same on both sides."""
    node = [
        helper.make_node("CumSum", ["image", "axis"], ["sum"]),
        helper.make_node("Concat", ["sum"] * 6, ["probability"], axis=1),
    ]
    save(tmp_path / "head.onnx", node, 1, 3, [numpy_helper.from_array(np.array(2), "axis")])
    monkeypatch.setattr(
        networks, "network", lambda n: networks.open_session(tmp_path / f"{n}.onnx")
    )
    affine = np.diag([2.0, 2, 2, 1])
    image = ball((96, 112, 96), affine, (95, 111, 95), 60)
    found, _ = networks.head_probabilities(image, affine)
    np.testing.assert_allclose(found, found[:, ::-1], atol=1e-3)


def test_a_long_neck_is_left_out(head_network):
    affine = np.diag([2.0, 2, 2, 1])
    image = np.zeros((96, 100, 200), np.float32)
    image[30:60, 30:60] = 1
    found, coarse = networks.head_probabilities(image, affine)
    assert found.shape[3] < 130
    top = coarse[2, 3] + 2 * found.shape[3]
    assert top >= 400


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    with pytest.raises(InputFault, match=r"nothing\.onnx: the weights of this network are missing"):
        networks.network("nothing")


# ---------------------------------------------------------------- EPVS


def test_slices_come_in_the_order_of_the_training(epvs_network):
    """Channels: T1 from two slices below to two above, then T2; -1 beyond the volume."""
    rng = np.random.default_rng(0)
    t1, t2 = (rng.uniform(-0.9, 1, (20, 35, 6)).astype(np.float32) for _ in range(2))
    found = networks.epvs_probability(t1, t2)
    assert found.shape == t1.shape
    for z in (0, 3, 5):
        expected = 0
        for number, volume in enumerate((t1, t2)):
            for k, at in enumerate(range(z - 2, z + 3)):
                slab = volume[:, :, at] if 0 <= at < 6 else np.full((20, 35), -1)
                expected = expected + 2.0 ** (5 * number + k) * slab
        np.testing.assert_allclose(found[:, :, z], expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_contrast_is_minus_one(epvs_network, missing):
    image = np.random.default_rng(0).uniform(-0.9, 1, (16, 16, 5)).astype(np.float32)
    empty = np.full_like(image, -1)
    pair = [image, image]
    pair[missing] = None
    filled = [empty if one is None else one for one in pair]
    np.testing.assert_array_equal(
        networks.epvs_probability(*pair), networks.epvs_probability(*filled)
    )


def test_a_poor_t1_hides_nothing_that_the_t2_shows(epvs_network):
    rng = np.random.default_rng(1)
    t1, t2 = (rng.uniform(-0.9, 1, (16, 16, 5)).astype(np.float32) for _ in range(2))
    both, alone = networks.epvs_probability(t1, t2), networks.epvs_probability(None, t2)
    found = networks.epvs_probability(t1, t2, t1_poor=True)
    np.testing.assert_array_equal(found, np.maximum(both, alone))
    np.testing.assert_array_equal(networks.epvs_probability(None, t2, t1_poor=True), alone)


def test_a_fine_t1_is_asked_alone_too(epvs_network):
    rng = np.random.default_rng(0)
    t1, t2 = (rng.uniform(-0.9, 1, (16, 16, 5)).astype(np.float32) for _ in range(2))
    both, alone = networks.epvs_probability(t1, t2), networks.epvs_probability(t1, None)
    mean = networks.epvs_probability(t1, t2, t1_fine=True)
    np.testing.assert_allclose(mean, (both + alone) / 2, rtol=1e-5)
    for pair in ((t1, None), (None, t2)):
        np.testing.assert_array_equal(
            networks.epvs_probability(*pair, t1_fine=True), networks.epvs_probability(*pair)
        )


@pytest.mark.parametrize(
    ("given", "shift"), [((1, 1), 0.4), ((1, 0), -1.2), ((0, 1), 2.0)], ids=["both", "t1", "t2"]
)
def test_each_set_of_images_has_its_own_shift(tmp_path, given, shift):
    """The network says 0.3 everywhere; its file says by how much the logit of that is lowered."""
    nodes = [helper.make_node("Conv", ["image", "w", "b"], ["probability"])]
    constants = [np.zeros((2, 10, 1, 1), np.float32), np.array([0.7, 0.3], np.float32)]
    constants = [numpy_helper.from_array(*pair) for pair in zip(constants, "wb", strict=True)]
    save(tmp_path / "epvs.onnx", nodes, 10, 2, constants)
    model = onnx.load(tmp_path / "epvs.onnx")
    shifts = {"shift_both": 0.4, "shift_t1": -1.2, "shift_t2": 2.0}
    helper.set_model_props(model, {key: str(value) for key, value in shifts.items()})
    onnx.save(model, tmp_path / "epvs.onnx")
    session = networks.open_session(tmp_path / "epvs.onnx")
    image = np.zeros((16, 16, 3), np.float32)
    found = networks.epvs_probability(
        *(image if one else None for one in given), sessions=[session]
    )
    logit = np.log(found / (1 - found))
    np.testing.assert_allclose(logit, np.log(0.3 / 0.7) - shift, atol=1e-5)


def test_the_second_network_is_another():
    image = np.random.default_rng(2).uniform(-0.9, 1, (32, 32, 5)).astype(np.float32)
    sessions = [networks.network(name) for name in networks.EPVS_NETWORKS]
    alone = [networks.epvs_probability(image, image, sessions=[one]) for one in sessions]
    assert not np.array_equal(*alone)
    np.testing.assert_array_equal(networks.epvs_probability(image, image), alone[0])
    np.testing.assert_array_equal(networks.epvs_probability(image, image, second=True), alone[1])
    both = networks.epvs_probability(image, image, sessions=sessions)
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-6)


def test_slices_far_from_the_regions_are_left_out(epvs_network, monkeypatch):
    monkeypatch.setattr(networks, "BEYOND", 2)
    image = np.random.default_rng(3).uniform(-0.9, 1, (16, 16, 20)).astype(np.float32)
    place = np.zeros(image.shape, dtype=np.uint8)
    place[4, 4, 9:11] = 3
    whole = networks.epvs_probability(image, None)
    near = networks.epvs_probability(image, None, place=place)
    np.testing.assert_array_equal(near[:, :, 7:13], whole[:, :, 7:13])
    assert not near[:, :, :7].any()
    assert not near[:, :, 13:].any()
    assert not networks.epvs_probability(image, None, place=0 * place).any()


def test_slices_without_brain_are_zero(epvs_network):
    image = np.full((16, 16, 20), -1, np.float32)
    image[4:8, 4:8, 9:11] = 0.5
    found = networks.epvs_probability(image, None)
    assert np.all(found[:, :, :9] == 0)
    assert np.all(found[:, :, 11:] == 0)
    assert np.all(found[:, :, 9:11] != 0)
    assert np.all(networks.epvs_probability(np.full((16, 16, 4), -1, np.float32), None) == 0)


def test_the_shipped_networks_take_what_they_are_given():
    """Classes and sizes of the shipped files."""
    head = networks.network("head").get_outputs()[0]
    epvs = networks.network("epvs")
    assert head.shape[1] == 6
    assert (epvs.get_inputs()[0].shape[1], epvs.get_outputs()[0].shape[1]) == (10, 2)


def test_a_session_is_optimised_the_same_on_every_processor():
    """At the level above, the layout of convolutions follows the width of the registers."""
    import onnxruntime

    options = networks.network("epvs").get_session_options()
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    assert options.graph_optimization_level == level
    assert options.use_deterministic_compute
    assert options.intra_op_num_threads == options.inter_op_num_threads == 1
