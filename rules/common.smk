import os
import sys

# The checkout's own package, also where another one is installed; and one thread for every
# numerical library unless a rule says otherwise, so that a rerun gives the same bytes.
sys.path.insert(0, workflow.basedir)
os.environ.update(PYTHONPATH=workflow.basedir)
for library in ("OMP", "OPENBLAS", "MKL", "ITK_GLOBAL_DEFAULT"):
    suffix = "NUMBER_OF_THREADS" if library.startswith("ITK") else "NUM_THREADS"
    os.environ.setdefault(f"{library}_{suffix}", "1")

from snakemake.exceptions import WorkflowError

from glymflow.check import study_faults
from glymflow.cohort import index_cohort
from glymflow.config import config_faults
from glymflow.io import InputFault
from glymflow.sources import code_hash, fingerprint
from glymflow.study import load_plan, study_outputs

faults = config_faults(config)
if not faults and config["study"]:
    faults = study_faults(config)
if faults:
    raise WorkflowError("The config is refused:\n" + "\n".join(faults))

try:
    _series, _excluded = index_cohort(
        config["bids_dir"], config["derivatives_dir"], config["participants"]
    )
except InputFault as fault:
    raise WorkflowError(str(fault)) from None

# the sheet: series name -> its row, and subject -> its series
SERIES = {row["series"]: row for row in _series.to_dict("records")}
SUBJECTS = {
    subject: list(rows) for subject, rows in _series.groupby("participant_id").series
}
SHEET = fingerprint(_series, _excluded)
PARTICIPANTS = config["participants"] or os.path.join(
    config["bids_dir"], "participants.tsv"
)
PLAN = load_plan(config["study"]) if config["study"] else {}
STUDY = study_outputs(PLAN) if PLAN else {"stats": [], "tables": [], "figures": []}

REPORT = {
    "roi_set": config["roi_set"],
    "frame": config["frame"],
    "title": PLAN.get("title", "ALPS of the cohort"),
    "group_order": PLAN.get("groups", {}).get("order"),
    "group_labels": PLAN.get("groups", {}).get("labels"),
    "tensor fit": config["tensor"]["fit"],
    "series of a session": config["combine_series"],
    "study plan": config["study"],
}


wildcard_constraints:
    folder=r"sub-[^/]+(/ses-[^/]+)?",
    series=r"sub-[^/]+?",
    subject=r"sub-[^/_]+",


def of_series(column):
    """Give a column of the series' row (`lookup` would search the whole sheet for every job)."""
    return lambda wildcards: SERIES[wildcards.series][column]


def of_subject(path):
    """Give the path of each of a subject's series, in the order of the sheet."""
    return lambda wildcards: [
        path.format(**SERIES[name]) for name in SUBJECTS[wildcards.subject]
    ]


def of_cohort(path):
    """Give the path of each series of the cohort."""
    return [path.format(**row) for row in SERIES.values()]


def growing(mem_mb):
    """Give the memory of a job: it doubles, triples ... when a killed job is tried again."""
    return lambda wildcards, attempt: attempt * mem_mb
