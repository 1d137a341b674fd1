"""The rows that an audit can judge: what each kind of row prints, and what that may have come from.

`judge_row` takes a row of the audited file, makes the scenarios that it allows
(`glymflow.commands.audit_tests`) and says whether any of them gives what is printed.
"""

import itertools
import math

from glymflow.commands import audit_tests
from glymflow.commands.audit_cells import count_cell, is_median, mean_cell, median_order
from glymflow.commands.audit_intervals import audit_coefficient, audit_ratio
from glymflow.commands.audit_judgement import (
    CONSISTENT,
    IMPOSSIBLE,
    NAMES,
    RANK_TESTS,
    SPREADS,
    SUSPECT,
    UNCHECKED,
    UNREADABLE,
    Contradiction,
    Scenario,
    allowed_tests,
    joined,
    judge,
    names_of,
    span,
    verdict,
    with_p_checked,
)
from glymflow.commands.audit_scales import scale_fault
from glymflow.io import InputFault

MOST_SCENARIOS = 50_000
# SD or SE: a difference of so many SDs is hardly ever seen; the same numbers as SE are usual
FEW_SDS = 4.0


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

    A row that contradicts itself is impossible; one that cannot be read, or lacks a number that
    it needs, is unreadable: both are findings, no errors.
    """
    found = _guarded(_KINDS[entry["kind"]], entry)
    found = found if isinstance(found, list) else [found]
    return [with_p_checked(entry, found[0]), *found[1:]]


def _guarded(judged, entry, *more):
    """Return what `judged` says of a row; a fault of its numbers or its text as a finding."""
    try:
        if "unreadable" in entry:
            raise InputFault(entry["unreadable"])
        return judged(entry, *more)
    except Contradiction as fault:
        return verdict(entry, IMPOSSIBLE, "contradiction", finding=str(fault))
    except InputFault as fault:
        return verdict(entry, UNREADABLE, "unreadable", finding=str(fault))


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
    medians = [is_median(text) for text in entry["values"]]
    if any(medians):
        return _judged_medians(entry, medians)
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
    elif declared == "sd" and main["status"] == CONSISTENT:
        main = _suspected(entry, main)
    for fault, text in _scale_faults(entry, spread):
        main = joined(main, fault, text)
    return [main, *(_contrast(entry, item, spread) for item in entry.get("contrasts", []))]


def _judged_medians(entry, medians):
    """Judge the order of medians and their limits: no p can be got from them."""
    if not all(medians):
        raise InputFault("some cells are medians, others are means")
    wrong = [text for cell in entry["values"] if (text := median_order(cell))]
    if wrong:
        return verdict(entry, IMPOSSIBLE, "order", finding="; ".join(wrong))
    return verdict(entry, UNCHECKED, finding="a test of medians needs the raw data")


def _suspected(entry, main):
    """Suspect SEs printed as SDs where p is right for both, and the SDs would be far too small.

    With p < 0.001 for SEs, the groups lie at least 4.7 SEs apart, so an SD can be told from an SE:
    groups that many SDs apart hardly overlap. Where the SD of the same numbers read as SE would
    be half of a mean or more, the numbers are left alone.
    """
    if "p" not in entry or "statistic" in entry or audit_tests.printed_p(entry["p"])[1] > 0.00101:
        return main  # the statistic or p itself tells one from the other
    cells = [mean_cell(text) for text in entry["values"]]
    middles = [(sum(mean) / 2, sd[1]) for mean, sd in cells]
    sizes = [max(audit_tests.whole_range(text)) for text in _listed(entry, "n")]
    distance = max(mean for mean, _ in middles) - min(mean for mean, _ in middles)
    pooled = math.sqrt(sum(sd**2 for _, sd in middles) / len(middles))
    likely = all(
        abs(mean) >= 2 * sd * math.sqrt(n) for (mean, sd), n in zip(middles, sizes, strict=True)
    )
    if distance < FEW_SDS * pooled or not likely:
        return main
    second = _judged_means(entry, "se")
    if second["status"] != CONSISTENT or list(_scale_faults(entry, "se")):
        return main
    text = (
        f"SE printed as SD? As SD the groups are {distance / pooled:.1f} SDs apart; read as SE"
        f" the numbers agree too ({second['possible']})"
    )
    return main | {"status": SUSPECT, "fault": "SE printed as SD", "finding": text}


def _scale_faults(entry, spread):
    """Yield why a mean and its SD cannot be those of whole numbers, or of numbers on the scale."""
    if not {"integers", "scale"} & set(entry):
        return
    scale = tuple(map(float, entry["scale"])) if "scale" in entry else None
    options = {
        "integers": entry.get("integers", "false") == "true",
        "items": int(entry.get("items", "1")),
        "scale": scale,
    }
    for text, size in zip(entry["values"], _listed(entry, "n"), strict=True):
        sizes, (mean, sd) = audit_tests.whole_range(size), mean_cell(text)
        parts = [(n, audit_tests.as_deviation(sd, n, spread)) for n in sizes]
        found = [scale_fault(text, mean, part, [n], **options) for n, part in parts]
        if found and all(found):
            yield found[0]


def _judged_means(entry, spread):
    scenarios = _mean_scenarios(entry, spread)
    name = entry.get("statistic", {}).get("name", "t" if len(entry["values"]) == 2 else "F")
    return judge(entry, scenarios, name, allowed_tests(entry, _mean_tests(entry)))


def _mean_tests(entry):
    return ["student", "welch"] if len(entry["values"]) == 2 else ["anova"]


def _mean_scenarios(entry, spread):
    cells = [mean_cell(text) for text in entry["values"]]
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


def _contrast(entry, contrast, spread):
    """Return the result of a contrast under its name."""
    found = _guarded(lambda item: _judged_contrast(entry, item, spread), contrast)
    name = f"{entry['label']}: {' vs '.join(contrast['pair'])}"
    return with_p_checked(contrast, found) | {"row": name}


def _judged_contrast(entry, contrast, spread):
    """Judge the p of two of several groups, adjusted for as many comparisons as may be."""
    cells = [mean_cell(text) for text in entry["values"]]
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
    result = judge(contrast, scenarios, "t", names_of(allowed))
    if spread != entry.get("spread", "sd"):
        result["possible"] += f" (read as {SPREADS[spread]})"
    return result


def _adjusting(p_of, many):
    return lambda interval: audit_tests.adjusted(p_of(interval), many)


def _covariate_options(entry, test):
    if test != "ancova":
        return [{}]
    share = float(entry.get("r_squared", "0.5"))
    counts = audit_tests.whole_range(entry.get("covariates", "1"))
    return [{"covariates": count, "r_squared": share} for count in counts]


def _sizes(entry, groups):
    """Return all tuples of group sizes that the entry allows."""
    ranges = [audit_tests.whole_range(text) for text in _listed(entry, "n")]
    if len(ranges) != groups:
        raise Contradiction(f"{groups} groups but {len(ranges)} sizes")
    if math.prod(map(len, ranges)) > MOST_SCENARIOS:
        raise InputFault("the ranges of n allow too many combinations")
    totals = audit_tests.whole_range(entry["total"]) if "total" in entry else None
    found = [s for s in itertools.product(*ranges) if totals is None or sum(s) in totals]
    if not found or min(map(min, found)) < 2:
        raise Contradiction("no sizes of at least 2 fit n and total")
    return found


# --- Counts --------------------------------------------------------------------------------------


def _audit_counts(entry):
    """Judge a row of counts: its p, its statistic, its percentages, and whether levels add up."""
    cells, sizes = _count_cells(entry)
    counts = [[cell.number for cell in row] for row in cells]
    sums = [sum(column) for column in zip(*counts, strict=True)]
    if "levels" not in entry:
        counts.append([n - count for count, n in zip(sums, sizes, strict=True)])
    elif sums != sizes:
        text = f"the levels add up to {sums}, not to {sizes}"
        return verdict(entry, IMPOSSIBLE, "counts", finding=text)
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
    result = judge(entry, scenarios, "chi2", names_of(allowed))
    wrong = _wrong_percents(cells, sizes)
    return joined(result, "percent", wrong) if wrong else result


def _count_cells(entry):
    """Return the cells of each level as `Count`, and of how many each group's counts are."""
    levels = list(entry["levels"].values()) if "levels" in entry else [entry["values"]]
    if len(set(map(len, levels))) > 1:
        raise Contradiction("the levels have different numbers of cells")
    cells = [[count_cell(text) for text in row] for row in levels]
    columns = list(zip(*cells, strict=True))
    sizes = [_whole_number(text) for text in _listed(entry, "n")] if "n" in entry else None
    if sizes is not None and len(sizes) != len(columns):
        raise Contradiction(f"{len(columns)} groups but {len(sizes)} sizes")
    found = []
    for place, column in enumerate(columns):
        printed = {cell.of for cell in column if cell.of is not None}
        most = sizes[place] if sizes else math.inf
        if len(printed) > 1 or max(printed, default=0) > most:
            of = " and ".join(map(str, sorted(printed)))
            raise Contradiction(f"counts of {of} people in a group of {most}")
        total = sum(cell.number for cell in column)
        if not printed and sizes is None and "levels" not in entry:
            raise InputFault("no 'n'")
        found.append(printed.pop() if printed else most if sizes else total)
        if "levels" not in entry and total > found[-1]:
            raise Contradiction(f"a count is larger than its group: {total} of {found[-1]}")
    if not all(found):
        raise Contradiction("a group has nobody in it")
    return cells, found


