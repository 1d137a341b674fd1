"""Enlarged perivascular spaces (EPVS): prepared images, segmentation, objects, regions, pages.

EPVS are thin fluid-filled tubes: bright in T2w, dark in T1w, up to 3 mm wide. They are counted and
measured in three regions: basal ganglia (``bg``), centrum semiovale (``cso``) and midbrain, left
and right.

Space and units
---------------
All work is done on a grid of 1 mm in the world of the T1w (of the T2w if there is no T1w), with
axes to the right, front and top; world is RAS+ mm, x < 0 is left. Intensities of a prepared brain
are -1 to 1, -1 outside. Volumes of EPVS are in mm^3, of the brain in mL, lengths and widths in mm.
A fraction is the volume of EPVS divided by that of the whole brain; per mille is 1000 times that.

Engines
-------
``vbnet`` is a network that was trained on synthetic data, ``frangi`` a filter for tubes,
``external`` the user's mask. All are measured in the same way; the config names the primary one.

Modules
-------
- `intake`: T1w, T2w and FLAIR of each session, and the user's masks, by their names.
- `anat`: bias field, brain, T2w to T1w, one grid, one scale; codes on the scans.
- `regions`: the three regions on the subject's grid, by the template's map or by the head network.
- `white_matter`: the core of the subject's own white matter, in which the centrum semiovale lies.
- `frangi`: vesselness and the segmentation by it. (The network is run by
  `glymflow.image.networks`.)
- `sharpness`: the blur of a scan, from its edges.
- `objects`: objects of a mask, counts, volumes, codes.
- `outlines`: the outline of each object that counts, widened to what a sharp scan shows.
- `soft_volume`: the volume of each object from the images, whatever its outline.
- `page`, `pictures`: the EPVS section of the report.
- `domain`: the record by which the workflow, the study and the report find this domain: columns
  of ``epvs.tsv``, their labels, QC codes.
- `segmentation`: one session by each engine. `methods`: the methods sentences.

In and out
----------
In come T1w, T2w and FLAIR with affines. Out come masks, a table of objects and rows of
``epvs.tsv``, one per session and engine. The rules are ``preprocess_anat``, ``register_anat``,
``segment_epvs`` and ``collect_epvs``. docs/epvs.md has the method in words.
"""
