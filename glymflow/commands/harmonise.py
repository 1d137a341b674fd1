"""``glymflow harmonise TABLE``: the effects of sites taken off the measures of a table (ComBat)."""

from pathlib import Path

import pandas as pd

from glymflow.io import InputFault, read_tsv, whole, write_tsv
from glymflow.stats.harmonise import harmonise
from glymflow.text import level_text


def harmonise_table(table, *, site, measures, protect=(), group=None, pooled=True):
    """Harmonise columns of a table.

    Parameters
    ----------
    table : DataFrame
    site, group : str
        Columns. The group is protected; without one, no site is refused for having one group only.
    measures : sequence of str
        Columns of numbers.
    protect : sequence of str
        Columns to protect: numbers, or levels if any value is no number or there are two only.
    pooled : bool
        As for `glymflow.stats.combat.combat`.

    Returns
    -------
    harmonised : DataFrame
        The table with the measures replaced; n/a where they cannot be harmonised.
    before, after : DataFrame
        The measures.
    sites : Series
    results : DataFrame
        `glymflow.stats.harmonise.COLUMNS`.

    Raises
    ------
    InputFault
        If a column is missing or a measure is no number; as `glymflow.stats.harmonise.harmonise`.
    """
    named = [site, *measures, *protect, *([group] if group else [])]
    absent = [name for name in named if name not in table]
    if absent:
        raise InputFault(f"no column '{absent[0]}' (columns: {', '.join(table)})")
    before = pd.DataFrame({name: _measure(table[name]) for name in measures}, index=table.index)
    sites = _levels(table[site])
    kept = {name: _protected(table[name]) for name in protect}
    groups = _levels(table[group]) if group else None
    if groups is not None:
        kept[group] = groups
    after, results = harmonise(before, sites, kept, group=groups, pooled=pooled)
    return table.assign(**after), before, after, sites, results


def _levels(column):
    return pd.Series([level_text(value) for value in column], index=column.index, dtype=object)


def _measure(column):
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[column.notna() & numbers.isna()]
    if len(wrong):
        raise InputFault(f"{column.name}: '{wrong.iloc[0]}' is not a number")
    return numbers.astype(float)


def _protected(column):
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers.notna() == column.notna()).all() and numbers.nunique() > 2:
        return numbers.astype(float)
    return _levels(column)


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    parser.add_argument("table", type=Path, help="a table, such as results/cohort/cohort.tsv")
    parser.add_argument("--site", required=True, help="column with the site or scanner")
    parser.add_argument("--measures", required=True, nargs="+", help="columns to harmonise")
    parser.add_argument("--group", help="column with the group, which is protected")
    parser.add_argument("--protect", nargs="+", default=[], help="columns whose effect must stay")
    parser.add_argument(
        "--no-pooling", action="store_true", help="take the sites' effects as estimated"
    )
    parser.add_argument("--out", type=Path, required=True, help="write the table here")
    parser.add_argument("--effects", type=Path, help="write what was taken off here, as TSV")
    parser.add_argument("--figure", type=Path, help="draw before and after here (.png or .svg)")


def run(args):
    """Write the harmonised table; print what the sites differed by."""
    table = read_tsv(args.table, text=list(read_tsv(args.table)))  # other cells stay as written
    harmonised, before, after, sites, results = harmonise_table(
        table,
        site=args.site,
        measures=args.measures,
        protect=args.protect,
        group=args.group,
        pooled=not args.no_pooling,
    )
    write_tsv(harmonised, args.out)
    if args.effects:
        write_tsv(results, args.effects)
    if args.figure:
        from glymflow.figures.charts import figure_bytes
        from glymflow.figures.harmonisation import plot_harmonisation

        groups = _levels(table[args.group]) if args.group else None
        drawn = plot_harmonisation(before, after, sites, names={}, groups=groups)
        with whole(args.figure) as part:
            part.write_bytes(figure_bytes(drawn, args.figure.suffix[1:], dpi=300))
    print(report_text(results))
    return 0


def report_text(results):
    """Return what the sites differed by, before and after, as text for a terminal."""
    lines = []
    for row in results.to_dict("records"):
        if row["row"] == "test":
            p, p_after = (f"{row[key]:.3g}" for key in ("p", "p_after"))
            lines.append(f"{row['variable']}: sites differ with p = {p}, harmonised {p_after}")
            continue
        mean, sd = (
            f"{row[f'{part}_before']:.4g} -> {row[f'{part}_after']:.4g}" for part in ("mean", "sd")
        )
        lines.append(f"  {row['site']:<12} n = {row['n']:<4} mean {mean}, SD {sd}")
    return "\n".join(lines)
