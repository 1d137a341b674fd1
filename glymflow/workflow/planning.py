"""Settings that make Snakemake's planning of large cohorts cheaper (docs/scale.md)."""

from __future__ import annotations

import gc
import os
import re
import sys
from typing import Any

# versions of Snakemake in whose scheduler the limit was looked at: from, below
LOOKED_AT = ((9, 20), (10, 0))
DEFAULT_LIMIT = (100, 1)  # starts, seconds: `--max-jobs-per-timespan 100/1s`
SWITCH = "GLYMFLOW_KEEP_START_LIMIT"


def collect_less_often() -> None:
    """Let Python look for garbage seldom: planning makes millions of objects, and most stay."""
    gc.set_threshold(200_000, 50, 1000)


def lift_start_limit(scheduler: Any, version: str) -> bool:
    """Take away Snakemake's default limit of job starts, for which there is no option.

    With any limit, `--max-jobs-per-timespan`, the scheduler looks at all waiting jobs again after
    each timespan; with thousands of jobs this takes more time than starting them (compare pull
    request 3744 of snakemake/snakemake). A limit that the user sets stays.

    Parameters
    ----------
    scheduler : object
        Snakemake's, as the workflow has it once a run starts.
    version : str
        Snakemake's. Outside `LOOKED_AT` nothing is changed, and one line on stderr says so.

    Returns
    -------
    bool
        Whether a limit was taken away. Never if the environment variable
        ``GLYMFLOW_KEEP_START_LIMIT`` is set.
    """
    limit = getattr(scheduler, "job_rate_limiter", None)
    if limit is None or os.environ.get(SWITCH):
        return False
    lowest, above = LOOKED_AT
    if not lowest <= _numbers(version) < above:
        print(
            f"Snakemake {version}: its limit of job starts stays (known up to {above[0] - 1}.x);"
            " very large cohorts may start slowly",
            file=sys.stderr,
        )
        return False
    if (limit.max_jobs, limit.timespan) != DEFAULT_LIMIT:
        return False
    scheduler.job_rate_limiter = None
    return True


def _numbers(version):
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
