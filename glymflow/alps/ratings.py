"""Ratings of scans by readers: read, applied to ``alps.tsv``, compared between readers.

A reader looks at each page and says accept, unsure or exclude. A scan that any reader excluded
fails quality control (`rated_out`), and the study plan's `qc` leaves it out like any other failure.
"""

import pandas as pd

from glymflow.alps.domain import CODES
from glymflow.cohort.participants import KEYS
from glymflow.cohort.qc import codes_in, judge_codes
from glymflow.io import InputFault, read_tsv

RATINGS = ("accept", "unsure", "exclude")
NEEDED = ("series", "rater", "rating")
COLUMNS = ("participant_id", "session_id", "series", "rater", "rating", "roi", "note", "date")
CODE = "rated_out"


def read_ratings(paths):
    """Read the ratings of one or more readers, as the report's review mode saves them.

    Parameters
    ----------
    paths : list of path-like
        TSV with the columns series, rater and rating (accept, unsure, exclude); roi, note and date
        are kept. A row without a rating is no rating.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per series and rater, all text.

    Raises
    ------
    InputFault
        For a column that is missing, a rating that is none of the three, a row without series or
        rater, or two ratings of a series by one rater.
    """
    tables = []
    for path in paths:
        table = read_tsv(path, text=COLUMNS)
        missing = [name for name in NEEDED if name not in table]
        if missing:
            raise InputFault(f"{path}: no column {missing[0]}; ratings have series, rater, rating")
        table = table[table.rating.notna()].reindex(columns=list(COLUMNS))
        for number, row in enumerate(table.itertuples(), start=1):
            _check_row(row, f"{path}: rating {number}")
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    twice = found[found.duplicated(["series", "rater"])]
    if len(twice):
        one = twice.iloc[0]
        raise InputFault(
            f"{' and '.join(map(str, paths))}: two ratings of {one.series} by {one.rater};"
            " keep one of them"
        )
    return found


def _check_row(row, place):
    if not isinstance(row.series, str) or not isinstance(row.rater, str):
        raise InputFault(f"{place}: it needs a series and a rater")
    if row.rating not in RATINGS:
        raise InputFault(f"{place}: '{row.rating}' is none of {', '.join(RATINGS)}")


def apply_ratings(alps, ratings):
    """Let the scans that a reader excluded fail quality control.

    Parameters
    ----------
    alps : DataFrame
        ``alps.tsv``, all ROI sets and frames.
    ratings : DataFrame
        From `read_ratings`.

    Returns
    -------
    DataFrame
        The same rows; those of excluded series have the code `rated_out`.
    """
    out = set(ratings.series[ratings.rating == "exclude"])
    alps = alps.copy()
    rated = alps.source.isin(out)
    judged = [judge_codes(codes_in(text) | {CODE}, CODES) for text in alps.qc_reasons[rated]]
    alps.loc[rated, ["qc_status", "qc_reasons"]] = judged
    return alps


def compare_ratings(ratings, series):
    """Put the ratings of all readers side by side.

    Parameters
    ----------
    ratings : DataFrame
        From `read_ratings`.
    series : DataFrame
        `KEYS` and `series` of the scans that were measured.

    Returns
    -------
    DataFrame
        `KEYS`, series, a column ``rating_<rater>`` for each rater, `agreement` ("yes", "no": to be
        reconciled; missing with fewer than two ratings) and `notes`.
    """
    raters = sorted(ratings.rater.unique())
    wide = ratings.set_index(["series", "rater"]).rating.unstack().reindex(series.series)  # noqa: PD010
    table = series[[*KEYS, "series"]].reset_index(drop=True)
    for rater in raters:
        table[f"rating_{rater}"] = wide[rater].to_numpy()
    counts = wide.nunique(axis=1)
    several = wide.notna().sum(axis=1) > 1
    words = counts.map(lambda count: "yes" if count == 1 else "no").where(several)
    table["agreement"] = words.to_numpy()
    told = ratings[ratings.note.notna() | ratings.roi.notna()]
    told = told.astype(object).fillna({"roi": "", "note": ""})
    texts = told.rater + ": " + (told.roi + " " + told.note).map(str.strip)
    notes = texts.groupby(told.series).agg("; ".join)
    table["notes"] = notes.reindex(table.series).to_numpy()
    return table
