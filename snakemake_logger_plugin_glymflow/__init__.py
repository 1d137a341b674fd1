"""Snakemake's logger plugin ``glymflow``: a run in the words of a study (``--logger glymflow``).

The name of this package is how Snakemake finds it. What is printed: `glymflow.workflow.progress`.
Snakemake imports it at the start of each run and job, with and without ``--logger``: glymflow
itself is imported only where the plugin is used, and a checkout can still take its own package.
"""

import sys
import time

from snakemake_interface_logger_plugins.base import LogHandlerBase


class LogHandler(LogHandlerBase):
    """Prints the lines of `Progress` to the terminal; Snakemake's log file is written as ever."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self):
        """Begin with nothing done."""
        from glymflow.workflow.progress import Progress

        self.progress = Progress()

    def emit(self, record):
        """Print what one log record gives; an error here never ends a run."""
        try:
            for line in self.progress.lines(record, time.monotonic()):
                print(line, file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)
