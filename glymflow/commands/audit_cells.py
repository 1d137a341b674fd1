"""The cells of a printed table: ``58 ± 7``, ``12 [9, 15]``, ``15/44 (34.1 %)``.

Every number becomes the interval of the values that round to it (`audit_tests.printed`).
"""

import re
from dataclasses import dataclass

from glymflow.commands.audit_judgement import Contradiction
from glymflow.commands.audit_tests import printed
from glymflow.io import InputFault

_NUMBER = r"[<>≤≥]?=?\s*[-+−–]?\d*\.?\d+(?:[eE][-+]?\d+)?"
_MEAN = re.compile(rf"({_NUMBER})\s*(?:(?:±|\+/-|\+-)\s*({_NUMBER})|\(\s*({_NUMBER})\s*\))")
_MEDIAN = re.compile(
    rf"({_NUMBER})\s*[\[(]\s*(?:IQR:?\s*)?({_NUMBER})\s*(?:[,;–—-]|\bto\b)\s*({_NUMBER})\s*[\])]"
)
_COUNT = re.compile(
    r"(\d+)\s*(?:(?:/|of)\s*(\d+))?\s*(?:[\[(]\s*([<>]?\s*\d*\.?\d+)\s*%?\s*[\])])?"
)


@dataclass(frozen=True)
class Count:
    """A count as printed: of how many, and the percentage as text, where the cell has them."""

    number: int
    of: int | None
    percent: str | None


def mean_cell(text):
    """Return (mean, SD) of ``58 ± 7`` or ``58 (7)`` as intervals.

    Raises
    ------
    InputFault
        If the text is neither.

    Examples
    --------
    >>> mean_cell("58 ± 7")
    ((57.5, 58.5), (6.5, 7.5))
    """
    parts = _MEAN.fullmatch(text.strip())
    if not parts:
        raise InputFault(f"'{text}' is not 'mean ± SD' or 'mean (SD)'")
    mean, spread = [part for part in parts.groups() if part is not None]
    return printed(mean), printed(spread)


def is_median(text):
    """Say whether a cell is a number with two limits, such as ``12 [9, 15]`` or ``12 (9-15)``."""
    return _MEDIAN.fullmatch(text.strip()) is not None


def median_order(text):
    """Return what is wrong with the order of a median and its limits; nothing if it may be right.

    Examples
    --------
    >>> median_order("12 [9, 15]")
    ''
    >>> median_order("12 [15, 9]")
    'in 12 [15, 9] the lower limit is above the upper'
    """
    middle, low, high = (printed(part) for part in _MEDIAN.fullmatch(text.strip()).groups())
    if low[0] > high[1]:
        return f"in {text} the lower limit is above the upper"
    if middle[1] < low[0] or middle[0] > high[1]:
        return f"in {text} the median is not between its limits"
    return ""


def count_cell(text):
    """Return the `Count` of ``15``, ``15 (34.1 %)`` or ``15/44 (34.1)``.

    Raises
    ------
    InputFault
        If the text is none of these.
    Contradiction
        If there are more than there can be.

    Examples
    --------
    >>> count_cell("15/44 (34.1 %)")
    Count(number=15, of=44, percent='34.1')
    """
    parts = _COUNT.fullmatch(text.strip())
    if not parts:
        raise InputFault(f"'{text}' is not 'count', 'count (percent)' or 'count/size (percent)'")
    number, of, percent = parts.groups()
    if of is not None and int(number) > int(of):
        raise Contradiction(f"'{text}': more than there are")
    return Count(int(number), None if of is None else int(of), percent)
