"""The intake: all that can be measured in a cohort, from the names in its folders.

Folders are listed once. `glymflow.dwi.intake` takes the DWI series from the list,
`glymflow.lesions.intake` the lesion masks, `glymflow.epvs.intake` the anatomical images.
"""

import os

import pandas as pd

from glymflow.cohort.bids import list_subjects, none_for_missing, same_folder, scan_files
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.intake import index_cohort
from glymflow.epvs.intake import index_images
from glymflow.lesions.intake import MASK_DATATYPES, find_masks, select_masks

_NO_EPVS = {"measure": "never", "mask": None, "planned": False}


def index_measures(bids_dir, derivatives_dir=None, participants=None, *, lesions=None, epvs=None):
    """List all that can be measured in a cohort: DWI series, lesion masks, images for EPVS.

    Parameters
    ----------
    bids_dir, derivatives_dir, participants
        As `glymflow.dwi.intake.index_cohort`.
    lesions : dict, optional
        The config's `lesions`.
    epvs : dict, optional
        From `glymflow.epvs.intake.intake_settings`.

    Returns
    -------
    series : DataFrame
        As from `index_cohort`.
    masks : DataFrame
        The lesion masks, as from `glymflow.lesions.intake.select_masks`.
    images : DataFrame
        As from `glymflow.epvs.intake.index_images`.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`.

    Raises
    ------
    InputFault
        As `index_cohort`; or if the settings name a column that participants.tsv does not have.
    """
    bids_dir = os.fspath(bids_dir)
    table = os.path.join(bids_dir, "participants.tsv") if participants is None else participants
    subjects = list_subjects(bids_dir)
    raw, derived = _scan(bids_dir, derivatives_dir, subjects)
    of_derived = derived and derived[0]
    drawn, faults = find_masks(bids_dir, table, subjects, of_derived, lesions or {})
    images = index_images(
        raw[0], of_derived, subjects, bids_dir=bids_dir, participants=table, epvs=epvs or _NO_EPVS,
        others=len(drawn) > 0 or _has_dwi(raw) or _has_dwi(derived), lesions=len(drawn) > 0,
    )  # fmt: skip
    otherwise = {*drawn.participant_id, *images.participant_id[images.measured]}
    series, excluded = index_cohort(
        bids_dir, derivatives_dir, participants, measured_otherwise=otherwise, listed=(raw, derived)
    )
    masks, more = select_masks(drawn, series, bids_dir)
    faults = pd.DataFrame([*faults, *more], columns=EXCLUDED_COLUMNS, dtype=object)
    # a folder that cannot be read is said once
    excluded = pd.concat([excluded, faults], ignore_index=True).drop_duplicates()
    order = ["participant_id", "session_id", "series", "stage", "reason"]
    excluded = excluded.sort_values(order, na_position="first", ignore_index=True)
    return series, masks, images, none_for_missing(excluded)


def _scan(bids_dir, derivatives_dir, subjects):
    """Return files and faults of the BIDS folder, and of the folder of derivatives or None."""
    if derivatives_dir is None:
        return scan_files(bids_dir, subjects), None
    if same_folder(bids_dir, derivatives_dir):
        raw = scan_files(bids_dir, subjects, MASK_DATATYPES)
        return raw, raw
    known = set(subjects)
    derived = [name for name in list_subjects(derivatives_dir) if name in known]
    listed = scan_files(os.fspath(derivatives_dir), derived, MASK_DATATYPES)
    return scan_files(bids_dir, subjects), listed


def _has_dwi(listed):
    return listed is not None and any(
        name.endswith(("_dwi.nii.gz", "_dwi.nii")) for name in listed[0].name
    )
