"""The sheet of a run: what was found in the cohort, and which jobs need which of it.

On a cluster, Snakemake reads its Snakefile anew for every job. If each of 10,000 jobs listed
10,000 subjects, the file server would be asked for hundreds of millions of folders. So the process
that plans the run keeps what it found in the run directory, and its jobs read that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.domains import DOMAINS
from glymflow.io import FilePath
from glymflow.lesions.domain import SAME, UNKNOWN
from glymflow.workflow.intake import index_cohort
from glymflow.workflow.sheet_file import read_sheet, write_sheet
from glymflow.workflow.sources import fingerprint

FOLDER = Path(".snakemake") / "glymflow"
KEPT = "GLYMFLOW_SHEET"  # the environment's variable with the name of the sheet of this run
BATCH = 25  # sessions of lesions in one job: starting a job costs as much as some 20 masks


class Sheet:
    """What is measured in whom.

    Parameters
    ----------
    rows : dict of str to DataFrame
        Of each domain, what it found (`glymflow.workflow.intake.index_cohort`).
    excluded : DataFrame
        Who was left out at the intake.
    path : path-like, optional
        Where the sheet is kept.

    Attributes
    ----------
    rows : dict of str to list of dict
        The same as plain rows.
    measured : list of str
        The domains that are measured. With nothing to measure, ALPS: its rules report the empty
        cohort. None for a ready table (`empty_sheet`).
    pictures : dict of str to str
        By domain, a picture for the cohort's page.
    subjects : dict of str to list of str
        Each subject that has a page, with its DWI series.
    series : dict of str to dict
        Each DWI series by its name.
    lesions : dict of str to list of dict
        The masks of each session (``sub-01/ses-1``) that has lesion masks.
    batches : dict of str to list of str
        The sessions whose lesions one job measures.
    images : dict of str to dict
        The images of each session in which EPVS can be measured.
    fingerprint : str
        Another one when anything in the sheet changes.
    """

    def __init__(self, rows, excluded, path=None):
        self.path, self.excluded = path, excluded
        self.fingerprint = fingerprint(*rows.values(), excluded)
        self.rows = {name: table.to_dict("records") for name, table in rows.items()}
        self.measured = [
            domain.name
            for domain in DOMAINS
            if any(row.get("measured", True) for row in self.rows[domain.name])
        ] or [DOMAINS[0].name]
        self.pictures = {
            domain.name: domain.picture
            for domain in DOMAINS
            if domain.picture and domain.name in self.measured
        }
        self.series = {row["series"]: row for row in self.rows["alps"]}
        self.lesions = _grouped(self.rows["lesions"], "folder")
        self.batches = _in_batches(list(self.lesions), BATCH)
        self._batch = {folder: name for name, some in self.batches.items() for folder in some}
        self.images = {row["folder"]: row for row in self.rows["epvs"] if not row["fault"]}
        shown = self.images.values() if "epvs" in self.measured else ()
        self._images = _grouped(shown, "participant_id")
        self._lesions = {}
        for folder, masks in self.lesions.items():
            self._lesions.setdefault(masks[0]["participant_id"], []).append(folder)
        self.subjects = {
            subject: [row["series"] for row in found]
            for subject, found in _grouped(self.rows["alps"], "participant_id").items()
        }
        for domain in DOMAINS:
            for row in self.rows[domain.name]:
                if row.get("measured", True):
                    self.subjects.setdefault(row["participant_id"], [])

    def is_registered(self, folder: str) -> bool:
        """Whether the lesions of a session reach the template by the registration of a series."""
        masks = self.lesions[folder]
        return bool(masks[0]["series"]) and not any(mask["template"] for mask in masks)

    def batch_of(self, folder: str) -> str:
        """Return the batch in which the lesions of a session are measured."""
        return self._batch[folder]

    def lesion_sessions(self, subject: str) -> list[str]:
        """Return the sessions of a subject that have lesion masks."""
        return self._lesions.get(subject, [])

    def lesion_files(self, folders: Sequence[str]) -> list[str]:
        """Return the masks of some sessions, with the images and sidecars that belong to them."""
        masks = [mask for folder in folders for mask in self.lesions[folder]]
        files = [mask[key] for mask in masks for key in ("mask", "image", "sidecar")]
        files += [path for folder in folders for path in self.lesion_transforms(folder)]
        return list(dict.fromkeys(filter(None, files)))

    def native_masks(self, folder: str) -> list[str]:
        """Return the lesion masks in the world of a session's scans, not in template space."""
        return [mask["mask"] for mask in self._natives(folder)]

    def native_ways(self, folder: str) -> list[str]:
        """Return of each of them the transform to the world of the DWI, "same" where none."""
        return [mask["to_dwi"] for mask in self._natives(folder)]

    def _natives(self, folder):
        known = [mask for mask in self.lesions.get(folder, []) if mask["to_dwi"] != UNKNOWN]
        return [mask for mask in known if not mask["template"]]

    def lesion_transforms(self, folder: str) -> list[str]:
        """Return the files of the transforms of a session's masks."""
        ways = [mask["to_dwi"] for mask in self.lesions.get(folder, [])]
        return sorted({way for way in ways if way not in (SAME, UNKNOWN)})

    def volume_masks(self, folder: str) -> list[str]:
        """Return the lesion masks of a session whose volume counts."""
        return [mask["mask"] for mask in self.lesions.get(folder, []) if mask["volume"]]

    def has_template_masks(self, folder: str) -> bool:
        """Whether a mask of the session whose volume counts is in template space."""
        return any(mask["template"] and mask["volume"] for mask in self.lesions.get(folder, []))

    def epvs_sessions(self, subject: str) -> list[dict]:
        """Return the images of a subject's sessions whose EPVS are on its page."""
        return self._images.get(subject, [])

    def page_files(self, subject: str, config: dict) -> dict:
        """Return the files of a subject's page: ``<domain>_<name>`` to their paths."""
        return {
            f"{domain}_{name}": paths
            for domain, (files, _) in self._pages(subject, config).items()
            for name, paths in files.items()
        }

    def page_values(self, subject: str, config: dict) -> dict:
        """Return the parameters of a subject's page, by domain."""
        return {domain: values for domain, (_, values) in self._pages(subject, config).items()}

    def _pages(self, subject, config):
        return {
            domain.name: domain.part("intake").page_files(self, subject, config)
            for domain in DOMAINS
        }


