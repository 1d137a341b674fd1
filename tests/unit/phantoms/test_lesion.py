"""The simulated haematoma: what it pushes, how much room it takes, and what it does to signal."""

from dataclasses import replace

import numpy as np
import pytest

from glymflow.io import InputFault
from glymflow.phantoms import head as phantom
from glymflow.phantoms import lesion as phantom_lesion
from glymflow.phantoms.lesion import Lesion, depth, draw_lesions, pull, push, sphere_radius
from glymflow.phantoms.scan import true_alps

SKULL = {"skull_centre": np.zeros(3), "skull": np.eye(3) / 80}


def lesion_of(volume_ml=30.0, *, centre=(10.0, -20, 15), mass_effect=0.8, shape=None):
    shape = np.zeros((3, 3)) if shape is None else shape
    radius = sphere_radius(volume_ml)
    return Lesion(np.array(centre, dtype=float), radius, shape, mass_effect, **SKULL)


@pytest.fixture(scope="module")
def uneven():
    return lesion_of(60, shape=phantom_lesion.random_shape(np.random.default_rng(2)))


@pytest.fixture(scope="module")
def head():
    return phantom.Head(
        alps_left=1.6,
        alps_right=1.3,
        rotation=phantom.head_rotation(8, -5, 12),
        translation=np.array([3.0, -4, 2]),
        scale=np.array([1.04, 0.97, 1.0]),
        deformation=phantom.random_deformation(np.random.default_rng(0), 3.0),
    )


def place(head, **changed):
    asked = {
        "centre": (-30, -30, 34), "volume_ml": 20.0, "oedema_ratio": 1.0, "mass_effect": 0.8,
        "shape": phantom_lesion.random_shape(np.random.default_rng(1)),
    }  # fmt: skip
    return phantom.place_lesion(head, **asked | changed)


def around(lesion, n=4000, seed=0, reach=60):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return lesion.centre + points * reach * np.cbrt(rng.uniform(size=(n, 1)))


def gradient(way, points, lesion, step=1e-3):
    sides = [
        (way(points + shift, lesion) - way(points - shift, lesion)) / (2 * step)
        for shift in step * np.eye(3)
    ]
    return np.stack(sides, axis=2)


# ---------------------------------------------------------------- mass effect


def test_known_displacement():
    """A round haematoma in the middle of a round skull, by the formula."""
    lesion = lesion_of(30, centre=(0, 0, 0), mass_effect=1.0)
    pushing = 30000 * 3 / (4 * np.pi)
    reach = (0.6 * 80) ** 3 + 1.5 * pushing + 1
    for distance in (0.001, 10, 20, 40, 80):
        expected = np.cbrt(distance**3 + pushing * np.exp(-(distance**3) / reach))
        for axis in np.eye(3):
            moved = push(distance * axis[None], lesion)[0]
            np.testing.assert_allclose(moved, expected * axis, atol=1e-9)
    assert np.linalg.norm(push(np.array([[0, 0, 80.0]]), lesion)) - 80 < 0.1  # at the skull


def test_pull_undoes_push(uneven):
    points = around(uneven)
    np.testing.assert_allclose(pull(push(points, uneven), uneven), points, atol=1e-6)
    at_once = pull(uneven.centre[None], uneven)
    np.testing.assert_allclose(at_once, uneven.centre[None])


@pytest.mark.parametrize("centre", [(10, -20, 15), (45, 0, 40), (0, 70, 0)])
def test_nothing_folds(centre, uneven):
    lesion = replace(uneven, centre=np.array(centre, dtype=float))
    volume = np.linalg.det(gradient(push, around(lesion), lesion))
    assert volume.min() > 0.3
    assert volume.max() < 1 + 1e-6  # tissue gives way, none is made


@pytest.mark.parametrize("mass_effect", [0.5, 1.0])
def test_tissue_gives_way_by_the_volume_that_pushes(mass_effect):
    lesion = lesion_of(20, centre=(0, 5, 0), mass_effect=mass_effect)
    points = around(lesion, 40_000, reach=110)
    lost = 1 - np.linalg.det(gradient(push, points, lesion))
    volume = lost.mean() * 4 / 3 * np.pi * 110**3 / 1000
    assert volume == pytest.approx(20 * mass_effect, rel=0.03)


def test_no_tissue_in_the_hole_and_only_there():
    lesion = lesion_of(30, mass_effect=0.5)
    points = around(lesion, reach=1.5 * lesion.radius)
    hole = np.linalg.norm(points - lesion.centre, axis=1) ** 3 < 0.5 * lesion.radius**3
    from_centre = np.linalg.norm(pull(points, lesion) - lesion.centre, axis=1)
    assert from_centre[hole].max() < 1e-6
    assert from_centre[~hole].min() > 0


