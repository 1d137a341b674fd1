"""The last step to printed statistics of ranks: exchange neighbouring values of two subjects.

H and the like change in steps, of which the smoothed ranks of the search know nothing. Two
subjects of different groups whose values are next to each other change places: ranks move by one.
Each group is then moved and stretched a little, so that it keeps its printed mean and SD.
"""

from __future__ import annotations

import numpy as np

from glymflow.commands.reconstruct_facts import derived
from glymflow.commands.reconstruct_items import (
    Measure,
    interval_of,
    is_rank,
    names_of,
    rows_where,
    sign_of,
)

INSIDE = 0.9  # part of the interval that is asked for
EXCHANGES = 1500  # tried for each number
WORSE = 30.0  # by so much it may get worse at first, in half intervals
MARGIN = 1e-6  # of the bounds' span that values keep from them
NEAR = 4  # neighbours in the order of the values that may change places


class Moments:
    """How far the means and SDs of a number, and of those derived from it, are off."""

    def __init__(self, cohort, name):
        rules = cohort.spec.get("derived", {})
        self.rules = {
            other: rule
            for other, rule in rules.items()
            if name in rule.get("product", rule.get("mean", ()))
        }
        self.names, masks, self.means, self.spreads = [], [], [], []
        values = cohort.values(cohort.start)
        for fact in cohort.spec["facts"]:
            if fact["of"] not in (name, *self.rules) or "mean" not in fact or "sd" not in fact:
                continue
            mask = rows_where(cohort.table, fact.get("where", {}))
            mask &= np.isfinite(values[fact["of"]][0])
            self.names.append(fact["of"])
            masks.append(mask)
            self.means.append(float(fact["mean"]))
            self.spreads.append(float(fact["sd"]))
        self.masks = np.array(masks, float)
        self.sizes = self.masks.sum(axis=1) if masks else None
        self.places = {one: np.array([of == one for of in self.names]) for one in set(self.names)}

    def distance(self, values):
        """Sum over the groups of the squared differences, in SDs."""
        for name, rule in self.rules.items():
            values[name] = derived(rule, values)
        x = np.empty((len(self.names), self.masks.shape[1]))
        for name, places in self.places.items():
            x[places] = np.nan_to_num(values[name][0])
        mean = (self.masks * x).sum(axis=1) / self.sizes
        square = (self.masks * (x - mean[:, None]) ** 2).sum(axis=1)
        spread = np.sqrt(square / np.maximum(self.sizes - 1, 1))
        off = np.array([mean - self.means, spread - self.spreads]) / self.spreads
        return float((off**2).sum())


def sources_of(spec):
    """Return the numbers that others are derived from."""
    rules = spec.get("derived", {}).values()
    return {part for rule in rules for part in rule.get("mean", rule.get("product"))}


def reorder(cohort, rng):
    """Exchange neighbours while that brings the statistics nearer, each number for itself.

    Numbers that others are derived from stay.

    Parameters
    ----------
    cohort : glymflow.commands.reconstruct_cohort.Cohort
        Its free numbers are changed.
    rng : numpy.random.Generator
    """
    values = cohort.values(cohort.free, decimals=True)
    exact = cohort.values(cohort.free)
    for name, (begin, rows) in cohort.places.items():
        items = [item for item in cohort.items if name in names_of(item.fact)]
        if name in sources_of(cohort.spec) or not any(is_rank(item.fact) for item in items):
            continue
        number = _Number(cohort, name, items, values)
        before = exact[name][0]
        x = number.searched(before, rows, rng)
        changed = np.flatnonzero(x[rows] != before[rows])
        free = cohort.free_of(name, rows[changed], x[rows[changed]], MARGIN)
        cohort.free[begin + changed] = free
        number.distance(x)


class _Number:
    """One number and the printed statistics that it is in; the others stay as they are."""

    def __init__(self, cohort, name, items, values):
        self.cohort, self.name, self.items = cohort, name, items
        self.measure = Measure(cohort, values)
        self.decimals = int(cohort.spec["numbers"][name].get("decimals", "3"))
        self.low, self.high = cohort.limits[name]
        rows = cohort.places[name][1]
        self.groups = []
        for fact in cohort.spec["facts"]:
            if fact["of"] == name and {"mean", "sd"} <= set(fact):
                mask = cohort.rows(fact, {name: values[name][0]})
                moving = np.intersect1d(rows, np.flatnonzero(mask))
                held = np.setdiff1d(np.flatnonzero(mask), moving)
                self.groups.append((moving, held, float(fact["mean"]), float(fact["sd"])))

    def searched(self, x, rows, rng):
        """Return the best values found by threshold accepting."""
        best = now = self.distance(x)
        kept = x
        for trial in range(EXCHANGES if best else 0):
            pair = self._neighbours(x, rows, rng)
            if pair is None:
                continue
            new = x.copy()
            new[pair] = x[pair[::-1]]
            new = self._restored(new)
            distance = self.distance(new)
            if distance <= now + WORSE * (1 - trial / EXCHANGES) ** 2:
                x, now = new, distance
            if now < best:
                best, kept = now, x
            if best == 0:
                break
        return kept

    def _neighbours(self, x, rows, rng):
        """Return two of the rows that may change places, or None."""
        order = rows[np.argsort(x[rows], kind="stable")]
        place, step = rng.integers(len(order)), rng.integers(1, NEAR + 1)
        if place + step >= len(order):
            return None
        pair = order[[place, place + step]]
        other = x[pair[::-1]]
        inside = (self.low[pair] < other).all() and (other < self.high[pair]).all()
        return pair if inside else None

    def _restored(self, x):
        """Give each group its printed mean and SD, by its values that may move."""
        for moving, held, mean, sd in self.groups:
            n, k = len(moving) + len(held), len(moving)
            if k < 2:
                continue
            centre = (n * mean - x[held].sum()) / k
            square = (n - 1) * sd**2 + n * mean**2 - (x[held] ** 2).sum() - k * centre**2
            mine = x[moving] - x[moving].mean()
            if square <= 0 or not mine.any():
                continue
            moved = centre + mine * np.sqrt(square / (mine @ mine))
            x[moving] = np.clip(moved, self.low[moving], self.high[moving])
        return x

    def distance(self, x):
        """Return by how much the items are outside their intervals, summed."""
        self.measure.values[self.name] = (np.round(x, self.decimals), {})
        self.measure.forget(self.name)
        total = 0.0
        for item in self.items:
            statistic, _, df = self.measure.of(item)
            low, high = interval_of(item, df, sign_of(item.fact, statistic))
            distance = abs(statistic - (low + high) / 2) / max((high - low) / 2, 1e-9)
            total += max(distance - INSIDE, 0.0)
        return total
