"""Standard errors against the scatter of many noisy scans of the same tensors."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.alps import uncertainty
from glymflow.alps.rois import ROLES
from glymflow.dwi.tensor import design_matrix, fit_tensor, full_tensors, lower_triangles
from glymflow.phantoms.scan import gradient_scheme

PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.3e-3])
ASSOCIATION = np.diag([0.66e-3, 1.2e-3, 0.38e-3])
SHAPE = (9, 8, 7)
MASK = np.ones(SHAPE, dtype=bool)
DIAGONAL = [0, 2, 5]
RNG = np.random.default_rng  # each test has its own


def region():
    """Voxels in a ball, with shares that differ as those of a ROI between voxels do."""
    distance = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - [4.2, 3.6, 3.1], axis=-1)
    voxels = np.argwhere(distance < 2.2)
    shares = np.clip(2.4 - distance[tuple(voxels.T)], 0, 1)
    return voxels, shares / shares.sum()


def scan(bvals, directions, rng, *, snr=25.0, smoothing=0.0):
    """One realisation: the same tensor everywhere, noise of the same SD however it is smoothed."""
    signal = np.exp(design_matrix(bvals, directions)[:, :6] @ lower_triangles(PROJECTION))
    noise = rng.standard_normal((*SHAPE, len(bvals)))
    if smoothing:
        noise = ndimage.gaussian_filter(noise, (*(smoothing,) * 3, 0), mode="wrap")
        noise /= noise.std()
    return signal + noise / snr


def mean_tensor(signal, bvals, directions):
    voxels, shares = region()
    return shares @ fit_tensor(signal[tuple(voxels.T)], bvals, directions)[0]


def noise_of(signal, bvals, directions, **options):
    regions = {"projection_left": region()}
    drawn, correlation = uncertainty.region_noise(
        signal, MASK, bvals, directions, regions, **options
    )
    return drawn["projection_left"], correlation


def true_and_claimed(bvals, directions, *, scans=300, looks=6, **options):
    """SD of the mean tensor over many scans, and what single scans say of it (RMS of a few)."""
    rng = RNG(4)
    found = [
        mean_tensor(scan(bvals, directions, rng, **options), bvals, directions)
        for _ in range(scans)
    ]
    claims = [
        noise_of(scan(bvals, directions, rng, **options), bvals, directions, seed=look)[0]
        for look in range(looks)
    ]
    spread = np.std(claims, axis=1, ddof=1)
    return np.std(found, axis=0, ddof=1), np.sqrt(np.mean(spread**2, axis=0))


# ---------------------------------------------------------------- noise of the scan


@pytest.mark.parametrize(("n_directions", "n_b0"), [(20, 2), (32, 4)])
def test_standard_error_is_the_scatter_of_many_scans(n_directions, n_b0):
    true, claimed = true_and_claimed(*gradient_scheme(n_directions, 1000, n_b0))
    np.testing.assert_allclose(claimed, true, rtol=0.12)


@pytest.mark.parametrize("n_directions", [7, 9, 12])
def test_few_volumes_and_a_single_b0_are_not_taken_for_a_good_scan(n_directions):
    """The fit follows the b0 and hugs the rest: plain residuals would be far too small."""
    bvals, directions = gradient_scheme(n_directions, 1000, 1)
    true, claimed = true_and_claimed(bvals, directions)
    np.testing.assert_allclose(claimed[DIAGONAL], true[DIAGONAL], rtol=0.15)


@pytest.mark.parametrize("smoothing", [0.5, 0.8])
def test_smoothed_noise_is_recognised(smoothing):
    """Averaging over a ROI helps less where neighbours err together."""
    bvals, directions = gradient_scheme(20, 1000, 2)
    alone, _ = true_and_claimed(bvals, directions, scans=150, looks=1)
    true, claimed = true_and_claimed(bvals, directions, smoothing=smoothing)
    assert true[0] > 1.3 * alone[0]
    np.testing.assert_allclose(claimed[DIAGONAL], true[DIAGONAL], rtol=0.2)


def test_misfit_that_all_voxels_share_is_not_taken_for_noise():
    """What the tensor cannot fit is the same in the next scan of the head."""
    bvals, directions = gradient_scheme(20, 1000, 2)
    plain = scan(bvals, directions, RNG(7))
    misfit = RNG(8).normal(0, 0.06, len(bvals))
    alone, shared = (noise_of(signal, bvals, directions)[0].std(axis=0) for signal in
                     (plain, plain * (1 + misfit)))  # fmt: skip
    np.testing.assert_allclose(shared[DIAGONAL], alone[DIAGONAL], rtol=0.25)


def test_correlation_of_neighbours_is_that_of_the_noise_along_each_axis():
    bvals, directions = gradient_scheme(20, 1000, 2)
    plain = scan(bvals, directions, RNG(1))
    assert noise_of(plain, bvals, directions)[1] == pytest.approx([0, 0, 0], abs=0.06)
    noise = RNG(1).standard_normal((*SHAPE, len(bvals)))
    pairs = (noise + np.roll(noise, 1, axis=1)) / np.sqrt(2)  # neighbours along y share half
    signal = np.exp(design_matrix(bvals, directions)[:, :6] @ lower_triangles(PROJECTION))
    found = noise_of(signal + pairs / 25, bvals, directions)[1]
    assert found == pytest.approx([0, 0.5, 0], abs=0.08)


def test_noise_falls_with_the_signal_to_noise_ratio_and_is_none_without_noise():
    bvals, directions = gradient_scheme(20, 1000, 2)
    at_20, at_80 = (
        noise_of(scan(bvals, directions, RNG(2), snr=snr), bvals, directions)[0].std(axis=0)
        for snr in (20, 80)
    )
    np.testing.assert_allclose(at_20[DIAGONAL] / at_80[DIAGONAL], 4, rtol=0.15)
    clean = noise_of(scan(bvals, directions, RNG(2), snr=np.inf), bvals, directions)[0]
    assert np.abs(clean).max() < 1e-12


def test_noise_has_mean_zero_and_the_same_seed_the_same_bytes():
    bvals, directions = gradient_scheme(15, 1000, 1)
    signal = scan(bvals, directions, RNG(3))
    drawn = noise_of(signal, bvals, directions)[0]
    assert drawn.shape == (uncertainty.REPLICATES, 6)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0)) < 4 * error).all()
    assert noise_of(signal, bvals, directions)[0].tobytes() == drawn.tobytes()
    other = noise_of(signal, bvals, directions, seed=2)[0]
    assert not np.array_equal(other, drawn)


def test_seven_volumes_leave_nothing_to_tell_the_noise_from():
    bvals, directions = gradient_scheme(6, 1000, 1)
    assert np.isnan(noise_of(scan(bvals, directions, RNG(5)), bvals, directions)[0]).all()


def test_region_without_voxels_is_missing_and_the_others_are_not():
    bvals, directions = gradient_scheme(12, 1000, 1)
    regions = {"one": region(), "none": (np.zeros((0, 3), dtype=int), np.zeros(0))}
    signal = scan(bvals, directions, RNG(6))
    drawn, _ = uncertainty.region_noise(signal, MASK, bvals, directions, regions)
    assert np.isnan(drawn["none"]).all()
    assert drawn["none"].shape == (uncertainty.REPLICATES, 6)
    assert np.isfinite(drawn["one"]).all()


@pytest.mark.parametrize("fault", ["dark", "constant", "one volume"])
def test_voxel_that_determines_no_tensor_does_not_crash(fault):
    bvals, directions = gradient_scheme(12, 1000, 1)
    signal = scan(bvals, directions, RNG(7))
    voxel = tuple(region()[0][5])
    if fault == "one volume":
        signal[(*voxel, slice(1, None))] = 0
    else:
        signal[voxel] = 0 if fault == "dark" else 7
    assert np.isfinite(noise_of(signal, bvals, directions)[0]).all()


def test_influence_is_the_derivative_of_the_fit():
    """Up to the weights' own change, which is small."""
    bvals, directions = gradient_scheme(12, 1000, 2)
    signal = scan(bvals, directions, RNG(8), snr=np.inf)[2, 2, 2][None]
    influence = uncertainty.log_noise(signal, bvals, directions)[1]
    before = fit_tensor(signal, bvals, directions)[0]
    for volume in (0, 3, 9):
        changed = signal.copy()
        changed[0, volume] *= np.exp(0.01)
        step = fit_tensor(changed, bvals, directions)[0] - before
        np.testing.assert_allclose(step[0], 0.01 * influence[0, :, volume], atol=3e-8)