def _wrong_percents(cells, sizes):
    wrong = []
    for row in cells:
        for cell, n in zip(row, sizes, strict=True):
            share = 100 * cell.number / n
            if cell.percent and not audit_tests.meet(
                (share, share), audit_tests.printed(cell.percent)
            ):
                wrong.append(f"{cell.number} of {n} is {share:.4g}%, not {cell.percent}%")
    return "; ".join(wrong)


# --- Correlations, statistics, ratios, coefficients, repeated numbers ----------------------------


def _audit_correlation(entry):
    """Judge r (or r squared) against p: simple, or with covariates partialled out."""
    interval = audit_tests.printed(entry["r"] if "r" in entry else entry["r2"])
    if "r2" in entry:
        interval = tuple(math.sqrt(max(value, 0.0)) for value in interval)
    if interval[0] > 1 or interval[1] < -1:
        raise Contradiction("a correlation lies between -1 and 1")
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
    result = judge(entry, scenarios, "t", name, show_statistic=False)
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
    return judge(entry, scenarios, name, name, show_statistic=False)


def _audit_same(entry):
    """Judge numbers that are printed in several places for one and the same thing."""
    common = (-math.inf, math.inf)
    for text in entry["values"]:
        common = audit_tests.meet(common, audit_tests.printed(text))
        if common is None:
            places = f" ({entry['places']})" if "places" in entry else ""
            text = f"printed as {' and as '.join(entry['values'])}{places}: no value rounds to both"
            return verdict(entry, IMPOSSIBLE, "differs", finding=text)
    return verdict(entry, CONSISTENT, possible=span(common))


_KINDS = {
    "means": _audit_means,
    "counts": _audit_counts,
    "correlation": _audit_correlation,
    "statistic": _audit_statistic,
    "ratio": audit_ratio,
    "coefficient": audit_coefficient,
    "same": _audit_same,
}
