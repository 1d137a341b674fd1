"""Take a ready table as the cohort's: nothing is measured."""

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.io import InputFault, write_json, write_tsv
from glymflow.study.cohort_table import describe_columns
from glymflow.study.ready_table import read_ready_table


def main(*, table, cohort, dictionary, excluded):
    """Write ``cohort.tsv`` from a ready table.

    Parameters
    ----------
    table : path-like
        The ready table (`glymflow.study.ready_table.read_ready_table`).
    cohort, dictionary, excluded : path-like
        Written: the table as TSV, what its columns of measures mean (JSON), and nobody left out.

    Raises
    ------
    InputFault
        If the table cannot be used as it is.
    """
    ready, faults = read_ready_table(table)
    if faults:
        raise InputFault("; ".join(faults))
    write_tsv(ready, cohort)
    write_json(describe_columns(ready), dictionary)
    write_tsv(pd.DataFrame(columns=EXCLUDED_COLUMNS), excluded)
    print(f"{len(ready)} rows")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            table=snakemake.input.table,
            cohort=snakemake.output.cohort,
            dictionary=snakemake.output.dictionary,
            excluded=snakemake.output.excluded,
        )
