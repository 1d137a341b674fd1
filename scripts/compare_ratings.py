"""Put the ratings of the readers side by side, and say how far they agree."""

import pandas as pd

from glymflow.alps.ratings import RATINGS, compare_ratings, read_ratings
from glymflow.io import NoResult, read_tsv, write_tsv
from glymflow.stats.kappa import kappa_rows

AGREEMENT = ["contrast", "test", "n", "estimate_name", "estimate", "estimate_low",
             "estimate_high", "p", "note"]  # fmt: skip


def main(*, ratings, alps, table, agreement):
    """Write ``ratings.tsv`` and ``rater_agreement.tsv``.

    Parameters
    ----------
    ratings : list of path-like
        One or more files of the review mode.
    alps : path-like
        ``alps.tsv``.
    table, agreement : path-like
        Written; `agreement` has no rows with one rater.
    """
    rated = read_ratings(ratings)
    series = read_tsv(alps).drop_duplicates("source").rename(columns={"source": "series"})
    side_by_side = compare_ratings(rated, series)
    write_tsv(side_by_side, table)
    raters = [name for name in side_by_side if name.startswith("rating_")]
    values = side_by_side[raters].rename(columns=lambda name: name.removeprefix("rating_"))
    rows = []
    if len(raters) > 1:
        try:
            rows = kappa_rows(values, list(RATINGS), weights="none")
        except NoResult as fault:
            rows = [{"contrast": " - ".join(values), "test": "Cohen's kappa", "note": str(fault)}]
    write_tsv(pd.DataFrame(rows).reindex(columns=AGREEMENT), agreement)
    unknown = sorted(set(rated.series) - set(series.series))
    if unknown:
        print(f"rated, but not measured: {', '.join(unknown)}")
    print(f"{len(rated)} ratings, {(side_by_side.agreement == 'no').sum()} series to reconcile")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            ratings=snakemake.input.ratings,
            alps=snakemake.input.alps,
            table=snakemake.output.table,
            agreement=snakemake.output.agreement,
        )
