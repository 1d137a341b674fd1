"""Values of tables as text, and the order of names."""

import re

from glymflow.io import MISSING


def natural_key(text):
    """Sort key under which ses-2 stands before ses-10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def level_text(value):
    """Write a value of a group or level the same way wherever it comes from; None if missing.

    A table that had a missing value in it has 1.0 where the plan says 1; both become "1".

    Examples
    --------
    >>> [level_text(value) for value in (1, 1.0, "1.0", "01", True, "yes ", float("nan"))]
    ['1', '1', '1', '01', 'true', 'yes', None]
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = "" if value is None else str(value).strip()
    if text in ("", MISSING, "<NA>", "nan"):
        return None
    if text in ("True", "TRUE", "False", "FALSE"):
        return text.lower()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)