def test_fibres_bow_round_the_haematoma():
    """A line of tissue that ran straight up: its tensors follow the line where it now is."""
    lesion = lesion_of(30, centre=(0, 0, 0))
    line = np.stack([np.full(400, 6.0), np.full(400, 3.0), np.linspace(-40, 40, 400)], axis=1)
    moved = push(line, lesion)
    tangent = np.gradient(moved, axis=0)[2:-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    straight = np.broadcast_to(np.diag([3e-4, 2e-4, 12e-4]), (396, 3, 3))
    bent = phantom_lesion.bend(straight, moved[2:-2], lesion)
    values, vectors = np.linalg.eigh(bent)
    np.testing.assert_allclose(values, np.broadcast_to([2e-4, 3e-4, 12e-4], values.shape))
    assert np.abs(np.sum(vectors[:, :, 2] * tangent, axis=1)).min() > 0.9995
    assert np.abs(tangent[:, 2]).min() < 0.8


# ---------------------------------------------------------------- in a head


def grid_round(lesion, step, half):
    steps = np.arange(-half, half, step) + step / 3
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return points + lesion.centre


@pytest.mark.slow
@pytest.mark.parametrize(("centre", "volume_ml"), [((-30, -30, 34), 20), ((24, -62, -34), 5)])
def test_volumes_in_the_head_are_those_asked_for(head, centre, volume_ml):
    ill = place(head, centre=centre, volume_ml=volume_ml, oedema_ratio=1.4)
    points = grid_round(ill.lesion, 1.0, 40)
    tissue = phantom.tissue_fractions(phantom.to_template(points, ill))
    blood, oedema = phantom.lesion_shares(points, ill, tissue)
    assert blood.sum() / 1000 == pytest.approx(volume_ml, rel=0.01)
    assert oedema.sum() / 1000 == pytest.approx(1.4 * volume_ml, rel=0.02)
    assert oedema[tissue[:, 2] > 0.99].max() <= 0.01
    assert np.all((blood == 0) | (oedema == 0))


def test_points_and_tissue_move_together(head):
    ill = place(head)
    points = np.random.default_rng(0).uniform((-60, -90, -30), (60, 50, 60), (500, 3))
    world = phantom.to_world(points, ill)
    np.testing.assert_allclose(phantom.to_template(world, ill), points, atol=1e-4)
    moved = np.linalg.norm(world - phantom.to_world(points, head), axis=1)
    assert moved.max() > 5
    assert moved[points[:, 0] > 30].max() < 2  # the other side hardly moves


def test_blood_is_isotropic_and_oedema_less_anisotropic(head):
    ill = place(head, oedema_ratio=1.5)
    points = grid_round(ill.lesion, 2.0, 30)
    points = points[phantom.tissue_fractions(phantom.to_template(points, ill)).sum(axis=1) > 0.1]
    where = depth(points, ill.lesion)
    healthy = phantom.tissue_fractions(phantom.to_template(points, ill))
    tensors = phantom.true_tensors(points, ill)
    values = np.linalg.eigvalsh(tensors)
    mean = values.mean(axis=1)
    fa = np.sqrt(1.5 * np.sum((values - mean[:, None]) ** 2, axis=1) / np.sum(values**2, axis=1))
    assert fa[where < 1].max() < 1e-6
    np.testing.assert_allclose(mean[where < 1], 0.6e-3)
    white = (healthy[:, 0] > 0.99) & (where > 1)
    oedema = where < ill.lesion.rim
    np.testing.assert_allclose(mean[white & oedema], 1.3e-3, rtol=1e-2)
    np.testing.assert_allclose(mean[white & ~oedema], 0.7e-3, rtol=1e-2)
    assert np.median(fa[white & oedema]) < 0.5 * np.median(fa[white & ~oedema])


def test_a_regions_truth_knows_oedema_and_leaves_out_blood(head):
    lesion = {"side": "left", "location": "lobar"}
    rows = {}
    for name, centre in (("far", (-30, 40, 20)), ("near", (-32, -16, 38))):
        ill = place(
            head, centre=centre, volume_ml=5.0, oedema_ratio=2.0, mass_effect=0.0,
            shape=np.zeros((3, 3)),
        )  # fmt: skip
        table = true_alps(ill, lesion)
        rows[name] = next(
            row for row in table if (row["roi_set"], row["frame"]) == ("barisano2025", "fibre")
        )
        assert rows[name]["alps_ipsilateral"] == rows[name]["alps_left"]
        assert rows[name]["alps_contralateral"] == pytest.approx(1.3, rel=0.02)
    assert rows["far"]["alps_left"] == pytest.approx(1.6, rel=0.02)
    assert 1.05 < rows["near"]["alps_left"] < 1.3  # free water draws it towards 1
    whole = place(head, centre=(-26, -16, 27), volume_ml=5.0, mass_effect=0.0)
    table = [row for row in true_alps(whole, lesion) if row["roi_set"] == "barisano2025"]
    assert np.isnan([row["alps_left"] for row in table]).all()
    assert np.isfinite([row["alps_right"] for row in table]).all()


def test_lesion_turns_with_the_head(head):
    ill = place(head)
    turned = place(replace(head, rotation=phantom.head_rotation(-10, 15, 5)))
    points = np.random.default_rng(0).uniform((-60, -60, 0), (10, 10, 60), (200, 3))
    one, other = (depth(phantom.to_world(points, h), h.lesion) for h in (ill, turned))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_lesion_without_room_is_refused(head):
    with pytest.raises(InputFault, match="leaves the brain"):
        place(head, centre=(-66, -20, 0), volume_ml=60.0, mass_effect=0.0)


# ---------------------------------------------------------------- the plan


@pytest.mark.slow
def test_lesions_are_in_all_territories_and_on_both_sides(head):
    drawn = draw_lesions(60, 1)
    assert {lesion["location"] for lesion in drawn} == {"lobar", "deep", "infratentorial"}
    for name in {lesion["place"] for lesion in drawn} - {"pons"}:
        sides = [lesion["side"] for lesion in drawn if lesion["place"] == name]
        assert min(sides.count("left"), sides.count("right")) >= 3
    for lesion in drawn:
        x = lesion["centre"][0]
        assert lesion["side"] == ("left" if x < 0 else "right" if x > 0 else "bilateral")
    for lesion in drawn[::7]:
        model = ("centre", "volume_ml", "oedema_ratio", "shape", "mass_effect")
        place(head, **{key: lesion[key] for key in model})
    assert {lesion["volume_ml"] for lesion in drawn} >= {5, 15, 30, 60}
    assert [lesion["centre"] for lesion in draw_lesions(60, 2)] != [
        lesion["centre"] for lesion in drawn
    ]
