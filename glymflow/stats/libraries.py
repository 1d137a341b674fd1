"""pingouin, loaded when a job first needs it and without its rounding.

Its import takes about two seconds, which planning and the other jobs do not pay.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd


@functools.cache
def pingouin() -> ModuleType:
    """Return pingouin; its options round no column."""
    import pingouin as library

    for name in ("round", *(key for key in library.options if key.startswith("round."))):
        library.options[name] = None
    return library


def first_row(call: Callable[..., pd.DataFrame], *arguments: Any, **options: Any) -> dict:
    """Call a test of pingouin; return its first row as a dict.

    Parameters
    ----------
    call : function
        Returns a data frame.
    arguments, options : objects
        What it is called with.

    Returns
    -------
    dict
        By the names of the columns; an interval has the key "limits", whatever its level.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what could not be computed is missing
        row = call(*arguments, **options).iloc[0].to_dict()
    for key in [key for key in row if key.startswith("CI") and key[2:].isdigit()]:
        row["limits"] = np.asarray(row[key], float)
    return row


def long_table(samples: list[np.ndarray]) -> pd.DataFrame:
    """Return the values of groups one below the other, columns value and group (0, 1, ...)."""
    sizes = [len(sample) for sample in samples]
    groups = np.repeat(np.arange(len(samples)), sizes)
    return pd.DataFrame({"value": np.concatenate(samples), "group": groups})
