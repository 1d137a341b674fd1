import functools
import gc
import os
import sys

import snakemake.common
import snakemake.dag
import snakemake.rules

# The checkout's own package, also where another one is installed; and one thread for every
# numerical library unless a rule says otherwise, so that a rerun gives the same bytes.
sys.path.insert(0, workflow.basedir)
os.environ.update(PYTHONPATH=workflow.basedir, GLYMFLOW_JOB="1")
for library in ("OMP", "OPENBLAS", "MKL", "ITK_GLOBAL_DEFAULT"):
    suffix = "NUMBER_OF_THREADS" if library.startswith("ITK") else "NUM_THREADS"
    os.environ.setdefault(f"{library}_{suffix}", "1")

# Planning a large cohort (docs/scale.md) makes millions of objects, and nearly all of them stay: there
# is no garbage to look for.
gc.set_threshold(200_000, 50, 1000)
# A function keeps its parameters; Snakemake asks Python for them some 29 times a job.
for namespace in (snakemake.common, snakemake.rules):
    ask = getattr(namespace, "get_function_params", None)
    if ask and not hasattr(ask, "cache_info"):
        namespace.get_function_params = functools.cache(ask)


def look_once(look):
    """Look whether a rule's script is there once, not for each of the rule's jobs."""

    @functools.wraps(look)
    def process_job(self, job):
        seen = self.__dict__.setdefault("rules_seen", set())
        name, script = job.rule.name, job.rule.script
        if name in seen:
            return
        look(self, job)
        if script and "{" not in str(script):
            seen.add(name)

    return process_job


processor = getattr(snakemake.dag, "ScriptProcessor", None)
if processor and not hasattr(processor.process_job, "__wrapped__"):
    processor.process_job = look_once(processor.process_job)

from snakemake.exceptions import WorkflowError

from glymflow.commands.check import study_faults
from glymflow.workflow.config import config_faults
from glymflow.epvs.intake import intake_settings
from glymflow.workflow.intake import index_measures
from glymflow.io import InputFault
from glymflow.workflow.sheet import shared_sheet
from glymflow.workflow.sources import code_hash, fingerprint, script_hashes
from glymflow.study.plan import load_plan, study_outputs

BATCH = 25  # sessions whose lesions one job measures: its start takes as long as twenty masks

faults = config_faults(config)
if not faults and config["study"]:
    faults = study_faults(config)
if faults:
    raise WorkflowError("The config is refused:\n" + "\n".join(faults))

PLAN = load_plan(config["study"]) if config["study"] else {}

try:
    EPVS_INTAKE = intake_settings(config, PLAN)
    _series, _masks, _images, _excluded = shared_sheet(
        index_measures,
        {
            "bids_dir": config["bids_dir"],
            "derivatives_dir": config["derivatives_dir"],
            "participants": config["participants"],
            "lesions": config["lesions"],
            "epvs": EPVS_INTAKE,
        },
        planning=workflow.is_main_process,
    )
except InputFault as fault:
    raise WorkflowError(str(fault)) from None

# the sheet: series name -> its row, and subject -> its series
SERIES = {row["series"]: row for row in _series.to_dict("records")}
SUBJECTS = {
    subject: list(rows) for subject, rows in _series.groupby("participant_id").series
}
# folder of a session -> the rows of its lesion masks; sessions are measured in batches
LESIONS = {}
for row in _masks.to_dict("records"):
    LESIONS.setdefault(row["folder"], []).append(row)
LESION_BATCHES = {
    f"{start // BATCH + 1:03}": list(LESIONS)[start : start + BATCH]
    for start in range(0, len(LESIONS), BATCH)
}
# sessions whose masks reach the template through the registration of a series
REGISTERED = {
    folder
    for folder, rows in LESIONS.items()
    if rows[0]["series"] and not any(row["template"] for row in rows)
}
LESION_BATCH = {
    folder: batch for batch, folders in LESION_BATCHES.items() for folder in folders
}
LESION_SESSIONS = {}
for folder, rows in LESIONS.items():
    SUBJECTS.setdefault(rows[0]["participant_id"], [])
    LESION_SESSIONS.setdefault(rows[0]["participant_id"], []).append(folder)
# what a session with masks needs to know, and a session without must not rerun for
OVERLAP = {
    key: config["lesions"][key] for key in ("consensus", "overlap", "max_overlap")
}
# folder of a session -> the images in which EPVS can be measured; all sessions, those that
# cannot among them, for the list of who was left out
EPVS_SESSIONS = _images.to_dict("records")
IMAGES = {row["folder"]: row for row in EPVS_SESSIONS if not row["fault"]}
MEASURES_EPVS = any(row["measured"] for row in IMAGES.values())
EPVS_OF = {}
for row in IMAGES.values() if MEASURES_EPVS else ():
    SUBJECTS.setdefault(row["participant_id"], [])
    EPVS_OF.setdefault(row["participant_id"], []).append(row)
