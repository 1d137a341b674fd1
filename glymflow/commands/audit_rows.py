"""The rows that an audit can judge: what each kind of row prints, and what that may have come from.

`judge_row` takes a row of the audited file, makes the scenarios that it allows
(`glymflow.commands.audit_tests`) and says whether any of them gives what is printed.
"""

import itertools
import math
import re
from dataclasses import dataclass

from glymflow.commands import audit_tests
from glymflow.io import InputFault

CONSISTENT, IMPOSSIBLE, UNCHECKED = "consistent", "impossible", "not checkable"
MOST_SCENARIOS = 50_000
# tests that no mean, SD or count can show
RANK_TESTS = {"mann_whitney": "Mann-Whitney", "kruskal": "Kruskal-Wallis", "dunn": "Dunn"}
NAMES = {
    **{"student": "Student t", "welch": "Welch t", "paired": "paired t", "anova": "ANOVA"},
    **{"ancova": "ANCOVA", "fisher": "Fisher exact", "chi2": "chi-square"},
    **{"chi2_corrected": "chi-square, Yates", "likelihood_ratio": "likelihood ratio chi-square"},
    **{"pearson": "correlation", "partial": "partial correlation", "wald": "Wald"},
}
SPREADS = {"sd": "SD", "se": "SE"}


@dataclass(frozen=True)
class Scenario:
    """One way in which the printed numbers may have come about.

    Attributes
    ----------
    test : str
        What the test is called.
    statistic : (float, float)
        What the statistic can be.
    p_of : callable
        Interval of the statistic to interval of p.
    """

    test: str
    statistic: tuple
    p_of: object


def judge_row(entry):
    """Judge one row of a table.

    Parameters
    ----------
    entry : dict
        The row as `config/schemas/audit.schema.yaml` has it, with its table's `n` and `groups`.

    Returns
    -------
    list of dict
        "status", "fault", "printed", "possible", "tests", "finding"; the first is the row's own,
        the others (with a "row" of their own) are its contrasts'.

    Raises
    ------
    InputFault
        If the row contradicts itself, or a number that it needs is not given.
    """
    found = _KINDS[entry["kind"]](entry)
    return found if isinstance(found, list) else [found]


def _listed(entry, key):
    """Return what a row gives for a key, as a list: one text is a list of one."""
    if key not in entry:
        raise InputFault(f"no '{key}'")
    return [entry[key]] if isinstance(entry[key], str) else entry[key]


def _places(entry, names):
    """Return the columns of the groups with these names."""
    groups = _listed(entry, "groups")
    for name in names:
        if name not in groups[: len(entry["values"])]:
            raise InputFault(f"'{name}' is none of the groups with values")
    return [groups.index(name) for name in names]


def _whole_number(text):
    low, *more = audit_tests.whole_range(text)
    if more:
        raise InputFault(f"a row of counts needs sizes, not a range of them: {text}")
    return low


# --- Means and SDs -------------------------------------------------------------------------------


def _audit_means(entry):
    """Judge a row of means: its p and statistic, and its contrasts, as SD or else as SE."""
    declared = entry.get("spread", "sd")
    other = "se" if declared == "sd" else "sd"
    main = _judged_means(entry, declared)
    spread = declared
    if main["status"] == IMPOSSIBLE:
        second = _judged_means(entry, other)
        if second["status"] == CONSISTENT:
            spread = other
            main["fault"] = f"{SPREADS[other]} printed as {SPREADS[declared]}"
            main["finding"] = (
                f"{SPREADS[other]} printed as {SPREADS[declared]}: read as {SPREADS[other]} the"
                f" numbers agree ({second['possible']}), as {SPREADS[declared]} they cannot"
                f" ({main['possible']})"
            )
        elif "possible" in second:
            main["finding"] += f"; nor read as {SPREADS[other]} ({second['possible']})"
    return [main, *(_judged_contrast(entry, item, spread) for item in entry.get("contrasts", []))]


