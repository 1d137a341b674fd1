"""Agreement of repeated measurements: sessions, or raters' columns (`kind: agreement`)."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval, joined, row_of_test, tidy
from glymflow.stats.kappa import complete_rows, kappa_rows
from glymflow.stats.libraries import first_row, pingouin
from glymflow.study.selection import variable_values
from glymflow.text import level_text, natural_key

COLUMNS = [
    *("variable", "occasions", "row", "contrast", "n", "missing", "mean", "sd"),
    *("test", "statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "confidence", "note"),
]
FORMS = ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make the planned comparisons of measurements."""
    variables = plan["variables"]
    options = {key: analysis[key] for key in ("icc", "weights", "confidence") if key in analysis}
    rows = []
    for names in analysis.get("ratings", []):
        label, occasions = {"variable": names[0]}, [str(name) for name in names]
        read: tuple = (_columns, table, names, variables)
        rows += _measure(label, occasions, read, options, variables[names[0]])
    for name in analysis.get("variables", []):
        read = _sessions, table, name, variables[name], analysis.get("sessions")
        rows += _measure({"variable": name}, None, read, options, variables[name])
    return tidy(rows, COLUMNS)


def _measure(label, occasions, read, options, variable):
    """Return the rows of one measure; one with a note if its values cannot be used."""
    try:
        values, notes = read[0](*read[1:])
        label["occasions"] = ", ".join(occasions or map(str, values.columns))
        if variable["type"] == "categorical":
            known = {key: options[key] for key in ("weights", "confidence") if key in options}
            rows = kappa_rows(values, variable["levels"], **known)
        else:
            known = {key: options[key] for key in ("icc", "confidence") if key in options}
            rows = agreement(values, **known).to_dict("records")
    except NoResult as fault:
        return [{**label, "row": "test", "note": f"no test: {fault}"}]
    rows[0]["note"] = joined(*notes, rows[0].get("note"))
    return [{**row, **label} for row in rows]


def _columns(table, names, variables):
    columns, notes, first = {}, [], variables[names[0]]
    for name in names:
        columns[name], fault, note = variable_values(table, name, variables[name])
        if not fault and variables[name]["type"] != first["type"]:
            fault = f"'{name}' is {variables[name]['type']}, '{names[0]}' is {first['type']}"
        if not fault and variables[name].get("levels") != first.get("levels"):
            fault = f"'{names[0]}' and '{name}' have different levels"
        if fault:
            raise NoResult(fault)
        notes.append(note)
    return pd.DataFrame(columns), notes


def _sessions(table, name, variable, sessions):
    values, notes = _columns(table, [name], {name: variable})
    labels = table["session_id"].map(level_text).str.removeprefix("ses-")
    frame = values.assign(participant=table["participant_id"], session=labels)
    if frame.duplicated(["participant", "session"]).any():
        raise NoResult("a session of a participant has several rows")
    wide = frame.set_index(["participant", "session"])[name].unstack()  # noqa: PD010 (no means)
    known = sorted((label for label in wide if isinstance(label, str)), key=natural_key)
    wanted = [text.removeprefix("ses-") for text in map(level_text, sessions or known)]
    if len(wanted) < 2:
        raise NoResult("there are fewer than two sessions; write `session: all` in the plan")
    return wide.reindex(columns=wanted), notes