# what the segmentation of EPVS needs to know; another primary engine is no reason to rerun it
EPVS = {
    key: value
    for key, value in config["epvs"].items()
    if key not in ("measure", "mask", "engine")
}
# what is measured; a cohort of nothing is told so by the measurement of ALPS
NAMES = {"alps": "ALPS", "lesions": "Lesions", "epvs": "EPVS"}
MEASURES = ["alps"] if SERIES or not (LESIONS or MEASURES_EPVS) else []
MEASURES += ["lesions"] if LESIONS else []
MEASURES += ["epvs"] if MEASURES_EPVS else []
SHEET = fingerprint(_series, _masks, _images, _excluded)
PARTICIPANTS = config["participants"] or os.path.join(
    config["bids_dir"], "participants.tsv"
)
STUDY = study_outputs(PLAN) if PLAN else {"stats": [], "tables": [], "figures": []}

REPORT = {
    "roi_set": config["roi_set"],
    "frame": config["frame"],
    "title": PLAN.get("title", f"{NAMES[MEASURES[0]]} of the cohort"),
    "group_order": PLAN.get("groups", {}).get("order"),
    "group_labels": PLAN.get("groups", {}).get("labels"),
    "tensor fit": config["tensor"]["fit"],
    "series of a session": config["combine_series"],
    "study plan": config["study"],
}


# Wildcards become words of command lines on a cluster: letters, digits and + only (the intake
# lets nothing else in).
wildcard_constraints:
    folder=r"sub-[A-Za-z0-9+]+(/ses-[A-Za-z0-9+]+)?",
    series=r"sub-[A-Za-z0-9+]+(_[A-Za-z0-9]+-[A-Za-z0-9+]+)*",
    subject=r"sub-[A-Za-z0-9+]+",
    batch=r"\d+",
    session=r"sub-[A-Za-z0-9+]+(_ses-[A-Za-z0-9+]+)?",


def of_series(column):
    """Give a column of the series' row (`lookup` would search the whole sheet for every job)."""
    return lambda wildcards: SERIES[wildcards.series][column]


def of_session(column):
    """Give an image of a session, or nothing where it has none."""
    return lambda wildcards: IMAGES[wildcards.folder][column] or []


def of_atlas(path):
    """Give a file of the registration where the regions come from the template."""
    return path if config["epvs"]["regions"] == "atlas" else []


def of_sessions(path):
    """Give the path of each session in which EPVS can be measured."""
    return [path.format(**row) for row in IMAGES.values()]


def of_subject(path):
    """Give the path of each of a subject's series, in the order of the sheet."""
    return lambda wildcards: [
        path.format(**SERIES[name]) for name in SUBJECTS[wildcards.subject]
    ]


def images_of(subject):
    """Give the rows of a subject's sessions whose EPVS are on its page."""
    return EPVS_OF.get(subject, [])


def of_images(path):
    """Give the path of each of a subject's sessions whose EPVS are on its page."""
    return lambda wildcards: [
        path.format(**row) for row in images_of(wildcards.subject)
    ]


def lesion_files(sessions):
    """Give the lesion masks of some sessions, with the images and sidecars that belong to them."""
    rows = [row for session in sessions for row in LESIONS[session]]
    files = [row[key] for row in rows for key in ("mask", "image", "sidecar")]
    return list(dict.fromkeys(filter(None, files)))


def lesions_of(subject):
    """Give the sessions of a subject that have lesion masks."""
    return LESION_SESSIONS.get(subject, [])


def native_masks(wildcards):
    """Give the lesion masks in the world of a session's scans; those in template space are not."""
    rows = LESIONS.get(wildcards.folder, [])
    return [row["mask"] for row in rows if not row["template"]]


def masks_that_count(wildcards):
    """Give the lesion masks of a session whose volume counts."""
    return [row["mask"] for row in LESIONS.get(wildcards.folder, []) if row["volume"]]


def of_template_masks(path):
    """Give the file of a series if a mask that counts is in template space."""
    return lambda wildcards: (
        path.format(**wildcards)
        if any(r["template"] and r["volume"] for r in LESIONS.get(wildcards.folder, []))
        else []
    )


def of_lesions(*paths):
    """Give some files of the cohort for subjects with a lesion, nothing for the others."""
    return lambda wildcards: list(paths) if lesions_of(wildcards.subject) else []


def of_batches(path):
    """Give the path of the batch of each of a subject's sessions with a lesion."""
    return lambda wildcards: [
        path.format(batch=LESION_BATCH[session])
        for session in lesions_of(wildcards.subject)
    ]


def of_registered(path):
    """Give the path of the series that leads each session of a batch to the template."""
    return lambda wildcards: [
        path.format(**LESIONS[session][0])
        for session in LESION_BATCHES[wildcards.batch]
        if session in REGISTERED
    ]


def of_cohort(path):
    """Give the path of each series of the cohort."""
    return [path.format(**row) for row in SERIES.values()]


def growing(amount):
    """Give memory or time of a job: it doubles, triples ... when a killed job is tried again."""
    return lambda wildcards, attempt: attempt * amount
