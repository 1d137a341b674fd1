"""An invented cohort: its numbers as one vector without bounds, moved until the facts are met."""

from __future__ import annotations

import numpy as np

from glymflow.commands import reconstruct_facts
from glymflow.commands.reconstruct_items import (
    MOMENTS,
    Measure,
    can_aim,
    family,
    interval_of,
    is_rank,
    names_of,
    rows_where,
    sign_of,
)
from glymflow.commands.reconstruct_ranks import Moments, reorder, sources_of
from glymflow.io import InputFault

# statistics are kept within this part of their rounding interval; wider where that is too strict
SAFE = (0.85, 0.985, 0.995)
EXCHANGES = 3000  # of two subjects' values that are tried for each number
LONGEST = 1.0  # step of a number, in its spread
PULL = 0.01  # towards the middle of the interval, for all
LOST = 5.0  # what is left when it is not worth to go on
REPEATS = 6  # of corrections by the exact statistics, where the specification says nothing
ROUNDS = 60  # steps at each width of the smoothed ranks, and for each part
CLOSER = 0.95  # in place of it where rounding of the values moves a statistic out again
LAST_ROUNDS = 240  # when the rounded values are corrected
WIDTHS = (0.3, 0.2, 0.1, 0.1, 0.1, 0.07, 0.05, 0.05)
# by so much of a step that counts the intervals are wider at first
RELAXED = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0, 0.0)
NATURAL = {"correlation": 0.1, "spearman": 0.1, "kruskal": 5.0, "anova": 5.0, "logistic": 0.3}


