"""Post hoc comparisons against R, on the penguins; test_ancova.py has those of adjusted means.

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


def test_dwass_steel_critchlow_fligner(penguins):
    """z of the ranks of each pair with its ties; p of the range of three."""
    from scipy import stats

    found = masses(penguins, choice="rank", post_hoc="dscf")
    expected = []
    for first, second in (("Adelie", "Chinstrap"), ("Adelie", "Gentoo"), ("Chinstrap", "Gentoo")):
        pair = penguins[penguins["species"].isin([first, second])].dropna(subset=["body_mass_g"])
        ranks = stats.rankdata(pair["body_mass_g"])
        one = (pair["species"] == first).to_numpy()
        error = ranks.var(ddof=1) * (1 / one.sum() + 1 / (~one).sum())
        z = abs(ranks[~one].mean() - ranks[one].mean()) / np.sqrt(error)
        expected.append(stats.studentized_range.sf(z * np.sqrt(2), 3, np.inf))
    np.testing.assert_allclose(column(found, "p_adjusted"), expected, atol=1e-6)
    assert set(rows(found, "post_hoc")["correction"]) == {"dscf"}
    means = masses(penguins, post_hoc="dscf")
    np.testing.assert_allclose(
        column(means, "p_adjusted"), column(masses(penguins, post_hoc="tukey"), "p_adjusted")
    )
