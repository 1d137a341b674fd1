"""The tensor fit against tensors that are known, against dipy, and against MRtrix3."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.dwi import tensor as dti
from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.io import InputFault, image_data, load_image
from glymflow.phantoms.head import spread_directions

FIBRE = np.diag([1.7e-3, 0.4e-3, 0.2e-3])
TURN = Rotation.from_euler("xyz", (25, -40, 65), degrees=True).as_matrix()
BVALS = np.r_[0.0, 0.0, np.full(12, 700.0), np.full(12, 1300.0)]
DIRECTIONS = np.vstack([np.zeros((2, 3)), spread_directions(12, 1), spread_directions(12, 2)])


def random_tensors(n, seed=0):
    """Return (n, 3, 3) tensors with eigenvalues of 0.1 to 3e-3 in any direction."""
    rng = np.random.default_rng(seed)
    turns = Rotation.random(n, rng=rng).as_matrix()
    values = rng.uniform(0.1e-3, 3e-3, (n, 3))
    return np.einsum("nij,nj,nkj->nik", turns, values, turns)


def signal_of(tensors, bvals=BVALS, directions=DIRECTIONS, s0=1000.0):
    """Basser's equation written out: S0 exp(-b g^T D g)."""
    return s0 * np.exp(-bvals * np.einsum("ni,vij,nj->vn", directions, tensors, directions))


# ---------------------------------------------------------------- known tensors


@pytest.mark.parametrize("method", ["OLS", "WLS"])
def test_noise_free_tensors_are_recovered(method):
    tensors = random_tensors(500)
    triangles, s0 = dti.fit_tensor(signal_of(tensors), BVALS, DIRECTIONS, method=method)
    np.testing.assert_allclose(dti.full_tensors(triangles), tensors, atol=1e-6 * 3e-3)
    np.testing.assert_allclose(s0, 1000, rtol=1e-6)
    assert triangles.dtype == s0.dtype == np.float32


