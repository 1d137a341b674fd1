"""What the tables of models share: labels of terms, cells of coefficients, footnotes."""

from glymflow.tables.cells import CORRECTIONS, DASH, MISSING, format_p, label_of, there
from glymflow.text import level_text, number


def term_rows(rows, variables):
    """Lay out the rows of a model: (indent, label, row of results or None) for each printed line.

    A variable of more than two levels has a line of its own, then one for the reference and one
    for each other level.

    Parameters
    ----------
    rows : DataFrame
        Rows of the variables and, after each, of its levels.
    variables : dict
        The plan's variables.
    """
    lines = []
    for name in rows["variable"].unique():
        own = rows[rows["variable"] == name].to_dict("records")
        variable = variables.get(name, {})
        label = label_of(name, variables)
        names = variable.get("labels", {})
        first = own[0]
        reference = level_text(first.get("reference"))
        if len(own) > 1:
            lines.append((0, label, first))
            lines.append((1, f"{names.get(reference, reference)} (reference)", None))
            for row in own[1:]:
                level = level_text(row["level"])
                lines.append((1, names.get(level, level), row))
            continue
        level = level_text(first.get("level"))
        if level is not None:
            label += f": {names.get(level, level)} (reference: {names.get(reference, reference)})"
        elif variable.get("type") == "continuous":
            increment = first.get("increment")
            step = f"{increment:g} " if there(increment) and increment != 1 else ""
            unit = variable.get("unit", "")
            if step:
                label += f", per {step}{unit}".rstrip()
            elif unit:
                label += f", {unit}"
        lines.append((0, label, first))
    return lines


def merged_rows(parts, variables):
    """Lay out the rows of several models of the same predictors beside each other.

    Parameters
    ----------
    parts : list of DataFrame
        Rows of each model, as for `term_rows`; one that failed may lack the levels.
    variables : dict
        The plan's variables.

    Returns
    -------
    list of (int, str, list)
        Indent, label, and of each model the row of results or None.
    """
    names = dict.fromkeys(name for rows in parts for name in rows["variable"].unique())
    lines = []
    for name in names:
        laid = [term_rows(rows[rows["variable"] == name], variables) for rows in parts]
        known = [sum(there(row["level"]) for *_, row in one if row is not None) for one in laid]
        fullest = max(zip(known, map(len, laid), laid, strict=True), key=lambda one: one[:2])[2]
        for place, (indent, label, _) in enumerate(fullest):
            found = [
                next(
                    (row for _, text, row in one[bool(place) :] if text == label or not place), None
                )
                for one in laid
            ]
            lines.append((indent, label, found))
    return lines


def significant(value, digits=3):
    """Write a number with so many digits that its size can be told: 0.00312, 12.3, 1235.

    Examples
    --------
    >>> [significant(value) for value in (0.003124, -12.345, 1234.5, 0)]
    ['0.00312', '−12.3', '1234', '0.00']
    """
    if not there(value):
        return MISSING
    size = f"{abs(value):.{digits - 1}e}"
    power = int(size.split("e")[1]) if value and abs(value) != float("inf") else 0
    return number(value, min(max(digits - 1 - power, 0), 10))


def ratio(value):
    """Write an odds ratio: three decimals, none for large ones.

    Examples
    --------
    >>> [ratio(value) for value in (1.6861, 0.0251, 577.6, 2577.6, 3e-7, 4e6)]
    ['1.686', '0.025', '577.600', '2578', '<0.001', '>9999']
    """
    if not there(value):
        return MISSING
    if value < 0.0005 or value > 9999:
        return "<0.001" if value < 1 else ">9999"
    return number(value, 3 if value < 1000 else 0)


def with_interval(row, part, form):
    """Write ``value (low, high)``; a dash where a fit has none, n/a where there is no fit."""
    if row is None or not there(row.get(part)):
        return DASH if row is not None and there(row.get("p")) else MISSING
    low, high = (form(row[f"{part}_{end}"]) for end in ("low", "high"))
    return f"{form(row[part])} ({low}, {high})"


def percent_ci(results):
    """Return ``95% CI``."""
    level = results["confidence"].dropna()
    return f"{100 * level.iloc[0]:g}% CI" if len(level) else "CI"


def model_test(row):
    """Return the statistic and p of a test: ``χ²(2) = 4.90, p = 0.086``; F of imputed tables.

    Of a test that has p only, the median of imputed tables.
    """
    if not there(row["statistic"]):
        return median_p(row)
    name = f"χ²({row['df']:g})"
    if row["statistic_name"] == "F":
        name = f"F({row['df']:g}, {row['df_error']:.4g})"
    return f"{name} = {number(row['statistic'], 2)}, {p_text(row['p'])}"


def median_p(row):
    """Return ``p = 0.046``, of a test without statistic ``median p = 0.046``."""
    return ("" if there(row["statistic"]) else "median ") + p_text(row["p"])


def pooled(head):
    """Say over how many imputed tables a model was pooled; empty if it was not."""
    text = str(head["test"])
    return f"; {text.rpartition(', ')[2]}" if "pooled over" in text else ""


def p_text(p):
    """Return ``p = 0.046`` or ``p <0.001``."""
    text = format_p(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def noted(rows, variables, *, once=()):
    """Footnotes from the notes of rows; a note that several rows share is written once."""
    seen = dict.fromkeys(once)
    for row in rows.to_dict("records"):
        if not there(row["note"]):
            continue
        name = row.get("variable")
        # a note of the whole model stands at each of its variables too
        text = f"{row['note']}."
        text = text if not there(name) or text in seen else f"{label_of(name, variables)}: {text}"
        seen.setdefault(text)
    return [("", text) for text in list(seen)[len(once) :] if text not in once]


def missing_note(rows, variables):
    """Count the missing values of each variable."""
    gaps = rows[rows["missing"].fillna(0).astype(float) > 0].drop_duplicates("variable")
    parts = [
        f"{label_of(r['variable'], variables)} {int(r['missing'])}" for _, r in gaps.iterrows()
    ]
    return [("", f"Missing values: {', '.join(parts)}.")] if parts else []


def correction_note(rows):
    """Say how p was adjusted."""
    if not rows["correction"].notna().any():
        return []
    method = CORRECTIONS[rows["correction"].dropna().iloc[0]]
    return [("", f"Adjusted p: {method}, {rows['p_adjusted'].notna().sum()} tests.")]
