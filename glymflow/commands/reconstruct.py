"""Invent a cohort that has a paper's published statistics: for trying a study plan without data.

``glymflow reconstruct SPEC`` makes, from a paper's printed counts, means, SDs, quartiles, tests
and correlations, one table with a row per subject. Counts are exact; the other statistics round
to the printed ones, and what no data can have is named with the reason. Everything else about the
subjects is invented, and the table says so: column `synthetic`, name of the file, description, and
a footnote under every table that is made of it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.commands.audit_tests import load_printed
from glymflow.commands.reconstruct_cohort import Cohort
from glymflow.commands.reconstruct_items import (
    COUNTED,
    Measure,
    check_names,
    family,
    items_of,
    names_of,
    printed_scale,
    rows_where,
)
from glymflow.commands.reconstruct_limits import counted, find_limits
from glymflow.io import InputFault, write_json, write_tsv

NAME = "desc-synthetic_cohort.tsv"
REPORT = "desc-synthetic_facts.tsv"
NOTICE = "Synthetic: invented from published summary statistics; nobody was measured."
DEALS = 6
ENOUGH = 0.1  # share of unmet numbers with which no other deal is tried


def load_reconstruction(path):
    """Read a paper's facts (config/papers/*.yaml); numbers stay text, as printed.

    Raises
    ------
    InputFault
        One line with the file and every fault found.
    """
    spec = load_printed(path, "reconstruction")
    if isinstance(spec["facts"], dict):  # by the place where they are printed
        spec["facts"] = [
            {"place": place, **fact} for place, facts in spec["facts"].items() for fact in facts
        ]
    return spec


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
        table = _subjects(spec, rng)
        check_names(spec, {*table, *spec["numbers"], *spec.get("derived", {})})
        items = items_of(spec)
        find_limits(items, spec, table)
        trial = Cohort(spec, table, items, rng)
        trial.solve()
        left = float(np.mean([distance > 1 for distance in trial.distances()] or [0]))
        if left < best:
            best, cohort, kept = left, trial, items
        if best < ENOUGH:
            break
    values = cohort.values(cohort.free, decimals=True)
    table = cohort.table.copy()
    for name, (column, _) in values.items():
        table[name] = np.round(column, 6)
    report = pd.DataFrame(_report(cohort, kept, values))
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
            rows = np.flatnonzero(rows_where(table, cell.get("where", {})))
            levels = [level for level, n in cell["counts"].items() for _ in range(int(n))]
            if len(levels) != len(rows):
                raise InputFault(
                    f"{name}: {len(levels)} counted, but {len(rows)} subjects are"
                    f" {cell.get('where', 'there')}"
                )
            table.loc[rows, name] = rng.permutation(np.array(levels, dtype=object))
    return table


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


# --- Report --------------------------------------------------------------------------------------


def _report(cohort, items, values):
    """Yield each published number and what the rounded table gives."""
    measure = Measure(cohort, values)
    for item in items:
        fact = item.fact
        if "assumed" in fact:
            continue
        reached = _reached(item, cohort, measure)
        low, high = item.printed
        met = low - 1e-9 <= reached <= high + 1e-9
        of = " and ".join(names_of(fact)) + (f": {fact['level']}" if "level" in fact else "")
        of += f" on {fact['term']}" if "term" in fact else ""
        of += f" ({' and '.join(fact['pair'])})" if "pair" in fact else ""
        yield {
            "place": fact.get("place"),
            "of": of,
            "where": _where_text(fact),
            "test": family(fact),
            "statistic": item.what,
            "published": item.text,
            "reached": reached,
            "low": low,
            "high": high,
            "met": "yes" if met else ("impossible" if item.reason else "no"),
            "reason": "" if met else item.reason,
        }


def _reached(item, cohort, measure):
    fact = item.fact
    if family(fact) == "count":
        mask = rows_where(cohort.table, fact.get("where", {}))
        levels = cohort.table.loc[mask, fact["of"]].dropna()
        count = int((levels == fact["level"]).sum())
        return count if item.what == "count" else 100 * count / len(levels)
    if family(fact) in COUNTED:
        statistic, p = counted(fact, cohort.table)
        return p if item.what == "p" else statistic
    statistic, _, df = measure.of(item)
    return printed_scale(item, statistic, df)


def _where_text(fact):
    parts = fact.get("where", {}).items()
    return ", ".join(f"{k} {' or '.join(v) if isinstance(v, list) else v}" for k, v in parts)


def summary(report):
    """Count met, unmet and impossible numbers of each table of the paper.

    Parameters
    ----------
    report : DataFrame
        From `reconstruct`.

    Returns
    -------
    DataFrame
        place; met, not_met, impossible; a last row with all of them.
    """
    names = {"yes": "met", "no": "not_met", "impossible": "impossible"}
    places = report["place"].fillna("paper")
    counts = pd.crosstab(places, report["met"].map(names)).reindex(
        index=list(dict.fromkeys(places)), columns=list(names.values()), fill_value=0
    )
    counts.loc["all"] = counts.sum()
    return counts.rename_axis("place").rename_axis(None, axis=1).reset_index()


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
    print(f"{args.out / NAME}: {len(table)} invented subjects. {NOTICE}")
    print(summary(report).to_string(index=False))
    for _, row in report[report["met"] != "yes"].iterrows():
        place = f" ({row['where']})" if row["where"] else ""
        verdict = "impossible" if row["reason"] else "not met"
        why = f": {row['reason']}" if row["reason"] else f" is {row['reached']:.5g} here"
        print(
            f"  {verdict}: {row['place'] or ''} {row['of']}{place}: {row['statistic']}"
            f" {row['published']}{why}"
        )
    return 0