@pytest.mark.parametrize("method", ["OLS", "WLS"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_scale_of_the_signal_does_not_matter(method, scale):
    tensors = random_tensors(50)
    triangles, s0 = dti.fit_tensor(signal_of(tensors, s0=scale), BVALS, DIRECTIONS, method=method)
    np.testing.assert_allclose(dti.full_tensors(triangles), tensors, atol=3e-9)
    np.testing.assert_allclose(s0, scale, rtol=1e-5)


@pytest.mark.parametrize("method", ["OLS", "WLS"])
@pytest.mark.parametrize("turn", [TURN, np.diag([-1, 1, 1]) @ TURN])
def test_fit_turns_with_the_gradients(method, turn):
    """Noisy data: g -> R g gives D -> R D R^T, also for a reflection."""
    rng = np.random.default_rng(1)
    noisy = signal_of(random_tensors(200)) + rng.normal(0, 10, (200, len(BVALS)))
    noisy = np.maximum(noisy, 1)
    plain, _ = dti.fit_tensor(noisy, BVALS, DIRECTIONS, method=method)
    turned, _ = dti.fit_tensor(noisy, BVALS, DIRECTIONS @ turn.T, method=method)
    expected = dti.rotate_tensors(dti.full_tensors(plain), turn)
    np.testing.assert_allclose(dti.full_tensors(turned), expected, atol=3e-8)


def test_sign_of_a_direction_does_not_matter():
    noisy = np.maximum(signal_of(random_tensors(20)), 20)
    flipped = DIRECTIONS * np.where(np.arange(len(BVALS)) % 2, 1, -1)[:, None]
    np.testing.assert_array_equal(
        dti.fit_tensor(noisy, BVALS, flipped)[0], dti.fit_tensor(noisy, BVALS, DIRECTIONS)[0]
    )


def test_voxels_do_not_influence_each_other_across_blocks(monkeypatch):
    noisy = np.maximum(signal_of(random_tensors(25)), 30)
    noisy[7] = 0
    together = dti.fit_tensor(noisy, BVALS, DIRECTIONS)
    monkeypatch.setattr(dti, "_BLOCK", 4)
    apart = dti.fit_tensor(noisy, BVALS, DIRECTIONS)
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-10)


def test_wls_is_the_solution_of_its_normal_equations():
    """One voxel, solved plainly: weights are the squared signals that OLS predicts."""
    signal = np.maximum(signal_of(FIBRE[None]), 300)[0]
    design = dti.design_matrix(BVALS, DIRECTIONS)
    ols = np.linalg.lstsq(design, np.log(signal), rcond=None)[0]
    weight = np.exp(design @ ols)
    wls = np.linalg.lstsq(weight[:, None] * design, weight * np.log(signal), rcond=None)[0]
    found, s0 = dti.fit_tensor(signal[None], BVALS, DIRECTIONS)
    np.testing.assert_allclose(found[0], wls[:6], atol=1e-9)
    assert s0[0] == pytest.approx(np.exp(wls[6]), rel=1e-6)
    assert np.abs(wls[:6] - ols[:6]).max() > 1e-5  # the example tells the two apart


def test_wls_is_nearer_the_truth_in_noise():
    rng = np.random.default_rng(3)
    clean = signal_of(np.repeat(FIBRE[None], 2000, axis=0))
    noisy = np.hypot(clean + rng.normal(0, 40, clean.shape), rng.normal(0, 40, clean.shape))
    error = {
        method: np.sqrt(np.mean((dti.full_tensors(fit) - FIBRE) ** 2))
        for method in ("OLS", "WLS")
        for fit in [dti.fit_tensor(noisy, BVALS, DIRECTIONS, method=method)[0]]
    }
    assert error["WLS"] < 0.9 * error["OLS"]


# ---------------------------------------------------------------- limiting cases


@pytest.mark.parametrize("method", ["OLS", "WLS"])
def test_voxel_without_signal_has_no_diffusion_and_harms_no_other(method):
    signal = signal_of(np.stack([FIBRE] * 3))
    signal[1] = 0
    signal[2, 5] = 0
    triangles, s0 = dti.fit_tensor(signal, BVALS, DIRECTIONS, method=method)
    assert np.isfinite(triangles).all()
    np.testing.assert_allclose(triangles[1], 0, atol=1e-12)
    assert 0 <= s0[1] < 1e-6
    np.testing.assert_allclose(dti.full_tensors(triangles[0]), FIBRE, atol=3e-9)


@pytest.mark.parametrize("method", ["OLS", "WLS"])
def test_signal_that_is_zero_or_negative_is_raised_to_the_floor(method):
    """The floor is 1e-4 of the voxel's largest signal, whatever lies below it."""
    signal = np.repeat(signal_of(FIBRE[None]), 4, axis=0)
    signal[:, 5] = np.array([0, -0.05, 1e-4, 2e-4]) * signal.max()
    triangles, _ = dti.fit_tensor(signal, BVALS, DIRECTIONS, method=method)
    np.testing.assert_allclose(triangles[0], triangles[2], rtol=1e-6)
    np.testing.assert_allclose(triangles[1], triangles[2], rtol=1e-6)
    assert np.abs(triangles[3] - triangles[2]).max() > 1e-6  # above it nothing is changed


def test_dead_volume_hardly_moves_wls():
    signal = signal_of(FIBRE[None])
    signal[0, 20] *= 0.5
    off = {
        method: np.abs(
            dti.full_tensors(dti.fit_tensor(signal, BVALS, DIRECTIONS, method=method)[0]) - FIBRE
        ).max()
        for method in ("OLS", "WLS")
    }
    assert off["WLS"] < 0.25e-3
    assert off["OLS"] < 0.5e-3


def test_no_voxels_give_empty_results():
    triangles, s0 = dti.fit_tensor(np.empty((0, len(BVALS))), BVALS, DIRECTIONS)
    assert triangles.shape == (0, 6)
    assert s0.shape == (0,)


def coplanar():
    angles = np.linspace(0, np.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(12)]) @ TURN.T
    return np.r_[0.0, np.full(12, 1000.0)], np.vstack([np.zeros(3), ring])