def _judged_means(entry, spread):
    scenarios = _mean_scenarios(entry, spread)
    name = entry.get("statistic", {}).get("name", "t" if len(entry["values"]) == 2 else "F")
    return _judge(entry, scenarios, name, _allowed(entry, _mean_tests(entry)))


def _mean_tests(entry):
    return ["student", "welch"] if len(entry["values"]) == 2 else ["anova"]


def _mean_scenarios(entry, spread):
    cells = [_mean_cell(text) for text in entry["values"]]
    means = [mean for mean, _ in cells]
    found, tests = [], entry.get("tests", _mean_tests(entry))
    if len(cells) != 2 and {"student", "welch", "paired"} & set(tests):
        raise InputFault(f"a t test compares two groups, not {len(cells)}")
    for sizes in _sizes(entry, len(cells)):
        sds = [
            audit_tests.as_deviation(sd, n, spread) for (_, sd), n in zip(cells, sizes, strict=True)
        ]
        for test in tests:
            if test in ("student", "welch"):
                found.append(Scenario(NAMES[test], *getattr(audit_tests, test)(means, sds, sizes)))
            elif test == "paired":
                if len(set(sizes)) == 1:
                    found.append(Scenario(NAMES[test], *audit_tests.paired(means, sds, sizes[0])))
            elif test in ("anova", "ancova"):
                for options in _covariate_options(entry, test):
                    outcome = audit_tests.anova(means, sds, sizes, **options)
                    found.append(Scenario(NAMES[test], *outcome))
    return found


def _judged_contrast(entry, contrast, spread):
    """Judge the p of two of several groups, adjusted for as many comparisons as may be."""
    cells = [_mean_cell(text) for text in entry["values"]]
    pair = _places(entry, contrast["pair"])
    allowed = contrast.get("tests", ["anova"])
    scenarios = []
    for sizes in _sizes(entry, len(cells)):
        sds = [
            audit_tests.as_deviation(sd, n, spread) for (_, sd), n in zip(cells, sizes, strict=True)
        ]
        for test in set(allowed) - set(RANK_TESTS):
            for options in _covariate_options(entry, test):
                means = [mean for mean, _ in cells]
                t, p_of = audit_tests.pooled_contrast(means, sds, sizes, pair, **options)
                for many in map(int, contrast.get("comparisons", ["1"])):
                    name = f"{NAMES[test]} contrast" + (f", Bonferroni {many}" if many > 1 else "")
                    adjusted = _adjusting(p_of, many)
                    scenarios.append(Scenario(name, t, adjusted))
    result = _judge(contrast, scenarios, "t", _names(allowed))
    if spread != entry.get("spread", "sd"):
        result["possible"] += f" (read as {SPREADS[spread]})"
    return result | {"row": f"{entry['label']}: {' vs '.join(contrast['pair'])}"}


def _adjusting(p_of, many):
    return lambda interval: audit_tests.adjusted(p_of(interval), many)


def _covariate_options(entry, test):
    if test != "ancova":
        return [{}]
    share = float(entry.get("r_squared", "0.5"))
    counts = audit_tests.whole_range(entry.get("covariates", "1"))
    return [{"covariates": count, "r_squared": share} for count in counts]


def _mean_cell(text):
    """Return (mean, SD) of ``58 ± 7`` or ``58 (7)`` as intervals."""
    parts = re.fullmatch(r"\s*(\S+)\s*(?:±|\+/-)\s*(\S+)\s*|\s*(\S+)\s*\(([^)]+)\)\s*", text)
    if not parts:
        raise InputFault(f"'{text}' is not 'mean ± SD' or 'mean (SD)'")
    mean, spread = [part for part in parts.groups() if part is not None]
    return audit_tests.printed(mean), audit_tests.printed(spread)


def _sizes(entry, groups):
    """Return all tuples of group sizes that the entry allows."""
    ranges = [audit_tests.whole_range(text) for text in _listed(entry, "n")]
    if len(ranges) != groups:
        raise InputFault(f"{groups} groups but {len(ranges)} sizes")
    if math.prod(map(len, ranges)) > MOST_SCENARIOS:
        raise InputFault("the ranges of n allow too many combinations")
    totals = audit_tests.whole_range(entry["total"]) if "total" in entry else None
    found = [s for s in itertools.product(*ranges) if totals is None or sum(s) in totals]
    if not found or min(map(min, found)) < 2:
        raise InputFault("no sizes of at least 2 fit n and total")
    return found


