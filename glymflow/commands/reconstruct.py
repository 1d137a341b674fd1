"""Invent a cohort that has a paper's published statistics: for trying a study plan without data.

``glymflow reconstruct SPEC`` makes, from a paper's printed counts, means, SDs, quartiles and
correlations, one table with a row per subject. Counts are exact; the other statistics round to the
printed ones. Everything else about the subjects is invented, and the table says so: column
`synthetic`, name of the file, description, and a footnote under every table that is made of it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.commands import reconstruct_facts
from glymflow.commands.audit_tests import load_printed, meet, printed, printed_p
from glymflow.io import MISSING, InputFault, write_json, write_tsv

NAME = "desc-synthetic_cohort.tsv"
REPORT = "desc-synthetic_facts.tsv"
NOTICE = "Synthetic: invented from published summary statistics; nobody was measured."
SAFE = 0.85  # statistics are kept within this part of their rounding interval
MET = 0.1  # residual that is left at most: 0.95 of the interval
ROUNDS = 60
DEALS = 12


def load_reconstruction(path):
    """Read a paper's facts (config/papers/*.yaml); numbers stay text, as printed.

    Raises
    ------
    InputFault
        One line with the file and every fault found.
    """
    return load_printed(path, "reconstruction")


def reconstruct(spec, *, seed=None):
    """Invent a cohort with the published statistics.

    Parameters
    ----------
    spec : dict
        From `load_reconstruction`.
    seed : int, optional
        Instead of the one in `spec`.

    Returns
    -------
    table : DataFrame
        One row per subject; `synthetic` is "yes" in each.
    report : DataFrame
        Each published number, what the table gives, and whether that rounds to it.

    Raises
    ------
    InputFault
        If counts do not fit the subjects that they are counts of, or a name is unknown.
    """
    rng = np.random.default_rng(int(spec["seed"]) if seed is None else seed)
    best = np.inf
    for _ in range(DEALS):  # how the categories were dealt out may leave no room for the numbers
        trial = _Cohort(spec, _subjects(spec, rng), rng)
        left = trial.solve()
        if left < best:
            best, cohort = left, trial
        if best < MET:
            break
    table = cohort.table()
    report = pd.DataFrame([*_count_report(spec, table), *cohort.report(table)])
    _add_sides(table, rng)
    rules = {**spec["numbers"], **spec.get("derived", {})}
    dropped = [name for name, rule in rules.items() if rule.get("keep") == "no"]
    return table.drop(columns=dropped), report


# --- Subjects and their categories ---------------------------------------------------------------


def _subjects(spec, rng):
    """Make the rows, with categories of exactly the published counts dealt out at random."""
    groups = [name for name, size in spec["groups"].items() for _ in range(int(size))]
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-synth{i + 1:03d}" for i in range(len(groups))],
            "session_id": None,
            "synthetic": "yes",
            "qc_status": "pass",  # so that a plan's rule about scans lets them in
            "group": groups,
        }
    )
    for category in spec.get("categories", []):
        name = category["name"]
        if name not in table:
            table[name] = None
        for cell in category["cells"]:
            rows = np.flatnonzero(_mask(table, cell.get("where", {})))
            levels = [level for level, n in cell["counts"].items() for _ in range(int(n))]
            if len(levels) != len(rows):
                raise InputFault(
                    f"{name}: {len(levels)} counted, but {len(rows)} subjects are"
                    f" {cell.get('where', 'there')}"
                )
            table.loc[rows, name] = rng.permutation(np.array(levels, dtype=object))
    return table


def _mask(table, where):
    mask = np.ones(len(table), dtype=bool)
    for column, values in where.items():
        if column not in table:
            raise InputFault(f"where: no category '{column}'")
        values = values if isinstance(values, list) else [values]
        mask &= table[column].fillna(MISSING).isin(values).to_numpy()
    return mask


def _add_sides(table, rng):
    """Lay ipsilateral and contralateral ALPS to left and right; split means where there is none."""
    if "alps_mean" not in table or "alps_left" in table:
        return
    half = np.round(rng.normal(0, 0.05, len(table)), 3)
    left, right = table["alps_mean"] + half, table["alps_mean"] - half
    if "side" in table:
        for side, own, other in (("left", left, right), ("right", right, left)):
            rows = table["side"] == side
            own[rows] = table.loc[rows, "alps_ipsilateral"]
            other[rows] = table.loc[rows, "alps_contralateral"]
    table["alps_left"], table["alps_right"] = left.round(4), right.round(4)


# --- Numbers -------------------------------------------------------------------------------------


class _Cohort:
    """The numbers of all subjects as one vector without bounds, and the facts that bind it."""

    def __init__(self, spec, table, rng):
        self.spec, self.categories = spec, table
        self.size, self.places, start = len(table), {}, []
        self.fixed = {}
        for name, number in spec["numbers"].items():
            if number.get("shape") == "quartiles":
                self.fixed[name] = number
                continue
            rows = np.flatnonzero(_mask(table, number.get("where", {})))
            self.places[name] = (len(start), rows)
            start += [self._free(name, value) for value in self._first(name, number, rows, rng)]
        self.start = np.array(start)
        # steps are measured in each number's own spread
        spreads = [np.std(self.start[b : b + len(rows)]) for b, rows in self.places.values()]
        sizes = [len(rows) for _, rows in self.places.values()]
        self.scale = np.repeat(np.maximum(spreads, 1e-6), sizes)
        self.masks = {}
        if self.fixed:  # one order of the subjects for all of them
            order = rng.permutation(self.size)
            self.fixed = {name: self._laid_out(name, order) for name in self.fixed}

    def _bounds(self, name):
        number = self.spec["numbers"][name]
        return float(number.get("min", "-inf")), float(number.get("max", "inf"))

    def _unit(self, name):
        return float(self.spec["numbers"][name].get("sd", "1"))

    def _first(self, name, number, rows, rng):
        """Draw values about the last published mean or quartiles that each row has."""
        values = rng.normal(float(number.get("mean", "0")), float(number.get("sd", "1")), self.size)
        noise = rng.normal(size=self.size)
        for fact in self.spec["facts"]:
            mask = _mask(self.categories, fact.get("where", {}))
            if fact["of"] != name:
                continue
            if "mean" in fact:
                centre, spread = float(fact["mean"]), float(fact.get("sd", "1"))
                if number.get("shape") == "skewed":
                    width = np.sqrt(np.log1p((spread / centre) ** 2))
                    drawn = centre * np.exp(width * noise - width**2 / 2)
                else:
                    drawn = centre + spread * noise
            elif "median" in fact:
                middle, low, high = (float(fact[key]) for key in ("median", "q1", "q3"))
                drawn = middle + np.where(noise < 0, middle - low, high - middle) * noise / 0.6745
            else:
                continue
            values = np.where(mask, drawn, values)
        low, high = self._bounds(name)
        margin = 0.01 * (high - low) if np.isfinite(high - low) else 1e-3 * self._unit(name)
        return np.clip(values[rows], low + margin, high - margin)

    def _laid_out(self, name, order):
        """Return values on lines between minimum, published quartiles and maximum."""
        number = self.spec["numbers"][name]
        low, high = self._bounds(name)
        values = np.full(self.size, np.nan)
        for fact in self.spec["facts"]:
            if fact["of"] != name:
                continue
            rows = np.flatnonzero(_mask(self.categories, fact.get("where", {})))
            rows = rows[np.argsort(order[rows])]
            knots = [low, *(float(fact[key]) for key in ("q1", "median", "q3")), high]
            values[rows] = np.interp(np.linspace(0, 4, len(rows)), range(5), knots)
        return np.round(values, int(number.get("decimals", "3")))

    def _free(self, name, value):
        low, high = self._bounds(name)
        if np.isfinite(low) and np.isfinite(high):
            share = (value - low) / (high - low)
            return np.log(share / (1 - share)) * (high - low) / 4
        if np.isfinite(low):
            unit = self._unit(name)
            above = (value - low) / unit
            return unit * (above if above > 30 else np.log(np.expm1(above)))
        return value

    def _bound(self, name, free):
        """Return the values of free numbers, and the derivative."""
        from scipy.special import expit

        low, high = self._bounds(name)
        if np.isfinite(low) and np.isfinite(high):
            share = expit(4 * free / (high - low))
            return low + (high - low) * share, 4 * share * (1 - share)
        if np.isfinite(low):
            unit = self._unit(name)
            return low + unit * np.logaddexp(0, free / unit), expit(free / unit)
        return free, np.ones(len(free))

    def values(self, free, *, decimals=False):
        """Return {name: (values, gradient as {name: factor})} of numbers and derived numbers."""
        found = {}
        for name, (begin, rows) in self.places.items():
            values = np.full(self.size, np.nan)
            slope = np.zeros(self.size)
            values[rows], slope[rows] = self._bound(name, free[begin : begin + len(rows)])
            if decimals:
                values = np.round(values, int(self.spec["numbers"][name].get("decimals", "3")))
            found[name] = (values, {name: slope})
        found |= {name: (values, {}) for name, values in self.fixed.items()}
        for name, rule in self.spec.get("derived", {}).items():
            found[name] = reconstruct_facts.derived(rule, found)
        return found

    def residuals(self, free):
        """Return how far each fact is beyond its interval, and the derivatives."""
        values = self.values(free)
        rows, slopes = [], []
        for item in self.items():
            if item["fact"]["of"] in list(self.fixed):
                continue
            statistic, parts = self.statistic(item, values)
            low, high = item["interval"]
            middle, half = (low + high) / 2, (high - low) / 2
            distance = (statistic - middle) / half
            beyond = np.sign(distance) * max(abs(distance) - SAFE, 0.0)
            rows.append(beyond + 0.01 * distance)
            slopes.append(self._chain(parts, values, (float(beyond != 0) + 0.01) / half))
        return np.array(rows), np.array(slopes) * self.scale

    def _chain(self, parts, values, scale):
        gradient = np.zeros(len(self.start))
        for name, mask, part in parts:
            for source, factor in values[name][1].items():
                begin, rows = self.places[source]
                full = np.zeros(self.size)
                full[mask] = part
                gradient[begin : begin + len(rows)] += (full * factor)[rows]
        return gradient * scale

    def items(self):
        """List every published number once: what it is of, and its interval."""
        if not hasattr(self, "_items"):
            self._items = [item for fact in self.spec["facts"] for item in _items(fact)]
        return self._items

    def statistic(self, item, values):
        """Return one statistic and its gradient by the numbers that may move for it."""
        fact, what = item["fact"], item["what"]
        names = fact["of"] if isinstance(fact["of"], list) else [fact["of"]]
        used = [*names, *fact.get("partial", []), *fact.get("on", [])]
        arrays = {name: self._column(name, values) for name in used}
        mask = self._rows(fact, arrays)
        x = arrays[names[0]][mask]
        if what in ("mean", "sd"):
            statistic, part = (
                reconstruct_facts.mean if what == "mean" else reconstruct_facts.deviation
            )(x)
        elif what in ("q1", "median", "q3"):
            share = {"q1": 0.25, "median": 0.5, "q3": 0.75}[what]
            statistic, part = reconstruct_facts.quantile(x, share)
        elif what in ("r", "r2", "spearman_p"):
            return self._correlation(item, names, arrays, mask)
        elif what == "odds_ratio":
            return self._odds_ratio(fact, arrays, mask)
        else:
            predictors = np.column_stack([arrays[name][mask] for name in fact["on"]])
            b, t, by_b, by_t, df = reconstruct_facts.coefficient(
                x, predictors, fact["on"].index(fact["term"])
            )
            if what == "b":
                return b, [(names[0], mask, by_b)]
            sign = -1.0 if fact.get("b", fact.get("sign", "+")).startswith(("-", "−")) else 1.0
            item["interval"] = _t_interval(fact["p"], df, sign)
            return t, [(names[0], mask, by_t)]
        return statistic, [(names[0], mask, part)]

    def _correlation(self, item, names, arrays, mask):
        fact, first, second = item["fact"], *(arrays[name][mask] for name in names)
        if item["what"] == "spearman_p":
            low, high = _t_interval(fact["p"], mask.sum() - 2, -1.0 if fact["sign"] == "-" else 1.0)
            n = mask.sum() - 2
            item["interval"] = tuple(t / np.sqrt(n + t**2) for t in (low, high))
            r, by_first, by_second = reconstruct_facts.rank_correlation(first, second)
        else:
            covariates = [arrays[name][mask] for name in fact.get("partial", [])]
            given = np.column_stack(covariates) if covariates else None
            r, by_first, by_second = reconstruct_facts.correlation(first, second, given)
            if item["what"] == "r" and "p" in fact:  # p says more than the printed r does
                df = len(first) - 2 - len(covariates)
                limits = _t_interval(fact["p"], df, np.sign(float(fact["r"].replace("−", "-"))))
                narrow = tuple(t / np.sqrt(df + t**2) for t in limits)
                item["interval"] = meet(printed(fact["r"]), narrow) or printed(fact["r"])
        return r, [
            (name, mask, part)
            for name, part in zip(names, (by_first, by_second), strict=True)
            if name in {**self.places, **self.spec.get("derived", {})}
        ]

    def _odds_ratio(self, fact, arrays, mask):
        """Return the log odds ratio of the term near the published ones, and its gradients."""
        names = fact["on"]
        siblings = [f for f in self.spec["facts"] if f.get("on") == names and "odds_ratio" in f]
        ratios = {f["term"]: (float(f["odds_ratio"]), float(f.get("per", "1"))) for f in siblings}
        slopes = np.array([np.log(ratios[name][0]) / ratios[name][1] for name in names])
        event = arrays[fact["of"]][mask]
        predictors = np.column_stack([arrays[name][mask] for name in names])
        which = names.index(fact["term"])
        b, gradient = reconstruct_facts.log_odds(event, predictors, slopes, which)
        per = ratios[fact["term"]][1]
        moved = [(n, mask, per * gradient[:, k]) for k, n in enumerate(names) if n in self.places]
        return per * b, moved

    def _rows(self, fact, arrays):
        """Return who a fact is of: `where`, and no number missing."""
        key = id(fact)
        if key not in self.masks:
            mask = _mask(self.categories, fact.get("where", {}))
            self.masks[key] = mask & np.all([np.isfinite(a) for a in arrays.values()], axis=0)
        return self.masks[key]

    def _column(self, name, values):
        """Return a number, or a category with two levels as 0 and 1."""
        if name in values:
            return values[name][0]
        if name not in self.categories:
            raise InputFault(f"facts: no number or category '{name}'")
        levels = sorted(self.categories[name].dropna().unique())
        codes = {level: float(place) for place, level in enumerate(levels)}
        return self.categories[name].map(codes).to_numpy(float)

    def solve(self):
        """Move the numbers, as little as can be, until every fact is met; return what is left.

        Levenberg-Marquardt, each number in units of its own spread.
        """
        free, damping = self.start, 1e-4
        residual, slopes = self.residuals(free)
        for _ in range(ROUNDS):
            if np.abs(residual).max() < MET:
                break
            matrix = slopes @ slopes.T
            matrix += damping * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
            trial = free - self.scale * (slopes.T @ np.linalg.solve(matrix, residual))
            new, new_slopes = self.residuals(trial)
            if new @ new < residual @ residual:
                free, residual, slopes, damping = trial, new, new_slopes, damping / 3
            else:
                damping *= 5
                if damping > 1e4:
                    break
        self.free = free
        return np.abs(residual).max()

    def table(self):
        """Return the categories and the numbers, these rounded as the spec says."""
        table = self.categories.copy()
        for name, (values, _) in self.values(self.free, decimals=True).items():
            table[name] = np.round(values, 6)
        return table

    def report(self, table):
        """Yield each published number and what the rounded table gives."""
        values = self.values(self.free, decimals=True)
        for item in self.items():
            fact = item["fact"]
            statistic, _ = self.statistic(item, values)
            if item["what"] == "spearman_p":
                statistic = _spearman(self, fact, values)
            elif item["what"] == "odds_ratio":
                statistic, low, high = np.exp([statistic, *item["interval"]])
                item = {**item, "interval": (low, high)}
            elif item["what"] == "r2":  # r is what the facts are met by
                statistic, item = statistic**2, {**item, "interval": printed(fact["r2"])}
            low, high = item["interval"]
            of = " and ".join(fact["of"]) if isinstance(fact["of"], list) else fact["of"]
            yield {
                "of": of + (f" on {fact['term']}" if "term" in fact else ""),
                "where": _where_text(fact),
                "statistic": item["what"],
                "published": fact[{"spearman_p": "p", "t": "p"}.get(item["what"], item["what"])],
                "reached": statistic,
                "low": low,
                "high": high,
                "met": "yes" if low - 1e-9 <= statistic <= high + 1e-9 else "no",
            }


def _items(fact):
    """Yield the published numbers of one fact with their rounding intervals."""
    if "spearman" in fact:
        yield {"fact": fact, "what": "spearman_p", "interval": (-1.0, 1.0)}
        return
    for what in ("mean", "sd", "q1", "median", "q3", "r", "b"):
        if what in fact:
            yield {"fact": fact, "what": what, "interval": printed(fact[what])}
    if "r2" in fact:
        sign = -1.0 if fact.get("sign") == "-" else 1.0
        limits = sorted(sign * np.sqrt(max(value, 0.0)) for value in printed(fact["r2"]))
        yield {"fact": fact, "what": "r2", "interval": tuple(limits)}
    if "odds_ratio" in fact:
        limits = tuple(float(np.log(value)) for value in printed(fact["odds_ratio"]))
        yield {"fact": fact, "what": "odds_ratio", "interval": limits}
    elif "term" in fact and "p" in fact:
        yield {"fact": fact, "what": "t", "interval": (-1.0, 1.0)}


def _t_interval(p, df, sign):
    low, high = printed_p(p)
    limits = sorted(sign * reconstruct_facts.t_of_p(max(value, 1e-12), df) for value in (low, high))
    return tuple(limits)


def _spearman(cohort, fact, values):
    from scipy import stats

    first, second = (cohort._column(name, values) for name in fact["of"])
    mask = _mask(cohort.categories, fact.get("where", {}))
    mask &= np.isfinite(first) & np.isfinite(second)
    return float(stats.spearmanr(first[mask], second[mask]).statistic)


def _where_text(fact):
    parts = fact.get("where", {}).items()
    return ", ".join(f"{k} {' or '.join(v) if isinstance(v, list) else v}" for k, v in parts)


def _count_report(spec, table):
    for category in spec.get("categories", []):
        for cell in category["cells"]:
            mask = _mask(table, cell.get("where", {}))
            for level, count in cell["counts"].items():
                reached = int((table.loc[mask, category["name"]] == level).sum())
                yield {
                    "of": f"{category['name']}: {level}",
                    "where": _where_text(cell),
                    "statistic": "count",
                    "published": count,
                    "reached": reached,
                    "low": int(count),
                    "high": int(count),
                    "met": "yes" if reached == int(count) else "no",
                }


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    parser.add_argument("spec", type=Path, help="a paper's facts, YAML (config/papers/*.yaml)")
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--seed", type=int, help="instead of the one in SPEC")


def run(args):
    """Write the invented cohort, its description, and how well it has the published numbers."""
    spec = load_reconstruction(args.spec)
    table, report = reconstruct(spec, seed=args.seed)
    write_tsv(table, args.out / NAME)
    write_tsv(report, args.out / REPORT)
    description = {
        "Name": f"SYNTHETIC cohort: {spec['title']}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "glymflow reconstruct", "Description": NOTICE}],
        "SourceDatasets": [{"URL": spec["source"]}],
        "HowToAcknowledge": NOTICE,
    }
    write_json(description, args.out / "dataset_description.json")
    missed = report[report["met"] == "no"]
    print(f"{args.out / NAME}: {len(table)} invented subjects. {NOTICE}")
    print(f"{len(report) - len(missed)} of {len(report)} published numbers are met")
    for _, row in missed.iterrows():
        place = f" ({row['where']})" if row["where"] else ""
        print(
            f"  not met: {row['of']}{place}: {row['statistic']} {row['published']}"
            f" is {row['reached']:.5g} here"
        )
    return 0
