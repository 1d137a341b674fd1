"""Lesions from masks: volumes, oedema, side, location, quality control.

Masks are drawn by the user; nothing is segmented here. Three labels exist: ``haematoma``,
``lesion`` (the total: haematoma and oedema) and ``oedema``. Oedema is the total lesion minus the
haematoma where both are drawn.

Space and units
---------------
A mask is a bool array with its affine (voxel to world, RAS+ mm). Masks of one session may be drawn
on different images (SWI, T2w) and lie on different grids; they are compared in world coordinates.
Volumes are in mL, from the affine's determinant. Side and location need the template: a mask in an
MNI space has it already, a native one goes through the registration of the session's first DWI
series. x < 0 is left. Territories are lobar, deep and infratentorial
(`glymflow.image.region_map`).

Modules
-------
- `intake`: finds masks by BIDS name or by the config's paths; chooses the space whose volume
  counts, and pairs two raters. No file is opened.
- `measure`: volumes, side and location, the frequency map.
- `page`: rows of ``lesions.tsv`` as texts and pictures of the report.
- `domain`: the record by which the workflow, the study and the report find this domain: columns
  of ``lesions.tsv``, their labels, QC codes.
- `session`: the lesion of one session, from its masks to its row. `methods`: the methods sentences.

In and out
----------
In come masks, their sidecars and a transform to the template. Out come rows of ``lesions.tsv``,
one per session, and the count of subjects with a lesion at each voxel of the template (2 mm). ALPS
beside a lesion is the matter of `glymflow.alps.lesion_overlap`. The rules are ``measure_lesions``
(a batch of sessions per job), ``collect_lesions`` and ``map_lesions``. docs/lesions.md has the
method in words.
"""
