"""Rows that print an estimate with its interval: ratios and regression coefficients.

A Wald interval is symmetric and tells its p. A profile likelihood interval and an exact one are
not: a parabola through their limits says about what p the likelihood ratio test, the Wald test or
the exact test gives. How far it may be off was measured on simulated studies
(`tests/unit/commands/test_audit_intervals.py` makes such studies anew).

References
----------
Venzon DJ, Moolgavkar SH. A method for computing profile-likelihood-based confidence intervals.
Appl Stat 1988;37:87-94. Garwood F. Fiducial limits for the Poisson distribution. Biometrika
1936;28:437-442.
"""

import itertools
import math

from scipy import optimize, stats

from glymflow.commands import audit_tests
from glymflow.commands.audit_judgement import (
    CONSISTENT,
    IMPOSSIBLE,
    Contradiction,
    Scenario,
    judge,
    short,
    span_p,
    verdict,
)

TYPES = {"wald": "Wald", "profile": "profile likelihood", "exact": "exact"}
MOST_SKEWED = 4.0  # longer over shorter arm of a profile interval; 3.5 was the most of 500 studies


def audit_ratio(entry):
    """Judge an odds, hazard or risk ratio: its interval on the log scale, and p from it."""
    numbers = [audit_tests.printed(text) for text in (entry["estimate"], *entry["interval"])]
    confidence = float(entry.get("confidence", "0.95"))
    _check_order(entry, *numbers)
    middle, z = audit_tests.ratio_with_interval(*numbers, confidence=confidence)
    wald = _wald(entry, numbers[0], middle, z, audit_tests.p_of_z, "log scale")
    if numbers[1][1] <= 0 or numbers[0][1] <= 0 or not math.isfinite(numbers[2][1]):
        return verdict(entry, CONSISTENT, finding="an interval with an open end")
    logs = [tuple(math.log(max(value, 1e-12)) for value in number) for number in numbers]
    return _any_type(entry, wald, logs, confidence)


def audit_coefficient(entry):
    """Judge a regression coefficient with its SE or its interval against p."""
    estimate = audit_tests.printed(entry["estimate"])
    degrees = entry.get("df", [])
    degrees = [degrees] if isinstance(degrees, str) else degrees
    dfs = list(audit_tests.whole_range(degrees[0])) if degrees else [None]
    results = []
    for df in dfs:
        p_of = (lambda i, df=df: audit_tests.p_of_t(i, df)) if df else audit_tests.p_of_z
        if "se" in entry:
            error = audit_tests.printed(entry["se"])
            t = audit_tests.ratio(audit_tests.absolute(estimate), error)
            results.append(judge(entry, [Scenario("Wald", t, p_of)], "t", "Wald"))
        else:
            limits = [audit_tests.printed(text) for text in entry["interval"]]
            confidence = float(entry.get("confidence", "0.95"))
            _check_order(entry, estimate, *limits)
            middle, t = audit_tests.difference_with_interval(
                estimate, *limits, df, confidence=confidence
            )
            wald = _wald(entry, estimate, middle, t, p_of, "linear scale")
            # least squares: the only interval with degrees of freedom is symmetric
            numbers = None if df else [estimate, *limits]
            results.append(_any_type(entry, wald, numbers, confidence))
    return next((r for r in results if r["status"] == CONSISTENT), results[0])


def _check_order(entry, estimate, low, high):
    text = f"{entry['estimate']} [{', '.join(entry['interval'])}]"
    if low[0] > high[1]:
        raise Contradiction(f"in {text} the lower limit is above the upper")
    if estimate[1] < low[0] or estimate[0] > high[1]:
        raise Contradiction(f"in {text} the estimate is outside its interval")


def _wald(entry, estimate, middle, statistic, p_of, scale):
    if audit_tests.meet(estimate, middle) is None:
        low, high = map(short, middle)
        text = (
            f"the estimate {entry['estimate']} is not the middle of its interval on the {scale}:"
            f" that is {low} to {high}"
        )
        return verdict(entry, IMPOSSIBLE, "interval", possible=f"{low} to {high}", finding=text)
    return judge(entry, [Scenario("Wald", statistic, p_of)], "z", "Wald", show_statistic=False)


