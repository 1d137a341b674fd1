"""The printed numbers of a paper as intervals of statistics that a cohort can be moved to.

Each printed number becomes one `Item`. `measure` computes its statistic (t, z, r, log odds, mean)
with the derivatives by the subjects' values; `printed_scale` gives what is printed for it (p, R
squared, odds ratio); `interval_of` gives all values of the statistic that round to the printed one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import stats

from glymflow.commands import reconstruct_facts as facts
from glymflow.commands.audit_tests import meet, printed, printed_p
from glymflow.io import MISSING, InputFault

MOMENTS = ("mean", "sd", "se", "q1", "median", "q3")
STATISTICS = (
    *("count", "percent", *MOMENTS, "r", "b", "r2", "odds_ratio", "low", "high", "statistic", "p"),
)
COUNTED = ("count", "fisher", "chi2")  # families that the dealt categories settle
SHARES = {"q1": 0.25, "median": 0.5, "q3": 0.75}
PRINTED_LEAST = 0.001  # smaller p are printed as "<0.001"
Z_95 = stats.norm.ppf(0.975)


@dataclass
class Item:
    """One printed number: the fact that it belongs to, what it is, how it is printed."""

    fact: dict
    what: str
    text: str
    reason: str = ""  # why no data can have it
    limits: tuple[float, float] = (-math.inf, math.inf)  # of what is printed, by other numbers
    defect: float = 0.0  # exact statistic minus the smoothed one
    aimed: bool = False  # p at least 0.001, so that it is printed in full
    intervals: dict = field(default_factory=dict)

    @property
    def printed(self):
        """The interval that rounds to the printed number."""
        return printed_p(self.text) if self.what == "p" else printed(self.text)


def items_of(spec):
    """List every printed number of the facts once."""
    return [item for fact in spec["facts"] for item in _of_fact(fact)]


def _of_fact(fact):
    for what in STATISTICS:
        if what in fact:
            yield Item(fact, what, fact[what])


def names_of(fact):
    """Return the variables that a fact is of."""
    return fact["of"] if isinstance(fact["of"], list) else [fact["of"]]


def used_of(fact):
    """Return the variables that a fact is computed from."""
    return [*names_of(fact), *fact.get("partial", []), *fact.get("on", [])]


def rows_where(table, where):
    """Return which rows have the levels named; n/a stands for none."""
    mask = np.ones(len(table), dtype=bool)
    for column, values in where.items():
        if column not in table:
            raise InputFault(f"where: no category '{column}'")
        values = values if isinstance(values, list) else [values]
        mask &= table[column].fillna(MISSING).isin(values).to_numpy()
    return mask


def family(fact):
    """Say which statistic p belongs to."""
    if "count" in fact:
        return "count"
    if "spearman" in fact:
        return "spearman"
    if "odds_ratio" in fact:
        return "logistic"
    if "test" in fact:
        return fact["test"]
    if "term" in fact:
        return "linear"
    return "correlation" if isinstance(fact["of"], list) else "moments"


def is_rank(fact):
    """Say whether a fact depends on the order of the values only."""
    return family(fact) in ("spearman", "kruskal", "dunn", "dscf")


# --- From p and the like to an interval of the statistic ------------------------------------------


def interval_of(item, df, sign):
    """Return the interval that the statistic has to be in, for these df and this sign."""
    key = (df, sign, item.aimed)
    if key not in item.intervals:
        whole = item.printed
        aim = (PRINTED_LEAST, whole[1]) if item.aimed else whole
        item.intervals[key] = _to_statistic(item, aim, df, sign)
    return item.intervals[key]


def can_aim(item):
    """Say whether p rounds to 0.001 and can be a little more, which is then printed in full."""
    low, high = item.printed
    if item.what != "p" or not low < PRINTED_LEAST < high:
        return False
    return meet((PRINTED_LEAST, high), item.limits) is not None


def _to_statistic(item, limits, df, sign):
    low, high = limits
    if item.what == "se":
        root = math.sqrt(df)
        return low * root, high * root
    if item.what in ("odds_ratio", "low", "high"):
        return math.log(low), math.log(high)
    if item.what == "r2":
        return tuple(sorted(sign * math.sqrt(max(value, 0.0)) for value in limits))
    if item.what != "p":
        return low, high
    least = quantile_of_p(item.fact, high, df)
    if low > 0:
        most = quantile_of_p(item.fact, low, df)
    else:  # as large as it likes
        most = 1.0 if family(item.fact) in ("correlation", "spearman") else 20 * least + 1
    return tuple(sorted((sign * least, sign * most)))


def quantile_of_p(fact, p, df):
    """Return the size of the statistic whose p is given."""
    kind = family(fact)
    raw = 1.0 if p >= 1 else p / float(fact.get("comparisons", "1"))  # 1 stands for all above
    if kind in ("kruskal",):
        return float(stats.chi2.isf(raw, df))
    if kind == "anova":
        return float(stats.f.isf(raw, *df))
    if kind in ("dunn", "logistic"):
        return float(stats.norm.isf(raw / 2))
    if kind == "dscf":
        return _studentised(max(p, 1e-7), df)
    t = float(stats.t.isf(raw / 2, df))
    return t / math.sqrt(df + t**2) if kind in ("correlation", "spearman") else t


@cache
def _studentised(p, groups):
    if p >= 1:
        return 0.0
    return float(stats.studentized_range.isf(p, groups, np.inf)) / math.sqrt(2)


def printed_scale(item, value, df):
    """Return what is printed for a statistic: its p, its square, its exponential."""
    if item.what == "se":
        return value / math.sqrt(df)
    if item.what in ("odds_ratio", "low", "high"):
        return math.exp(value)
    if item.what == "r2":
        return value**2
    if item.what != "p":
        return value
    return p_of(item.fact, value, df)


def p_of(fact, value, df):
    """Return p of a statistic, adjusted for the number of comparisons."""
    kind, size = family(fact), abs(value)
    if kind == "kruskal":
        p = stats.chi2.sf(size, df)
    elif kind == "anova":
        p = stats.f.sf(size, *df)
    elif kind in ("dunn", "logistic"):
        p = 2 * stats.norm.sf(size)
    elif kind == "dscf":
        return float(stats.studentized_range.sf(size * math.sqrt(2), df, np.inf))
    else:
        if kind in ("correlation", "spearman"):
            size = size * math.sqrt(df / max(1 - size**2, 1e-15))
        p = 2 * stats.t.sf(size, df)
    return float(min(p * float(fact.get("comparisons", "1")), 1.0))


# --- The statistics -------------------------------------------------------------------------------


class Measure:
    """Statistics of one state of a cohort; what several items share is computed once.

    Parameters
    ----------
    cohort : glymflow.commands.reconstruct_cohort.Cohort
    values : dict
        From `Cohort.values`.
    width : float
        Of the smoothed ranks, in SDs; 0 for the ranks themselves.
    """

    def __init__(self, cohort, values, *, width=0.0):
        self.cohort, self.values, self.width, self.shared = cohort, values, width, {}

    def of(self, item):
        """Return (statistic, parts, df): parts are (name, rows, derivatives by their values)."""
        fact = item.fact
        names = names_of(fact)
        arrays = {name: self.cohort.column(name, self.values) for name in used_of(fact)}
        mask = self.cohort.rows(fact, arrays)
        kind = family(fact)
        if item.what in MOMENTS:
            return self._moment(item, names[0], arrays, mask)
        if kind in ("kruskal", "anova", "dunn", "dscf", "t"):
            return self._groups(fact, names[0], arrays, mask)
        return getattr(self, f"_{kind}")(item, names, arrays, mask)

    def _moment(self, item, name, arrays, mask):
        x = arrays[name][mask]
        if item.what in SHARES:
            value, part = facts.quantile(x, SHARES[item.what])
        else:
            value, part = facts.mean(x) if item.what == "mean" else facts.deviation(x)
        return value, [(name, mask, part)], len(x)

    def _correlation(self, item, names, arrays, mask):
        given = item.fact.get("partial", [])
        design = self._design("intercept", [], arrays, mask, given)
        left = [
            self._once(
                ("left", (name, *given), mask.tobytes()), design.residual, arrays[name][mask]
            )
            for name in names
        ]
        r, *slopes = facts.correlation_of(*left)
        parts = [(name, mask, part) for name, part in zip(names, slopes, strict=True)]
        return r, parts, int(mask.sum()) - 2 - len(given)

    def _spearman(self, item, names, arrays, mask):
        ranked = [self._ranks(name, arrays[name], mask) for name in names]
        r, *slopes = facts.correlation_of(*(values - values.mean() for values, _ in ranked))
        parts = [
            (name, mask, by_value @ slope)
            for name, (_, by_value), slope in zip(names, ranked, slopes, strict=True)
            if by_value is not None
        ]
        return r, parts, int(mask.sum()) - 2

    def _ranks(self, name, values, mask):
        return self._once(("ranks", (name,), mask.tobytes()), facts.ranks, values[mask], self.width)

    def _design(self, kind, columns, arrays, mask, covariates):
        """Return the design of the columns (of ones if there are none) and centred covariates."""
        key = (kind, tuple(covariates), mask.tobytes())
        if key not in self.shared:
            centred = (arrays[name][mask] for name in covariates)
            first = columns if len(columns) else [np.ones(mask.sum())]
            self.shared[key] = facts.Design(
                np.column_stack([*first, *(x - x.mean() for x in centred)])
            )
        return self.shared[key]

    def _once(self, key, function, *arguments):
        """Call a function of the variables that are second in the key, once for their values."""
        if key not in self.shared:
            self.shared[key] = function(*arguments)
        return self.shared[key]

    def forget(self, name):
        """Drop what was computed from a variable whose values have changed."""
        self.shared = {key: found for key, found in self.shared.items() if name not in key[1]}

    def _linear(self, item, names, arrays, mask):
        on = item.fact["on"]
        predictors = np.column_stack([arrays[name][mask] for name in on])
        b, t, by_b, by_t, df = facts.coefficient(
            arrays[names[0]][mask], predictors, on.index(item.fact["term"])
        )
        value, part = (b, by_b) if item.what == "b" else (t, by_t)
        return value, [(names[0], mask, part)], df

    def _paired(self, item, names, arrays, mask):
        t, by_second = facts.paired_t(*(arrays[name][mask] for name in names))
        parts = [(names[0], mask, -by_second), (names[1], mask, by_second)]
        return t, parts, int(mask.sum()) - 1

    def _groups(self, fact, name, arrays, mask):
        """Compare groups, all or two of them, by ranks or by means with covariates held."""
        levels, members = self.cohort.members(fact, mask)
        pair, kind, number = fact.get("pair", []), family(fact), len(levels)
        if kind == "dscf":  # ranks of these two groups only
            two = members[:, [levels.index(level) for level in pair]]
            inside = two.sum(axis=1) > 0
            mask = mask.copy()
            mask[mask] = inside
            levels, members = pair, two[inside]
        places = [levels.index(level) for level in pair]
        if kind in ("anova", "t"):
            covariates, outcome = fact.get("partial", []), arrays[name][mask]
            by = "by " + fact["by"]
            full = self._design(by, [members], arrays, mask, covariates)
            if kind == "t":
                weights = np.zeros(full.matrix.shape[1])
                weights[places] = -1, 1
                _, t, _, slope, df = facts.contrast(outcome, full, weights)
                return t, [(name, mask, slope)], df
            reduced = self._design("intercept", [], arrays, mask, covariates)
            f, slope, *df = facts.f_test(outcome, full, reduced)
            return f, [(name, mask, slope)], tuple(df)
        ranked, by_value = self._ranks(name, arrays[name], mask)
        if kind == "kruskal":
            value, slope = facts.kruskal(ranked, members)
            df = len(levels) - 1
        else:
            value, slope = facts.rank_contrast(ranked, members, places)
            df = number if kind == "dscf" else None
        return value, [] if by_value is None else [(name, mask, by_value @ slope)], df

    def _logistic(self, item, names, arrays, mask):
        """Return the log odds ratio, or an end of its interval, or z, near the published ones."""
        fact = item.fact
        on, which = fact["on"], fact["on"].index(fact["term"])
        per = float(fact.get("per", "1"))
        key = ("logistic", tuple(on), mask.tobytes())
        if key not in self.shared:
            event = arrays[names[0]][mask]
            predictors = np.column_stack([arrays[name][mask] for name in on])
            if self.width == 0:
                fitted = facts.logistic_fit(event, predictors)
                empty = np.zeros((len(on), *predictors.shape))
                self.shared[key] = (*fitted, empty, empty)
            else:
                self.shared[key] = facts.logistic(
                    event, predictors, self.cohort.published_slopes(fact)
                )
        b, error, by_b, by_error = (part[which] for part in self.shared[key])
        if item.what == "p":
            value, slope = b / error, by_b / error - b / error**2 * by_error
        else:
            end = {"odds_ratio": 0.0, "low": -Z_95, "high": Z_95}[item.what]
            value, slope = (
                per * b + end * abs(per) * error,
                per * by_b + end * abs(per) * by_error,
            )
        parts = [(name, mask, slope[:, k]) for k, name in enumerate(on)]
        return value, parts, None


def sign_of(fact, value):
    """Return the sign that a statistic has to have: the printed one, else the one that it has."""
    for key in ("r", "b"):
        if key in fact:
            return -1.0 if fact[key].startswith(("-", "−")) else 1.0
    if "sign" in fact:
        return -1.0 if fact["sign"] == "-" else 1.0
    if "r2" in fact:
        return 1.0
    return -1.0 if value < 0 else 1.0


def check_names(spec, known):
    """Refuse a fact about a number or category that there is not."""
    for fact in spec["facts"]:
        for name in used_of(fact):
            if name not in known:
                raise InputFault(f"facts: no number or category '{name}'")
