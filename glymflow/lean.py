"""What the workflow's jobs leave out of the libraries that they load.

Each job is a process of its own, and much of its start went into parts of libraries that no step
uses. In jobs of the workflow (rules/common.smk sets the variable), and nowhere else, these are kept
out: a name is made unknown, as if it were not installed, or an empty module stands in.
"""

import contextlib
import os
import sys
import types

IN_JOB = bool(os.environ.get("GLYMFLOW_JOB"))
# parts of ANTs that load matplotlib, scikit-learn, statsmodels and requests (which fetches examples
# from the internet), and the names it takes from them
_ANTS = {
    "deeplearn": "",
    "learn": "",
    "plotting": "",
    "utils.get_ants_data": "get_ants_data get_data",
    "math.quantile": "ilr rank_intensity quantile regress_poly regress_components "
    "get_average_of_timeseries compcor bandpass_filter_matrix",
}


def start():
    """Keep the parts of ANTs out of this process, if it is a job."""
    if not IN_JOB:
        return
    if "ants" not in sys.modules:
        for part, names in _ANTS.items():
            sys.modules[f"ants.{part}"] = _empty(f"ants.{part}", names)


@contextlib.contextmanager
def without(*unknown, empty=()):
    """Within the block, in a job: modules that are not loaded yet are unknown or empty."""
    kept_out = [name for name in (*unknown, *empty) if IN_JOB and name not in sys.modules]
    for name in kept_out:
        sys.modules[name] = _empty(name) if name in empty else None
    try:
        yield
    finally:
        for name in kept_out:
            del sys.modules[name]


def for_dipy():
    """Leave out what dipy loads if it is there, and the files of tracts."""
    return without("pandas", "pytest", empty=("h5py",))


def _empty(name, names=""):
    module = types.ModuleType(name)
    vars(module).update(dict.fromkeys(names.split()))
    return module
