"""What jobs leave out of libraries: gone in a job, whole everywhere else."""

import os
import subprocess
import sys

import pytest

IN_JOB = os.environ | {"GLYMFLOW_JOB": "1"}
ELSEWHERE = {key: value for key, value in os.environ.items() if key != "GLYMFLOW_JOB"}


def run(code, env):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("code", "spared"),
    [
        (
            "from glymflow import lean\nwith lean.for_dipy():\n    from dipy.segment import mask",
            ["pandas", "pytest", "h5py"],
        ),
    ],
)
def test_only_a_job_leaves_parts_out(code, spared):
    code += f"\nimport sys\nprint(*(name for name in {spared!r} if sys.modules.get(name)))"
    assert run(code, IN_JOB) == []
    assert run(code, ELSEWHERE) == spared


def test_what_was_left_out_can_be_loaded_afterwards():
    code = (
        "from glymflow import lean\n"
        "with lean.for_dipy():\n    from dipy.segment import mask\n"
        "import h5py, pandas\n"
        "print(h5py.File.__name__, pandas.DataFrame.__name__)"
    )
    assert run(code, IN_JOB) == ["File", "DataFrame"]


def test_loaded_modules_stay():
    code = (
        "import json\nfrom glymflow import lean\n"
        "with lean.without('json'):\n    import json\nprint(json.dumps(1))"
    )
    assert run(code, IN_JOB) == ["1"]
