"""The last step to printed statistics of ranks: exchange neighbouring values of two subjects.

H and the like change in steps, of which the smoothed ranks of the search know nothing. Two
subjects of different groups whose values are next to each other change places: ranks move by one,
means and SDs hardly at all.
"""

from __future__ import annotations

import numpy as np

from glymflow.commands.reconstruct_items import Measure, interval_of, is_rank, sign_of, used_of

INSIDE = 0.9  # part of the interval that is asked for
EXCHANGES = 250  # tried for each number
WORSE = 30.0  # by so much it may get worse at first, in half intervals
NEAR = 4  # neighbours in the order of the values that may change places


def reorder(cohort, rng):
    """Exchange neighbours while that brings the statistics nearer, each number for itself.

    Numbers that others are derived from stay.

    Parameters
    ----------
    cohort : glymflow.commands.reconstruct_cohort.Cohort
        Its free numbers are changed.
    rng : numpy.random.Generator
    """
    derived = cohort.spec.get("derived", {}).values()
    sources = {part for rule in derived for part in rule.get("mean", rule.get("product"))}
    for name, (begin, rows) in cohort.places.items():
        items = [item for item in cohort.items if name in used_of(item.fact)]
        if name in sources or not any(is_rank(item.fact) for item in items):
            continue
        values = {key: (part[0].copy(), {}) for key, part in cohort.values(cohort.free).items()}
        x, before = values[name][0], values[name][0].copy()
        decimals = int(cohort.spec["numbers"][name].get("decimals", "3"))
        now = best = _beyond(cohort, items, values, name, decimals)
        kept = x.copy()
        for trial in range(EXCHANGES if best else 0):
            pair = _neighbours(cohort, name, x, rows, rng)
            if pair is None:
                continue
            x[pair] = x[pair[::-1]]
            beyond = _beyond(cohort, items, values, name, decimals)
            if beyond <= now + WORSE * (1 - trial / EXCHANGES) ** 2:
                now = beyond
            else:
                x[pair] = x[pair[::-1]]
            if now < best:
                best, kept = now, x.copy()
            if best == 0:
                break
        x = kept
        changed = np.flatnonzero(x[rows] != before[rows])
        cohort.free[begin + changed] = cohort.free_of(name, rows[changed], x[rows[changed]])


def _neighbours(cohort, name, x, rows, rng):
    """Return two of the rows that may change places, or None."""
    order = rows[np.argsort(x[rows], kind="stable")]
    place, step = rng.integers(len(order)), rng.integers(1, NEAR + 1)
    if place + step >= len(order):
        return None
    pair = order[[place, place + step]]
    low, high = (limit[pair] for limit in cohort.limits[name])
    inside = (low < x[pair[::-1]]).all() and (x[pair[::-1]] < high).all()
    return pair if inside else None


def _beyond(cohort, items, values, name, decimals):
    """Return by how much the items are outside their intervals, summed."""
    rounded = {**values, name: (np.round(values[name][0], decimals), {})}
    measure, total = Measure(cohort, rounded), 0.0
    for item in items:
        statistic, _, df = measure.of(item)
        low, high = interval_of(item, df, sign_of(item.fact, statistic))
        distance = abs(statistic - (low + high) / 2) / max((high - low) / 2, 1e-9)
        total += max(distance - INSIDE, 0.0)
    return total