# --- Counts --------------------------------------------------------------------------------------


def _audit_counts(entry):
    """Judge a row of counts: its p, its statistic, its percentages, and whether levels add up."""
    levels = list(entry["levels"].values()) if "levels" in entry else [entry["values"]]
    if len(set(map(len, levels))) > 1:
        raise InputFault("the levels have different numbers of cells")
    cells = [[_count_cell(text) for text in cells] for cells in levels]
    counts = [[count for count, _ in row] for row in cells]
    sizes = [_whole_number(text) for text in _listed(entry, "n")] if "n" in entry else None
    sums = [sum(column) for column in zip(*counts, strict=True)]
    if sizes is None:
        sizes = sums
    elif len(sizes) != len(sums):
        raise InputFault(f"{len(sums)} groups but {len(sizes)} sizes")
    if not all(sizes):
        raise InputFault("a group has nobody in it")
    if "levels" not in entry:
        if any(count > n for count, n in zip(sums, sizes, strict=True)):
            raise InputFault("a count is larger than its group")
        counts.append([n - count for count, n in zip(sums, sizes, strict=True)])
    elif sums != sizes:
        text = f"the levels add up to {sums}, not to {sizes}"
        return _result(entry, IMPOSSIBLE, "counts", finding=text)
    allowed = entry.get("tests", ["fisher", "chi2", "chi2_corrected"])
    square = len(counts) == len(sums) == 2
    allowed = [test for test in allowed if square or test != "chi2_corrected"]
    scenarios = []
    for test in allowed:
        statistic, p, df = audit_tests.contingency(counts, test)
        value = (statistic, statistic) if df else audit_tests.EVERYTHING
        if df and "statistic" in entry:
            scenarios.append(
                Scenario(NAMES[test], value, lambda i, df=df: audit_tests.p_of_chi2(i, df))
            )
        elif "statistic" not in entry:
            scenarios.append(Scenario(NAMES[test], value, lambda i, p=p: (p, p)))
    result = _judge(entry, scenarios, "chi2", _names(allowed))
    wrong = _wrong_percents(cells, sizes)
    if wrong:
        text = f"{result['finding']}; {wrong}" if result["finding"] else wrong
        result |= {"status": IMPOSSIBLE, "fault": result["fault"] or "percent", "finding": text}
    return result


def _count_cell(text):
    parts = re.fullmatch(r"\s*(\d+)\s*(?:\(([^)]+)\))?\s*", text)
    if not parts:
        raise InputFault(f"'{text}' is not 'count' or 'count (percent)'")
    return int(parts[1]), parts[2]


def _wrong_percents(cells, sizes):
    wrong = []
    for row in cells:
        for (count, percent), n in zip(row, sizes, strict=True):
            share = 100 * count / n
            if percent and not audit_tests.meet((share, share), audit_tests.printed(percent)):
                wrong.append(f"{count} of {n} is {share:.4g}%, not {percent}")
    return "; ".join(wrong)


# --- Correlations, statistics, ratios, coefficients, repeated numbers ----------------------------


def _audit_correlation(entry):
    """Judge r (or r squared) against p: simple, or with covariates partialled out."""
    interval = audit_tests.printed(entry["r"] if "r" in entry else entry["r2"])
    if "r2" in entry:
        interval = tuple(math.sqrt(max(value, 0.0)) for value in interval)
    sizes, counts = (
        audit_tests.whole_range(_listed(entry, "n")[0]),
        audit_tests.whole_range(entry.get("covariates", "0")),
    )
    if sizes[0] - counts[-1] < 3:
        raise InputFault("n must be larger than the number of covariates by 3")
    name = f"correlation, {_counted(counts, 'covariate')} partialled out, n = {_whole(sizes)}"
    scenarios = [
        Scenario(name, *audit_tests.correlation(interval, n, count))
        for n in sizes
        for count in counts
    ]
    result = _judge(entry, scenarios, "t", name, show_statistic=False)
    if result["status"] == IMPOSSIBLE:
        p = audit_tests.printed_p(entry["p"])
        fitting = [
            n
            for n in range(counts[-1] + 3, 20 * sizes[-1])
            if audit_tests.meet(_p_hull(interval, n, counts), p) is not None
        ]
        if fitting:
            result["finding"] += f"; it would take n = {_whole(fitting)}"
    return result


