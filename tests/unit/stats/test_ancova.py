"""Analysis of covariance against R (emmeans, car), on the penguins.

`d <- read.csv(".../pingouin/datasets/penguins.csv", na.strings=c("", "NA"))`; R 4.2.
`k <- lm(body_mass_g ~ species + flipper_length_mm + sex, d)`;
`em <- emmeans(k, "species", weights = "proportional")`.
"""

import numpy as np
import pandas as pd
import pingouin
import pytest

from glymflow.io import ConfigFault
from glymflow.stats.ancova import ancova
from glymflow.stats.compare_groups import compare_groups

R = 1e-6
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
MASS = {"body_mass_g": {"type": "continuous"}}
COVARIATES = {
    "flipper_length_mm": {"type": "continuous"},
    "sex": {"type": "categorical", "levels": ["female", "male"]},
}


@pytest.fixture(scope="module")
def penguins():
    return pingouin.read_dataset("penguins")


def masses(table, **options):
    options = {"choice": "parametric", "order": SPECIES} | options
    return compare_groups(table, variables=MASS, group="species", **options)


def rows(results, row):
    return results[results["row"] == row]


def column(results, name, row="post_hoc"):
    return rows(results, row)[name].to_numpy(float)


def test_ancova(penguins):
    found = masses(penguins, covariates=COVARIATES)
    test = rows(found, "test").iloc[0]
    # Anova(k, type = 2); type = 3 with contr.sum gives the same
    assert test["test"] == "ANCOVA"
    assert test["statistic"] == pytest.approx(75.21772277913462, rel=R)
    assert test["p"] == pytest.approx(1.295034627640655e-27, rel=R)
    assert (test["df"], test["df_error"]) == (2, 328)
    assert (test["n"], test["missing"]) == (333, 11)
    # ss / (ss + residual)
    expected = 13141805.682674624 / (13141805.682674624 + 28653567.966783829)
    assert test["effect"] == pytest.approx(expected, rel=R)
    assert column(found, "statistic", "covariate") == pytest.approx(
        [49.51573205412199, 196.77064527316475], rel=R
    )
    assert column(found, "p", "covariate") == pytest.approx(
        [1.154539401131963e-11, 2.414441806298888e-35], rel=R
    )


def test_adjusted_means(penguins):
    found = masses(penguins, covariates=COVARIATES)
    # summary(em)
    means = [3926.108719306108, 3838.474241387226, 4762.368727453561]
    assert column(found, "adjusted_mean", "summary") == pytest.approx(means, rel=R)
    errors = [39.35490113592046, 38.6831178869928, 53.50590625472405]
    assert column(found, "adjusted_se", "summary") == pytest.approx(errors, rel=R)
    low = [3848.688859451112, 3762.375928874078, 4657.110687308864]
    assert column(found, "adjusted_low", "summary") == pytest.approx(low, rel=R)
    high = [4003.528579161105, 3914.572553900373, 4867.626767598259]
    assert column(found, "adjusted_high", "summary") == pytest.approx(high, rel=R)


def test_adjusted_pairs(penguins):
    # summary(contrast(em, "revpairwise", adjust = ...)), and confint() of it
    tukey = masses(penguins, covariates=COVARIATES, post_hoc="tukey")
    t = [-1.89082366813049, 9.816934961496003, 12.235260951219724]
    assert column(tukey, "statistic") == pytest.approx(t, rel=R)
    assert column(tukey, "p_adjusted")[0] == pytest.approx(0.1429300664841169, rel=R)
    low = [-196.7545833976183, 635.6991321276286, 746.1116040756929]
    assert column(tukey, "estimate_low") == pytest.approx(low, rel=R)
    bonferroni = masses(penguins, covariates=COVARIATES, post_hoc="bonferroni")
    p = [0.1785870402850067, 1.233484091721604e-19, 3.904197020936724e-28]
    assert column(bonferroni, "p_adjusted") == pytest.approx(p, rel=R)
    low = [-199.1608961043381, 631.2763707829614, 742.1911422497583]
    assert column(bonferroni, "estimate_low") == pytest.approx(low, rel=R)
    holm = masses(penguins, covariates=COVARIATES, post_hoc="holm")
    p = [0.05952901342833558, 8.223227278144029e-20, 3.904197020936724e-28]
    assert column(holm, "p_adjusted") == pytest.approx(p, rel=R)


