"""Cells of tables: numbers, p values, signs of effect sizes, names of tests, footnote marks."""

import math
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd

from glymflow.io import MISSING
from glymflow.text import number

DASH = "–"

# test: how the footnote calls it
TESTS = {
    "Student t": "Student's t test",
    "Welch t": "Welch's t test",
    "Mann-Whitney U (exact)": "Mann-Whitney U test (exact)",
    "Mann-Whitney U (normal approximation)": "Mann-Whitney U test (normal approximation)",
    "one-way ANOVA": "one-way analysis of variance",
    "Welch ANOVA": "Welch's analysis of variance",
    "Kruskal-Wallis": "Kruskal-Wallis test",
    "Fisher exact": "Fisher's exact test",
    "chi-square": "Pearson's chi-square test",
    "ANCOVA": "analysis of covariance",
    "ANCOVA (HC3)": "analysis of covariance with standard errors for unequal variances (HC3)",
    "paired t": "paired t test",
    "Wilcoxon signed rank (exact)": "Wilcoxon signed-rank test (exact)",
    "Wilcoxon signed rank (normal approximation)": (
        "Wilcoxon signed-rank test (normal approximation)"
    ),
    "Pearson": "Pearson's correlation",
    "Spearman": "Spearman's rank correlation",
    "partial Pearson": "partial Pearson's correlation",
    "partial Spearman": "partial Spearman's rank correlation",
    "McNemar (exact)": "McNemar's test (exact)",
    "McNemar (chi-square, corrected)": "McNemar's test (chi-square with continuity correction)",
    "Friedman": "Friedman's test",
    "Cochran Q": "Cochran's Q test",
    "repeated-measures ANOVA (Greenhouse-Geisser)": (
        "analysis of variance with repeated measurements (Greenhouse-Geisser correction)"
    ),
    "Bowker": "Bowker's test of symmetry",
    "chi-square, Yates corrected": "chi-square test with Yates' correction",
}
# effect size or estimate: sign in the cell, meaning in the footnote
SIGNS = {
    "Hedges g": ("g", "Hedges' g"),
    "rank-biserial r": ("r", "rank-biserial correlation"),
    "odds ratio": ("OR", "odds ratio"),
    "Cramer's V": ("V", "Cramér's V"),
    "eta squared": ("η²", "eta squared"),
    "epsilon squared": ("ε²", "epsilon squared of the ranks"),
    "partial eta squared": ("η²p", "partial eta squared"),
    "Cohen dz": ("dz", "Cohen's dz"),
    "matched-pairs rank-biserial r": ("r", "matched-pairs rank-biserial correlation"),
    "r squared": ("r²", "share of variance"),
    "pseudomedian": ("PM", "pseudomedian of the differences"),
    "adjusted mean difference": ("aMD", "mean difference adjusted for the covariates"),
    "mean difference": ("MD", "mean difference"),
    "Hodges-Lehmann shift": ("HL", "Hodges-Lehmann shift"),
    "risk difference": ("RD", "risk difference, in percentage points"),
}
STATISTICS = {"t": "t", "U": "U", "F": "F", "H": "H", "V": "V", "chi2": "χ²"}
CORRECTIONS = {"bonferroni": "Bonferroni", "holm": "Holm", "fdr_bh": "Benjamini-Hochberg"}


