"""The audit finds what cannot be, and accuses nothing that can."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glymflow.cli import main
from glymflow.commands import audit_tests
from glymflow.commands.audit import audit, load_audit
from glymflow.io import InputFault, read_tsv

AUDITS = Path(__file__).resolve().parents[3] / "config" / "audits"


def judged(**row):
    """Audit one row; numbers as text, as the YAML file would have them."""
    return audit({"tables": [{"id": "T", "rows": [{"label": "row", **row}]}]})


def flags(name):
    results = audit(load_audit(AUDITS / f"{name}.yaml"))
    rows = results[results["status"] == "impossible"]
    return {(row["table"], row["row"]): row for _, row in rows.iterrows()}


# --- The faults that are in the papers, and no other ---------------------------------------------


def test_sich_paper():
    found = flags("sich")
    assert set(found) == {("Table 4", "Haemorrhage location"), ("Table 2", "Ipsilateral: smoking")}
    location = found["Table 4", "Haemorrhage location"]
    assert location["fault"] == "p"
    assert "0.739 to 0.779" in location["finding"]  # chi-square 0.742
    # 1.32 ± 0.19 and 1.34 ± 0.26 cannot differ by more than 0.03: t is at most 0.45
    assert found["Table 2", "Ipsilateral: smoking"]["possible"] == "p 0.656 to 0.936"


def test_ad_paper():
    found = flags("ad")
    assert set(found) == {
        ("Table 1", "Sex"),
        ("Table 4", "ALPS index, left"),
        ("Table 4", "ALPS index, right"),
        ("Table 4", "ALPS index, mean"),
        ("Table 4", "ALPS index, right: aMCI vs NC"),  # 0.227 in the table, 0.0227 in the text
    }
    assert found["Table 4", "ALPS index, left"]["fault"] == "SE printed as SD"
    assert found["Table 4", "ALPS index, mean"]["fault"] == "SE printed as SD"
    assert found["Table 4", "ALPS index, right"]["fault"] == "statistic"
    assert found["Table 4", "ALPS index, right"]["finding"].startswith("F 3.595 cannot be")
    assert found["Table 1", "Sex"]["finding"].startswith("chi2 3.781 cannot be: chi2 0.9298")


def test_migraine_paper():
    found = flags("migraine")
    assert list(found) == [("Abstract", "ALPS and DHI")]
    assert "it would take n = " in found["Abstract", "ALPS and DHI"]["finding"]


def test_a_fault_put_into_a_right_row_is_found():
    document = load_audit(AUDITS / "sich.yaml")
    for table in document["tables"]:
        for i, row in enumerate(table["rows"]):
            before = audit({**document, "tables": [{**table, "rows": [row]}]})
            if row["kind"] == "same" or before["status"].iloc[0] != "consistent":
                continue
            if table["id"] == "Table 2":  # unknown sizes: nearly everything can be
                continue
            small = float(row["p"].strip("< ")) < 0.1
            rows = [{**row, "p": "0.900" if small else "0.0004"}]
            after = audit({**document, "tables": [{**table, "rows": rows}]})
            assert after["status"].iloc[0] == "impossible", (table["id"], i, row)


# --- Data made, analysed, rounded: never flagged -------------------------------------------------

seeds = st.integers(0, 2**32 - 1)
digits = st.integers(0, 3)


def rounded(value, decimals):
    return f"{value:.{decimals}f}"


def p_text(p, decimals=3):
    return f"<{10**-decimals:.{decimals}f}" if p < 10**-decimals else f"{p:.{decimals}f}"


@settings(max_examples=150, deadline=None)
@given(seeds, digits, digits, st.integers(2, 60), st.integers(2, 60), st.booleans())
def test_rounded_t_tests_are_never_flagged(seed, mean_digits, sd_digits, n1, n2, equal):
    rng = np.random.default_rng(seed)
    shift, spread = rng.normal(0, 2), rng.uniform(0.2, 5)
    samples = [rng.normal(0, 1, n1), rng.normal(shift, spread, n2)]
    t, p = stats.ttest_ind(*samples, equal_var=equal)
    values = [
        f"{rounded(s.mean(), mean_digits)} ± {rounded(s.std(ddof=1), sd_digits)}" for s in samples
    ]
    result = judged(
        kind="means",
        values=values,
        n=[str(n1), f"{max(n2 - 1, 2)}-{n2 + 1}"],
        statistic={"name": "t", "value": rounded(t, 2)},
        tests=["student"] if equal else ["welch"],
        p=p_text(p),
    )
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=100, deadline=None)
@given(seeds, digits, st.lists(st.integers(2, 40), min_size=3, max_size=5))
def test_rounded_anova_is_never_flagged(seed, decimals, sizes):
    rng = np.random.default_rng(seed)
    samples = [rng.normal(rng.normal(0, 1), rng.uniform(0.5, 3), n) for n in sizes]
    f, p = stats.f_oneway(*samples)
    values = [
        f"{rounded(s.mean(), decimals)} ({rounded(s.std(ddof=1), decimals)})" for s in samples
    ]
    pooled = math.sqrt(
        sum((len(s) - 1) * s.var(ddof=1) for s in samples) / (sum(sizes) - len(sizes))
    )
    t = (samples[0].mean() - samples[2].mean()) / pooled / math.sqrt(1 / sizes[0] + 1 / sizes[2])
    contrast = min(1, 3 * 2 * stats.t.sf(abs(t), sum(sizes) - len(sizes)))
    names = [str(i) for i in range(len(sizes))]
    result = judged(
        kind="means",
        groups=names,
        values=values,
        n=list(map(str, sizes)),
        statistic={"name": "F", "value": rounded(f, 3)},
        p=p_text(p),
        contrasts=[{"pair": ["0", "2"], "p": p_text(contrast), "comparisons": ["1", "3"]}],
    )
    assert result["status"].tolist() == ["consistent"] * 2, result["finding"].tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=4, max_size=4), st.sampled_from(["f", "c", "y"]))
def test_rounded_contingency_tables_are_never_flagged(counts, test):
    counts = np.array(counts).reshape(2, 2)
    p = {
        "f": lambda: stats.fisher_exact(counts).pvalue,
        "c": lambda: stats.chi2_contingency(counts, correction=False).pvalue,
        "y": lambda: stats.chi2_contingency(counts).pvalue,
    }[test]()
    sizes = counts.sum(axis=1)
    values = [f"{c} ({100 * c / n:.1f}%)" for c, n in zip(counts[:, 0], sizes, strict=True)]
    result = judged(kind="counts", values=values, n=list(map(str, sizes)), p=p_text(p))
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(8, 200), st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_rounded_correlations_are_never_flagged(seed, n, covariates, decimals, squared):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(n, 2)) + rng.normal() * rng.normal(size=(n, 1))
    extra = np.column_stack([np.ones(n), rng.normal(size=(n, covariates))])
    left, right = (data - extra @ np.linalg.lstsq(extra, data, rcond=None)[0]).T
    r = left @ right / math.sqrt((left @ left) * (right @ right))
    df = n - 2 - covariates
    p = 2 * stats.t.sf(abs(r) * math.sqrt(df / (1 - r**2)), df)
    printed = {"r2": rounded(r**2, decimals)} if squared else {"r": rounded(r, decimals)}
    result = judged(kind="correlation", **printed, n=str(n), covariates="0-3", p=p_text(p))
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=150, deadline=None)
@given(st.floats(-2.5, 2.5), st.floats(0.02, 1.2), st.integers(1, 4))
def test_rounded_odds_ratios_are_never_flagged(log, error, decimals):
    numbers = [math.exp(log + z * error) for z in (0, stats.norm.ppf(0.025), stats.norm.ppf(0.975))]
    estimate, low, high = (rounded(value, decimals) for value in numbers)
    p = p_text(2 * stats.norm.sf(abs(log / error)))
    result = judged(kind="ratio", estimate=estimate, interval=[low, high], p=p)
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=60, deadline=None)
@given(seeds, st.lists(st.integers(5, 60), min_size=3, max_size=3))
def test_standard_errors_printed_as_deviations_are_named(seed, sizes):
    rng = np.random.default_rng(seed)
    samples = [rng.normal(i, 1.5, n) for i, n in enumerate(sizes)]
    f, p = stats.f_oneway(*samples)
    values = [f"{s.mean():.4f} ± {s.std(ddof=1) / math.sqrt(len(s)):.4f}" for s in samples]
    row = {
        "kind": "means",
        "n": list(map(str, sizes)),
        "statistic": {"name": "F", "value": f"{f:.3f}"},
        "p": p_text(p),
    }
    assert judged(**row, values=values)["fault"].tolist() == ["SE printed as SD"]
    assert judged(**row, values=values, spread="se")["status"].tolist() == ["consistent"]


# --- Single numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.22", 0.215, 0.225),
        ("0.220", 0.2195, 0.2205),
        ("58", 57.5, 58.5),
        ("−0.426", -0.4265, -0.4255),
        ("< 0.001", -math.inf, 0.001),
        ("25.8%", 25.75, 25.85),
        ("1.5e-3", 0.00145, 0.00155),
    ],
)
def test_rounding_intervals(text, low, high):
    assert audit_tests.printed(text) == pytest.approx((low, high), abs=1e-15)


@pytest.mark.parametrize(
    ("counts", "p"),
    [
        # R: fisher.test(matrix(c(20, 12, 7, 10, 4, 2), ncol = 2))$p.value
        ([[20, 10], [12, 4], [7, 2]], 0.778664808630083),
        # R: fisher.test(matrix(c(40, 49, 12, 12, 12, 20), nrow = 2))$p.value
        ([[40, 12, 12], [49, 12, 20]], 0.6259106188153203),
        # R: fisher.test(matrix(c(3, 0, 2, 1, 4, 1, 0, 2, 5), nrow = 3))$p.value
        ([[3, 1, 0], [0, 4, 2], [2, 1, 5]], None),
    ],
)
def test_freeman_halton(counts, p):
    counts = np.array(counts)
    if p is None:  # by all ways to deal out the columns
        p = stats.fisher_exact(
            counts, method=stats.PermutationMethod(n_resamples=40_000, rng=1)
        ).pvalue
        assert audit_tests.fisher_p(counts) == pytest.approx(p, abs=0.01)
    else:
        assert audit_tests.fisher_p(counts) == pytest.approx(p, rel=1e-9)
    assert audit_tests.fisher_p(counts.T) == pytest.approx(audit_tests.fisher_p(counts))


def test_percentages_that_are_not_the_counts_are_flagged():
    result = judged(kind="counts", values=["25 (26.8%)", "14 (25.5%)"], n=["97", "55"], p="1.000")
    assert result["finding"].tolist() == ["25 of 97 is 25.77%, not 26.8%"]


def test_levels_that_do_not_add_up_are_flagged():
    levels = {"a": ["20", "10"], "b": ["12", "4"]}
    result = judged(kind="counts", levels=levels, n=["39", "14"], p="0.500")
    assert result["fault"].tolist() == ["counts"]


def test_an_interval_that_is_not_symmetric_is_flagged():
    result = judged(kind="ratio", estimate="2.00", interval=["1.10", "2.90"], p="0.020")
    assert result["fault"].tolist() == ["interval"]


def test_a_coefficient_with_its_error_or_interval():
    row = {"kind": "coefficient", "estimate": "-0.055", "p": "0.002", "df": "72-76"}
    assert judged(**row, se="0.017")["status"].tolist() == ["consistent"]
    assert judged(**row, se="0.030")["status"].tolist() == ["impossible"]
    assert judged(**row, interval=["-0.089", "-0.021"])["status"].tolist() == ["consistent"]
    assert judged(**row, interval=["-0.095", "-0.011"])["fault"].tolist() == ["interval"]


def test_rank_tests_are_not_judged():
    row = {"kind": "means", "values": ["1 ± 2", "3 ± 4"], "n": ["5", "5"]}
    result = judged(**row, tests=["mann_whitney"], p="0.5")
    assert result["status"].tolist() == ["not checkable"]


# --- The command ---------------------------------------------------------------------------------


def test_command_writes_the_findings(tmp_path, capsys):
    out = tmp_path / "new" / "ad.tsv"
    assert main(["audit", str(AUDITS / "ad.yaml"), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "SE printed as SD" in text
    assert "FLAG  Sex" in text
    table = read_tsv(out)
    assert (table["status"] == "impossible").sum() == 5


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file"),
        ("title: [", "not readable as YAML"),
        ("title: a\ntitle: b\ntables: []", "is used twice"),
        ("title: a\ntables: [{id: T, rows: [{label: x, kind: meens}]}]", "'meens' is not allowed"),
        ("title: a\ntables: [{id: T, rows: [{label: x, kind: same, valus: [1]}]}]", "values"),
        (
            "title: a\ntables: [{id: T, rows: [{label: x, kind: means, values: [1 ± 2, 3 ± 4]}]}]",
            "T, x: no 'n'",
        ),
        (
            "title: a\ntables: [{id: T, n: [3], rows:"
            " [{label: x, kind: means, values: [1 ± 2, a]}]}]",
            "'a' is not 'mean ± SD'",
        ),
        (
            "title: a\ntables: [{id: T, n: [3, 1], rows:"
            " [{label: x, kind: counts, values: [9, 1]}]}]",
            "a count is larger than its group",
        ),
        (
            "title: a\ntables: [{id: T, n: [14-12, 5], rows:"
            " [{label: x, kind: means, values: [1 ± 2, 3 ± 4]}]}]",
            "'14-12' is no whole number or range of them",
        ),
        (
            "title: a\ntables: [{id: T, n: [9, 9, 9], rows: [{label: x, kind: means,"
            " values: [1 ± 2, 3 ± 4, 5 ± 6], tests: [student]}]}]",
            "a t test compares two groups, not 3",
        ),
        (
            "title: a\ntables: [{id: T, n: [2, 2, 2], rows: [{label: x, kind: means,"
            " values: [1 ± 2, 3 ± 4, 5 ± 6], tests: [ancova], covariates: '3'}]}]",
            "6 people are too few for 3 covariates",
        ),
        (
            "title: a\ntables: [{id: T, n: [9, 9, 9], groups: [a, b, c], rows: [{label: x,"
            " kind: means, values: [1 ± 2, 3 ± 4, 5 ± 6],"
            " contrasts: [{pair: [a, d], p: '0.1'}]}]}]",
            "'d' is none of the groups with values",
        ),
        (
            "title: a\ntables: [{id: T, n: [0, 9], rows:"
            " [{label: x, kind: counts, values: [0, 1]}]}]",
            "a group has nobody in it",
        ),
        (
            "title: a\ntables: [{id: T, n: [3-9, 9], rows:"
            " [{label: x, kind: counts, values: [0, 1]}]}]",
            "needs sizes, not a range of them",
        ),
        (
            "title: a\ntables: [{id: T, rows: [{label: x, kind: counts,"
            " levels: {a: [1, 2], b: [1, 2, 3]}}]}]",
            "the levels have different numbers of cells",
        ),
    ],
)
def test_command_refuses_in_one_line(tmp_path, capsys, content, text):
    path = tmp_path / "audit.yaml"
    if content is not None:
        path.write_text(content)
    assert main(["audit", str(path)]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_every_number_of_the_shipped_files_is_text():
    for path in AUDITS.glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["title"]
        assert load_audit(path)["tables"]
    with pytest.raises(InputFault):
        load_audit(AUDITS / "nothing.yaml")
