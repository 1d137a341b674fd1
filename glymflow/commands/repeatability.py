"""``glymflow repeatability TABLE``: a test-retest study from the ``alps.tsv`` of any cohort.

`summarise` computes at full precision; `glymflow.commands.repeatability_page` formats and renders.
Definitions: docs/test-retest.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize, stats

from glymflow.cohort.domain import of_primary_model
from glymflow.commands.repeatability_page import remarks, render_page, report_text
from glymflow.io import InputFault, naming, read_tsv, write_tsv
from glymflow.stats.agreement import agreement
from glymflow.text import natural_key

SETS = ["roi_set", "roi_radius_mm", "frame"]
SIDES = ("mean", "left", "right")
VALUES = [f"alps_{side}" for side in SIDES]
NAMES = ["participant_id", "source", "roi_set", "frame"]
COLUMNS = [
    *("side", "row", "participant_id", "n_heads", "n_scans", "n_failed", "n_missing", "df"),
    *("mean", "sd", "sd_low", "sd_high", "cv_percent", "cv_percent_low", "cv_percent_high"),
    *("cv_mean_percent", "sd_share_percent", "sd_share_percent_low", "sd_share_percent_high"),
    *("mdc", "mdc_low", "mdc_high", "sd_between", "icc_1", "icc_1_low", "icc_1_high"),
    *("icc_2", "icc_2_low", "icc_2_high", "icc_3", "icc_3_low", "icc_3_high", "n_complete"),
    *("bias", "bias_low", "bias_high", "loa_lower", "loa_lower_low", "loa_lower_high"),
    *("loa_upper", "loa_upper_low", "loa_upper_high", "confidence", "note"),
]  # fmt: skip
COUNTS = ["n_heads", "n_scans", "n_failed", "n_missing", "df", "n_complete"]


# --- Compute -------------------------------------------------------------------------------------


def load_alps(path, by=()):
    """Read an ``alps.tsv``.

    Raises
    ------
    InputFault
        If the file is no table, a column is missing, or a cell is not what it should be.
    """
    names = [*NAMES, "session_id", "qc_status", *by]
    table = read_tsv(path, text=names)
    absent = [name for name in [*names, *VALUES] if name not in table]
    if absent:
        raise InputFault(f"{path}: not an alps.tsv, columns missing: {', '.join(absent)}")
    for name in NAMES:
        if table[name].isna().any():
            raise InputFault(f"{path}: rows without {name}")
    if "model" not in by:
        table = of_primary_model(table)
    for name in VALUES:
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = table.loc[~np.isfinite(numbers) & table[name].notna(), name]
        if len(wrong):
            raise InputFault(f"{path}: {name} is not a number: '{wrong.iloc[0]}'")
        table[name] = numbers.astype(float)
    return table


def summarise(alps_table, repeats=None, *, by=(), include_failed=False, confidence=0.95):
    """Compute how much ALPS varies between scans of the same head.

    Parameters
    ----------
    alps_table : DataFrame
        `participant_id session_id source roi_set frame alps_left alps_right alps_mean qc_status`,
        one row per series x ROI set x frame, as in ``alps.tsv``; `roi_radius_mm` if there is one.
    repeats : {"sessions", "series"}, optional
        What a scan is: a session, its series averaged; or each series. Default: see
        `choose_repeats`.
    by : sequence of str
        Further columns that split the table, such as one with the variant of a method.
    include_failed : bool
        Keep the rows whose `qc_status` is "fail".
    confidence : float
        Level of all intervals.

    Returns
    -------
    DataFrame
        `by`, `SETS` and `COLUMNS` at full precision: for each ROI set, frame and side one row
        "head" per head that was scanned repeatedly, then one row "pooled". `sd` is a head's SD
        (ddof=1), or the pooled within-head SD, which is the standard error of measurement.

    Raises
    ------
    InputFault
        If a series has several rows for one ROI set and frame, nobody was scanned repeatedly, or
        no head has two scans that can be used.
    """
    repeats = repeats or choose_repeats(alps_table)
    scans = repeated_scans(alps_table, repeats, by=by, include_failed=include_failed)
    rows = []
    for key, group in scans.groupby([*by, *SETS], dropna=False, sort=False):
        for side in SIDES:
            here = group[group["side"] == side]
            heads = within_subject(here, confidence)
            keys = dict(zip([*by, *SETS], key, strict=True))
            keys |= {"side": side, "confidence": confidence}
            rows += [keys | row for row in [*heads, pooled(here, heads, confidence)]]
    table = pd.DataFrame(rows).reindex(columns=[*by, *SETS, *COLUMNS])
    if not (table["n_heads"] > 0).any():
        failed = table.loc[(table["row"] == "pooled") & (table["side"] == "mean"), "n_failed"].sum()
        hint = (
            f": {int(failed)} rows have qc_status fail (--include-failed keeps them)"
            if failed
            else ""
        )
        raise InputFault(f"no head has two {repeats} with a value{hint}")
    table["note"] = table["note"].where(table["note"] != "", None)
    return table.astype(dict.fromkeys(COUNTS, "Int64"))


def choose_repeats(alps_table):
    """Return "sessions" if anybody has several sessions, otherwise "series"."""
    sessions = alps_table.groupby("participant_id")["session_id"].nunique(dropna=False)
    return "sessions" if (sessions > 1).any() else "series"


def repeated_scans(alps_table, repeats, *, by=(), include_failed=False):
    """Return the scans of the heads that were scanned repeatedly, in natural order.

    Parameters
    ----------
    alps_table, repeats, by, include_failed
        As for `summarise`.

    Returns
    -------
    DataFrame
        `by`, `SETS`, `side`, `participant_id`, `scan` (session, or series without the subject's
        name), `value` (NaN: none that can be used), `n_failed`, `n_missing` (rows left out).

    Raises
    ------
    InputFault
        If a series has several rows, nobody was scanned repeatedly, or `by` names a column that
        is used already.
    """
    table = alps_table if "roi_radius_mm" in alps_table else alps_table.assign(roi_radius_mm=np.nan)
    keys = [*by, *SETS]
    taken = [name for name in by if name in {*SETS, *COLUMNS, "scan", "value"}]
    if taken:
        raise InputFault(f"the table cannot be split by '{taken[0]}'")
    twice = table[table.duplicated([*keys, "participant_id", "session_id", "source"])]
    if len(twice):
        row = twice.iloc[0]
        where = f"{row['source']}, {row['roi_set']}, {row['frame']} frame"
        raise InputFault(
            f"several rows of {where}; if the table holds two runs, split it with --by"
        )
    scan = table["session_id"].fillna("")
    if repeats == "series":
        pairs = zip(table["source"], table["participant_id"], strict=True)
        scan = pd.Series([s.removeprefix(p) for s, p in pairs], table.index)
    failed = (table["qc_status"] == "fail") & (not include_failed)
    long = table.assign(scan=scan, n_failed=failed).melt(
        [*keys, "participant_id", "scan", "n_failed"], VALUES, "side"
    )
    long["side"] = long["side"].str.removeprefix("alps_")
    long["n_missing"] = long["value"].isna() & ~long["n_failed"]
    long["value"] = long["value"].where(~long["n_failed"])
    head = [*keys, "side", "participant_id"]
    counted = {"value": "mean", "n_failed": "sum", "n_missing": "sum"}
    scans = long.groupby([*head, "scan"], dropna=False, sort=False).agg(counted).reset_index()
    for name in ("scan", "participant_id"):
        ranks = {text: rank for rank, text in enumerate(sorted(set(scans[name]), key=natural_key))}
        scans = scans.iloc[np.argsort(scans[name].map(ranks), kind="stable")]
    scans = scans[scans.groupby(head, dropna=False)["scan"].transform("size") > 1]
    if scans.empty:
        hint = ""
        if repeats == "sessions" and table.duplicated([*keys, "participant_id"]).any():
            hint = "; --repeats series takes each series as a scan"
        people = table["participant_id"].nunique()
        raise InputFault(f"none of the {people} subjects has several {repeats}{hint}")
    return scans.reset_index(drop=True)


def within_subject(scans, confidence=0.95):
    """Return a row for each head of one ROI set, frame and side: mean, SD, CV, SD / (ALPS - 1)."""
    rows = []
    for head, group in scans.groupby("participant_id", sort=False):
        values = group["value"].dropna().to_numpy()
        row = {"row": "head", "participant_id": head, "n_scans": len(values)}
        row |= {name: int(group[name].sum()) for name in ("n_failed", "n_missing")}
        row["mean"] = values.mean() if len(values) else np.nan
        if len(values) > 1:
            row |= _spread(values.std(ddof=1), len(values) - 1, row["mean"], confidence)
        else:
            row["note"] = "fewer than two scans that can be used"
        rows.append(row)
    return rows


def pooled(scans, heads, confidence=0.95):
    """Return the row of all heads of one ROI set, frame and side that have two scans or more.

    Parameters
    ----------
    scans : DataFrame
        From `repeated_scans`, one ROI set, frame and side.
    heads : list of dict
        From `within_subject`.
    confidence : float
        Level of the intervals.
    """
    used = scans[scans["value"].notna()]
    samples = [group["value"].to_numpy() for _, group in used.groupby("participant_id", sort=False)]
    samples = [sample for sample in samples if len(sample) > 1]
    row = {"row": "pooled", "n_heads": len(samples), "n_scans": sum(map(len, samples))}
    row |= {name: int(scans[name].sum()) for name in ("n_failed", "n_missing")}
    if not samples:
        return row | {"note": "no head has two scans that can be used"}
    df = row["n_scans"] - len(samples)
    sd = np.sqrt(sum((len(x) - 1) * x.var(ddof=1) for x in samples) / df)
    row["mean"] = np.concatenate(samples).mean()
    row |= _spread(sd, df, row["mean"], confidence)
    cvs = [head["cv_percent"] for head in heads if "cv_percent" in head]
    row["cv_mean_percent"] = np.mean(cvs)
    row |= bland_altman(samples, confidence)
    if len(samples) < 2:
        return row | {"note": "one head: no ICC"}
    if row["note"]:
        return row | {"note": "no head's scans differ: no ICC"}
    row["sd_between"], *icc = one_way(samples, confidence)
    return row | _triple("icc_1", icc) | _two_way(used, confidence)


def _spread(sd, df, mean, confidence):
    """Return SD, CV, SD / (ALPS - 1) and minimal detectable change; chi-square intervals."""
    tails = [(1 + confidence) / 2, (1 - confidence) / 2]
    sds = sd * np.array([1, *np.sqrt(df / stats.chi2.ppf(tails, df))])
    row = {"df": df, **_triple("sd", sds)}
    row |= _triple("cv_percent", 100 * sds / mean if mean > 0 else sds * np.nan)
    row |= _triple("sd_share_percent", 100 * sds / (mean - 1) if mean > 1 else sds * np.nan)
    row |= _triple("mdc", stats.norm.ppf((1 + confidence) / 2) * np.sqrt(2) * sds)
    same = sd <= 1e-12 * abs(mean)
    return row | {"note": "all scans have the same value: is one a copy?" if same else ""}


def _triple(name, values):
    return dict(zip((name, f"{name}_low", f"{name}_high"), map(float, values), strict=True))


def one_way(samples, confidence=0.95):
    r"""Compute the between-head SD and ICC(1), one-way random effects, unequal numbers of scans.

    .. math:: ICC(1) = \frac{MS_b - MS_w}{MS_b + (n_0 - 1) MS_w},\qquad
              n_0 = \frac{N - \sum n_i^2 / N}{k - 1}

    The interval is Wald's, exact for any numbers of scans; with equal numbers it is that of Shrout
    and Fleiss.

    Parameters
    ----------
    samples : sequence of (n_i,) arrays
        The scans of each of two heads or more, two scans or more each.
    confidence : float
        Level of the interval.

    Returns
    -------
    sd_between, icc, low, high : float
        The SD is 0 where the heads differ less than their scans do.

    References
    ----------
    Searle SR, Casella G, McCulloch CE. Variance components. 1992, sections 3.6 and 5.2.
    Wald A. A note on the analysis of variance with unequal class frequencies. Ann Math Stat
    1940;11:96-100. Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428.
    """
    sizes = np.array([len(sample) for sample in samples])
    means = np.array([np.mean(sample) for sample in samples])
    total, k = sizes.sum(), len(samples)
    within = sum((n - 1) * np.var(x, ddof=1) for n, x in zip(sizes, samples, strict=True))
    within /= total - k
    between = sizes @ (means - sizes @ means / total) ** 2 / (k - 1)
    typical = (total - sizes @ sizes / total) / (k - 1)
    variance = (between - within) / typical

    def ratio(icc):
        """F under the hypothesis that the true correlation is this."""
        weights = sizes * (1 - icc) / (1 + (sizes - 1) * icc)
        return weights @ (means - weights @ means / weights.sum()) ** 2 / (k - 1) / within

    def limit(tail):
        wanted = stats.f.ppf(tail, k - 1, total - k)
        lowest, highest = -1 / (sizes.max() - 1) + 1e-9, 1 - 1e-12
        if ratio(lowest) <= wanted:
            return -1 / (sizes.max() - 1)
        if ratio(highest) >= wanted:
            return 1.0
        return optimize.brentq(lambda icc: ratio(icc) - wanted, lowest, highest, xtol=1e-13)

    tail = (1 + confidence) / 2
    return np.sqrt(max(variance, 0)), variance / (variance + within), limit(tail), limit(1 - tail)


def _two_way(used, confidence):
    """ICC(2,1) and ICC(3,1) of the heads that have every scan; nothing where fewer than 3 have."""
    wide = used.set_index(["participant_id", "scan"])["value"].unstack()  # noqa: PD010 (no means)
    wide = wide.dropna()
    if len(wide) < 3:
        return {"n_complete": len(wide)}
    try:
        found = agreement(wide, confidence=confidence).set_index("test")
    except InputFault:  # all values are the same
        return {"n_complete": len(wide)}
    row = {"n_complete": len(wide)}
    for form in "23":
        if f"ICC({form},1)" in found.index:
            values = found.loc[f"ICC({form},1)", ["estimate", "estimate_low", "estimate_high"]]
            row |= _triple(f"icc_{form}", values)
    return row


def bland_altman(samples, confidence=0.95):
    r"""Compute the bias of later against earlier scans and the limits of agreement of two scans.

    Three heads or more, two scans each: the usual analysis of the differences. Otherwise the bias
    is the mean over heads of the mean of all a head's differences, later minus earlier; the
    limits are :math:`bias \pm z \sqrt{2}\,s_w`, so that a head with many pairs does not count
    for as many; their intervals join those of the bias (t) and of s_w (chi-square).

    Parameters
    ----------
    samples : sequence of (n_i,) arrays
        The scans of each head, in their order, two or more each.
    confidence : float
        Level of the intervals, and of the limits of agreement.

    Returns
    -------
    dict
        `bias`, `loa_lower`, `loa_upper`, each with `_low` and `_high`; with one head, without.

    References
    ----------
    Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res
    1999;8:135-160. Zou GY. Confidence interval estimation for the Bland-Altman limits of agreement
    with multiple observations per individual. Stat Methods Med Res 2013;22:630-642.
    """
    sizes = np.array([len(sample) for sample in samples])
    if len(samples) > 2 and (sizes == 2).all() and np.ptp(samples) > 0:
        rows = agreement(pd.DataFrame(np.array(samples)), confidence=confidence).set_index("row")
        names = {"bias": "bias", "loa_lower": "limit_low", "loa_upper": "limit_high"}
        keys = ["estimate", "estimate_low", "estimate_high"]
        return {
            key: value
            for name, row in names.items()
            if row in rows.index
            for key, value in _triple(name, rows.loc[row, keys]).items()
        }
    means = np.array([_mean_difference(sample) for sample in samples])
    df, k = sizes.sum() - len(samples), len(samples)
    variance = sum((n - 1) * np.var(x, ddof=1) for n, x in zip(sizes, samples, strict=True)) / df
    bias, tail = means.mean(), (1 + confidence) / 2
    half = stats.norm.ppf(tail) * np.sqrt(2 * variance)
    row = {"bias": bias, "loa_lower": bias - half, "loa_upper": bias + half}
    if k == 1:
        return row
    margin = stats.t.ppf(tail, k - 1) * means.std(ddof=1) / np.sqrt(k)
    less, more = np.abs(half * np.sqrt(df / stats.chi2.ppf([tail, 1 - tail], df)) - half)
    inner, outer = np.hypot(margin, less), np.hypot(margin, more)
    row |= _triple("bias", (bias, bias - margin, bias + margin))
    row |= _triple("loa_lower", (bias - half, bias - half - outer, bias - half + inner))
    return row | _triple("loa_upper", (bias + half, bias + half - inner, bias + half + outer))


def _mean_difference(values):
    """Mean of all differences between two scans of a head, later minus earlier."""
    n = len(values)
    return float((2 * np.arange(n) - n + 1) @ values / (n * (n - 1) / 2))


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    parser.add_argument("table", type=Path, metavar="TABLE", help="alps.tsv of a cohort")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="default: `repeatability` beside the table"
    )
    parser.add_argument(
        "--repeats",
        choices=("sessions", "series"),
        help="what a scan is: a session, its series averaged, or each series "
        "(default: sessions if a subject has several, otherwise series)",
    )
    parser.add_argument(
        "--by", nargs="+", default=[], metavar="COLUMN", help="further columns that split the table"
    )
    parser.add_argument(
        "--include-failed", action="store_true", help="keep rows whose qc_status is fail"
    )


def run(args):
    """Write table and page, print the pooled rows."""
    alps = load_alps(args.table, args.by)
    repeats = args.repeats or choose_repeats(alps)
    options = {"by": args.by, "include_failed": args.include_failed}
    with naming(args.table):
        table = summarise(alps, repeats, **options)
        scans = repeated_scans(alps, repeats, **options)
    out = args.out or args.table.parent / "repeatability"
    people = alps["participant_id"].nunique()
    page = render_page(scans, table, remarks(table, repeats, people), name=args.table.name)
    try:
        write_tsv(table, out / "repeatability.tsv")
        (out / "repeatability.html").write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputFault(f"{error.filename or out}: {error.strerror or error}") from None
    print(report_text(table))
    print("", *remarks(table, repeats, people), "", f"{out}/repeatability.html", sep="\n")
    return 0
