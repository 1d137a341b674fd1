"""From variables of the plan to the columns of a regression; what cannot be fitted is a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from glymflow.io import ConfigFault, NoResult
from glymflow.stats.common import adjusted, no_result_if
from glymflow.study.selection import variable_values
from glymflow.text import level_text

COLLINEAR = 1e-8  # share of a column's variance that the others leave, below which it is theirs
VIF_HIGH = 10.0


@dataclass(frozen=True)
class Term:
    """A column of the design: a continuous variable, or one level against the reference.

    Of a product `parts` are the columns that it is the product of.
    """

    variable: str
    level: str | None = None
    reference: str | None = None
    parts: tuple[int, ...] = ()

    def __str__(self):
        return self.variable if self.level is None else f"{self.variable} = {self.level}"


@dataclass
class Design:
    """The columns of a regression.

    Attributes
    ----------
    x : (n, k) array
        One column per term, no constant.
    terms : list of Term
    notes : dict of str to str
        What was done to a variable, by its name.
    base : Design, optional
        Without products and bends of splines (`glymflow.stats.interactions.model_design`).
    knots : dict
        Of the splines, by variable.
    """

    x: np.ndarray
    terms: list
    notes: dict = field(default_factory=dict)
    base: Design | None = None
    knots: dict = field(default_factory=dict)

    def columns_of(self, name: str) -> list[int]:
        """Return the numbers of the columns of a variable."""
        return [i for i, term in enumerate(self.terms) if term.variable == name]


def read_variables(
    table: pd.DataFrame, variables: dict, names: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the values of variables, missing ones included, and what was done to them.

    Parameters
    ----------
    table : DataFrame
        The rows of the analysis.
    variables : dict
        The plan's variables.
    names : list of str
        Which of them.

    Returns
    -------
    values : DataFrame
        One column per variable: float, or text with None for missing.
    notes : dict of str to str

    Raises
    ------
    NoResult
        If a column cannot be used.
    """
    columns: dict = {}
    notes: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name not in variables:
            raise NoResult(f"the plan has no variable '{name}'")
        columns[name], fault, note = variable_values(table, name, variables[name])
        if fault:
            raise NoResult(fault)
        if columns[name].isna().all():
            raise NoResult(f"'{name}' has no values")
        notes |= {name: note} if note else {}
    return pd.DataFrame(columns, index=table.index), notes


def about(notes: dict, *names: str) -> list[str]:
    """Return the notes of variables, each after its name."""
    return [f"{name}: {notes[name]}" for name in names if name in notes]


def adjust_rows(results: pd.DataFrame, rows: pd.Series, correction: str) -> None:
    """Adjust the p values of some rows for their number, in place.

    Parameters
    ----------
    results : DataFrame
    rows : (n,) array of bool
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
    """
    part = adjusted(results.loc[rows, ["p", "p_adjusted", "correction"]].copy(), correction)
    results.loc[rows, ["p_adjusted", "correction"]] = part[["p_adjusted", "correction"]]


def check_named(settings: dict | None, names: Sequence[str], what: str) -> None:
    """Refuse a setting for a variable that has no part in the analysis.

    Raises
    ------
    ConfigFault
    """
    wrong = [name for name in settings or {} if name not in names]
    if wrong:
        raise ConfigFault(f"{what} of '{wrong[0]}', which the analysis does not use")


def reference_of(name: str, variable: dict, references: dict | None = None) -> str:
    """Return the reference level: the named one; of two levels the non-event; else the first.

    Raises
    ------
    NoResult
        If the named reference is none of the variable's levels.
    """
    levels = variable["levels"]
    named = level_text((references or {}).get(name))
    if named is not None:
        if named not in levels:
            raise NoResult(f"the reference '{named}' is not a level of '{name}'")
        return named
    if len(levels) == 2 and variable.get("event") == levels[0]:
        return levels[1]
    return levels[0]


