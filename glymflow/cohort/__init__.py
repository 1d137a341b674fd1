"""The cohort on disk: BIDS folders and names, the participants table, masks named by a pattern.

Only names are read here, never the content of an image: planning 10,000 subjects takes seconds.

Words
-----
- *subject*: a folder ``sub-<label>``; labels have letters, digits and +. Its id is ``sub-01``.
- *session*: ``ses-<label>`` below it, or none; its *folder* is ``sub-01/ses-1`` or ``sub-01``.
- *series*: the name of a DWI file without ``_dwi``, unique in a cohort.
- *entities*: the parts of a BIDS name, ``{"sub": "01", "acq": "SWI", ...}``.

Modules
-------
- `domain`: `Domain`, the record that describes something that is measured (`glymflow.domains`).
- `bids`: lists subjects and scans, parses names, says which folders are mislabelled.
- `text_table`: reads tables that people write; every cell stays text.
- `participants`: reads participants.tsv, writes ids as ``sub-01``, and lists the rows and folders
  that do not fit each other.
- `qc`: turns codes of quality control into a status, in every domain.
- `patterns`: paths such as ``voi/{participant_id}.voi`` of the config, filled per subject and
  session.

In and out
----------
In come folders and text tables. Out come data frames with one row per file or per subject, missing
values None, and the list of who is left out, with stage and reason
(`participants.EXCLUDED_COLUMNS`). The intake modules of `dwi`, `lesions` and `epvs` take their
files from these lists; `workflow.intake` calls them.
"""
