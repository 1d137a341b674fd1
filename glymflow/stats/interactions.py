"""Products of variables and splines in a regression, and the effect of the one at another's values.

Variance inflation is that of the variables without products and bends, which are bound to go along
with them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from glymflow.io import NoResult
from glymflow.stats.design import (
    Design,
    Term,
    build_design,
    generalised_vif,
    standardised,
    variance_inflation,
)
from glymflow.stats.splines import add_splines, quartile_contrast, spline_basis

SIGN = ":"  # between the names of the two variables
POINTS = 41  # of the curve of a spline


@dataclass(frozen=True)
class SimpleEffect:
    """The effect of one variable at a value of another.

    Attributes
    ----------
    variable, at : str
        The product, and the modifier's value, as "AD" or "62.1 (mean)".
    level, reference : str or None
        Of the variable whose effect it is, if it has levels.
    contrast : (k,) array
        Over the columns of the design, without the constant.
    """

    variable: str
    at: str
    level: str | None
    reference: str | None
    contrast: np.ndarray


def product_name(pair: Sequence[str]) -> str:
    """Return how the product of two variables is called in the results: `group:age`."""
    return SIGN.join(pair)


def step_of(name: str, increments: dict) -> float:
    """Return the increment of a variable, or the product of those of both of a pair; 1 else.

    Examples
    --------
    >>> step_of("age:alps", {"age": 10, "alps": 0.1}), step_of("sex", {"age": 10})
    (1.0, 1.0)
    """
    return float(np.prod([increments.get(part, 1.0) for part in name.split(SIGN)]))


def model_design(
    values: pd.DataFrame,
    variables: dict,
    names: Sequence[str],
    references: dict | None = None,
    interactions: Sequence[Sequence[str]] = (),
    splines: dict | None = None,
) -> Design:
    """Code the predictors of a model, with splines and products.

    Parameters
    ----------
    values, variables, names, references
        As `glymflow.stats.design.build_design`.
    interactions : list of (str, str)
        Pairs of variables; those that are not both among the names are left out.
    splines : dict, optional
        Number of knots by continuous variable.

    Returns
    -------
    Design

    Raises
    ------
    NoResult
        As `build_design`, and if a spline or a product cannot be estimated.
    """
    base = build_design(values, variables, names, references)
    bent = {name: count for name, count in (splines or {}).items() if name in names}
    pairs = [pair for pair in interactions if set(pair) <= set(names)]
    if not bent and not pairs:
        return base
    for name in bent:
        if variables[name]["type"] != "continuous":
            raise NoResult(f"a spline is for continuous variables; '{name}' has levels")
        if any(name in pair for pair in pairs):
            raise NoResult(f"'{name}' has a spline: it cannot be in an interaction")
    return replace(add_products(add_splines(base, values, bent), pairs), base=base)


def inflation(design: Design) -> np.ndarray:
    """Variance inflation factor of each column; missing of products and bends."""
    base = design.base or design
    known = dict(zip(map(str, base.terms), variance_inflation(base.x), strict=True))
    return np.array([known.get(str(term), np.nan) for term in design.terms])


def joint_inflation(design: Design, name: str) -> float:
    """Generalised variance inflation factor of a variable; missing of a product."""
    base = design.base or design
    columns = base.columns_of(name)
    return generalised_vif(base.x, columns) if columns else np.nan


def add_products(design: Design, pairs: Sequence[Sequence[str]]) -> Design:
    """Return the design with the products of pairs of its variables as further columns.

    Parameters
    ----------
    design : Design
        Holds both variables of each pair.
    pairs : list of (str, str)

    Returns
    -------
    Design

    Raises
    ------
    NoResult
        If a product is empty (no participant has both levels) or there are too few rows.
    """
    x, terms = design.x, list(design.terms)
    for pair in pairs:
        for i, j in itertools.product(*map(design.columns_of, pair)):
            both = [design.terms[i], design.terms[j]]
            product = (x[:, i] * x[:, j])[:, None]
            if not np.ptp(product):
                raise NoResult(
                    f"nobody has both {both[0]} and {both[1]}: their interaction"
                    " cannot be estimated"
                )
            named = [term for term in both if term.level]
            level = ", ".join(str(term.level) for term in named) or None
            reference = ", ".join(str(term.reference) for term in named) or None
            x = np.hstack([x, product])
            terms.append(Term(product_name(pair), level, reference, (i, j)))
    if len(x) <= x.shape[1] + 1:
        raise NoResult(f"{len(x)} complete rows are too few for {x.shape[1] + 1} coefficients")
    if np.linalg.matrix_rank(standardised(x)[0]) < x.shape[1]:
        raise NoResult("an interaction is collinear with the other predictors")
    return replace(design, x=x, terms=terms)


def simple_effects(
    design: Design, pairs: Sequence[Sequence[str]], values: pd.DataFrame, variables: dict
) -> list[SimpleEffect]:
    """Return the effects of the first of each pair at values of the second, and those of splines.

    A modifier with levels is held at each of them, a number at its mean and one SD below and above;
    a spline's effect is that from the first to the third quartile.

    Parameters
    ----------
    design : Design
        From `model_design`.
    pairs : list of (str, str)
    values : DataFrame
        The complete rows that the design was made of.
    variables : dict
        The plan's variables.
    """
    effects = []
    for name in design.knots:
        label, contrast = quartile_contrast(design, name, values[name])
        effects.append(SimpleEffect(name, label, None, None, contrast))
    products = {term.parts: column for column, term in enumerate(design.terms) if term.parts}
    for first, second in pairs:
        name = product_name((first, second))
        if not design.columns_of(name):
            continue
        for at, held in _held(design, second, values[second], variables[second]):
            for i in design.columns_of(first):
                contrast = np.zeros(len(design.terms))
                contrast[i] = 1
                for j, value in held.items():
                    contrast[products[i, j]] = value
                term = design.terms[i]
                effects.append(SimpleEffect(name, at, term.level, term.reference, contrast))
    return effects


def _held(design, name, values, variable):
    """Yield the label and the value of each column of the modifier."""
    columns = design.columns_of(name)
    if variable["type"] == "categorical":
        reference = design.terms[columns[0]].reference
        present = {design.terms[j].level: j for j in columns}
        for level in variable["levels"]:
            if level == reference:
                yield level, {}
            elif level in present:
                yield level, {present[level]: 1.0}
        return
    mean, sd = float(values.mean()), float(values.std())
    for words, value in (("mean - SD", mean - sd), ("mean", mean), ("mean + SD", mean + sd)):
        yield f"{value:.4g} ({words})", {columns[0]: value}


def curve_contrasts(
    design: Design, values: pd.DataFrame, name: str, *, relative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return values of a variable with a spline, and the design's columns there.

    Other numbers stand at their mean, levels at their reference.

    Parameters
    ----------
    design, values
        As for `simple_effects`.
    name : str
    relative : bool
        Take off the columns at the variable's median.

    Returns
    -------
    grid : (41,) array
        From the least to the largest value.
    lines : (41, k) array
    """
    held = np.zeros(len(design.terms))
    for i, term in enumerate(design.terms):
        if term.level is None:
            held[i] = np.prod(held[list(term.parts)]) if term.parts else design.x[:, i].mean()
    for other, knots in design.knots.items():
        held[design.columns_of(other)] = spline_basis(values[[other]].mean().to_numpy(), knots)[0]
    own, knots = design.columns_of(name), design.knots[name]
    grid = np.linspace(values[name].min(), values[name].max(), POINTS)
    lines = np.tile(held, (POINTS, 1))
    lines[:, own] = spline_basis(grid, knots)
    if relative:
        held[own] = spline_basis(values[[name]].median().to_numpy(), knots)[0]
        lines -= held
    return grid, lines