@pytest.mark.parametrize(
    ("bvals", "directions"),
    [
        coplanar(),
        (np.r_[0.0, [1000.0] * 5], np.vstack([np.zeros(3), spread_directions(5)])),
        (np.full(12, 1000.0), spread_directions(12)),  # one shell, no b0: S0 is free
        (np.zeros(12), np.zeros((12, 3))),
    ],
)
def test_table_that_does_not_determine_a_tensor_is_refused(bvals, directions):
    with pytest.raises(
        InputFault, match=r"^the gradient directions are too similar to fit a tensor"
    ):
        dti.fit_tensor(np.ones((2, len(bvals))), bvals, directions)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="WLS or OLS, not NLLS"):
        dti.fit_tensor(np.ones((1, len(BVALS))), BVALS, DIRECTIONS, method="NLLS")


# ---------------------------------------------------------------- scalars and axes


@pytest.mark.parametrize(
    ("values", "fa", "md"),
    [
        ((1e-3, 1e-3, 1e-3), 0, 1e-3),
        ((1.5e-3, 0, 0), 1, 0.5e-3),
        ((1e-3, 1e-3, 0), np.sqrt(0.5), 2e-3 / 3),
        ((1.7e-3, 0.2e-3, 0.2e-3), 1.5 / np.sqrt(1.7**2 + 2 * 0.2**2), 0.7e-3),
        ((1e-3, -0.2e-3, 0), 1, 1e-3 / 3),  # noise: a negative eigenvalue counts as 0
        ((0, 0, 0), 0, 0),
    ],
)
def test_fa_and_md_of_known_tensors(values, fa, md):
    tensor = dti.rotate_tensors(np.diag(values), TURN)
    found_fa, found_md, _ = dti.scalars(dti.lower_triangles(tensor)[None])
    assert found_fa[0] == pytest.approx(fa, abs=1e-5)
    assert found_md[0] == pytest.approx(md, abs=1e-12)


def test_principal_direction_is_that_of_the_largest_eigenvalue():
    tensor = dti.rotate_tensors(FIBRE, TURN)
    v1 = dti.scalars(dti.lower_triangles(tensor)[None])[2][0]
    assert abs(v1 @ TURN[:, 0]) == pytest.approx(1)


