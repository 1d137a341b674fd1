"""A Slurm cluster for the tests of this folder, and the run that theirs is compared with."""

import cluster
import pytest
from end_to_end.conftest import once, small_run  # noqa: F401 (fixtures)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Two nodes of two cores, on this machine, ended with all their jobs after the tests."""
    missing = cluster.missing_programs()
    if missing:
        pytest.skip(
            f"Slurm is not installed here ({', '.join(missing)}); "
            "on Debian: apt-get install slurm-wlm munge"
        )
    started = cluster.Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()
