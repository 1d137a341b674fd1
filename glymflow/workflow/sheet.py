"""The sheet of a run: what was found in the cohort, once per run and not once per job.

On a cluster, Snakemake reads its Snakefile anew for every job. If each of 10,000 jobs listed
10,000 subjects, the file server would be asked for hundreds of millions of folders. So the process
that plans the run keeps what it found in the run directory, and the jobs read that.
"""

import hashlib
import json
import os
import pickle
import tempfile
from pathlib import Path

FOLDER = Path(".snakemake") / "glymflow"


def shared_sheet(index, config, *, planning, folder=FOLDER):
    """Return the tables of a cohort: anew for the process that plans a run, kept ones for its jobs.

    Parameters
    ----------
    index : callable
        Called with the values of `config`; returns the tables.
    config : dict
        What the tables depend on; another one has a sheet of its own.
    planning : bool
        Whether this process plans the run. Otherwise a kept sheet is used if there is one.
    folder : path-like
        Where sheets are kept; it has to be seen by all nodes.

    Returns
    -------
    tuple of DataFrame
        What `index` returns.

    Raises
    ------
    InputFault
        Of `index`.
    """
    key = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:16]
    path = Path(folder) / f"sheet-{key}.pickle"
    if not planning and path.is_file():
        return pickle.loads(path.read_bytes())
    tables = index(**config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            pickle.dump(tables, file)
        os.replace(file.name, path)  # a job never sees half a sheet
    except OSError:
        pass  # the run directory cannot be written to (somebody else's, a dry run): no sheet kept
    return tables