@pytest.mark.parametrize("n_b0", [1, 3])
def test_noise_of_a_log_signal_is_noise_over_signal(n_b0):
    """Also of a single b0, which the fit follows: it has no residual of its own."""
    bvals, directions = gradient_scheme(12, 1000, n_b0)
    signal = scan(bvals, directions, RNG(9)).reshape(-1, len(bvals))
    spread, _, left_over = uncertainty.log_noise(signal, bvals, directions)
    true = np.exp(design_matrix(bvals, directions)[:, :6] @ lower_triangles(PROJECTION))
    claimed = np.sqrt(np.mean(spread**2, axis=0))
    np.testing.assert_allclose(claimed, 1 / 25 / true, rtol=0.12)
    if n_b0 == 1:
        assert np.abs(left_over[:, bvals == 0]).max() < 1e-10


# ---------------------------------------------------------------- placement


def test_shifts_have_the_stated_sd_and_no_side_moves_with_the_other():
    shifts = uncertainty.random_shifts(count=20_000)
    for moved in shifts.values():
        np.testing.assert_allclose(moved.std(axis=0), uncertainty.PLACEMENT_SD_MM, rtol=0.03)
        np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.03)
    together = np.corrcoef(shifts["left"].T, shifts["right"].T)
    np.testing.assert_allclose(together, np.eye(6), atol=0.03)
    again = uncertainty.random_shifts(count=20_000)
    assert again["left"].tobytes() == shifts["left"].tobytes()


