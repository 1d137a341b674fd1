"""Join the exclusions of the intake and of every measure into one list."""

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.io import read_tsv, write_tsv


def main(*, parts, excluded):
    """Write ``excluded.tsv``, sorted by subject, session and series."""
    tables = [read_tsv(path, text=EXCLUDED_COLUMNS) for path in parts]
    table = pd.concat(tables, ignore_index=True)[EXCLUDED_COLUMNS]
    table = table.sort_values(EXCLUDED_COLUMNS, na_position="first", ignore_index=True)
    write_tsv(table, excluded)
    for row in table.itertuples():
        print(f"{row.participant_id}: {row.reason}")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(parts=snakemake.input.parts, excluded=snakemake.output.excluded)