def test_ancova_of_two_groups(penguins):
    flippers = {"flipper_length_mm": COVARIATES["flipper_length_mm"]}
    known = penguins[penguins["sex"].notna()]
    found = masses(known, covariates=flippers, order=SPECIES[:2])
    test = rows(found, "test").iloc[0]
    # a <- droplevels(subset(d, species != "Gentoo" & !is.na(sex)))
    # k2 <- lm(body_mass_g ~ species + flipper_length_mm, a); summary(k2); confint(k2)
    assert test["p"] == pytest.approx(6.234193459029162e-03, rel=R)
    assert test["statistic"] == pytest.approx(2.762947818690006**2, rel=R)
    assert test["estimate_name"] == "adjusted mean difference"
    limits = test[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
    expected = [-163.91942709157078, -280.87044323342514, -46.96841094971646]
    assert limits == pytest.approx(expected, rel=R)


def test_standard_errors_for_unequal_variances(penguins):
    found = masses(penguins, covariates=COVARIATES, post_hoc="tukey", robust="HC3")
    test = rows(found, "test").iloc[0]
    # Anova(k, type = 2, white.adjust = "hc3")
    assert test["test"] == "ANCOVA (HC3)"
    assert test["statistic"] == pytest.approx(77.8551677566966, rel=R)
    assert test["p"] == pytest.approx(2.14442153667452e-28, rel=R)
    assert np.isnan(test["effect"])
    f = [52.9723040933022, 195.7344523843684]
    assert column(found, "statistic", "covariate") == pytest.approx(f, rel=R)
    # linearHypothesis(lm(body_mass_g ~ species * (flipper_length_mm + sex), d), the four products,
    #   white.adjust = "hc3")
    assert "slopes of the covariates differ between groups, p = 0.000145" in test["note"]
    # v <- sandwich::vcovHC(k, "HC3")
    # e <- emmeans(k, "species", weights = "proportional", vcov. = v)
    errors = [38.4713968676408, 40.2449418724290, 54.0991797339188]
    assert column(found, "adjusted_se", "summary") == pytest.approx(errors, rel=R)
    low = [3850.42690921511, 3759.30347307872, 4655.94358617815]
    assert column(found, "adjusted_low", "summary") == pytest.approx(low, rel=R)
    # contrast(e, "revpairwise", adjust = "tukey"), and confint() of it
    t = np.array([-87.634477918882, 836.260008147453, 923.894486066335])
    t /= [50.3463509210362, 84.9926422145526, 74.0790487966435]
    assert column(found, "statistic") == pytest.approx(t, rel=R)
    low = [-206.170077791886, 636.153075958965, 749.482551010627]
    assert column(found, "estimate_low") == pytest.approx(low, rel=1e-5)
    assert column(found, "p_adjusted")[0] == pytest.approx(0.1917, abs=5e-5)


def test_unequal_variances_of_two_groups(penguins):
    flippers = {"flipper_length_mm": COVARIATES["flipper_length_mm"]}
    known = penguins[penguins["sex"].notna()]
    found = masses(known, covariates=flippers, order=SPECIES[:2], robust="HC3")
    test = rows(found, "test").iloc[0]
    # lmtest::coeftest(k2, sandwich::vcovHC(k2, "HC3")), coefci; k2 of the next test
    assert test["p"] == pytest.approx(2.63498295043243e-03, rel=R)
    limits = test[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
    expected = [-163.9194270915708, -270.0870325403574, -57.7518216427842]
    assert limits == pytest.approx(expected, rel=R)


def test_robust_without_covariates_is_refused(penguins):
    with pytest.raises(ConfigFault, match="`robust` is for comparisons with covariates"):
        masses(penguins, robust="HC3")


def test_unequal_slopes_are_noted(penguins):
    note = rows(masses(penguins, covariates=COVARIATES), "test")["note"].iloc[0]
    # anova(k, lm(body_mass_g ~ species * (flipper_length_mm + sex), d)): p = 0.00013511
    assert "slopes of the covariates differ between groups, p = 0.000135" in note


def test_covariate_unrelated_to_everything_changes_little(penguins):
    rng = np.random.default_rng(3)
    table = penguins.assign(noise=rng.normal(size=len(penguins)))
    plain = rows(masses(table), "test")["statistic"].iloc[0]
    with_noise = masses(table, covariates={"noise": {"type": "continuous"}})
    assert rows(with_noise, "test")["statistic"].iloc[0] == pytest.approx(plain, rel=0.05)


def test_scale_of_the_covariate_changes_nothing(penguins):
    first = masses(penguins, covariates=COVARIATES)
    table = penguins.assign(flipper_length_mm=penguins["flipper_length_mm"] * 1e-6 + 1)
    second = masses(table, covariates=COVARIATES)
    for name in ("statistic", "adjusted_mean", "adjusted_se"):
        np.testing.assert_allclose(second[name].astype(float), first[name].astype(float), rtol=1e-6)


def test_covariate_that_tells_the_groups_apart(penguins):
    table = penguins.assign(c=penguins["species"].map({"Adelie": 1.0}).fillna(2.0))
    found = masses(table, covariates={"c": {"type": "continuous"}}, order=SPECIES[:2])
    test = rows(found, "test").iloc[0]
    assert "a covariate is constant within groups" in test["note"]
    assert np.isnan(test["p"])


def test_covariate_equal_to_the_variable(penguins):
    table = penguins.assign(c=penguins["body_mass_g"])
    test = rows(masses(table, covariates={"c": {"type": "continuous"}}), "test").iloc[0]
    assert "explain the variable completely" in test["note"]
    assert np.isnan(test["p"])


def test_group_with_one_complete_row(penguins):
    table = penguins.assign(c=np.arange(len(penguins), dtype=float))
    gentoo = table.index[table["species"] == "Gentoo"]
    table.loc[gentoo[1:], "c"] = np.nan
    test = rows(masses(table, covariates={"c": {"type": "continuous"}}), "test").iloc[0]
    assert "'Gentoo' has fewer than 2 complete rows" in test["note"]
    assert np.isnan(test["p"])


def test_ranks_and_levels_are_not_adjusted_and_say_so(penguins):
    found = masses(penguins, covariates=COVARIATES, choice="rank", post_hoc="holm")
    assert rows(found, "test")["test"].iloc[0] == "Kruskal-Wallis"
    assert "not adjusted" in rows(found, "test")["note"].iloc[0]
    assert len(rows(found, "post_hoc")) == 3
    islands = {"type": "categorical", "levels": sorted(penguins["island"].unique())}
    found = compare_groups(
        penguins,
        variables={"island": islands},
        group="species",
        order=SPECIES,
        covariates=COVARIATES,
    )
    assert "not adjusted" in rows(found, "test")["note"].iloc[0]


def test_parallel_lines_have_their_distance_as_difference():
    """y = x + 3 in one group, x + 5 in the other, and an error that is orthogonal to both."""
    x = np.tile([0.0, 1, 2, 3], 2)
    error = np.tile([0.1, -0.1, -0.1, 0.1], 2)
    group = pd.Series(np.repeat(["a", "b"], 4))
    y = pd.Series(x + np.repeat([3.0, 5.0], 4) + error)
    test, means, covariates = ancova(
        y, group, pd.DataFrame({"x": x}), order=["a", "b"],
        variables={"x": {"type": "continuous"}},
    )  # fmt: skip
    assert test["estimate"] == pytest.approx(2)
    assert [row["adjusted_mean"] for row in means] == pytest.approx([4.5, 6.5])
    assert (test["df"], test["df_error"]) == (1, 5)
    assert [row["level"] for row in covariates] == ["x"]
