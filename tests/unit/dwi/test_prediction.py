"""Leave-one-out prediction against leaving one out; shells; symmetry."""

import numpy as np
import pytest
from dwi_heads import spread

from glymflow.dwi import prediction


def test_the_closed_form_is_leaving_one_out():
    directions = spread(9)
    signal = np.random.default_rng(0).normal(size=(9, 5))
    fit = prediction.predictor(directions, 0.9, 0.1)
    for number in range(9):
        others = np.delete(np.arange(9), number)
        kernel = prediction.covariance(directions[others], directions[others], 0.9)
        across = prediction.covariance(directions[[number]], directions[others], 0.9)
        expected = across @ np.linalg.solve(kernel + 0.1 * np.eye(8), signal[others])
        np.testing.assert_allclose(fit.weights[number] @ signal, expected[0], rtol=1e-9)
    assert not np.diag(fit.weights).any()


def test_an_unused_volume_predicts_nothing_and_is_predicted():
    directions = spread(9)
    use = np.arange(9) != 4
    fit = prediction.predictor(directions, 0.9, 0.1, use)
    assert not fit.weights[:, 4].any()
    expected = prediction.predictor(directions, 0.9, 0.1).weights[4]
    np.testing.assert_allclose(fit.weights[4], expected, atol=1e-9)
    assert not prediction.predictor(directions, 0.9, 0.1, np.arange(9) < 1).weights.any()


def test_the_sign_of_a_direction_does_not_count():
    directions = spread(9)
    flipped = directions * np.where(np.arange(9) % 2, -1, 1)[:, None]
    one, other = (prediction.predictor(d, 0.9, 0.1).weights for d in (directions, flipped))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_smooth_signal_is_predicted_and_its_noise_found():
    rng = np.random.default_rng(1)
    directions = spread(40)
    axes = spread(500, seed=2)
    clean = np.exp(-1.5 * (directions @ axes.T) ** 2)
    fit = prediction.fit_predictor(clean, directions)
    assert np.abs(fit.weights @ clean - clean).max() < 0.08
    noisy = prediction.fit_predictor(clean + rng.normal(0, 0.5, clean.shape), directions)
    assert noisy.noise > fit.noise
    # the spread says by how much the leave-one-out error exceeds the noise
    pure = rng.normal(size=(40, 4000))
    fixed = prediction.predictor(directions, 0.9, 3.0)
    error = np.var(pure - fixed.weights @ pure)
    assert error == pytest.approx(1 + np.mean(np.sum(fixed.weights**2, axis=1)), rel=0.05)
    assert (fixed.spread >= 1).all()


@pytest.mark.parametrize(
    ("bvals", "shells"),
    [
        ([0, 995, 1005, 1000], [0, 1, 1, 1]),
        ([5, 2000, 1000, 0, 3000], [0, 2, 1, 0, 3]),
        ([0, 0], [0, 0]),
    ],
)
def test_shells(bvals, shells):
    assert prediction.shells_of(bvals).tolist() == shells