def agreement(values: pd.DataFrame, *, icc: str = "2,1", confidence: float = 0.95) -> pd.DataFrame:
    r"""Compare repeated measurements of the same participants.

    ICC: intraclass correlations of McGraw and Wong, one-way random (1), two-way random with
    absolute agreement (2), two-way mixed with consistency (3), of one measurement (1) and of the
    mean of k. Bland-Altman: bias and limits of agreement for each pair, intervals with the t
    distribution and :math:`s \sqrt{1/n + z^2 / (2 (n-1))}`. Standard error of measurement: root of
    the variance within participants; minimal detectable change :math:`z \sqrt{2}\, SEM`; CV: root
    mean square of SD / mean of each participant, in percent; their intervals from chi-square.

    Parameters
    ----------
    values : DataFrame
        A row per participant, a column per measurement; incomplete rows are left out, and counted.
    icc : {"1,1", "2,1", "3,1", "1,k", "2,k", "3,k"}
        The form that is printed; its row is called "test", the others "icc".
    confidence : float
        Level of the intervals, and of the limits of agreement.

    Returns
    -------
    DataFrame
        `COLUMNS`: rows "test", "icc" (5), "bias", "limit_low", "limit_high", "trend" for each pair
        of columns, "sem", "mdc", "cv".

    Raises
    ------
    NoResult
        If fewer than 3 participants are complete, or all values are the same.

    References
    ----------
    McGraw KO, Wong SP. Psychol Methods 1996;1:30-46. Bland JM, Altman DG. Stat Methods Med Res
    1999;8:135-160. Weir JP. J Strength Cond Res 2005;19:231-240. Glüer CC et al. Osteoporos Int
    1995;5:262-270.
    """
    complete, size = complete_rows(values)
    x = complete.to_numpy(float)
    if np.ptp(x) == 0:
        raise NoResult("all values are the same")
    for column, constant in zip(complete, np.ptp(x, axis=0) == 0, strict=True):
        if constant:
            raise NoResult(f"all values of '{column}' are the same: no agreement to measure")
    rows = _intraclass(x, icc, confidence)
    for i, j in itertools.combinations(range(x.shape[1]), 2):
        contrast = f"{complete.columns[j]} - {complete.columns[i]}"
        rows += [
            {"contrast": contrast, **row} for row in _bland_altman(x[:, i], x[:, j], confidence)
        ]
    rows += _within(x, confidence)
    return tidy([{**size, "confidence": confidence, **row} for row in rows], COLUMNS)


def _mean_squares(x):
    """Mean squares between rows, between columns, of the rest, and within rows."""
    n, k = x.shape
    centre, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    rest = ((x - rows[:, None] - columns + centre) ** 2).sum() / ((n - 1) * (k - 1))
    within = ((x - rows[:, None]) ** 2).sum() / (n * (k - 1))
    between = k * ((rows - centre) ** 2).sum() / (n - 1)
    return between, n * ((columns - centre) ** 2).sum() / (k - 1), rest, within


def _intraclass(x, primary, confidence):
    if _mean_squares(x)[2] <= 1e-14 * _mean_squares(x)[0]:
        return [
            {"row": "test", "test": f"ICC({primary})", "note": "no test: no error of measurement"}
        ]
    table = pd.DataFrame(x).melt(ignore_index=False, var_name="rater").reset_index(names="target")
    found = pingouin().intraclass_corr(table, "target", "rater", "value").to_dict("records")
    limits = _limits(x, found, confidence)
    rows = {}
    for form, one in zip(FORMS, found, strict=True):
        name, df = f"ICC({form})", {"df": one["df1"], "df_error": one["df2"]}
        rows[form] = {
            "row": "test" if form == primary else "icc",
            **row_of_test(name, "F", one["F"], one["pval"], **df),
            **interval("estimate", name, (one["ICC"], *limits[form])),
        }
    return [rows.pop(primary), *rows.values()]


def _limits(x, found, confidence):
    """Limits of each form at any level; pingouin has those of 95 % only (McGraw and Wong)."""
    n, k = x.shape
    between, columns, rest, _ = _mean_squares(x)
    tail, df, limits = (1 + confidence) / 2, n - 1, {}
    for form, place in (("1", 0), ("3", 2)):
        f, df_error = found[place]["F"], found[place]["df2"]
        ends = f / stats.f.ppf(tail, df, df_error), f * stats.f.ppf(tail, df_error, df)
        limits[f"{form},1"] = [(v - 1) / (v + k - 1) for v in ends]
        limits[f"{form},k"] = [1 - 1 / v for v in ends]
    single = found[1]["ICC"]
    a, b = k * single / (n * (1 - single)), 1 + k * single * (n - 1) / (n * (1 - single))
    freedom = (a * columns + b * rest) ** 2
    freedom /= (a * columns) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1))
    others = k * columns + (k * n - k - n) * rest
    lower, upper = stats.f.ppf(tail, df, freedom), stats.f.ppf(tail, freedom, df)
    low = n * (between - lower * rest) / (lower * others + n * between)
    high = n * (upper * between - rest) / (others + n * upper * between)
    limits["2,1"] = [low, high]
    limits["2,k"] = [k * v / (1 + (k - 1) * v) for v in (low, high)]
    return limits


