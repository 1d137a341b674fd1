"""Further columns of a comparison of groups: everybody, n, missing values, standardised difference.

They are put beside a table that is already printed: `with_more`.
"""

from glymflow.tables import compare_groups
from glymflow.tables.cells import DASH, MISSING, percent, there
from glymflow.text import number

EVERYBODY = "all"
TITLES = {"overall": "Overall", "n": "n", "missing": "Missing", "smd": "SMD"}


def with_more(printed, results, plan, analysis, table):
    """Add the columns that a planned table asks for by `more`.

    Parameters
    ----------
    printed : Table
        From `glymflow.tables.compare_groups.planned`.
    results : DataFrame
        From `glymflow.stats.compare_groups`, with rows "overall" and "balance".
    plan, analysis, table : dict

    Returns
    -------
    Table
        n, missing values and everybody before the groups, the standardised difference after them.
    """
    wanted = table.get("more", [])
    if not wanted:
        return printed
    columns = {name: _column(name, printed, results, plan, analysis, table) for name in wanted}
    before = [name for name in ("n", "missing", "overall") if name in wanted]
    groups = len((analysis.get("groups") or plan["groups"])["order"])
    after = [name for name in ("smd",) if name in wanted]
    first, *head = printed.columns
    titles = {name: columns[name][0] for name in wanted}
    printed.columns = [
        *[first, *(titles[name] for name in before), *head[:groups]],
        *(titles[name] for name in after),
        *head[groups:],
    ]
    rows = []
    for i, (indent, label, mark, cells) in enumerate(printed.rows):
        put = [columns[name][1][i] for name in before]
        last = [columns[name][1][i] for name in after]
        rows.append((indent, label, mark, [*put, *cells[:groups], *last, *cells[groups:]]))
    printed.rows = rows
    printed.footnotes += [("", text) for text in _notes(wanted, groups)]
    return printed


def _column(name, printed, results, plan, analysis, table):
    """Return the header of a column and its cell of each printed row."""
    everybody = _everybody(results, plan, analysis, table)
    if name == "overall":
        return everybody.columns[1], _matched(printed.rows, everybody.rows)
    rows = {"smd": "balance"}.get(name, "overall")
    found = results[results["row"] == rows].drop_duplicates("variable").set_index("variable")
    cells, variables = [], iter(_in_order(results, table))
    for indent, *_ in printed.rows:
        cells.append("" if indent else _cell(name, found, next(variables)))
    return TITLES[name], cells


def _in_order(results, table):
    return table.get("variables", list(results["variable"].unique()))


def _everybody(results, plan, analysis, table):
    """Print the table once more with everybody as the only group and nothing beside it."""
    kept = results[results["row"].isin(["overall", "test"])].copy()
    kept["row"] = kept["row"].replace("overall", "summary")
    groups = {"column": "", "order": [EVERYBODY], "labels": {EVERYBODY: TITLES["overall"]}}
    plain = {**table, "columns": [], "more": [], "values": "observed"}
    variables = {}
    for name, rows in results[results["row"] == "summary"].groupby("variable"):
        variable = plan["variables"].get(name, {})
        decimals = compare_groups.plain_decimals(variable, rows["sd"])  # as beside the groups
        variables[name] = {**variable, "decimals": decimals}
    plan = {**plan, "variables": {**plan["variables"], **variables}}
    return compare_groups.planned(kept, plan, {**analysis, "groups": groups}, plain)


def _matched(rows, others):
    """Return the first cell of the other table for each row; n/a for a row that it lacks."""
    left = [(indent, label, cells[0]) for indent, label, _, cells in others]
    found = []
    for indent, label, *_ in rows:
        if left and left[0][:2] == (indent, label):
            found.append(left.pop(0)[2])
        else:
            found.append(MISSING)
    return found


def _cell(name, found, variable):
    if variable not in found.index:
        return MISSING
    row = found.loc[variable]
    if name == "smd":
        return number(row["effect"], 2) if there(row["effect"]) else DASH
    if name == "n":
        return str(int(row["n"]))
    total = int(row["n"] + row["missing"])
    share = f" ({percent(100 * row['missing'] / total)})" if total else ""
    return f"{int(row['missing'])}{share}"


def _notes(wanted, groups):
    notes = []
    if "n" in wanted:
        notes.append("n: participants with a value.")
    if "smd" in wanted:
        pairs = "" if groups == 2 else ", mean over all pairs of groups"
        notes.append(f"SMD: absolute standardised mean difference{pairs}.")
    return notes
