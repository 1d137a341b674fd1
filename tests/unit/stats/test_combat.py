"""ComBat against neuroCombat and R's sva, and against what it must do."""

import numpy as np
import pytest

from glymflow.io import InputFault
from glymflow.stats.combat import combat

# site, age, sex, four measures
ROWS = """
A 57 0 1.644 1.528 1.912 1.296
A 71 0 1.451 1.674 1.833 1.609
A 73 0 1.796 1.649 1.413 1.824
A 63 0 1.534 1.269 1.763 1.978
A 64 0 1.822 1.789 1.708 1.117
A 56 0 1.806 1.662 1.182 1.520
A 52 0 1.514 1.862 1.755 1.730
A 52 1 1.839 1.484 1.437 1.781
A 51 1 1.736 1.752 1.802 1.675
B 68 1 1.621 1.548 1.385 1.130
B 59 0 0.937 1.167 1.424 1.637
B 61 1 1.461 1.680 1.777 2.021
B 54 1 1.637 1.879 1.627 1.332
B 50 1 1.146 1.659 1.778 2.094
B 49 0 1.371 1.603 1.482 1.031
B 52 0 1.565 1.426 1.235 1.828
B 65 0 1.302 1.519 1.372 1.282
B 60 1 1.516 1.709 1.412 1.220
B 56 0 1.829 1.558 1.278 1.452
B 58 0 1.147 1.447 1.632 1.074
C 47 1 1.638 1.657 1.381 1.500
C 71 1 1.278 1.286 0.943 1.686
C 49 1 1.321 1.512 1.379 1.561
C 60 0 1.413 1.126 1.342 1.261
C 79 0 1.028 1.494 1.411 1.039
C 37 1 1.455 1.343 1.258 1.334
C 47 0 1.476 1.112 1.042 1.438
C 53 0 1.191 1.611 1.113 1.253
C 61 1 1.240 0.962 1.435 1.549
C 45 0 1.566 1.367 1.479 1.359
"""
# neuroCombat 0.2.12 (numpy 1.26), its iteration carried on to a change of 1e-13:
#   neuroCombat(dat=Y.T, covars=cov, batch_col="site", categorical_cols=["sex"],
#               continuous_cols=["age"])["data"].T[[0, 4, 9, 14, 20, 29]]
# R's sva 3.46.0, ComBat(t(Y), site, mod=model.matrix(~ age + factor(sex))), is within 6e-7 of them
# (it stops at a change of 1e-4)
POOLED = """
1.4442243297 1.3734228000 1.6984108674 1.0922390687
1.6314582141 1.6283743013 1.5154011501 0.9171092589
1.6061251112 1.5291485642 1.3794768244 1.2333666310
1.4191799673 1.5853868508 1.4755068416 1.1252370093
1.8307352790 1.7917063758 1.5567092682 1.6627499430
1.7570347767 1.5218570376 1.6668107665 1.5414212541
"""
# the same with eb=False
ALONE = """
1.3977573647 1.3904973580 1.6547683920 1.1342030422
1.6307099414 1.6445714948 1.4960142139 0.9585376733
1.6205304322 1.4916371951 1.3472500314 1.2785961958
1.4556939869 1.5687975716 1.4624439600 1.1669495589
1.8426589404 1.7810540499 1.5794998595 1.6020092305
1.7683742175 1.5343751859 1.6810574983 1.5033004295
"""
PICKED = [0, 4, 9, 14, 20, 29]


@pytest.fixture(scope="module")
def study():
    rows = [line.split() for line in ROWS.split("\n")[1:-1]]
    sites = np.array(["ABC".index(row[0]) for row in rows])
    numbers = np.array([row[1:] for row in rows], float)
    return numbers[:, 2:], sites, numbers[:, :2]


def table(text):
    return np.array([line.split() for line in text.split("\n")[1:-1]], float)


def test_neurocombat(study):
    found = combat(*study)
    assert found.measures[PICKED] == pytest.approx(table(POOLED), abs=2e-10)


def test_neurocombat_without_pooling(study):
    found = combat(*study, pooled=False)
    assert found.measures[PICKED] == pytest.approx(table(ALONE), abs=2e-10)


def test_shifts_and_scales_are_taken_off_and_the_covariates_stay(study):
    _, sites, covariates = study
    rng = np.random.default_rng(3)
    sites, covariates = np.tile(sites, 20), np.tile(covariates, (20, 1))
    noise = rng.normal(size=(len(sites), 5))
    effect = 0.05 * (covariates[:, :1] - 60) + 0.8 * covariates[:, 1:]
    shifts, scales = np.array([0.5, 0.0, -1.0]), np.array([0.6, 1.0, 1.7])
    values = effect + shifts[sites, None] + scales[sites, None] * noise
    found = combat(values, sites, covariates)
    assert np.ptp(found.shift, axis=1) == pytest.approx([1.5] * 5, abs=0.3)
    assert found.scale[:, 2] / found.scale[:, 0] == pytest.approx([1.7 / 0.6] * 5, rel=0.15)
    design = np.column_stack([np.ones(len(sites)), sites == 1, sites == 2, covariates])
    beta = np.linalg.lstsq(design, found.measures, rcond=None)[0]
    assert beta[1:3] == pytest.approx(np.zeros((2, 5)), abs=0.1)
    assert beta[3:] == pytest.approx(np.tile([[0.05], [0.8]], 5), abs=0.15)
    left = found.measures - design @ beta
    sds = [left[sites == site].std() for site in range(3)]
    assert max(sds) / min(sds) < 1.03


def test_a_missing_value_is_left_out_of_its_measure_only(study):
    values, sites, covariates = study
    holed = values.copy()
    holed[4, 1] = np.nan
    whole, found = combat(values, sites, covariates), combat(holed, sites, covariates)
    assert np.isnan(found.measures).sum() == 1
    assert found.measures[:, 0] == pytest.approx(whole.measures[:, 0], abs=0.01)
    alone = combat(holed, sites, covariates, pooled=False)
    rows = ~np.isnan(holed[:, 1])
    dropped = combat(values[rows], sites[rows], covariates[rows], pooled=False)
    assert alone.measures[rows, 1] == pytest.approx(dropped.measures[:, 1], abs=1e-12)


def test_one_measure_is_taken_as_estimated(study):
    values, sites, covariates = study
    one = combat(values[:, :1], sites, covariates)
    assert np.array_equal(
        one.measures, combat(values[:, :1], sites, covariates, pooled=False).measures
    )


def test_refused(study):
    values, sites, covariates = study
    with pytest.raises(InputFault, match="collinear"):
        combat(values, sites, np.column_stack([covariates, sites == 2]))
    with pytest.raises(InputFault, match="fewer than two"):
        combat(values[8:], sites[8:] * 1, covariates[8:])
    with pytest.raises(InputFault, match="does not vary"):
        combat(np.ones_like(values), sites, covariates)