def _bland_altman(first, second, confidence):
    differences, n = second - first, len(first)
    bias, sd = differences.mean(), differences.std(ddof=1)
    z, t = stats.norm.ppf((1 + confidence) / 2), stats.t.ppf((1 + confidence) / 2, n - 1)
    wide = t * sd * np.sqrt(1 / n + z**2 / (2 * (n - 1)))
    row = {"row": "bias", "test": "Bland-Altman", "mean": bias, "sd": sd}
    if sd <= 1e-14 * np.abs(first).max():
        row |= interval("estimate", "bias", (bias, bias, bias))
        return [row | {"note": "all differences are the same"}]
    found = first_row(pingouin().ttest, differences, 0, confidence=confidence)
    row |= interval("estimate", "bias", (bias, *found["limits"]))
    row |= row_of_test("Bland-Altman", "t", found["T"], found["p_val"], df=n - 1)
    rows = [row]
    for name, side in (("low", -1), ("high", 1)):
        limit = bias + side * z * sd
        limits = (limit, limit - wide, limit + wide)
        row = {"row": f"limit_{name}", "test": "Bland-Altman"}
        rows.append({**row, **interval("estimate", f"limit of agreement, {name}", limits)})
    means = (first + second) / 2
    if np.ptp(means) > 0:
        found = first_row(pingouin().corr, means, differences)
        r = effects.fisher_z(found["r"], n, confidence=confidence)
        row = {"row": "trend", "test": "Pearson", "p": found["p_val"], "df": n - 2}
        rows.append({**row, **interval("estimate", "r of difference and mean", r)})
    return rows


def _within(x, confidence):
    n, k = x.shape
    df = n * (k - 1)
    sem = np.sqrt(_mean_squares(x)[3])
    tails = [(1 + confidence) / 2, (1 - confidence) / 2]
    factors = [1, *np.sqrt(df / stats.chi2.ppf(tails, df))]
    detectable = stats.norm.ppf((1 + confidence) / 2) * np.sqrt(2) * sem
    rows = [
        {"row": "sem", "df": df, **_scaled("standard error of measurement", sem, factors)},
        {"row": "mdc", "df": df, **_scaled("minimal detectable change", detectable, factors)},
    ]
    means = x.mean(axis=1)
    if (means <= 0).any():
        return [*rows, {"row": "cv", "note": "no CV: not all means are positive"}]
    cv = 100 * np.sqrt(np.mean(x.var(axis=1, ddof=1) / means**2))
    return [*rows, {"row": "cv", "df": df, **_scaled("CV within participants, %", cv, factors)}]


def _scaled(name, value, factors):
    return interval("estimate", name, [value * factor for factor in factors])


def occasions_of(table: pd.DataFrame, plan: dict, analysis: dict) -> dict[str, pd.DataFrame]:
    """Return the measurements that a planned agreement compares, by variable of its results.

    Parameters
    ----------
    table : DataFrame
        The rows of the analysis.
    plan, analysis : dict

    Returns
    -------
    dict of str to DataFrame
        One column per rater or session; what cannot be used is left out.
    """
    variables, found = plan["variables"], {}
    for names in analysis.get("ratings", []):
        with contextlib.suppress(NoResult):
            found[names[0]] = _columns(table, names, variables)[0]
    for name in analysis.get("variables", []):
        with contextlib.suppress(NoResult):
            found[name] = _sessions(table, name, variables[name], analysis.get("sessions"))[0]
    return found