def empty_sheet() -> Sheet:
    """Return the sheet of a study of a ready table: no image, and no domain is measured."""
    rows = {domain.name: pd.DataFrame(columns=[]) for domain in DOMAINS}
    sheet = Sheet(rows, pd.DataFrame(columns=EXCLUDED_COLUMNS))
    sheet.measured, sheet.pictures = [], {}
    return sheet


def _grouped(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _in_batches(names, size):
    starts = range(0, len(names), size)
    return {f"{start // size + 1:03}": names[start : start + size] for start in starts}


def plan_sheet(settings: dict, *, planning: bool, folder: FilePath = FOLDER) -> Sheet:
    """Return the sheet of a cohort: anew for the process that plans a run, kept for its jobs.

    A sheet is named by its settings and its content, and the process that plans gives its name to
    its jobs in the environment (`KEPT`). So another planning of the same folder, a dry run after a
    subject came in, changes nothing for the jobs of a run that goes on.

    Parameters
    ----------
    settings : dict
        From `glymflow.workflow.intake.intake_settings`; other settings have a sheet of their own.
    planning : bool
        Whether this process plans the run. Otherwise the sheet of the run is read; where the
        environment does not name it, the newest of these settings.
    folder : path-like
        Where sheets are kept; all nodes have to see it.

    Returns
    -------
    Sheet

    Raises
    ------
    InputFault
        As `index_cohort`.
    """
    key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    stem = f"sheet-{key[:16]}"
    if not planning:
        named = Path(folder) / os.environ.get(KEPT, "")
        if not (named.name.startswith(stem) and named.is_file()):
            kept = Path(folder).glob(f"{stem}-*.json")
            named = max(kept, key=lambda path: path.stat().st_mtime_ns, default=Path("none"))
        if named.is_file():
            return Sheet(*read_sheet(named), named)
    rows, excluded = index_cohort(**settings)
    sheet = Sheet(rows, excluded)
    sheet.path = Path(folder) / f"{stem}-{sheet.fingerprint}.json"
    if planning:
        os.environ[KEPT] = sheet.path.name
    # somebody else's run directory, in a dry run, cannot be written to: no sheet is kept
    with contextlib.suppress(OSError):
        write_sheet(rows, excluded, sheet.path)
    return sheet