def test_triangle_order_is_that_of_the_nifti_standard():
    tensor = np.array([[1, 2, 4], [2, 3, 5], [4, 5, 6.0]])
    np.testing.assert_array_equal(dti.lower_triangles(tensor), [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(dti.full_tensors([1, 2, 3, 4, 5, 6]), tensor)


def test_rotation_takes_directions_from_the_old_to_the_new_axes():
    """A fibre along x, axes turned so that old x becomes new y."""
    to_y = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(
        dti.rotate_tensors(FIBRE, to_y), np.diag([0.4e-3, 1.7e-3, 0.2e-3]), atol=1e-18
    )


def test_predicted_signal_is_bassers_equation():
    tensors = random_tensors(30)
    predicted = dti.predict_signal(
        dti.lower_triangles(tensors), np.full(30, 500.0), BVALS, DIRECTIONS
    )
    np.testing.assert_allclose(predicted, signal_of(tensors, s0=500.0), rtol=1e-5)


def test_predicted_signal_never_exceeds_s0():
    """A negative diffusivity (noise) must not explode."""
    negative = dti.lower_triangles(np.diag([-5e-3, 1e-3, 1e-3]))[None]
    assert dti.predict_signal(negative, np.ones(1), BVALS, DIRECTIONS).max() == 1


# ---------------------------------------------------------------- other programs


@pytest.mark.parametrize("method", ["OLS", "WLS"])
def test_dipy_finds_the_same_tensors_in_the_phantom(phantom_scan, phantom_fit, method):
    from dipy.core.gradients import gradient_table
    from dipy.reconst.dti import TensorModel

    signal = phantom_scan["dwi"][phantom_scan["mask"]][::7]
    bvals, directions = phantom_scan["bvals"], phantom_fit["directions"]
    table = gradient_table(bvals, bvecs=directions)
    other = TensorModel(table, fit_method=method).fit(signal.astype(float))
    ours, _ = dti.fit_tensor(signal, bvals, directions, method=method)
    fa, md, _ = dti.scalars(ours)
    # dipy cuts negative eigenvalues from its tensors: compare those without
    proper = np.linalg.eigvalsh(dti.full_tensors(ours))[:, 0] > 1e-5
    assert proper.mean() > 0.8
    np.testing.assert_allclose(
        dti.full_tensors(ours)[proper], other.quadratic_form[proper], atol=1e-8
    )
    np.testing.assert_allclose(fa[proper], other.fa[proper], atol=1e-5)
    np.testing.assert_allclose(md[proper], other.md[proper], atol=1e-8)


def test_phantoms_tensors_are_recovered_in_world_axes(phantom_scan, phantom_fit):
    """Mean over the white matter of either side: noise averages out, axes do not."""
    truth = phantom_scan["tensor_truth"][phantom_scan["mask"]].astype(float)
    white = dti.scalars(dti.lower_triangles(truth))[0] > 0.5
    found = dti.full_tensors(phantom_fit["triangle"])[white].mean(axis=0)
    np.testing.assert_allclose(found, truth[white].mean(axis=0), atol=0.015e-3)


# MRtrix3 3.0.3 (Debian 12), run once on the raw series, single-threaded or not:
#   WLS: dwi2tensor -fslgrad DWI.bvec DWI.bval DWI.nii.gz tensor.nii.gz      (two reweightings)
#   OLS: dwi2tensor -ols -iter 0 -fslgrad DWI.bvec DWI.bval DWI.nii.gz tensor.nii.gz
# and the mean over a block of voxels in each ALPS region (barisano2025), in 1e-6 mm^2/s and
# MRtrix's order: Dxx, Dyy, Dzz, Dxy, Dxz, Dyz in scanner (world) axes.
SERIES = {
    "sub-elition": "sub-elition/dwi/sub-elition_dwi",
    "sub-galan ses-ax30": "sub-galan/ses-ax30/dwi/sub-galan_ses-ax30_dwi",
}
MRTRIX = {
    ("sub-elition", "WLS"): [
        (np.s_[74:77, 56:59, 55:57], (588.815, 517.759, 941.750, -73.367, 60.825, -267.139)),
        (np.s_[50:53, 55:58, 54:57], (612.948, 471.404, 1014.116, -34.816, 1.894, -170.313)),
        (np.s_[80:82, 56:59, 54:57], (690.655, 1157.767, 368.223, -42.763, -36.699, -3.191)),
        (np.s_[44:47, 56:59, 53:56], (753.527, 1046.073, 392.071, -104.261, 11.775, -53.188)),
    ],
    ("sub-elition", "OLS"): [
        (np.s_[74:77, 56:59, 55:57], (583.886, 525.242, 939.208, -75.893, 64.946, -270.067)),
        (np.s_[50:53, 55:58, 54:57], (604.458, 472.047, 1023.509, -35.503, 4.714, -168.658)),
        (np.s_[80:82, 56:59, 54:57], (700.196, 1134.712, 376.439, -40.785, -40.247, -0.580)),
        (np.s_[44:47, 56:59, 53:56], (758.452, 1026.674, 400.392, -94.944, 16.466, -46.684)),
    ],
    ("sub-galan ses-ax30", "WLS"): [
        (np.s_[38:40, 35:38, 21:23], (504.686, 393.106, 909.144, -4.748, -35.783, -157.820)),
        (np.s_[26:28, 28:31, 21:24], (528.166, 393.105, 911.830, -20.930, -33.673, -53.341)),
        (np.s_[41:44, 37:39, 20:23], (676.311, 839.895, 598.443, -5.174, -60.353, -141.701)),
        (np.s_[22:25, 26:29, 22:24], (739.328, 949.376, 593.813, -96.913, 63.748, -139.687)),
    ],
    ("sub-galan ses-ax30", "OLS"): [
        (np.s_[38:40, 35:38, 21:23], (502.257, 392.649, 911.202, -7.737, -30.581, -148.091)),
        (np.s_[26:28, 28:31, 21:24], (522.967, 400.684, 907.898, -23.282, -39.151, -51.660)),
        (np.s_[41:44, 37:39, 20:23], (704.029, 803.740, 599.106, -7.360, -60.064, -131.368)),
        (np.s_[22:25, 26:29, 22:24], (756.342, 919.193, 599.324, -109.557, 51.674, -122.119)),
    ],
}
ONE_VOXEL = (
    543.5427,
    502.7654,
    992.9937,
    -117.5298,
    99.6750,
    -339.6020,
)  # sub-elition, voxel 75, 57, 55


@pytest.fixture(scope="module")
def real_series(shared_data):
    def load(name):
        path = shared_data / "real_bids" / SERIES[name]
        image = load_image(f"{path}.nii.gz", ndim=4)
        bvals, bvecs = read_gradients(f"{path}.bval", f"{path}.bvec", image.shape[3])
        return image_data(image), bvals, world_gradients(bvecs, image.affine)

    return {name: load(name) for name in SERIES}


@pytest.mark.parametrize(("name", "method"), MRTRIX)
def test_mrtrix_finds_the_same_tensors_in_the_regions(real_series, name, method):
    """OLS is one and the same; our WLS reweighs once, MRtrix's twice: measured 0.48 and 0.82 %."""
    data, bvals, directions = real_series[name]
    for block, expected in MRTRIX[name, method]:
        triangles, _ = dti.fit_tensor(
            data[block].reshape(-1, len(bvals)), bvals, directions, method=method
        )
        xx, yy, zz, xy, xz, yz = expected
        tensor = 1e6 * dti.full_tensors(triangles.mean(axis=0))
        mrtrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        tolerance = 1e-2 if method == "WLS" else 1e-5
        np.testing.assert_allclose(np.diag(tensor), np.diag(mrtrix), rtol=tolerance)
        largest = np.linalg.eigvalsh(mrtrix)[2]
        np.testing.assert_allclose(tensor, mrtrix, atol=tolerance * largest)


def test_second_reweighting_gives_mrtrix_exactly(real_series):
    """The rest of the difference is that one step: `dwi2tensor -ols` (OLS, then two) is met.

    Dxx, Dyy, Dzz, Dxy, Dxz, Dyz of one voxel, 1e-6 mm^2/s.
    """
    data, bvals, directions = real_series["sub-elition"]
    design = dti.design_matrix(bvals, directions)
    logs = np.log(data[75, 57, 55].astype(float))
    beta = np.linalg.lstsq(design, logs, rcond=None)[0]
    for _ in range(2):
        weight = np.exp(design @ beta)
        beta = np.linalg.lstsq(weight[:, None] * design, weight * logs, rcond=None)[0]
    np.testing.assert_allclose(1e6 * beta[[0, 2, 5, 1, 3, 4]], ONE_VOXEL, rtol=1e-4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_log_signals_and_their_weights(kind):
    rng = np.random.default_rng(0)
    design = dti.design_matrix(np.repeat([0.0, 1000], [1, 12]), spread_directions(13))
    beta = np.array([1e-3, 0, 2e-3, 0, 0, 5e-4, 6.0]) * rng.uniform(0.8, 1.2, (4, 1))
    signal = np.exp(beta @ design.T).astype(kind)
    logs, weights, found = dti.log_signals(signal, design)
    np.testing.assert_allclose(logs, beta @ design.T, rtol=1e-5)
    np.testing.assert_allclose(found, beta, rtol=1e-3, atol=1e-7)
    expected = signal.astype(float) ** 2
    np.testing.assert_allclose(weights, expected / expected.max(axis=1, keepdims=True), rtol=1e-3)
    # the scale of the design's columns changes the numbers of the fit, not what it predicts
    scaled = design / np.linalg.norm(design, axis=0)
    np.testing.assert_allclose(dti.log_signals(signal, scaled)[1], weights, rtol=1e-6)
    signal[0, 3] = 0
    floor = 1e-4 * signal[0].max()
    assert dti.log_signals(signal, design)[0][0, 3] == pytest.approx(np.log(floor), rel=1e-5)


def test_residual_is_the_noise():
    rng = np.random.default_rng(0)
    directions = np.vstack([np.zeros((2, 3)), spread_directions(30)])
    bvals = np.r_[0, 0, np.full(30, 1000.0)]
    triangle = np.tile([1e-3, 0, 0.6e-3, 0, 0, 0.4e-3], (400, 1))
    clean = dti.predict_signal(triangle, np.full(400, 1000.0), bvals, directions)
    noisy = clean + rng.normal(0, 15, clean.shape)
    found, s0 = dti.fit_tensor(noisy, bvals, directions)
    left = dti.residual_sd(noisy, found, s0, bvals, directions)
    assert np.sqrt(np.mean(left**2)) == pytest.approx(15, rel=0.05)
    assert dti.residual_sd(clean, triangle, np.full(400, 1000.0), bvals, directions).max() < 1e-2
