"""Post hoc comparisons and analysis of covariance against R (emmeans, car), on the penguins.

`d <- read.csv(".../pingouin/datasets/penguins.csv", na.strings=c("", "NA"))`; R 4.2.
`m <- lm(body_mass_g ~ species, d)`;
`k <- lm(body_mass_g ~ species + flipper_length_mm + sex, d)`;
`em <- emmeans(k, "species", weights = "proportional")`.
"""

import numpy as np
import pandas as pd
import pingouin
import pytest

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


def test_tukey(penguins):
    found = masses(penguins, post_hoc="tukey")
    # TukeyHSD(aov(body_mass_g ~ species, d))
    assert column(found, "p_adjusted")[0] == pytest.approx(0.8806665865087715, rel=R)
    assert column(found, "p_adjusted")[1:] == pytest.approx([0, 0], abs=1e-10)
    assert column(found, "estimate_low") == pytest.approx(
        [-126.5001959679937, 1243.1786283353233, 1178.4810125021795], rel=R
    )
    assert column(found, "estimate_high") == pytest.approx(
        [191.3521632449663, 1507.5293886786183, 1507.3750371349895 + 0.00000003], rel=R
    )
    assert list(rows(found, "post_hoc")["contrast"]) == [
        "Chinstrap - Adelie",
        "Gentoo - Adelie",
        "Gentoo - Chinstrap",
    ]
    assert column(found, "estimate") == pytest.approx(
        [32.42598363848771, 1375.354008506971, 1342.9280248684834], rel=R
    )
    assert np.isnan(column(found, "p")).all()


@pytest.mark.parametrize(
    ("method", "adjusted", "low"),
    [
        # pairwise.t.test(d$body_mass_g, d$species, p.adjust.method = "bonferroni")
        # confint(emmeans(m, revpairwise ~ species, adjust = "bonferroni")$contrasts)
        (
            "bonferroni",
            [1, 1.626183611316045e-76, 9.631615093872228e-56],
            [-130.0017151021896, 1240.2664925003924, 1174.857856381595],
        ),
        # pairwise.t.test(..., p.adjust.method = "holm"); confint(m)
        ("holm", [0.6313225860421225, 1.626183611316045e-76, 6.421076729248151e-56], None),
    ],
)
def test_pairwise_t(penguins, method, adjusted, low):
    found = masses(penguins, post_hoc=method)
    assert column(found, "p_adjusted") == pytest.approx(adjusted, rel=R)
    assert set(rows(found, "post_hoc")["correction"]) == {method}
    if low:
        assert column(found, "estimate_low") == pytest.approx(low, rel=R)
    # summary(emmeans(m, revpairwise ~ species)$contrasts)
    assert column(found, "statistic") == pytest.approx(
        [0.48030180529, 24.4951685807, 19.2239776391], rel=R
    )


def test_games_howell(penguins):
    found = masses(penguins, post_hoc="tukey", equal_variances=False)
    assert set(rows(found, "post_hoc")["test"]) == {"Games-Howell"}
    # w <- t.test(b, a); ptukey(abs(w$statistic) * sqrt(2), 3, w$parameter, lower = FALSE)
    assert column(found, "p_adjusted")[0] == pytest.approx(0.8501540239730651, rel=R)
    assert column(found, "df") == pytest.approx(
        [152.4547956228497, 249.6425536313115, 170.4043619271502], rel=R
    )
    # qtukey(.95, 3, w$parameter) / sqrt(2) * w$stderr
    half = column(found, "estimate_high") - column(found, "estimate")
    expected = [141.3148577090903, 138.6631797230339, 153.9274565416977]
    assert half == pytest.approx(expected, rel=R)


@pytest.mark.parametrize(
    ("method", "adjusted"),
    [
        ("bonferroni", [1, 5.182079625740694e-43, 2.199800446511229e-26]),
        ("tukey", [1, 5.182079625740694e-43, 2.199800446511229e-26]),
        ("holm", [0.6911055811505404, 5.182079625740694e-43, 1.466533631007486e-26]),
    ],
)
def test_dunn(penguins, method, adjusted):
    found = masses(penguins, post_hoc=method, choice="rank")
    # r <- rank(x); s2 <- N*(N+1)/12 - sum(tie^3 - tie) / (12*(N-1)), tie <- table(r)
    # z <- (mean(r[b]) - mean(r[a])) / sqrt(s2 * (1/n_a + 1/n_b)); p <- 2 * pnorm(-abs(z))
    z = [0.3973551537086473, 13.8280088409547801, 10.7303389928037269]
    assert column(found, "statistic") == pytest.approx(z, rel=R)
    p = [0.6911055811505404, 1.727359875246898e-43, 7.332668155037429e-27]
    assert column(found, "p") == pytest.approx(p, rel=R)
    assert column(found, "p_adjusted") == pytest.approx(adjusted, rel=R)  # p.adjust(p, method)


def test_dunn_with_many_ties():
    # x <- c(1,1,2,2,2,3, 1,2,3,3,3,4, 3,3,4,4,4,5); g <- rep(1:3, each = 6); z as above; s2 gives
    # the H of kruskal.test(x, g), too: sum(6 * (mean ranks - 9.5)^2) / s2
    x = [1, 1, 2, 2, 2, 3, 1, 2, 3, 3, 3, 4, 3, 3, 4, 4, 4, 5]
    table = pd.DataFrame({"body_mass_g": x, "species": np.repeat(SPECIES, 6)})
    found = masses(table, post_hoc="holm", choice="rank")
    z = [1.311281703891161, 3.041057568598650, 1.729775864707489]
    assert column(found, "statistic") == pytest.approx(z, rel=R)


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


def test_families_count_the_tests_alone(penguins):
    found = masses(penguins, post_hoc="holm", correction="bonferroni")
    test = rows(found, "test").iloc[0]
    assert test["p_adjusted"] == test["p"]
    assert set(rows(found, "post_hoc")["correction"]) == {"holm"}


def test_no_post_hoc_for_two_groups_or_without_a_test(penguins):
    assert rows(masses(penguins, post_hoc="tukey", order=SPECIES[:2]), "post_hoc").empty
    flat = penguins.assign(body_mass_g=1.0)
    assert rows(masses(flat, post_hoc="tukey"), "post_hoc").empty


BAD = {
    "constant": ({"c": 1.0}, "'c' is constant"),
    "text": ({"c": "x"}, "values that are not numbers: 'x'"),
    "empty": ({"c": np.nan}, "'c' has no values"),
    "nowhere": ({}, "no column 'c'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_covariate(penguins, case):
    columns, message = BAD[case]
    table = penguins.assign(**columns)
    found = masses(table, covariates={"c": {"type": "continuous"}}, post_hoc="tukey")
    test = rows(found, "test").iloc[0]
    assert message in test["note"]
    assert test[["p", "statistic", "effect", "estimate"]].isna().all()
    assert rows(found, "post_hoc").empty
    assert column(found, "mean", "summary").all()


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


def test_one_bad_variable_leaves_the_others(penguins):
    table = penguins.assign(flat=1.0)
    variables = {"flat": {"type": "continuous"}, **MASS}
    found = compare_groups(
        table,
        variables=variables,
        group="species",
        order=SPECIES,
        covariates=COVARIATES,
        choice="parametric",
    )
    tests = rows(found, "test").set_index("variable")
    assert pd.isna(tests.loc["flat", "p"])
    assert tests.loc["body_mass_g", "p"] < 1e-20