def tensor_of(role):
    return PROJECTION if role.startswith("projection") else ASSOCIATION


def moved_regions(slope=0.0):
    """Mean tensors of shifted regions in a field whose Dxx grows with x by `slope` per mm."""
    regions = {}
    for role in ROLES:
        steps = uncertainty.random_shifts()[role.split("_")[1]]
        tensors = np.repeat(tensor_of(role)[None], len(steps), axis=0)
        tensors[:, 0, 0] += slope * steps[:, 0]
        regions[role] = tensors
    return regions


def silence():
    return {role: np.zeros((uncertainty.REPLICATES, 6)) for role in ROLES}


def test_uniform_field_without_noise_is_certain_along_the_scanners_axes():
    errors = uncertainty.standard_errors(moved_regions(), silence(), np.eye(3))
    for side in ("left", "right", "mean"):
        assert errors["scanner", side] == pytest.approx(0, abs=1e-12)
        # the head's axes are not known exactly
        assert 0 < errors["template", side] < 0.01


def test_gradient_of_the_field_times_the_sd_of_the_placement():
    slope = 2e-5
    errors = uncertainty.standard_errors(moved_regions(slope), silence(), np.eye(3))
    per_mm = 2 * slope / (PROJECTION[1, 1] + ASSOCIATION[2, 2])  # both ROIs of a side move
    sides = {}
    for side, shifts in uncertainty.random_shifts().items():
        sides[side] = per_mm * shifts[:, 0]
        assert errors["scanner", side] == pytest.approx(sides[side].std(ddof=1), rel=1e-9)
        expected = per_mm * uncertainty.PLACEMENT_SD_MM
        assert errors["scanner", side] == pytest.approx(expected, rel=0.15)
    mean = (sides["left"] + sides["right"]) / 2
    assert errors["scanner", "mean"] == pytest.approx(mean.std(ddof=1), rel=1e-9)


def test_turned_axes_matter_more_where_the_axes_are_off_already():
    """The leak of the fibre's diffusivity grows with the square of the angle."""
    from scipy.spatial.transform import Rotation

    tilted = Rotation.from_euler("x", 12, degrees=True).as_matrix()
    regions = moved_regions()
    straight = uncertainty.standard_errors(regions, silence(), np.eye(3))
    off = uncertainty.standard_errors(regions, silence(), tilted)
    for side in ("left", "right", "mean"):
        assert off["template", side] > 3 * straight["template", side]
        assert off["scanner", side] == pytest.approx(0, abs=1e-12)


def test_noise_of_the_tensors_becomes_that_of_the_index():
    rng = RNG(11)
    noise = {role: rng.normal(0, 2e-5, (uncertainty.REPLICATES, 6)) for role in ROLES}
    errors = uncertainty.standard_errors(moved_regions(), noise, np.eye(3))
    numerator = PROJECTION[0, 0] + ASSOCIATION[0, 0]
    denominator = PROJECTION[1, 1] + ASSOCIATION[2, 2]
    # delta method: two independent elements above, two below
    expected = 2e-5 * np.sqrt(2 / denominator**2 + 2 * numerator**2 / denominator**4)
    assert errors["scanner", "left"] == pytest.approx(expected, rel=0.15)
    assert errors["scanner", "mean"] == pytest.approx(expected / np.sqrt(2), rel=0.2)
    again = uncertainty.standard_errors(moved_regions(), noise, np.eye(3))
    assert again == errors


def test_region_without_data_makes_its_side_missing():
    regions = moved_regions()
    regions["association_left"][:] = np.nan
    errors = uncertainty.standard_errors(regions, silence(), np.eye(3))
    for frame in ("scanner", "template", "fibre"):
        assert np.isnan(errors[frame, "left"])
        assert np.isnan(errors[frame, "mean"])
        assert np.isfinite(errors[frame, "right"])


@pytest.mark.parametrize(("lost", "missing"), [(20, False), (21, True)])
def test_a_tenth_of_the_replicates_may_have_no_value(lost, missing):
    regions = moved_regions(1e-5)
    regions["projection_right"][:lost] = np.nan
    errors = uncertainty.standard_errors(regions, silence(), np.eye(3))
    assert np.isnan(errors["scanner", "right"]) == missing
    assert np.isfinite(errors["scanner", "left"])


def test_full_tensors_take_the_order_of_the_drawn_triangles():
    """A draw of one element must land in that element."""
    noise = silence()
    noise["projection_left"][:, 0] = RNG(12).normal(0, 1e-5, uncertainty.REPLICATES)
    errors = uncertainty.standard_errors(moved_regions(), noise, np.eye(3))
    expected = noise["projection_left"][:, 0].std(ddof=1) / (PROJECTION[1, 1] + ASSOCIATION[2, 2])
    assert errors["scanner", "left"] == pytest.approx(expected, rel=1e-9)
    assert errors["scanner", "right"] == pytest.approx(0, abs=1e-12)
    assert full_tensors(noise["projection_left"])[3, 0, 0] == noise["projection_left"][3, 0]
