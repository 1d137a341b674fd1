"""What printed numbers can give: p values and statistics over the rounding intervals of a table.

Each function takes closed intervals ``(low, high)``. A test gives the interval of its statistic
and the function that turns an interval of the statistic into one of p: a printed statistic narrows
it. Where the formula is monotone in each number the corners are exact; where it is not, the
docstring says how an interval is got that can only be too wide. A too wide interval misses a
fault, it never accuses a right number.
"""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import yaml
from scipy import special, stats

from glymflow.io import InputFault, check_entries
from glymflow.schemas import SCHEMAS, error_text

EVERYTHING = (0.0, math.inf)
_NUMBER = re.compile(r"^([<>≤≥]?)=?\s*([-+]?\d*\.?\d+)(?:[eE]([-+]?\d+))?\s*%?\*{0,4}$")
SLACK = 1e-12  # of the arithmetic: 58.5 is the end of a printed 58's interval


def load_printed(path, schema, *, spared=None):
    """Read a YAML file of printed numbers: every value stays text, so 1.000 stays 1.000.

    Parameters
    ----------
    path : path-like
        The file.
    schema : str
        Name of the schema in config/schemas that it must follow.
    spared : callable, optional
        Given the document and an error of the schema, says whether it has noted the error in the
        document; then it is no fault of the file.

    Returns
    -------
    dict

    Raises
    ------
    InputFault
        One line with the file and every fault found.
    """
    from jsonschema import Draft202012Validator

    try:
        document = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _TextLoader)
    except OSError as error:
        raise InputFault(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputFault(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    check_entries(document, path)
    rules = yaml.safe_load((SCHEMAS / f"{schema}.schema.yaml").read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(rules).iter_errors(document), key=lambda e: str(e.path))
    if spared:
        errors = [error for error in errors if not spared(document, error)]
    faults = [error_text(error) for error in errors]
    if faults:
        raise InputFault(f"{path}: {'; '.join(faults)}")
    return document


class _TextLoader(yaml.BaseLoader):
    """YAML without types; no key may be used twice."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            problem = f"key '{twice[0]}' is used twice"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


def printed(text):
    """Return the interval of the values that are printed like `text`.

    Parameters
    ----------
    text : str
        A number as printed, trailing zeros included; ``<`` and ``>`` for bounds.

    Returns
    -------
    (float, float)

    Raises
    ------
    InputFault
        If the text is no number.

    Examples
    --------
    >>> printed("0.22"), printed("<0.001"), printed("58")
    ((0.215, 0.225), (-inf, 0.001), (57.5, 58.5))
    """
    match = _NUMBER.match(str(text).strip().replace("−", "-").replace("–", "-"))
    if not match:
        raise InputFault(f"'{text}' is not a number as printed")
    sign, digits, power = match.groups()
    decimals = len(digits.partition(".")[2]) - int(power or 0)
    value = float(digits) * 10.0 ** int(power or 0)
    if sign in ("<", "≤"):
        return -math.inf, value
    if sign in (">", "≥"):
        return value, math.inf
    half = 0.5 * 10.0**-decimals
    return round(value - half, decimals + 2), round(value + half, decimals + 2)


def printed_p(text):
    """Return the interval of a printed p value, within 0 and 1."""
    low, high = printed(text)
    return max(low, 0.0), min(high, 1.0)


def whole_range(text):
    """Return the whole numbers that ``12`` or ``12-14`` stands for, as a range.

    Raises
    ------
    InputFault
        If the text is neither, or the range runs downwards.
    """
    parts = re.fullmatch(r"(\d+)(?:[-–](\d+))?", str(text).strip())
    if not parts or int(parts[2] or parts[1]) < int(parts[1]):
        raise InputFault(f"'{text}' is no whole number or range of them")
    return range(int(parts[1]), int(parts[2] or parts[1]) + 1)


def meet(first, second):
    """Return what two intervals have in common, None for nothing (touching ends do meet)."""
    low, high = max(first[0], second[0]), min(first[1], second[1])
    slack = SLACK * max(1.0, abs(low) if math.isfinite(low) else 1.0)
    return (low, max(low, high)) if low <= high + slack else None


def hull(intervals):
    """Return the smallest interval around all; None of none."""
    intervals = [interval for interval in intervals if interval is not None]
    if not intervals:
        return None
    return min(low for low, _ in intervals), max(high for _, high in intervals)


# --- From a statistic to p: all are monotone, so the ends of the interval give the ends ----------


def p_of_t(interval, df):
    """Two-sided p of |t| in the interval; decreasing in |t|: exact."""
    return tuple(float(2 * stats.t.sf(value, df)) for value in reversed(interval))


def p_of_f(interval, df, df_error):
    """Upper tail of F; decreasing in F: exact."""
    return tuple(float(stats.f.sf(value, df, df_error)) for value in reversed(interval))


def p_of_chi2(interval, df):
    """Upper tail of chi-square (also the Kruskal-Wallis H); decreasing: exact."""
    return tuple(float(stats.chi2.sf(value, df)) for value in reversed(interval))


def p_of_z(interval):
    """Two-sided p of |z| in the interval; decreasing: exact."""
    return tuple(float(2 * stats.norm.sf(value)) for value in reversed(interval))


def adjusted(p, comparisons):
    """Bonferroni: p times the number of comparisons, at most 1; increasing: exact."""
    return min(p[0] * comparisons, 1.0), min(p[1] * comparisons, 1.0)


def absolute(interval):
    """Interval of |x| for x in the interval."""
    low, high = interval
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


# --- Means and standard deviations ---------------------------------------------------------------


def as_deviation(interval, n, spread):
    """Return the SD's interval of a printed SD, or of a printed SE (times the root of n)."""
    scale = math.sqrt(n) if spread == "se" else 1.0
    return max(interval[0], 0.0) * scale, interval[1] * scale


def student(means, sds, sizes):
    """Return |t| of Student's test, and the function from an interval of |t| to its p.

    |t| rises with the distance of the means and falls with each SD: corners, exact.

    References
    ----------
    Student. The probable error of a mean. Biometrika 1908;6:1-25.
    """
    df = sum(sizes) - 2
    errors = [
        math.sqrt(
            sum((n - 1) * sd[end] ** 2 for sd, n in zip(sds, sizes, strict=True))
            / df
            * sum(1 / n for n in sizes)
        )
        for end in (0, 1)
    ]
    t = ratio(_distance(*means), errors)
    return t, lambda interval: p_of_t(interval, df)


def welch(means, sds, sizes):
    """Return |t| of Welch's test, and the function that makes an interval around its p.

    |t| is exact (corners). The degrees of freedom have one maximum in the ratio of the squared
    standard errors, so their smallest value is at a corner and their largest at most n1 + n2 - 2.
    p from the smallest t and df, and from the largest of both, encloses all p: it may be too wide.

    References
    ----------
    Welch BL. The generalization of "Student's" problem. Biometrika 1947;34:28-35.
    """
    parts = [[sd[end] ** 2 / n for end in (0, 1)] for sd, n in zip(sds, sizes, strict=True)]
    t = ratio(_distance(*means), [math.sqrt(parts[0][end] + parts[1][end]) for end in (0, 1)])
    dfs = [
        (a + b) ** 2 / (a**2 / (sizes[0] - 1) + b**2 / (sizes[1] - 1))
        for a, b in itertools.product(*parts)
        if a + b > 0
    ]
    lowest, highest = min(dfs, default=min(sizes) - 1), sum(sizes) - 2
    return t, lambda interval: (p_of_t(interval, highest)[0], p_of_t(interval, lowest)[1])


def paired(means, sds, n):
    """Return |t| and the function of p of a paired t test whose correlation is not printed.

    The variance of the difference lies between (s1 - s2)^2 and (s1 + s2)^2; corners, exact.
    """
    low = max(sds[0][0] - sds[1][1], sds[1][0] - sds[0][1], 0.0)
    errors = [value / math.sqrt(n) for value in (low, sds[0][1] + sds[1][1])]
    t = ratio(_distance(*means), errors)
    return t, lambda interval: p_of_t(interval, n - 1)


def anova(means, sds, sizes, *, covariates=0, r_squared=0.0):
    """Return F and the function of p of a one-way analysis of (co)variance.

    The sum of squares between the groups is convex in the means: its maximum is at a corner; its
    minimum is that of a convex function of the grand mean, every mean moved as near as it can be
    (golden section). The error's mean square rises with each SD: F is exact.

    With covariates: they are taken as balanced over the groups and as explaining between nothing
    and the share `r_squared` of the variance within groups. The error then loses that share and
    one degree of freedom each. Covariates that differ between groups can move F anywhere, which
    no table of means can show.

    References
    ----------
    Fisher RA. Statistical methods for research workers. 1925, chapter 7. Cochran WG. Analysis of
    covariance: its nature and uses. Biometrics 1957;13:261-281.
    """
    df, df_error = len(sizes) - 1, _error_df(sizes, covariates)
    low, high = (
        sum((n - 1) * sd[end] ** 2 for sd, n in zip(sds, sizes, strict=True)) / df_error
        for end in (0, 1)
    )
    low = low * (1 - r_squared) if covariates else low
    f = ratio([value / df for value in _between(means, sizes)], [low, high])
    return f, lambda interval: p_of_f(interval, df, df_error)


def pooled_contrast(means, sds, sizes, pair, *, covariates=0, r_squared=0.0):
    """Return |t| and its p's function for two groups with the error of all (LSD); see `anova`."""
    df = _error_df(sizes, covariates)
    scale = sum(1 / sizes[member] for member in pair)
    low, high = (
        math.sqrt(
            sum((n - 1) * sd[end] ** 2 for sd, n in zip(sds, sizes, strict=True)) / df * scale
        )
        for end in (0, 1)
    )
    low = low * math.sqrt(1 - r_squared) if covariates else low
    t = ratio(_distance(*(means[member] for member in pair)), [low, high])
    return t, lambda interval: p_of_t(interval, df)


def _error_df(sizes, covariates):
    df = sum(sizes) - len(sizes) - covariates
    if df < 1:
        raise InputFault(f"{sum(sizes)} people are too few for {covariates} covariates")
    return df


def _distance(first, second):
    return absolute((first[0] - second[1], first[1] - second[0]))


def ratio(top, bottom):
    """Interval of a / b for a and b at least 0, b possibly 0."""
    low = top[0] / bottom[1] if bottom[1] > 0 else (math.inf if top[0] > 0 else 0.0)
    high = top[1] / bottom[0] if bottom[0] > 0 else (math.inf if top[1] > 0 else 0.0)
    return low, high


def _between(means, sizes):
    """Smallest and largest sum of squares between groups."""
    weights = np.asarray(sizes, float)
    corners = np.array(list(itertools.product(*means)))
    grand = corners @ weights / weights.sum()
    highest = float((((corners - grand[:, None]) ** 2) @ weights).max())
    lows, highs = np.array(means).T

    def at(grand):
        return float((np.clip(grand, lows, highs) - grand) ** 2 @ weights)

    left, right = float(lows.min()), float(highs.max())
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(120):
        span = golden * (right - left)
        if at(right - span) <= at(left + span):
            right = left + span
        else:
            left = right - span
    lowest = min(at(left), at(right))
    return (0.0 if lowest < SLACK * highest else lowest * (1 - 1e-9)), highest


# --- Counts --------------------------------------------------------------------------------------


def contingency(counts, test):
    """Return (statistic, p) of an r x c table of counts; counts are exact, so both are points.

    Parameters
    ----------
    counts : (r, c) array of int
        Empty rows and columns are left out.
    test : {"fisher", "chi2", "chi2_corrected", "likelihood_ratio"}
        "fisher" of a table larger than 2 x 2 is the Freeman-Halton test.

    Returns
    -------
    statistic : float or None
    p : float
    df : int or None

    References
    ----------
    Freeman GH, Halton JH. Note on an exact treatment of contingency. Biometrika 1951;38:141-149.
    """
    counts = np.asarray(counts)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return None, 1.0, None
    if test == "fisher":
        return None, fisher_p(counts), None
    if test == "chi2_corrected" and counts.shape != (2, 2):
        raise InputFault("Yates' correction is for 2 x 2 tables")
    result = stats.chi2_contingency(
        counts,
        correction=test == "chi2_corrected",
        lambda_="log-likelihood" if test == "likelihood_ratio" else None,
    )
    return float(result.statistic), float(result.pvalue), int(result.dof)


def fisher_p(counts, *, most=2_000_000):
    """Exact p of an r x c table: all tables with its margins that are no likelier.

    Raises
    ------
    InputFault
        If there are more than `most` such tables.
    """
    counts = np.asarray(counts)
    if counts.shape == (2, 2):
        return float(stats.fisher_exact(counts).pvalue)
    if counts.shape[0] > counts.shape[1]:
        counts = counts.T
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    constant = special.gammaln(rows + 1).sum() + special.gammaln(columns + 1).sum()
    constant -= special.gammaln(counts.sum() + 1)
    limit = constant - special.gammaln(counts + 1).sum() + 1e-7
    # what is left of each row after some columns: how likely, each way to get there apart
    total, seen = 0.0, 0
    stack = [(0, tuple(rows), 0.0)]
    while stack:
        column, left, log = stack.pop()
        if column == len(columns) - 1:
            seen += 1
            if seen > most:
                raise InputFault("the table is too large for an exact test")
            log = constant - log - special.gammaln(np.array(left) + 1).sum()
            total += math.exp(log) if log <= limit else 0.0
            continue
        for cells in _fillings(int(columns[column]), left):
            rest = tuple(a - b for a, b in zip(left, cells, strict=True))
            stack.append((column + 1, rest, log + sum(math.lgamma(c + 1) for c in cells)))
    return min(total, 1.0)


def _fillings(total, room):
    """Yield all ways to lay `total` into boxes with that much room."""
    if len(room) == 1:
        if total <= room[0]:
            yield (total,)
        return
    for first in range(min(total, room[0]) + 1):
        for rest in _fillings(total - first, room[1:]):
            yield (first, *rest)


# --- Correlations, ratios with an interval, coefficients -----------------------------------------


def correlation(r, n, covariates=0):
    """Return |t| and the function of p of a correlation with `covariates` partialled out.

    t = r sqrt(df / (1 - r^2)), df = n - 2 - covariates, rises with |r|: ends, exact.

    References
    ----------
    Fisher RA. The distribution of the partial correlation coefficient. Metron 1924;3:329-332.
    """
    df = n - 2 - covariates
    low, high = (min(value, 1.0) for value in absolute(r))
    t = tuple(v * math.sqrt(df / (1 - v**2)) if v < 1 else math.inf for v in (low, high))
    return t, lambda interval: p_of_t(interval, df)


def ratio_with_interval(estimate, low, high, *, confidence=0.95):
    """Return what a ratio and its Wald interval say of each other: on the log scale.

    Parameters
    ----------
    estimate, low, high : (float, float)
        Rounding intervals of the odds (hazard, risk) ratio and the limits of its interval.
    confidence : float
        Level of the interval.

    Returns
    -------
    middle : (float, float)
        sqrt(low high), where the estimate of a symmetric interval must lie; exact.
    z : (float, float)
        |log estimate| / SE with SE = log(high / low) / (2 z_c). Numerator and denominator are
        taken apart and the estimate's interval is cut to the middle's, so z may be too wide.
    """
    tiny = 1e-300
    low, high = ((max(v[0], tiny), max(v[1], tiny)) for v in (low, high))
    middle = (math.sqrt(low[0] * high[0]), math.sqrt(low[1] * high[1]))
    inside = meet(estimate, middle) or estimate
    quantile = 2 * stats.norm.ppf((1 + confidence) / 2)
    errors = [
        max(math.log(a / b), 0.0) / quantile for a, b in ((high[0], low[1]), (high[1], low[0]))
    ]
    logs = tuple(math.log(max(value, tiny)) for value in inside)
    return middle, ratio(absolute(logs), errors)


def difference_with_interval(estimate, low, high, df, *, confidence=0.95):
    """Return middle and |t| of an estimate with a symmetric interval; as `ratio_with_interval`."""
    middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    inside = meet(estimate, middle) or estimate
    level = (1 + confidence) / 2
    quantile = 2 * (stats.t.ppf(level, df) if df else stats.norm.ppf(level))
    errors = [max(a - b, 0.0) / quantile for a, b in ((high[0], low[1]), (high[1], low[0]))]
    return middle, ratio(absolute(inside), errors)