def format_p(p):
    """Write a p value with three decimals; smaller ones as <0.001.

    Examples
    --------
    >>> format_p(0.0462), format_p(0.0001), format_p(float("nan"))
    ('0.046', '<0.001', 'n/a')
    """
    if not there(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def p_or_dash(p):
    """Write a p value, or a dash where none was to be computed."""
    return format_p(p) if there(p) else DASH


def count_text(count):
    """Write a count; n/a if it is missing."""
    return str(int(count)) if there(count) else MISSING


def count_percent(row):
    """Write n (%) of a row of results; n/a without one."""
    if row is None or not there(row["count"]):
        return MISSING
    return f"{int(row['count'])} ({percent(row['percent'])})"


def df_text(row):
    """Write the degrees of freedom of a test: (2, 30) or (58.17); nothing if it has none."""
    found = [row[key] for key in ("df", "df_error") if there(row.get(key))]
    texts = [f"{df:.4g}" if df < 1000 else f"{df:.0f}" for df in found]
    return f"({', '.join(texts)})" if texts else ""


def percent(value, digits=1):
    """Write a percentage; what lies in the middle is rounded up, as SPSS does: 1 of 16 is 6.3%.

    Examples
    --------
    >>> percent(6.25), percent(0.05), percent(100 / 3), percent(float("nan"))
    ('6.3%', '0.1%', '33.3%', 'n/a')
    """
    if not there(value):
        return MISSING
    step = Decimal(1).scaleb(-digits)
    return f"{Decimal(repr(float(value))).quantize(step, ROUND_HALF_UP)}%"


def statistic_text(name, value):
    """Write a statistic: sums of ranks as the whole or half numbers that they are, else 2 decimals.

    Examples
    --------
    >>> statistic_text("U", 987.0), statistic_text("V", 12.5), statistic_text("t", -2.0)
    ('987', '12.5', '−2.00')
    """
    if name in ("U", "V") and there(value) and float(2 * value).is_integer():
        return number(value, 0 if float(value).is_integer() else 1)
    return number(value, 2)


def there(value):
    """Say whether there is a value: neither None nor NaN."""
    return not (value is None or pd.isna(value))


def common_decimals(sds):
    """Return decimals that give the smallest SD two digits: 0.22, 7.3, 15."""
    sds = sds.dropna()
    sds = sds[sds > 0]
    return 1 if sds.empty else min(max(1 - math.floor(math.log10(sds.min())), 0), 8)


def label_of(name, variables):
    """Return how the plan calls a variable."""
    return variables.get(name, {}).get("label", name)


def titled(name, variables):
    """Return how the plan calls a variable, with its unit."""
    unit = variables.get(name, {}).get("unit")
    return label_of(name, variables) + (f", {unit}" if unit else "")


def with_interval(row, part, decimals, scale=1):
    """Write the estimate or effect of a row with its limits: 0.41 (0.12, 0.63)."""
    if not there(row[part]):
        return MISSING
    value, *limits = (
        number(scale * row[key], decimals) for key in (part, f"{part}_low", f"{part}_high")
    )
    return f"{value} ({', '.join(limits)})"


def interval_title(results, name):
    """Write the header of a column of estimates: name (95% CI)."""
    level = results["confidence"].dropna()
    return f"{name} ({100 * level.iloc[0]:g}% CI)" if len(level) else f"{name} (CI)"


def fault_notes(tests, variables, name=lambda row, label: label):
    """Return the footnotes that say what the tests' notes say."""
    rows = [row for _, row in tests[tests["note"].notna()].iterrows()]
    texts = [f"{name(row, label_of(row['variable'], variables))}: {row['note']}." for row in rows]
    return [("", text) for text in dict.fromkeys(texts)]


def values_note(tests):
    """Say what is printed beside the tests that were made: Values are mean ± SD, n (%)."""
    shown = {"parametric": "mean ± SD", "rank": "median [Q1, Q3]", "categorical": "n (%)"}
    made = set(tests["method"])
    return f"Values are {', '.join(shown[method] for method in shown if method in made)}"


def correction_note(tests):
    """Return the footnote that names how p was adjusted; none if it was not."""
    if not tests["correction"].notna().any():
        return []
    method = CORRECTIONS[tests["correction"].dropna().iloc[0]]
    return [("", f"Adjusted p: {method}, {tests['p_adjusted'].notna().sum()} comparisons.")]


class Marks:
    """Letters for the tests of a table, in the order in which they come."""

    def __init__(self):
        self.texts = []

    def of(self, text):
        """Return the letter of a footnote, a new one for a new text."""
        if text not in self.texts:
            self.texts.append(text)
        return "abcdefghijklmnopqrstuvwxyz"[self.texts.index(text)]

    def of_test(self, test):
        """Return the letter of a row's test; nothing if none was made."""
        return self.of(TESTS.get(test["test"], test["test"])) if there(test["test"]) else ""

    def footnotes(self):
        """Return the footnotes, (letter, text)."""
        return [(self.of(text), f"{text}.") for text in self.texts]