def _p_hull(r, n, counts):
    """Return all p of a correlation `r` of n subjects with any of these numbers of covariates."""
    found = (audit_tests.correlation(r, n, count) for count in counts)
    return audit_tests.hull(p_of(t) for t, p_of in found)


def _whole(numbers):
    low, high = numbers[0], numbers[-1]
    return f"{low}" if low == high else f"{low} to {high}"


def _counted(numbers, noun):
    text = _whole(numbers)
    return f"{'no' if text == '0' else text} {noun}{'' if text == '1' else 's'}"


def _audit_statistic(entry):
    """Judge a test statistic with its degrees of freedom against p."""
    name, value = entry["statistic"]["name"], audit_tests.printed(entry["statistic"]["value"])
    value = audit_tests.absolute(value)
    if name == "z":
        scenarios = [Scenario("z", value, audit_tests.p_of_z)]
    else:
        function = {"t": audit_tests.p_of_t, "F": audit_tests.p_of_f}.get(
            name, audit_tests.p_of_chi2
        )
        ranges = [audit_tests.whole_range(text) for text in _listed(entry, "df")]
        if len(ranges) != (2 if name == "F" else 1):
            raise InputFault(f"{name} does not have {len(ranges)} degrees of freedom")
        scenarios = [
            Scenario(f"{name}({', '.join(map(str, df))})", value, lambda i, df=df: function(i, *df))
            for df in itertools.product(*ranges)
        ]
    return _judge(entry, scenarios, name, name, show_statistic=False)


def _audit_ratio(entry):
    """Judge an odds, hazard or risk ratio: its interval symmetric on the log scale, p from it."""
    numbers = [audit_tests.printed(text) for text in (entry["estimate"], *entry["interval"])]
    confidence = float(entry.get("confidence", "0.95"))
    middle, z = audit_tests.ratio_with_interval(*numbers, confidence=confidence)
    return _judged_interval(entry, numbers[0], middle, z, audit_tests.p_of_z, "log scale")


def _audit_coefficient(entry):
    """Judge a regression coefficient with its SE or its interval against p."""
    estimate = audit_tests.printed(entry["estimate"])
    dfs = list(audit_tests.whole_range(_listed(entry, "df")[0])) if "df" in entry else [None]
    results = []
    for df in dfs:
        p_of = (lambda i, df=df: audit_tests.p_of_t(i, df)) if df else audit_tests.p_of_z
        if "se" in entry:
            error = audit_tests.printed(entry["se"])
            t = audit_tests.ratio(audit_tests.absolute(estimate), error)
            results.append(_judge(entry, [Scenario("Wald", t, p_of)], "t", "Wald"))
        else:
            limits = [audit_tests.printed(text) for text in entry["interval"]]
            confidence = float(entry.get("confidence", "0.95"))
            middle, t = audit_tests.difference_with_interval(
                estimate, *limits, df, confidence=confidence
            )
            results.append(_judged_interval(entry, estimate, middle, t, p_of, "linear scale"))
    return next((r for r in results if r["status"] == CONSISTENT), results[0])


def _judged_interval(entry, estimate, middle, statistic, p_of, scale):
    if audit_tests.meet(estimate, middle) is None:
        low, high = map(_short, middle)
        text = (
            f"the estimate {entry['estimate']} is not the middle of its interval on the {scale}:"
            f" that is {low} to {high}"
        )
        return _result(entry, IMPOSSIBLE, "interval", possible=f"{low} to {high}", finding=text)
    return _judge(entry, [Scenario("Wald", statistic, p_of)], "z", "Wald", show_statistic=False)


