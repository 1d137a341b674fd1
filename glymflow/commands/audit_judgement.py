"""What an audit says of a row: whether any scenario gives the printed statistic and p.

The kinds of rows (`glymflow.commands.audit_rows`, `glymflow.commands.audit_intervals`) make the
scenarios from the other numbers of the row.
"""

from dataclasses import dataclass

from glymflow.commands import audit_tests
from glymflow.io import InputFault

CONSISTENT, IMPOSSIBLE, UNCHECKED = "consistent", "impossible", "not checkable"
SUSPECT = "suspect"  # possible, but another reading of the row is far likelier
UNREADABLE = "unreadable"  # nothing could be computed: a cell or a number is not as it should be
FLAGGED = (IMPOSSIBLE, SUSPECT, UNREADABLE)
# tests that no mean, SD or count can show
RANK_TESTS = {"mann_whitney": "Mann-Whitney", "kruskal": "Kruskal-Wallis", "dunn": "Dunn"}
NAMES = {
    **{"student": "Student t", "welch": "Welch t", "paired": "paired t", "anova": "ANOVA"},
    **{"ancova": "ANCOVA", "fisher": "Fisher exact", "chi2": "chi-square"},
    **{"chi2_corrected": "chi-square, Yates", "likelihood_ratio": "likelihood ratio chi-square"},
    **{"pearson": "correlation", "partial": "partial correlation", "wald": "Wald"},
}
SPREADS = {"sd": "SD", "se": "SE"}


class Contradiction(InputFault):
    """The numbers of a row contradict each other before anything is computed from them."""


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


def judge(entry, scenarios, name, allowed, *, show_statistic=True):
    """Say whether any scenario gives the printed statistic and, from it, the printed p."""
    if not scenarios:
        return verdict(entry, UNCHECKED, tests=allowed, finding=f"{allowed}: needs the raw data")
    p = audit_tests.printed_p(entry["p"]) if "p" in entry else (0.0, 1.0)
    statistic = audit_tests.EVERYTHING
    if show_statistic and "statistic" in entry:
        statistic = audit_tests.absolute(audit_tests.printed(entry["statistic"]["value"]))
    narrowed = [(s, audit_tests.meet(s.statistic, statistic)) for s in scenarios]
    fitting = [(s, part) for s, part in narrowed if part is not None]
    agreeing = [s for s, part in fitting if audit_tests.meet(s.p_of(part), p) is not None]
    reachable = [interval for s in scenarios if (interval := s.statistic) != audit_tests.EVERYTHING]
    possible = f"p {span_p(audit_tests.hull(s.p_of(s.statistic) for s in agreeing or scenarios))}"
    if show_statistic and "statistic" in entry and reachable:
        possible = f"{name} {span(audit_tests.hull(reachable))}, {possible}"
    if agreeing:
        used = ", ".join(dict.fromkeys(s.test for s in agreeing))
        return verdict(entry, CONSISTENT, possible=possible, tests=used)
    used = ", ".join(dict.fromkeys(s.test for s in scenarios))
    if not fitting:
        text = f"{name} {entry['statistic']['value']} cannot be: {possible} ({used})"
        return verdict(entry, IMPOSSIBLE, "statistic", possible=possible, tests=used, finding=text)
    text = f"p {entry['p']} cannot be: {possible} ({used})"
    return verdict(entry, IMPOSSIBLE, "p", possible=possible, tests=used, finding=text)


def verdict(entry, status, fault="", **columns):
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


def allowed_tests(entry, default):
    """Return the names of the tests that a row allows."""
    return names_of(entry.get("tests", default))


def names_of(names):
    """Return tests as a text."""
    return ", ".join({**NAMES, **RANK_TESTS}[name] for name in names)


def short(value):
    """Return a number with four digits."""
    return f"{value:.4g}"


def span(interval):
    """Return an interval as a text."""
    low, high = map(short, interval)
    return low if low == high else f"{low} to {high}"


def span_p(interval):
    """Return an interval of p as a text."""
    low, high = (f"{v:.3f}" if v >= 0.0995 else f"{v:.2g}" for v in interval)
    return low if low == high else f"{low} to {high}"


def joined(result, fault, text):
    """Add a fault to a row's result: it becomes impossible, and the first fault names it."""
    finding = "; ".join(filter(None, [result["finding"], text]))
    return result | {"status": IMPOSSIBLE, "fault": result["fault"] or fault, "finding": finding}


def with_p_checked(entry, result):
    """Flag a p that no test gives: 0 (below the last decimal printed) or above 1.

    A text that is no number is left to the kinds of rows.
    """
    try:
        low, high = audit_tests.printed(entry["p"]) if "p" in entry else (0.5, 0.5)
    except InputFault:
        return result
    if low <= 0 < high < float("inf") and low > -float("inf"):
        places = len(entry["p"].strip().partition(".")[2].rstrip("*"))
        bound = f"<{10.0**-places:.{places}f}" if places else "<0.001"
        return joined(result, "p is 0", f"p {entry['p']}: a p value is never 0; print {bound}")
    if low > 1 or high < 0:
        return joined(result, "p", f"p {entry['p']} is not between 0 and 1")
    return result
