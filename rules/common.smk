import os
import sys

# A checkout uses its own package, also where another one is installed; the wheel's Snakefile lies
# inside the package.
OWN_PACKAGE = os.path.join(workflow.basedir, "glymflow")
if os.path.isdir(OWN_PACKAGE):
    sys.path.insert(0, workflow.basedir)
    os.environ.update(PYTHONPATH=workflow.basedir)
    # the logger plugin may have imported another one
    other = sys.modules.get("glymflow")
    if other and os.path.dirname(other.__file__) != OWN_PACKAGE:
        for name in [name for name in sys.modules if name.split(".")[0] == "glymflow"]:
            del sys.modules[name]
os.environ.update(GLYMFLOW_JOB="1")

from glymflow.workflow.kernels import difference as kernel_difference
from glymflow.workflow.kernels import pin
from glymflow.workflow.processes import end_with_parent, name_parent

# one thread, the same kernels on every node: a rerun gives the same bytes
pin(os.environ)
name_parent(os.environ)

from snakemake import __version__ as snakemake_version
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from glymflow.commands.check import participants_of, refusals, table_of_study
from glymflow.domains import DOMAINS
from glymflow.dwi.correction_intake import candidate_files, read_candidates
from glymflow.io import InputFault, MachineFault
from glymflow.study.plan import load_plan, study_outputs
from glymflow.study.sessions import read_times, several_sessions
from glymflow.workflow.cluster import (
    leave_out_finished,
    name_run,
    remove_unfinished,
    start_on_cluster,
)
from glymflow.workflow.config import ready_table
from glymflow.workflow.checksums import used_kernels
from glymflow.workflow.faults import remove_placeholders
from glymflow.workflow.intake import intake_settings
from glymflow.workflow.places import link_datasets
from glymflow.workflow.planning import collect_less_often, lift_start_limit
from glymflow.workflow.sheet import empty_sheet, plan_sheet
from glymflow.workflow.sheet_file import remove_older_sheets
from glymflow.workflow.sources import code_hash, script_hashes

if workflow.is_main_process:
    name_run(os.environ)
else:
    end_with_parent()  # in a job of a cluster, Snakemake ends with its step

collect_less_often()
faults = refusals(config)
if faults:
    raise WorkflowError("The config is refused:\n" + "\n".join(faults))

PLAN = load_plan(config["study"]) if config["study"] else {}
STUDY = study_outputs(PLAN)
try:
    SHEET = (
        empty_sheet()
        if ready_table(config)
        else plan_sheet(
            intake_settings(config, PLAN), planning=workflow.is_main_process
        )
    )
    # a table takes the place of the images
    TABLE = table_of_study(config, SHEET.rows)
except (InputFault, MachineFault) as fault:
    raise WorkflowError(str(fault)) from None
SHEET = empty_sheet() if TABLE else SHEET
PARTICIPANTS = TABLE or participants_of(config)


# Readers' ratings are read by the jobs of the cohort: they change no scan's own values.
RATINGS = config["qc"]["ratings"]
THRESHOLDS = {key: value for key, value in config["qc"].items() if key != "ratings"}


SENT = []  # on a cluster: the jobs of this run


# Wildcards become words of command lines on a cluster: letters, digits and + only (the intake
# lets nothing else in).
wildcard_constraints:
    folder=r"sub-[A-Za-z0-9+]+(/ses-[A-Za-z0-9+]+)?",
    series=r"sub-[A-Za-z0-9+]+(_[A-Za-z0-9]+-[A-Za-z0-9+]+)*",
    subject=r"sub-[A-Za-z0-9+]+",
    batch=r"\d+",
    session=r"sub-[A-Za-z0-9+]+(_ses-[A-Za-z0-9+]+)?",


def get_of_series(column):
    """Give a column of the sheet for the job's series."""
    return lambda wildcards: SHEET.series[wildcards.series][column]


def get_entities(wildcards):
    """Give the first columns of the tables of the job's series."""
    row = SHEET.series[wildcards.series]
    return {name: row[name] for name in ("participant_id", "session_id")} | {
        "source": wildcards.series
    }


def get_beside(column):
    """Give a file that belongs to the job's series, or nothing where it has none."""
    return lambda wildcards: SHEET.series[wildcards.series][column] or []


def get_corrections(wildcards):
    """Give what may correct the distortion of the job's series."""
    return read_candidates(SHEET.series[wildcards.series]["corrections"])


def get_correction_files(wildcards):
    """Give the files of what may correct the distortion of the job's series."""
    return candidate_files(SHEET.series[wildcards.series]["corrections"])


def get_of_session(column):
    """Give an image of the job's session, or nothing where it has none."""
    return lambda wildcards: SHEET.images[wildcards.folder][column] or []


def expand_series(path):
    """Give the path of each DWI series of the cohort."""
    return [path.format(**row) for row in SHEET.series.values()]


def expand_sessions(path):
    """Give the path of each session of the cohort in which EPVS can be measured."""
    return [path.format(**row) for row in SHEET.images.values()]


def follow_registrations(path):
    """Give the path of the series that leads each session of a batch to the template."""
    return lambda wildcards: [
        path.format(**SHEET.lesions[session][0])
        for session in SHEET.batches[wildcards.batch]
        if SHEET.is_registered(session)
    ]


def names_own_columns(lesions):
    """Say whether lesions take their side or location from the participants table."""
    return any(lesions[f"{known}_column"] for known in ("side", "location"))


def follow_atlas(path):
    """Give a file of the registration where the regions come from the template."""
    return path if config["epvs"]["regions"] == "atlas" else []


def follow_image(column, path):
    """Give what was made of an image of the job's session, or nothing where it has none."""
    return lambda wildcards: path if SHEET.images[wildcards.folder][column] else []


def list_session_times(wildcards):
    """Give when the sessions were acquired of subjects that have several."""
    rows = [row for found in SHEET.rows.values() for row in found]
    return list(read_times(config["bids_dir"], several_sessions(rows)).items())


def collect_measures(pattern):
    """Give a path of each domain that is measured; `{domain}` is its name."""
    return [pattern.format(domain=domain) for domain in SHEET.measured]


def grow(amount, per_mb=0):
    """Give memory or time of a job: it doubles, triples ... when a killed job is tried again.

    With `per_mb` it is at least so much for each MB of the input files.
    """
    if not per_mb:
        return lambda wildcards, attempt: attempt * amount
    return lambda wildcards, input, attempt: attempt * max(
        amount, int(per_mb * input.size_mb)
    )


# each job in an image, with --sdm apptainer
if config["container"]:

    container: config["container"]


onstart:
    lift_start_limit(workflow.scheduler, snakemake_version)
    if SHEET.path and workflow.execution_settings.lock:
        remove_older_sheets(SHEET.path)
    SENT.extend(start_on_cluster(workflow, logger))


onerror:
    remove_unfinished(SENT)


onsuccess:
    remove_placeholders()
    apart = kernel_difference(used_kernels(os.path.join("results", "logs")))
    if apart:
        print(f"Warning: {apart}", file=sys.stderr)
