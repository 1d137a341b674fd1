"""Restricted cubic splines: a number's effect that need not be a straight line."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from glymflow.io import NoResult
from glymflow.stats.design import Design, Term

if TYPE_CHECKING:
    import pandas as pd

# quantiles of the knots, by their number (Harrell)
QUANTILES = {
    3: (0.1, 0.5, 0.9),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.5, 0.725, 0.95),
}
LINEAR, BEND = "linear", "bend {}"  # levels of the columns of a spline


def spline_basis(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    r"""Return the columns of a restricted cubic spline: x, and one less bend than inner knots.

    .. math:: C_j = [(x-t_j)_+^3 - (x-t_{K-1})_+^3 \frac{t_K-t_j}{t_K-t_{K-1}}
              + (x-t_K)_+^3 \frac{t_{K-1}-t_j}{t_K-t_{K-1}}] / (t_K-t_1)^2

    It is a straight line beyond the outer knots, as R's ``rms::rcs``.

    Parameters
    ----------
    x : (n,) array
    knots : (K,) array
        Ascending.

    Returns
    -------
    (n, K - 1) array

    References
    ----------
    Harrell FE. Regression modeling strategies. 2nd ed. Springer 2015, section 2.4.5.
    """
    cubes = np.clip(np.subtract.outer(x, knots), 0, None) ** 3
    last, before = knots[-1], knots[-2]
    share = (last - knots[:-2]) / (last - before)
    bends = cubes[:, :-2] - cubes[:, [-2]] * share + cubes[:, [-1]] * (share - 1)
    return np.column_stack([x, bends / (last - knots[0]) ** 2])


def spline_knots(name: str, values: pd.Series, count: int) -> np.ndarray:
    """Return the knots of a variable: quantiles of its values (type 7).

    Raises
    ------
    NoResult
        If two of them are equal.
    """
    knots = np.quantile(values.to_numpy(float), QUANTILES[count])
    if (np.diff(knots) <= 0).any():
        raise NoResult(f"'{name}' has too few different values for a spline of {count} knots")
    return knots


def add_splines(design: Design, values: pd.DataFrame, splines: dict) -> Design:
    """Return the design with the bends of splines after the column of each variable.

    Parameters
    ----------
    design : Design
    values : DataFrame
        The complete rows that it was made of.
    splines : dict
        Number of knots by variable.
    """
    columns, terms, knots = [], [], {}
    for i, term in enumerate(design.terms):
        name, column = term.variable, design.x[:, i]
        if name not in splines:
            columns.append(column)
            terms.append(term)
            continue
        knots[name] = spline_knots(name, values[name], splines[name])
        columns.append(spline_basis(column, knots[name]))
        levels = [LINEAR, *(BEND.format(j + 1) for j in range(splines[name] - 2))]
        terms += [Term(name, level) for level in levels]
    return replace(design, x=np.column_stack(columns), terms=terms, knots=knots)


def quartile_contrast(design: Design, name: str, values: pd.Series) -> tuple[str, np.ndarray]:
    """Return the label and the contrast of a spline's effect from the first to the third quartile.

    Returns
    -------
    label : str
    contrast : (k,) array
        Over the columns of the design.
    """
    ends = np.quantile(values.to_numpy(float), [0.25, 0.75])
    low, high = spline_basis(ends, design.knots[name])
    contrast = np.zeros(len(design.terms))
    contrast[design.columns_of(name)] = high - low
    return f"{ends[0]:.4g} to {ends[1]:.4g} (Q1 to Q3)", contrast