def build_design(
    values: pd.DataFrame, variables: dict, names: Sequence[str], references: dict | None = None
) -> Design:
    """Code the predictors of a model: numbers as they are, levels as indicators (treatment coding).

    Parameters
    ----------
    values : DataFrame
        Complete rows, from `read_variables`.
    variables : dict
        The plan's variables.
    names : list of str
        The predictors.
    references : dict, optional
        Reference level by variable; else `reference_of`.

    Returns
    -------
    Design

    Raises
    ------
    NoResult
        If a predictor is constant, no participant has its reference level, predictors are
        collinear, or there are not more rows than coefficients.
    """
    columns, terms, notes = [], [], {}
    for name in names:
        variable, column = variables[name], values[name]
        if column.nunique() < 2:
            raise NoResult(f"'{name}' is constant in the {len(values)} complete rows")
        if variable["type"] == "continuous":
            columns.append(column.to_numpy(float))
            terms.append(Term(name))
            continue
        reference = reference_of(name, variable, references)
        counts = {level: int((column == level).sum()) for level in variable["levels"]}
        if not counts[reference]:
            raise NoResult(f"no participant has the reference level '{reference}' of '{name}'")
        empty = [level for level, count in counts.items() if not count]
        if empty:
            notes[name] = f"levels nobody has: {', '.join(empty)}"
        for level in variable["levels"]:
            if level != reference and counts[level]:
                columns.append((column == level).to_numpy(float))
                terms.append(Term(name, level, reference))
    design = Design(np.column_stack(columns), terms, notes)
    _check_columns(design)
    return design


def _check_columns(design):
    rows, k = design.x.shape
    if rows <= k + 1:
        raise NoResult(f"{rows} complete rows are too few for {k + 1} coefficients")
    left = 1 / variance_inflation(design.x)
    if (left < COLLINEAR).any():
        names = ", ".join(
            str(t) for t, share in zip(design.terms, left, strict=True) if share < COLLINEAR
        )
        raise NoResult(f"predictors are collinear: {names}")


def standardised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns with mean 0 and SD 1, the means and the SDs."""
    mean, sd = x.mean(axis=0), x.std(axis=0, ddof=1)
    return (x - mean) / sd, mean, sd


def variance_inflation(x: np.ndarray) -> np.ndarray:
    """Variance inflation factor of each column: 1 / (1 - R2) of its regression on the others.

    Parameters
    ----------
    x : (n, k) array
        Without the constant, which is one of the others.

    Returns
    -------
    (k,) array
        Infinite for a column that the others determine.

    References
    ----------
    Marquardt DW. Technometrics 1970;12:591-612.
    """
    return np.array([generalised_vif(x, [i]) for i in range(x.shape[1])])


def generalised_vif(x: np.ndarray, columns: Sequence[int]) -> float:
    """Generalised variance inflation factor of a set of columns (the levels of one variable).

    References
    ----------
    Fox J, Monette G. Generalized collinearity diagnostics. J Am Stat Assoc 1992;87:178-183.
    """
    rest = [i for i in range(x.shape[1]) if i not in columns]
    with no_result_if(np.linalg.LinAlgError):
        sizes = [
            np.linalg.svd(standardised(x[:, part])[0], compute_uv=False)
            for part in (list(columns), rest, [*columns, *rest])
        ]
    # determinants of the correlations, by their logarithms
    one, other, both = (2 * np.log(np.maximum(size, 1e-300)).sum() for size in sizes)
    factor = float(np.exp(one + other - both))
    return factor if factor < 1e15 else np.inf


def outcome_event(variables: dict, outcome: str, event: str | None = None) -> tuple[str, str]:
    """Return the level of the outcome whose odds are modelled, and the other one.

    Raises
    ------
    NoResult
        If the outcome is not a variable of two levels, or the event is none of them.
    """
    variable = variables[outcome]
    levels = variable.get("levels", [])
    if variable["type"] != "categorical" or len(levels) != 2:
        raise NoResult(f"the outcome '{outcome}' is not a categorical variable of two levels")
    event = level_text(event) or variable.get("event", levels[-1])
    if event not in levels:
        raise NoResult(f"the event '{event}' is not a level of '{outcome}'")
    return event, levels[1 - levels.index(event)]
