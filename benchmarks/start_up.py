"""What does a job cost before it begins to work? CPU seconds of the start of each subject's step.

    python benchmarks/start_up.py

Python, Snakemake's preamble, the step's script and the libraries that it loads where it uses them;
the least of three starts. docs/scale.md shows a run.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = {  # and what it loads once it works
    "fit_tensor": "dipy.segment.mask, pandas, scipy.ndimage",
    "register_template": "ants, pandas, scipy.ndimage",
    "measure_alps": "ants, pandas, scipy.ndimage",
    "report_subject": "matplotlib.figure, matplotlib.backends.backend_agg, jinja2, pandas",
}
START = """
import runpy, sys
sys.path.insert(0, {root!r})
from snakemake import script
import glymflow.workflow.jobs
runpy.run_path({path!r}, run_name="job")
from glymflow import lean
with lean.for_dipy() if "dipy" in {used!r} else lean.without():
    import {used}
"""


def start(step):
    """Return the CPU seconds of one start."""
    path = str(ROOT / "scripts" / f"{step}.py")
    code = START.format(root=str(ROOT), path=path, used=STEPS[step])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"GLYMFLOW_JOB": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    least = {step: min(start(step) for _ in range(3)) for step in STEPS}
    for step, seconds in least.items():
        print(f"{step:20} {seconds:.2f}")
    print(f"{'a subject':20} {sum(least.values()):.2f}")