def _any_type(entry, wald, numbers, confidence):
    """Return the row's result under its type of interval, or under any where none is named."""
    kinds = [entry["interval_type"]] if "interval_type" in entry else list(TYPES)
    if "wald" in kinds and (wald["status"] == CONSISTENT or numbers is None or len(kinds) == 1):
        return wald
    quantile = float(stats.norm.ppf((1 + confidence) / 2))
    options = [_curves(*corner, quantile) for corner in itertools.product(*numbers)]
    options = [option for option in options if option is not None]
    texts = [f"as Wald: {wald['finding']}"] if "wald" in kinds else []
    for kind in [kind for kind in ("profile", "exact") if kind in kinds]:
        reached = _profile_reach(options) if kind == "profile" else _exact_reach(options)
        if not reached:
            texts.append(f"as {TYPES[kind]}: the interval is too lopsided for its width")
            continue
        spans = [audit_tests.p_of_z(interval) for interval in reached.values()]
        possible = f"p {' or '.join(map(span_p, spans))}"
        p = audit_tests.printed_p(entry["p"]) if "p" in entry else (0.0, 1.0)
        if any(audit_tests.meet(interval, p) is not None for interval in spans):
            name = f"{TYPES[kind]} interval"
            return verdict(entry, CONSISTENT, possible=possible, tests=name)
        texts.append(f"as {TYPES[kind]}: p {entry['p']} cannot be: about {possible}")
    fault = "p" if "p" in entry and any("cannot be" in text for text in texts) else "interval"
    fault = wald["fault"] if "wald" in kinds and wald["fault"] else fault
    return verdict(entry, IMPOSSIBLE, fault, finding="; ".join(texts))


def _curves(estimate, low, high, quantile):
    """Return the arms of an interval and |z| at 0: by the parabola, and by the slope alone.

    The signed root of the likelihood ratio is 0 at the estimate and plus and minus the quantile
    at the limits; a parabola goes through all three, its slope at the estimate is Wald's 1 / SE.
    """
    below, above = estimate - low, high - estimate
    if below <= 0 or above <= 0:
        return None
    bend = quantile * (1 / above - 1 / below) / (above + below)
    slope = quantile / above - bend * above
    return below, above, abs(bend * estimate**2 - slope * estimate), abs(slope * estimate)


def _profile_reach(options):
    """Return the |z| that the likelihood ratio test and the Wald test can have."""
    spans = {"likelihood ratio": [], "Wald": []}
    for below, above, root, wald in options:
        skewed = abs(math.log(above / below))
        if skewed > math.log(MOST_SKEWED):
            continue
        far = max(root - 2.0, 0.0)
        spans["likelihood ratio"].append((root - 0.06 - 0.1 * far, root + 0.06 + 0.4 * far))
        slack = 0.06 + 0.15 * skewed
        spans["Wald"].append((wald * (1 - slack) - 0.02, wald * (1 + slack) + 0.02))
    return _hulls(spans)


def _exact_reach(options):
    """Return the |z| of an exact test (Fisher) or chi-square beside an exact interval.

    Exact intervals of 2 x 2 tables are lopsided by their smallest count at most.
    """
    spans = {"exact": []}
    widest = max((below + above for below, above, _, _ in options), default=0.0)
    most_skewed = 1.2 * _poisson_skewness(widest) + 0.05
    for below, above, root, _ in options:
        if abs(math.log(above / below)) > most_skewed:
            continue
        error = (below + above) / 3.92  # what the test says differs by so many of it at most
        low = -0.52 + 0.48 * min(max(root - 1, 0.0), 1.0)
        high = 0.4 + 0.6 * root + 0.1 * max(root - 2, 0.0) ** 2
        spans["exact"].append((root + low * error - 0.01, root + high * error + 0.01))
    return _hulls(spans)


def _hulls(spans):
    hulls = {name: audit_tests.hull(found) for name, found in spans.items() if found}
    return {name: (max(low, 0.0), high) for name, (low, high) in hulls.items()}


def _poisson_skewness(width):
    """|log of the ratio of the arms| of a Poisson count whose exact interval is so wide (log)."""

    def arms(count):
        low = stats.chi2.ppf(0.025, 2 * count) / 2
        high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
        return math.log(count / low), math.log(high / count)

    if sum(arms(0.3)) < width:
        return math.inf
    if sum(arms(1e5)) > width:
        return 0.0
    count = optimize.brentq(lambda x: sum(arms(x)) - width, 0.3, 1e5)
    below, above = arms(count)
    return abs(math.log(below / above))
