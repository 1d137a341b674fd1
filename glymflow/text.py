"""Values as text: numbers and levels of tables, charts and pages; the order of names."""

import math
import re
from numbers import Real

from glymflow.io import MISSING

# the four ALPS regions: in tables, and from one side of the head to the other as they are drawn
ROLES = ("projection_left", "projection_right", "association_left", "association_right")
ROLES_ACROSS = ("association_left", "projection_left", "projection_right", "association_right")


def number(value, digits=2, scale=1.0, unit=""):
    """Write a number with fixed decimals and a true minus sign.

    Parameters
    ----------
    value : object
        ``n/a`` stands for what is no number (missing, NaN, text).
    digits : int
        Decimals; what rounds to 0 has no minus sign.
    scale : float
        What `value` is multiplied by.
    unit : str
        What follows the number.

    Examples
    --------
    >>> number(1.4567), number(float("nan")), number(0.000712, 2, 1e3), number(-3.2, 1, unit="°")
    ('1.46', 'n/a', '0.71', '−3.2°')
    >>> number(-0.001), number(float("-inf"))
    ('0.00', '−∞')
    """
    if not isinstance(value, Real) or math.isnan(value):
        return MISSING
    if math.isinf(value):
        text = "∞" if value > 0 else "-∞"
    else:
        text = f"{float(value) * scale:.{digits}f}"
        text = text.lstrip("-") if float(text) == 0 else text
    return text.replace("-", "−") + unit


def counted(count, word):
    """Write a count with its noun, in the plural unless it is 1.

    Examples
    --------
    >>> counted(1, "value"), counted(3, "value"), counted(2, "analysis")
    ('1 value', '3 values', '2 analyses')
    """
    if count == 1:
        return f"1 {word}"
    return f"{count} {word.removesuffix('is') + 'es' if word.endswith('is') else word + 's'}"


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