class Cohort:
    """The numbers of all subjects, and the printed numbers that bind them.

    Parameters
    ----------
    spec : dict
        From `glymflow.commands.reconstruct.load_reconstruction`.
    table : DataFrame
        The subjects with their categories.
    items : list of glymflow.commands.reconstruct_items.Item
    rng : numpy.random.Generator
    """

    def __init__(self, spec, table, items, rng):
        self.spec, self.table, self.size, self.rng = spec, table, len(table), rng
        self.places, self.fixed, self.pinned, self.masks, start = {}, {}, {}, {}, []
        self.codes, self.groups, self.spreads, self.relaxed = {}, {}, {}, 0.0
        self.limits = {name: self._limits(name, rng) for name in spec["numbers"]}
        for name, number in spec["numbers"].items():
            if number.get("shape") == "quartiles":
                self.fixed[name] = number
                continue
            rows = np.flatnonzero(rows_where(table, number.get("where", {})))
            first = self._first(name, number, rng)
            rows = self._quarter(name, self._pin(name, number, rows, rng), first, rng)
            self.places[name] = (sum(map(len, start)), rows)
            start.append(self.free_of(name, rows, first[rows]))
        self.start = np.concatenate(start) if start else np.zeros(0)
        # steps are measured in each number's own spread
        spreads = [np.std(part) for part in start]
        self.scale = np.repeat(np.maximum(spreads, 1e-6), [len(part) for part in start])
        if self.fixed:  # one order of the subjects for all of them
            order = rng.permutation(self.size)
            self.fixed = {name: self._laid_out(name, order) for name in self.fixed}
        moving = {*self.places, *spec.get("derived", {})}
        self.items = [
            item
            for item in items
            if not item.reason and (moving & set(names_of(item.fact)) or "odds_ratio" in item.fact)
        ]
        self.free = self._shuffled(rng)

    # --- Values and their bounds ------------------------------------------------------------------

    def _limits(self, name, rng):
        """Return (lowest, highest) of each row, a little apart so that no two are tied there."""
        number = self.spec["numbers"][name]
        low = np.full(self.size, float(number.get("min", "-inf")))
        high = np.full(self.size, float(number.get("max", "inf")))
        for rule in number.get("bounds", []):
            rows = rows_where(self.table, rule["where"])
            ends = (
                rule.get(key, number.get(key, end))
                for key, end in (("min", "-inf"), ("max", "inf"))
            )
            low[rows], high[rows] = self._inside(*map(float, ends), int(rows.sum()), rng)
        return low, high

    def _inside(self, low, high, n, rng):
        """Return n lowest and n highest values, a little apart so that no two are tied there."""
        span = 0.02 * (high - low) if np.isfinite(high - low) else 0.0
        return (end + sign * span * rng.uniform(0.1, 1, n) for end, sign in ((low, 1), (high, -1)))

    def _quarter(self, name, rows, values, rng):
        """Bind rows to the quarter of the printed quartiles that they are in; return the free ones.

        The values next to a quartile are put about it so that it interpolates to what is printed.
        """
        number = self.spec["numbers"][name]
        for fact in self.spec["facts"]:
            if fact["of"] != name or not {"q1", "median", "q3"} <= set(fact):
                continue
            among = np.intersect1d(
                rows, np.flatnonzero(rows_where(self.table, fact.get("where", {})))
            )
            among = among[np.argsort(values[among], kind="stable")]
            cuts = [float(fact[key]) for key in ("q1", "median", "q3")]
            edges = [float(number.get("min", "-inf")), *cuts, float(number.get("max", "inf"))]
            place = np.array([0.25, 0.5, 0.75]) * (len(among) - 1)
            quarter = np.searchsorted(place, np.arange(len(among)), side="right")
            low, high = (np.array(edges)[quarter + end] for end in (0, 1))
            for k in range(4):
                four = among[quarter == k]
                inside = self._inside(edges[k], edges[k + 1], len(four), rng)
                for mine, limit in zip(self.limits[name], inside, strict=True):
                    mine[four] = limit
            values[among] = np.clip(values[among], *(mine[among] for mine in self.limits[name]))
            near = 1e-3 * (cuts[2] - cuts[0])
            for cut, at in zip(cuts, place, strict=True):
                share, below = at - int(at), among[int(at)]
                pairs = [(below, cut - share * near)]
                if share > 0:
                    pairs.append((among[int(at) + 1], cut + (1 - share) * near))
                for row, value in pairs:
                    value = cut if value < edges[0] else value
                    self.pinned.setdefault(name, []).append((np.array([row]), value))
                    rows = np.setdiff1d(rows, row)
            flat = among[low == high]
            for row in np.intersect1d(flat, rows):
                self.pinned[name].append((np.array([row]), low[low == high][0]))
            rows = np.setdiff1d(rows, flat)
        return rows

    def _pin(self, name, number, rows, rng):
        """Put some subjects at a value for good; return the others."""
        for pin in number.get("pinned", []):
            among = np.intersect1d(rows, np.flatnonzero(rows_where(self.table, pin["where"])))
            if int(pin["n"]) > len(among):
                raise InputFault(f"{name}: {pin['n']} pinned, but {len(among)} subjects are there")
            chosen = rng.permutation(among)[: int(pin["n"])]
            self.pinned.setdefault(name, []).append((chosen, float(pin["value"])))
            rows = np.setdiff1d(rows, chosen)
        return rows

    def _first(self, name, number, rng):
        """Draw values about the last published mean or quartiles that each row has."""
        values = rng.normal(float(number.get("mean", "0")), float(number.get("sd", "1")), self.size)
        noise = rng.normal(size=self.size)
        for fact in self.spec["facts"]:
            if fact["of"] != name:
                continue
            mask = rows_where(self.table, fact.get("where", {}))
            if "mean" in fact:
                centre = float(fact["mean"])
                spread = float(fact.get("sd", "1"))
                if "se" in fact:
                    spread = float(fact["se"]) * np.sqrt(mask.sum())
                if number.get("shape") == "skewed":
                    width = np.sqrt(np.log1p((spread / centre) ** 2))
                    drawn = centre * np.exp(width * noise - width**2 / 2)
                else:
                    drawn = centre + spread * noise
            elif "median" in fact and "q1" in fact:
                middle, low, high = (float(fact[key]) for key in ("median", "q1", "q3"))
                drawn = middle + np.where(noise < 0, middle - low, high - middle) * noise / 0.6745
            else:
                continue
            values = np.where(mask, drawn, values)
        low, high = self.limits[name]
        both = np.isfinite(low) & np.isfinite(high)
        span = np.where(both, high, 1.0) - np.where(both, low, 0.0)
        margin = np.where(both, 0.01 * span, 1e-3 * self._unit(name))
        return np.clip(values, low + margin, high - margin)

    def _laid_out(self, name, order):
        """Return values on lines between minimum, published quartiles and maximum."""
        number = self.spec["numbers"][name]
        values = np.full(self.size, np.nan)
        for fact in self.spec["facts"]:
            if fact["of"] != name or "q1" not in fact:
                continue
            rows = np.flatnonzero(rows_where(self.table, fact.get("where", {})))
            rows = rows[np.argsort(order[rows])]
            ends = [float(number.get(key, "nan")) for key in ("min", "max")]
            knots = [ends[0], *(float(fact[key]) for key in ("q1", "median", "q3")), ends[1]]
            values[rows] = np.interp(np.linspace(0, 4, len(rows)), range(5), knots)
        return np.round(values, int(number.get("decimals", "3")))

    def _unit(self, name):
        return float(self.spec["numbers"][name].get("sd", "1"))

    def free_of(self, name, rows, values, margin=0.01):
        """Return numbers without bounds for values within theirs, by a part of the span."""
        low, high = (limit[rows] for limit in self.limits[name])
        unit = self._unit(name)
        with np.errstate(all="ignore"):
            share = np.clip((values - low) / (high - low), margin, 1 - margin)
            both = np.log(share / (1 - share)) * (high - low) / 4
            above = np.maximum((values - low) / unit, 1e-3)
            lower = unit * np.where(above > 30, above, np.log(np.expm1(above)))
        return np.where(np.isfinite(low), np.where(np.isfinite(high), both, lower), values)

    def _bound(self, name, rows, free):
        """Return the values of free numbers, and the derivative."""
        from scipy.special import expit

        low, high = (limit[rows] for limit in self.limits[name])
        unit, below, above = self._unit(name), np.isfinite(low), np.isfinite(high)
        floor = np.where(below, low, 0.0)
        span = np.where(below & above, np.where(above, high, 1.0) - floor, 1.0)
        share = expit(4 * free / span)
        value = np.where(below, floor + unit * np.logaddexp(0, free / unit), free)
        slope = np.where(below, expit(free / unit), 1.0)
        value = np.where(below & above, floor + span * share, value)
        return value, np.where(below & above, 4 * share * (1 - share), slope)

    def values(self, free, *, decimals=False):
        """Return {name: (values, gradient as {name: factor})} of numbers and derived numbers."""
        found = {}
        for name, (begin, rows) in self.places.items():
            values, slope = np.full(self.size, np.nan), np.zeros(self.size)
            values[rows], slope[rows] = self._bound(name, rows, free[begin : begin + len(rows)])
            for chosen, value in self.pinned.get(name, []):
                values[chosen] = value
            if decimals:
                values = np.round(values, int(self.spec["numbers"][name].get("decimals", "3")))
            found[name] = (values, {name: slope})
        found |= {name: (values, {}) for name, values in self.fixed.items()}
        for name, rule in self.spec.get("derived", {}).items():
            found[name] = reconstruct_facts.derived(rule, found)
        return found

    def column(self, name, values):
        """Return a number, or a category with two levels as 0 and 1."""
        if name in values:
            return values[name][0]
        if name not in self.codes:
            levels = sorted(self.table[name].dropna().unique())
            codes = {level: float(place) for place, level in enumerate(levels)}
            self.codes[name] = self.table[name].map(codes).to_numpy(float)
        return self.codes[name]

    def rows(self, fact, arrays):
        """Return who a fact is of: `where`, and no number missing."""
        if id(fact) not in self.masks:
            mask = rows_where(self.table, fact.get("where", {}))
            if "by" in fact:
                mask &= self.table[fact["by"]].notna().to_numpy()
            self.masks[id(fact)] = mask & np.all([np.isfinite(a) for a in arrays.values()], axis=0)
        return self.masks[id(fact)]

    def members(self, fact, mask):
        """Return the levels of a fact's groups and, (n, k), who of the rows is in each."""
        if id(fact) not in self.groups:
            groups = self.table[fact["by"]].to_numpy()[mask]
            levels = list(dict.fromkeys(groups))
            found = np.column_stack([groups == level for level in levels]).astype(float)
            self.groups[id(fact)] = levels, found
        return self.groups[id(fact)]

    def published_slopes(self, fact):
        """Return the published coefficients of a fact's logistic regression."""
        siblings = [
            f for f in self.spec["facts"] if f.get("on") == fact["on"] and "odds_ratio" in f
        ]
        ratios = {f["term"]: (float(f["odds_ratio"]), float(f.get("per", "1"))) for f in siblings}
        return np.array([np.log(ratios[name][0]) / ratios[name][1] for name in fact["on"]])

    def _shuffled(self, rng):
        """Exchange values of the start between subjects, where it brings groups nearer to theirs.

        How far means and SDs of groups are off is counted in parts of the SD; the search that
        follows moves values, but never finds that another subject should have the large one.
        """
        free = self.start.copy()
        for name, (begin, rows) in [*self.places.items()] * 2:
            near = Moments(self, name)
            if len(rows) < 2 or not len(near.masks):
                continue
            values = {key: (part[0].copy(), {}) for key, part in self.values(free).items()}
            low, high = (limit[rows] for limit in self.limits[name])
            x = values[name][0]
            best = near.distance(values)
            for first, second in rng.integers(len(rows), size=(EXCHANGES, 2)):
                a, b = rows[first], rows[second]
                inside = low[first] <= x[b] <= high[first] and low[second] <= x[a] <= high[second]
                if first == second or not inside:
                    continue
                x[a], x[b] = x[b], x[a]
                distance = near.distance(values)
                if distance < best:
                    best = distance
                else:
                    x[a], x[b] = x[b], x[a]
            free[begin : begin + len(rows)] = self.free_of(name, rows, x[rows])
        return free

    # --- The search -------------------------------------------------------------------------------

    def residuals(self, free, width, safe, pull=PULL):
        """Return how far each fact is beyond its part of the interval, and the derivatives.

        Returns
        -------
        residual : (k,) array
        slopes : (k, n) array
        distance : (k,) array
            From the middle of the interval, whose ends are at -1 and 1.
        """
        values = self.values(free)
        measure = Measure(self, values, width=width)
        distance, slopes = np.zeros(len(self.items)), np.zeros((len(self.items), len(free)))
        for place, item in enumerate(self.items):
            statistic, parts, df = measure.of(item)
            statistic += item.defect
            low, high = interval_of(item, df, sign_of(item.fact, statistic))
            half = max((high - low) / 2, 1e-9) + self.relaxed * self._natural(item)
            distance[place] = (statistic - (low + high) / 2) / half
            self._chain(parts, values, 1 / half, slopes[place])
        beyond = np.sign(distance) * np.maximum(np.abs(distance) - safe, 0.0)
        slopes *= self.scale * ((beyond != 0) + pull)[:, None]
        return beyond + pull * distance, slopes, distance

    def _natural(self, item):
        """Return a step of the statistic that counts; intervals are widened in parts of it."""
        if item.what in MOMENTS:
            number = names_of(item.fact)[0]
            if number not in self.spreads:
                self.spreads[number] = np.nanstd(self.values(self.start)[number][0])
            return self.spreads[number]
        return NATURAL.get(family(item.fact), 1.0)

    def _chain(self, parts, values, scale, gradient):
        """Add the derivatives by the free numbers to a row of gradients."""
        for name, mask, part in parts:
            for source, factor in values.get(name, (None, {}))[1].items():
                begin, rows = self.places[source]
                full = np.zeros(self.size)
                full[mask] = part
                gradient[begin : begin + len(rows)] += scale * (full * factor)[rows]

    def solve(self):
        """Move the numbers, as little as can be, until every fact is met.

        Ranks are smoothed, less from round to round; what that changes of a statistic is added
        to it (`Item.defect`).

        Returns
        -------
        float
            What is left: how far the farthest statistic is from the middle of its interval, whose
            ends are at 1.
        """
        ranked = any(is_rank(item.fact) for item in self.items)
        stages = list(zip(WIDTHS, RELAXED, strict=True))[0 if ranked else -2 :]
        for width, self.relaxed in stages:
            self._correct(width)
            left = self._descend(width, SAFE[0])
        for safe in SAFE[1:]:
            if left < 1:
                break
            left = self._descend(width, safe)
        for item in self.items:
            if left < 1 and can_aim(item):
                before, item.aimed = self.free, True
                if self._descend(width, SAFE[-2], ROUNDS // 3) >= 1:
                    self.free, item.aimed = before, False
        return self._exactly(width, left)

    def _exactly(self, width, left):
        """Go on until the rounded values, with ranks and fits as they are, meet every fact too.

        All numbers are moved, then those only that others are derived from: the rest keep their
        order, and with it what the exchange of neighbours reached.
        """
        kept = [(self._unmet(), 0, self.free)]
        sources = sources_of(self.spec) & set(self.places)
        moves = [set(self.places), *([sources] if sources else [])]
        for step in range(int(self.spec.get("repeats", REPEATS)) * len(moves)):
            if left > LOST or min(state[0] for state in kept) == 0:
                break
            self.free = self.free.copy()
            reorder(self, self.rng)
            kept.append((self._unmet(), 2 * step + 1, self.free))
            self._correct(width, fits=True)
            left = self._descend_only(
                moves[step % len(moves)], width, SAFE[-2] if step < 4 else CLOSER
            )
            kept.append((self._unmet(), 2 * step + 2, self.free))
        self.free = min(kept, key=lambda state: state[:2])[2]
        return self.distance()

    def _descend_only(self, names, width, safe):
        """Go down by these numbers; the others stay."""
        items, scale = self.items, self.scale
        self.items = [item for item in items if set(names) & self._bases(item)]
        self.scale = scale.copy()
        for name, (begin, rows) in self.places.items():
            self.scale[begin : begin + len(rows)] *= name in names
        left = self._descend(width, safe, LAST_ROUNDS, pull=0.0)
        self.items, self.scale = items, scale
        return left

    def _bases(self, item):
        """Return the numbers that an item is of, and those that they are derived from."""
        rules = self.spec.get("derived", {})
        names = set(names_of(item.fact)) | set(item.fact.get("on", []))
        for name in names & set(rules):
            names |= set(rules[name].get("mean", rules[name].get("product")))
        return names

    def _unmet(self):
        return sum(distance > 1 for distance in self.distances())

    def distance(self):
        """Return how far the farthest statistic of the rounded values is from the middle."""
        return max(self.distances(), default=0.0)

    def distances(self):
        """Return how far the statistic of each item is from the middle; the ends are at 1."""
        measure = Measure(self, self.values(self.free, decimals=True))
        found = []
        for item in self.items:
            statistic, _, df = measure.of(item)
            low, high = interval_of(item, df, sign_of(item.fact, statistic))
            found.append(abs(statistic - (low + high) / 2) / max((high - low) / 2, 1e-9))
        return found

    def _correct(self, width, *, fits=False):
        """Write to each item how far its smoothed or approximate statistic is off."""
        rounded = Measure(self, self.values(self.free, decimals=True))
        smooth = Measure(self, self.values(self.free), width=width)
        for item in self.items:
            if is_rank(item.fact) or (fits and "odds_ratio" in item.fact):
                item.defect = rounded.of(item)[0] - smooth.of(item)[0]

    def _descend(self, width, safe, rounds=ROUNDS, pull=PULL):
        """Levenberg-Marquardt, each number in units of its own spread."""
        free, damping = self.free, 1e-4
        residual, slopes, distance = self.residuals(free, width, safe, pull)
        for _ in range(rounds):
            if np.abs(distance).max(initial=0) < (1 + safe) / 2:
                break
            trial = self._step(free, residual, slopes, damping)
            new, new_slopes, new_distance = self.residuals(trial, width, safe, pull)
            if new @ new < residual @ residual:
                free, residual, slopes, distance = trial, new, new_slopes, new_distance
                damping /= 3
            else:
                damping *= 5
                if damping > 1e4:
                    break
        self.free = free
        return np.abs(distance).max(initial=0)

    def _step(self, free, residual, slopes, damping):
        matrix = slopes @ slopes.T
        matrix += damping * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
        step = slopes.T @ np.linalg.solve(matrix, residual)
        return free - self.scale * np.clip(step, -LONGEST, LONGEST)
