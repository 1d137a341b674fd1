"""Group comparisons against R, and what they must do with data that cannot be compared.

The R calls that gave the values stand beside them; `d` is pingouin's copy of the Palmer penguins:
`d <- read.csv(".../pingouin/datasets/penguins.csv", na.strings="")`; R 4.2.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glymflow.stats.analyses import run_analysis
from glymflow.stats.compare_groups import COLUMNS, compare_groups
from glymflow.study.plan import plan_schema

R = 1e-6  # relative, as asked of every value that comes from R
CONTINUOUS = {"type": "continuous"}
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


@pytest.fixture(scope="module")
def penguins():
    return pingouin.read_dataset("penguins")


@pytest.fixture(scope="module")
def adelie(penguins):
    return penguins[penguins["species"] == "Adelie"]


def row_of(results, variable=None):
    rows = results[results["row"] == "test"]
    return (rows if variable is None else rows[rows["variable"] == variable]).iloc[0]


def compare(table, variables, group="group", order=("a", "b"), **options):
    return compare_groups(table, variables=variables, group=group, order=list(order), **options)


def two_groups(first, second, name="x"):
    return pd.DataFrame(
        {"group": ["a"] * len(first) + ["b"] * len(second), name: [*first, *second]}
    )


def counts_table(*counts, levels=("yes", "no")):
    """One row per participant from the counts of each level in groups a, b, ..."""
    rows = [
        (group, level)
        for group, row in zip("abc", counts, strict=False)
        for level, count in zip(levels, row, strict=True)
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["group", "x"])


def flippers(adelie, **options):
    variables = {"flipper_length_mm": CONTINUOUS}
    return row_of(compare(adelie, variables, "sex", ("female", "male"), **options))


def masses(penguins, **options):
    return row_of(compare(penguins, {"body_mass_g": CONTINUOUS}, "species", SPECIES, **options))


class TestTwoGroups:
    # x <- flipper_length_mm of male, y <- of female Adelie penguins
    def test_student(self, adelie):
        row = flippers(adelie, choice="parametric")
        assert row["test"] == "Student t"
        assert row["contrast"] == "male - female"
        # t.test(x, y, var.equal = TRUE)
        assert row["statistic"] == pytest.approx(4.558866696351576, rel=R)
        assert row["df"] == 144
        assert row["p"] == pytest.approx(1.089775317164963e-05, rel=R)
        assert row["estimate"] == pytest.approx(4.61643835616438, rel=R)
        assert row["estimate_low"] == pytest.approx(2.614902107025915, rel=R)
        assert row["estimate_high"] == pytest.approx(6.617974605302816, rel=R)

    def test_hedges_g(self, adelie):
        row = flippers(adelie, choice="parametric")
        # f <- 144; J <- exp(lgamma(f/2) - lgamma((f-1)/2)) / sqrt(f/2)
        # s <- sqrt(((n1-1)*var(x) + (n2-1)*var(y)) / f); J * (mean(x) - mean(y)) / s
        assert row["effect"] == pytest.approx(0.7506508555963968, rel=R)
        # uniroot(function(n) pt(t, f, n) - c(.975, .025)[i], ...)$root * J * sqrt(1/n1 + 1/n2)
        assert row["effect_low"] == pytest.approx(0.4152875185022572, rel=R)
        assert row["effect_high"] == pytest.approx(1.083576523513234, rel=R)

    def test_welch(self, adelie):
        row = flippers(adelie, choice="parametric", equal_variances=False)
        assert row["test"] == "Welch t"
        # t.test(x, y)
        assert row["df"] == pytest.approx(140.2461749098916, rel=R)
        assert row["p"] == pytest.approx(1.109975077808218e-05, rel=R)
        assert row["estimate_low"] == pytest.approx(2.61444804389401, rel=R)
        # Delacre's formula with pt's noncentrality, as in the docstring
        expected = [0.7505452279917426, 0.4148988506648557, 1.083693373558922]
        found = row[["effect", "effect_low", "effect_high"]].to_numpy(float)
        assert found == pytest.approx(expected, rel=R)

    def test_mann_whitney(self, adelie):
        row = flippers(adelie, choice="rank")
        assert row["test"] == "Mann-Whitney U (normal approximation)"
        # wilcox.test(x, y)
        assert row["statistic"] == 3762
        assert row["p"] == pytest.approx(1.693537858610827e-05, rel=R)
        # median(outer(x, y, "-")); wilcox.test(x, y, conf.int = TRUE, tol.root = 1e-10)$conf.int
        estimate = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
        assert estimate == pytest.approx([5, 3, 6], rel=R)
        # Brunner-Munzel from rank(): 2 * (P + c(0, -1, 1) * qt(.975, df) * se) - 1
        effect = row[["effect", "effect_low", "effect_high"]].to_numpy(float)
        expected = [0.4118971664477387, 0.240043180940978, 0.5837511519544993]
        assert effect == pytest.approx(expected, rel=R)

    def test_mann_whitney_exact(self):
        # wilcox.test(c(1.1, 2.3, 3.7, 4.9, 8.2), c(0.4, 1.9, 2.6, 5.5, 0.7, 1.3), conf.int = TRUE)
        table = two_groups([0.4, 1.9, 2.6, 5.5, 0.7, 1.3], [1.1, 2.3, 3.7, 4.9, 8.2])
        row = row_of(compare(table, {"x": CONTINUOUS}, choice="rank"))
        assert row["test"] == "Mann-Whitney U (exact)"
        assert (row["statistic"], row["p"]) == (22, pytest.approx(0.2467532467532467, rel=R))
        estimate = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
        assert estimate == pytest.approx([1.85, -1.5, 6.3], rel=R)

    def test_limits_under_ties_are_those_of_the_test_with_ties(self):
        x, y = [3, 5, 5, 6, 7, 7, 9, 10, 12, 4], [1, 2, 5, 5, 6, 3, 4, 7, 8, 8, 2]
        row = row_of(compare(two_groups(y, x), {"x": CONTINUOUS}, choice="rank"))
        # wilcox.test(x, y, conf.int = TRUE): 0.1190343962, limits -0.99995 and 4.99995
        assert row["p"] == pytest.approx(0.1190343962, rel=R)
        estimate = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
        assert estimate == pytest.approx([2, -1, 5], rel=R)

    def test_normality(self, adelie):
        results = compare(adelie, {"flipper_length_mm": CONTINUOUS}, "sex", ("female", "male"))
        male = results[results["group"] == "male"].iloc[0]
        # shapiro.test(x)
        assert male["normality_statistic"] == pytest.approx(0.9842700880801938, rel=R)
        assert male["normality_p"] == pytest.approx(0.4984218475644195, rel=R)
        results = compare(
            adelie,
            {"flipper_length_mm": CONTINUOUS},
            "sex",
            ("female", "male"),
            normality="lilliefors",
        )
        male = results[results["group"] == "male"].iloc[0]
        # z <- sort(scale(x)); n <- length(z); max(pmax((1:n)/n - pnorm(z), pnorm(z) - (0:(n-1))/n))
        assert male["normality_statistic"] == pytest.approx(0.09715685740291752, rel=R)

    def test_choice_follows_normality(self):
        rng = np.random.default_rng(1)
        table = two_groups(rng.normal(size=40), rng.normal(size=40))
        table["skewed"] = rng.exponential(size=80) ** 2
        results = compare(table, {"x": CONTINUOUS, "skewed": CONTINUOUS})
        assert row_of(results, "x")["method"] == "parametric"
        assert row_of(results, "skewed")["method"] == "rank"


class TestThreeGroups:
    def test_anova(self, penguins):
        row = masses(penguins, choice="parametric")
        # oneway.test(body_mass_g ~ species, d, var.equal = TRUE)
        assert row["statistic"] == pytest.approx(343.626275205481, rel=R)
        assert (row["df"], row["df_error"]) == (2, 339)
        assert row["p"] == pytest.approx(2.892368133377306e-82, rel=R)
        # F*2 / (F*2 + 339); L <- uniroot(function(n) pf(F, 2, 339, n) - .975, ...)$root; L/(L+342)
        effect = row[["effect", "effect_low", "effect_high"]].to_numpy(float)
        expected = [0.6696719536879613, 0.6156203102219165, 0.7104563336213775]
        assert effect == pytest.approx(expected, rel=R)

    def test_welch_anova(self, penguins):
        row = masses(penguins, choice="parametric", equal_variances=False)
        # oneway.test(body_mass_g ~ species, d)
        assert row["statistic"] == pytest.approx(317.5722671041561, rel=R)
        assert row["df_error"] == pytest.approx(189.4784132725372, rel=R)
        assert row["p"] == pytest.approx(3.09370064579977e-61, rel=R)

    def test_kruskal_wallis(self, penguins):
        row = masses(penguins, choice="rank")
        # kruskal.test(body_mass_g ~ species, d); statistic / (342 - 1)
        assert row["statistic"] == pytest.approx(217.5992414368044, rel=R)
        assert row["p"] == pytest.approx(5.609512095829101e-48, rel=R)
        assert row["effect"] == pytest.approx(0.6381209426299248, rel=R)
        assert row["effect_low"] < row["effect"] < row["effect_high"]

    def test_description(self, penguins):
        results = compare(penguins, {"body_mass_g": CONTINUOUS}, "species", SPECIES)
        row = results[results["group"] == "Adelie"].iloc[0]
        assert (row["n"], row["missing"]) == (151, 1)
        # mean, sd, quantile(c(.25, .5, .75)) of body_mass_g of Adelie
        assert row["mean"] == pytest.approx(3700.662251655629, rel=R)
        assert row["sd"] == pytest.approx(458.5661259101348, rel=R)
        assert list(row[["q1", "median", "q3"]]) == [3350, 3700, 4000]

    def test_chi_square(self, penguins):
        variables = {
            "sex": {"type": "categorical", "levels": ["female", "male"]},
            "island": {"type": "categorical", "levels": ["Biscoe", "Dream", "Torgersen"]},
        }
        results = compare(penguins, variables, "species", SPECIES)
        row = row_of(results, "sex")
        # chisq.test(table(d$species, d$sex))
        assert (row["df"], row["missing"]) == (2, 11)
        assert row["statistic"] == pytest.approx(0.04860717014078319, rel=R)
        assert row["p"] == pytest.approx(0.9759893689765846, rel=R)
        assert row["effect"] == pytest.approx(0.0120817001245789, rel=R)
        assert row["effect_low"] == 0
        row = row_of(results, "island")
        # X2 <- chisq.test(table(d$species, d$island)); sqrt(X2 / (344*2)), and with X2 replaced by
        # uniroot(function(n) pchisq(X2, 4, n) - c(.975, .025)[i], ...)$root
        assert row["p"] == pytest.approx(1.354573829719264e-63, rel=R)
        effect = row[["effect", "effect_low", "effect_high"]].to_numpy(float)
        expected = [0.6598431008795325, 0.5816009851764177, 0.7314274616320876]
        assert effect == pytest.approx(expected, rel=R)


class TestTwoByTwo:
    # Counts of sICH patients and controls: (HC of 97, sICH of 55, p printed in the paper,
    # fisher.test(rbind(c(sich, 55 - sich), c(hc, 97 - hc)))$p.value)
    @pytest.mark.parametrize(
        ("hc", "sich", "printed", "p"),
        [
            (25, 14, "1.000", 1.0),
            (64, 40, "0.469", 0.4687628119775511),
            (17, 7, "0.495", 0.4950589553817135),
            (22, 5, "0.046", 0.04606623960805388),
        ],
    )
    def test_fisher_of_the_sich_paper(self, hc, sich, printed, p):
        table = counts_table((hc, 97 - hc), (sich, 55 - sich))
        variable = {"type": "categorical", "levels": ["yes", "no"], "event": "yes"}
        row = row_of(compare(table, {"x": variable}))
        assert row["p"] == pytest.approx(p, rel=R)
        assert f"{row['p']:.3f}" == printed

    def test_odds_ratio_and_risk_difference(self):
        table = counts_table((22, 75), (5, 50))
        variable = {"type": "categorical", "levels": ["no", "yes"]}
        row = row_of(compare(table, {"x": variable}))
        # the equations that fisher.test solves, with uniroot(tol = 1e-13) (its own stops at 1e-4)
        effect = row[["effect", "effect_low", "effect_high"]].to_numpy(float)
        expected = [0.3430620593912308, 0.09514892136611662, 1.010913462943867]
        assert effect == pytest.approx(expected, rel=R)
        # Wilson limits w1 of 5/55, w2 of 22/97; p1 - p2 - sqrt((p1 - w1[1])^2 + (w2[2] - p2)^2)
        estimate = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
        expected = [-0.1358950328022493, -0.2420039080960087, -0.008698982837287539]
        assert estimate == pytest.approx(expected, rel=R)

    def test_chi_square_with_and_without_correction(self):
        table = counts_table((22, 75), (5, 50))
        variables = {"x": {"type": "categorical", "levels": ["yes", "no"]}}
        row = row_of(compare(table, variables, categorical="chi2"))
        # chisq.test(m, correct = FALSE); chisq.test(m)
        assert row["p"] == pytest.approx(0.03516336887296184, rel=R)
        row = row_of(compare(table, variables, categorical="chi2_corrected"))
        assert row["p"] == pytest.approx(0.05934137086894933, rel=R)
        assert row["statistic"] == pytest.approx(3.555697289041619, rel=R)

    def test_fisher_of_larger_tables(self):
        levels = ["u", "v", "w", "x"]
        table = counts_table((5, 2, 1, 4), (3, 6, 2, 4), (2, 4, 9, 4), levels=levels)
        variables = {"x": {"type": "categorical", "levels": levels}}
        row = row_of(compare(table, variables, order="abc", categorical="fisher"))
        # fisher.test(table)$p.value
        assert row["p"] == pytest.approx(0.118740426875, rel=R)
        assert row["test"] == "Fisher exact"
        assert pd.isna(row["note"])

    def test_low_expected_counts_are_noted(self):
        table = counts_table((3, 2, 1), (1, 2, 4), levels=("u", "v", "w"))
        variable = {"type": "categorical", "levels": ["u", "v", "w"]}
        assert "expected counts are below 5" in row_of(compare(table, {"x": variable}))["note"]


class TestUnusableData:
    FAULTS = {  # noqa: RUF012
        "text": ([1, 2, "high", 4, 5, 6], "not numbers: 'high'"),
        "constant": ([2.0] * 6, "all values are the same"),
        "empty": ([np.nan] * 6, "group 'a' has no values"),
        "one": ([1, 2, 3, 4, np.nan, np.nan], "group 'b' has 1 value"),
        "within": ([1, 1, 1, 2, 2, 2], "no variation within the groups"),
    }

    @pytest.mark.parametrize("name", FAULTS)
    def test_note_and_no_numbers(self, name):
        values, note = self.FAULTS[name]
        table = pd.DataFrame({"group": list("aaabbb"), name: values, "good": [1, 2, 4, 3, 5, 9]})
        variables = {name: CONTINUOUS, "good": CONTINUOUS}
        results = compare(table, variables, choice="parametric", correction="holm")
        row = row_of(results, name)
        assert note in row["note"]
        assert row[["statistic", "p", "p_adjusted", "effect", "estimate"]].isna().all()
        good = row_of(results, "good")
        assert good["p"] > 0
        assert good["p_adjusted"] == good["p"]  # the test that failed does not count
        assert pd.isna(good["note"])

    def test_unseen_level(self):
        table = pd.DataFrame({"group": list("aabb"), "x": ["yes", "no", "maybe", "no"]})
        row = row_of(compare(table, {"x": {"type": "categorical", "levels": ["yes", "no"]}}))
        assert "not a level of the plan: 'maybe'" in row["note"]
        assert np.isnan(row["p"])

    def test_level_nobody_has(self):
        table = counts_table((5, 5, 0), (2, 8, 0), levels=("u", "v", "w"))
        row = row_of(compare(table, {"x": {"type": "categorical", "levels": ["u", "v", "w"]}}))
        assert "levels nobody has: w" in row["note"]
        assert 0 < row["p"] < 1

    def test_missing_column_and_missing_group(self):
        table = pd.DataFrame({"group": list("aaa"), "x": [1, 2, 3], "y": ["u", "v", "v"]})
        levels = {"type": "categorical", "levels": ["u", "v"]}
        results = compare(table, {"absent": CONTINUOUS, "x": CONTINUOUS, "y": levels})
        assert "no column 'absent'" in row_of(results, "absent")["note"]
        assert "group 'b' has no values" in row_of(results, "x")["note"]
        assert "group 'b' has no values" in row_of(results, "y")["note"]

    def test_missing_values_are_counted_per_group(self):
        table = two_groups([1, 2, np.nan, 4], [2, np.nan, np.nan, 7])
        results = compare(table, {"x": CONTINUOUS}, choice="parametric")
        assert list(results["missing"]) == [1, 2, 3]
        assert list(results["n"]) == [3, 2, 5]

    def test_separate_groups_have_no_interval_of_r(self):
        row = row_of(
            compare(two_groups([1, 2, 3, 4], [5, 6, 7, 8]), {"x": CONTINUOUS}, choice="rank")
        )
        assert row["effect"] == 1
        assert np.isnan(row["effect_low"])
        assert "do not overlap" in row["note"]


numbers = st.lists(st.integers(-50, 50).map(lambda k: k / 4), min_size=4, max_size=15)


class TestInvariants:
    @settings(max_examples=15, deadline=None)
    @given(numbers, numbers, st.sampled_from(["parametric", "rank"]), st.booleans())
    def test_swapped_groups_flip_signs(self, first, second, choice, equal):
        table = two_groups(first, second)
        options = {"choice": choice, "equal_variances": equal}
        there = row_of(compare(table, {"x": CONTINUOUS}, **options))
        back = row_of(compare(table, {"x": CONTINUOUS}, order=("b", "a"), **options))
        assert there["p"] == pytest.approx(back["p"], nan_ok=True)
        for part in ("estimate", "effect"):
            values = there[[part, f"{part}_low", f"{part}_high"]].to_numpy(float)
            swapped = back[[part, f"{part}_high", f"{part}_low"]].to_numpy(float)
            assert values == pytest.approx(-swapped, rel=1e-6, abs=1e-9, nan_ok=True)

    @settings(max_examples=15, deadline=None)
    @given(numbers, numbers, st.randoms(), st.sampled_from(["auto", "parametric", "rank"]))
    def test_order_of_rows_changes_nothing(self, first, second, random, choice):
        table = two_groups(first, second)
        table["level"] = np.where(table["x"] > 0, "yes", "no")
        variables = {"x": CONTINUOUS, "level": {"type": "categorical", "levels": ["yes", "no"]}}
        rows = list(range(len(table)))
        random.shuffle(rows)
        results = compare(table, variables, choice=choice)
        pd.testing.assert_frame_equal(results, compare(table.iloc[rows], variables, choice=choice))

    def test_bootstrap_is_seeded(self, penguins):
        shuffled = penguins.sample(frac=1, random_state=1)
        first, second = masses(penguins, choice="rank"), masses(shuffled, choice="rank")
        assert first["effect_low"] == second["effect_low"]
        assert masses(penguins, choice="rank", seed=2)["effect_low"] != first["effect_low"]


def test_correction():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(30, 4)), columns=list("wxyz")).assign(
        group=["a", "b", "c"] * 10
    )
    for method, name in (("holm", "holm"), ("bonferroni", "bonferroni"), ("fdr_bh", "fdr_bh")):
        variables = dict.fromkeys("wxyz", CONTINUOUS)
        results = compare(table, variables, order="abc", choice="parametric", correction=method)
        tests = results[results["row"] == "test"]
        p, adjusted = np.sort(tests["p"]), np.sort(tests["p_adjusted"])
        ranks = np.arange(1, 5)
        expected = {  # p.adjust's definitions
            "holm": np.maximum.accumulate((5 - ranks) * p),
            "bonferroni": 4 * p,
            "fdr_bh": np.minimum.accumulate((4 / ranks * p)[::-1])[::-1],
        }[name]
        assert adjusted == pytest.approx(np.minimum(expected, 1))
        assert set(tests["correction"]) == {name}


def test_columns_and_defaults_agree_with_the_schema():
    results = compare(two_groups([1, 2, 3], [2, 3, 5]), {"x": CONTINUOUS})
    assert list(results) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["compare_groups"]["properties"]
    parameters = inspect.signature(compare_groups).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key


class TestRunAnalysis:
    PLAN = {  # noqa: RUF012
        "seed": 1,
        "session": "all",
        "groups": {"column": "group", "order": ["a", "b"]},
        "variables": {"x": CONTINUOUS},
    }

    def test_repeated_sessions_are_noted(self):
        table = two_groups([1, 2, 3], [2, 3, 5]).assign(participant_id=list("uuvwxy"))
        analysis = {"id": "one", "kind": "compare_groups", "variables": ["x"]}
        results, flow = run_analysis(table, self.PLAN, analysis)
        assert "1 rows are repeated sessions" in row_of(results)["note"]
        assert flow.empty

    def test_a_fault_of_one_analysis_stays_there(self):
        table = two_groups([1, 2, 3], [2, 3, 5]).assign(participant_id=list("uzvwxy"))
        groups = {"column": "nowhere", "order": ["a", "b"]}
        analysis = {"id": "one", "kind": "compare_groups", "variables": ["x"], "groups": groups}
        results, _ = run_analysis(table, self.PLAN, analysis)
        assert row_of(results)["note"] == "no test: the cohort table has no column 'nowhere'"

    def test_groups_recoded_from_a_column_that_is_also_compared(self):
        table = pd.DataFrame({"mrs": [0, 1, 2, 3, 4, 6, 2], "participant_id": list("abcdefg")})
        outcome = {str(k): "good" if k < 3 else "poor" for k in range(7)}
        plan = {
            "seed": 1,
            "variables": {
                "outcome": {
                    "type": "categorical",
                    "column": "mrs",
                    "levels": ["good", "poor"],
                    "recode": outcome,
                },
                "mrs": CONTINUOUS,
            },
        }
        analysis = {
            "id": "one",
            "kind": "compare_groups",
            "variables": ["mrs"],
            "groups": {"column": "outcome", "order": ["good", "poor"]},
            "choice": "parametric",
        }
        results, flow = run_analysis(table, plan, analysis)
        assert list(results["mean"].head(2)) == [1.25, pytest.approx(13 / 3)]
        assert list(flow["left"]) == [7, 4, 3]
