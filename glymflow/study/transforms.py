"""Transformations of a plan's variables: what they do, what they cannot be made of, their names."""

import numpy as np

# transformation: function, least value (excluded if True), words of the label, unit
_ELEMENTWISE = {
    "log": (np.log, (0.0, True), "log", "log {}"),
    "log1p": (np.log1p, (-1.0, True), "log(1 + x)", "log {}"),
    "sqrt": (np.sqrt, (0.0, False), "square root", "√{}"),
    "square": (np.square, (-np.inf, False), "squared", "{}²"),
}
_SCALES = {"centre": "centred at the mean", "z": "z score", "per_sd": "per SD"}


def transformed(numbers, transform):
    """Transform numbers, and say if they cannot be transformed.

    Parameters
    ----------
    numbers : Series of float
        NaN for missing.
    transform : {"log", "log1p", "sqrt", "square", "centre", "z", "per_sd"}
        `z` and `per_sd` divide by the standard deviation of these numbers, `centre` and `z` take
        their mean off.

    Returns
    -------
    values : Series of float
    fault : str
        Why they cannot be transformed; empty if they can.

    Examples
    --------
    >>> import pandas as pd
    >>> values, fault = transformed(pd.Series([1.0, 2, 3]), "z")
    >>> list(values), fault
    ([-1.0, 0.0, 1.0], '')
    >>> transformed(pd.Series([0.0, 2]), "log")[1]
    'has values without a log: 0'
    """
    if transform in _ELEMENTWISE:
        function, (least, excluded), words, _ = _ELEMENTWISE[transform]
        wrong = numbers[(numbers <= least) if excluded else (numbers < least)]
        if len(wrong):
            shown = ", ".join(f"{value:g}" for value in dict.fromkeys(wrong.iloc[:3]))
            return numbers, f"has values without a {words}: {shown}"
        return function(numbers), ""
    mean, sd = numbers.mean(), numbers.std()
    if transform != "centre" and not sd > 0:
        return numbers, "is constant: it has no standard deviation to be scaled by"
    moved = numbers - mean if transform in ("centre", "z") else numbers
    return (moved if transform == "centre" else moved / sd), ""


def named(name, variable):
    """Return a variable of a plan with label and unit that say how it is transformed.

    Examples
    --------
    >>> named("nihss", {"transform": "log1p", "label": "NIHSS"})["label"]
    'NIHSS (log(1 + x))'
    >>> named("volume", {"transform": "log", "unit": "mL"})["unit"]
    'log mL'
    """
    transform = variable.get("transform")
    if not transform:
        return variable
    words = _ELEMENTWISE[transform][2] if transform in _ELEMENTWISE else _SCALES[transform]
    result = {**variable, "label": f"{variable.get('label', name)} ({words})"}
    if transform in ("z", "per_sd"):
        result.pop("unit", None)
    elif "unit" in variable and transform in _ELEMENTWISE:
        result["unit"] = _ELEMENTWISE[transform][3].format(variable["unit"])
    return result
