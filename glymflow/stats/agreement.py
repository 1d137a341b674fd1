"""Agreement of repeated measurements: sessions, or raters' columns (`kind: agreement`)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval, joined, tidy
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
    options = {key: analysis[key] for key in ("icc", "confidence") if key in analysis}
    rows = []
    for names in analysis.get("ratings", []):
        label, occasions = {"variable": names[0]}, [str(name) for name in names]
        read: tuple = (_columns, table, names, variables)
        rows += _measure(label, occasions, read, options)
    for name in analysis.get("variables", []):
        read = _sessions, table, name, variables[name], analysis.get("sessions")
        rows += _measure({"variable": name}, None, read, options)
    return tidy(rows, COLUMNS)


def _measure(label, occasions, read, options):
    """Return the rows of one measure; one with a note if its values cannot be used."""
    try:
        values, notes = read[0](*read[1:])
        label["occasions"] = ", ".join(occasions or map(str, values.columns))
        rows = agreement(values, **options).to_dict("records")
    except NoResult as fault:
        return [{**label, "row": "test", "note": f"no test: {fault}"}]
    rows[0]["note"] = joined(*notes, rows[0]["note"])
    return [{**row, **label} for row in rows]


def _columns(table, names, variables):
    columns, notes = {}, []
    for name in names:
        columns[name], fault, note = variable_values(table, name, variables[name])
        if fault or variables[name]["type"] != "continuous":
            raise NoResult(fault or f"'{name}' is not continuous")
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
    complete = values.dropna()
    if len(complete) < 3:
        raise NoResult(
            f"{len(complete)} participants have values of all of: {', '.join(map(str, values))}"
        )
    x = complete.to_numpy(float)
    if np.ptp(x) == 0:
        raise NoResult("all values are the same")
    common = {"n": len(x), "missing": len(values) - len(x), "confidence": confidence}
    rows = _intraclass(x, icc, confidence)
    for i, j in itertools.combinations(range(x.shape[1]), 2):
        contrast = f"{complete.columns[j]} - {complete.columns[i]}"
        rows += [
            {"contrast": contrast, **row} for row in _bland_altman(x[:, i], x[:, j], confidence)
        ]
    rows += _within(x, confidence)
    return tidy([common | row for row in rows], COLUMNS)


def _mean_squares(x):
    """Mean squares between rows, between columns, of the rest, and within rows."""
    n, k = x.shape
    centre, rows, columns = x.mean(), x.mean(axis=1), x.mean(axis=0)
    rest = ((x - rows[:, None] - columns + centre) ** 2).sum() / ((n - 1) * (k - 1))
    within = ((x - rows[:, None]) ** 2).sum() / (n * (k - 1))
    between = k * ((rows - centre) ** 2).sum() / (n - 1)
    return between, n * ((columns - centre) ** 2).sum() / (k - 1), rest, within


def _intraclass(x, primary, confidence):
    n, k = x.shape
    between, columns, rest, within = _mean_squares(x)
    tail, df, df_rest, df_within = (1 + confidence) / 2, n - 1, (n - 1) * (k - 1), n * (k - 1)
    if rest <= 1e-14 * between:
        return [
            {"row": "test", "test": f"ICC({primary})", "note": "no test: no error of measurement"}
        ]
    found = {}
    for form, error, df_error in (("1", within, df_within), ("3", rest, df_rest)):
        f = between / error
        low = f / stats.f.ppf(tail, df, df_error)
        high = f * stats.f.ppf(tail, df_error, df)
        found[f"{form},1"] = [(v - 1) / (v + k - 1) for v in (f, low, high)], f, df_error
        found[f"{form},k"] = [1 - 1 / v for v in (f, low, high)], f, df_error
    single = (between - rest) / (between + (k - 1) * rest + k * (columns - rest) / n)
    a, b = k * single / (n * (1 - single)), 1 + k * single * (n - 1) / (n * (1 - single))
    freedom = (a * columns + b * rest) ** 2 / (
        (a * columns) ** 2 / (k - 1) + (b * rest) ** 2 / df_rest
    )
    others = k * columns + (k * n - k - n) * rest
    lower, upper = stats.f.ppf(tail, df, freedom), stats.f.ppf(tail, freedom, df)
    low = n * (between - lower * rest) / (lower * others + n * between)
    high = n * (upper * between - rest) / (others + n * upper * between)
    two = [single, low, high]
    found["2,1"] = two, between / rest, df_rest
    found["2,k"] = [k * v / (1 + (k - 1) * v) for v in two], between / rest, df_rest
    order = [primary, *(form for form in FORMS if form != primary)]
    return [
        {
            "row": "test" if form == primary else "icc",
            "test": f"ICC({form})",
            **interval("estimate", f"ICC({form})", found[form][0]),
            "statistic_name": "F",
            "statistic": found[form][1],
            "df": df,
            "df_error": found[form][2],
            "p": float(stats.f.sf(found[form][1], df, found[form][2])),
        }
        for form in order
    ]


def _bland_altman(first, second, confidence):
    differences, n = second - first, len(first)
    bias, sd = differences.mean(), differences.std(ddof=1)
    z, t = stats.norm.ppf((1 + confidence) / 2), stats.t.ppf((1 + confidence) / 2, n - 1)
    half, wide = t * sd / np.sqrt(n), t * sd * np.sqrt(1 / n + z**2 / (2 * (n - 1)))
    row = {"row": "bias", "test": "Bland-Altman", "mean": bias, "sd": sd}
    row |= interval("estimate", "bias", (bias, bias - half, bias + half))
    if sd <= 1e-14 * np.abs(first).max():
        return [row | {"note": "all differences are the same"}]
    row |= {"statistic_name": "t", "statistic": bias / sd * np.sqrt(n), "df": n - 1}
    rows = [row | {"p": float(2 * stats.t.sf(abs(row["statistic"]), n - 1))}]
    for name, side in (("low", -1), ("high", 1)):
        limit = bias + side * z * sd
        limits = interval(
            "estimate", f"limit of agreement, {name}", (limit, limit - wide, limit + wide)
        )
        rows.append({"row": f"limit_{name}", "test": "Bland-Altman", **limits})
    means = (first + second) / 2
    if np.ptp(means) > 0:
        result = stats.pearsonr(means, differences)
        r = effects.fisher_z(float(result.statistic), n, confidence=confidence)
        rows.append(
            {
                "row": "trend",
                "test": "Pearson",
                **interval("estimate", "r of difference and mean", r),
                "p": float(result.pvalue),
                "df": n - 2,
            }
        )
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