def _audit_same(entry):
    """Judge numbers that are printed in several places for one and the same thing."""
    common = (-math.inf, math.inf)
    for text in entry["values"]:
        common = audit_tests.meet(common, audit_tests.printed(text))
        if common is None:
            places = f" ({entry['places']})" if "places" in entry else ""
            text = f"printed as {' and as '.join(entry['values'])}{places}: no value rounds to both"
            return _result(entry, IMPOSSIBLE, "differs", finding=text)
    return _result(entry, CONSISTENT, possible=_span(common))


_KINDS = {
    "means": _audit_means,
    "counts": _audit_counts,
    "correlation": _audit_correlation,
    "statistic": _audit_statistic,
    "ratio": _audit_ratio,
    "coefficient": _audit_coefficient,
    "same": _audit_same,
}


# --- The judgement -------------------------------------------------------------------------------


def _judge(entry, scenarios, name, allowed, *, show_statistic=True):
    """Say whether any scenario gives the printed statistic and, from it, the printed p."""
    if not scenarios:
        return _result(entry, UNCHECKED, tests=allowed, finding=f"{allowed}: needs the raw data")
    p = audit_tests.printed_p(entry["p"]) if "p" in entry else (0.0, 1.0)
    statistic = audit_tests.EVERYTHING
    if show_statistic and "statistic" in entry:
        statistic = audit_tests.absolute(audit_tests.printed(entry["statistic"]["value"]))
    narrowed = [(s, audit_tests.meet(s.statistic, statistic)) for s in scenarios]
    fitting = [(s, part) for s, part in narrowed if part is not None]
    agreeing = [s for s, part in fitting if audit_tests.meet(s.p_of(part), p) is not None]
    reachable = [interval for s in scenarios if (interval := s.statistic) != audit_tests.EVERYTHING]
    possible = f"p {_span_p(audit_tests.hull(s.p_of(s.statistic) for s in agreeing or scenarios))}"
    if show_statistic and "statistic" in entry and reachable:
        possible = f"{name} {_span(audit_tests.hull(reachable))}, {possible}"
    if agreeing:
        used = ", ".join(dict.fromkeys(s.test for s in agreeing))
        return _result(entry, CONSISTENT, possible=possible, tests=used)
    used = ", ".join(dict.fromkeys(s.test for s in scenarios))
    if not fitting:
        text = f"{name} {entry['statistic']['value']} cannot be: {possible} ({used})"
        return _result(entry, IMPOSSIBLE, "statistic", possible=possible, tests=used, finding=text)
    text = f"p {entry['p']} cannot be: {possible} ({used})"
    return _result(entry, IMPOSSIBLE, "p", possible=possible, tests=used, finding=text)


def _result(entry, status, fault="", **columns):
    """Make one row of the result; `printed` shows what was judged."""
    shown = [*entry.get("values", [])]
    shown += [f"{name} {' | '.join(cells)}" for name, cells in entry.get("levels", {}).items()]
    shown += [f"{key} {entry[key]}" for key in ("r", "r2", "estimate", "se") if key in entry]
    shown += [f"[{', '.join(entry['interval'])}]"] if "interval" in entry else []
    if "statistic" in entry:
        shown.append(f"{entry['statistic']['name']} {entry['statistic']['value']}")
    shown += [f"p {entry['p']}"] if "p" in entry else []
    empty = dict.fromkeys(("possible", "tests", "finding"), "")
    return {**empty, "status": status, "fault": fault, "printed": "; ".join(shown), **columns}


def _allowed(entry, default):
    return _names(entry.get("tests", default))


def _names(names):
    return ", ".join({**NAMES, **RANK_TESTS}[name] for name in names)


def _short(value):
    return f"{value:.4g}"


def _span(interval):
    low, high = map(_short, interval)
    return low if low == high else f"{low} to {high}"


def _span_p(interval):
    low, high = (f"{v:.3f}" if v >= 0.0995 else f"{v:.2g}" for v in interval)
    return low if low == high else f"{low} to {high}"
