"""The DTI-ALPS index: ROIs, frames, the index, its uncertainty and its quality control.

Beside the lateral ventricles perivascular spaces run left to right, across both the projection
fibres (up-down) and the association fibres (front-back). The index compares the diffusivity along
them with the other diffusivity across the fibres, per hemisphere::

    ALPS = mean(Dxx projection, Dxx association) / mean(Dyy projection, Dzz association)

It is a ratio of elements of ROI mean tensors and has no unit; healthy adults have about 1.3 to
1.7.

Axes
----
ROIs are defined in the template (MNI152, RAS+ mm, x < 0 is left) and carried to the scan as points
0.5 mm apart; no image is resampled. Each value is given in three *frames*: ``scanner`` (world
axes), ``template`` (the head's axes, by its pose) and ``fibre`` (axes of the fibres in the ROIs).
A frame is a rotation R whose rows are its axes; the tensor in the frame is R D R^T. A ROI's *role*
is one of projection_left, projection_right, association_left, association_right. Diffusivities are
in mm^2/s.

Modules
-------
- `rois`: spheres, ellipsoids, masks and atlas labels as clouds of points.
- `estimator`: the steps before a value is read, each with a switch; uses the next five.
- `grey_matter`: calibration of the tensors on the scan's own grey matter.
- `bundles`: the border between the two bundles, to which ROIs are moved, and the local shift that
  would improve the match of FA and template.
- `fibre_pose`: the head's axes from the fibre directions of its white matter.
- `placement`: regions that keep their shape, at the level where the index peaks.
- `partial_volume`: mean tensors of regions without the blur of the voxels.
- `free_water`: the same regions in the tensor of tissue beside free water.
- `frames`: the three frames.
- `index`: tensors sampled in ROIs, and the index.
- `uncertainty`: standard errors from noise, placement and pose, by random replicates.
- `lesion_overlap`: how much of each ROI lies in a lesion.
- `limits`: which column is held against which limit, and that in words.
- `qc`: which reason codes a row gets, and its status.
- `ratings`: what readers said of the scans.
- `measurement`: all of it for one series and ROI set.
- `domain`: the record by which the workflow, the study and the report find this domain: columns
  of ``alps.tsv``, their labels, QC codes.
- `pictures`: the ROIs on colour FA, cut along the head's axes.
- `heat_map`: scans x checks on the cohort's page.
- `raw_data`: the block of raw data on a subject's page.
- `intake`, `page`, `methods`: what is measured, the sections of the report, the methods sentences.

In and out
----------
In come the tensor, FA, the transforms and the preprocessed volumes of a series. Out come rows of
``alps.tsv``, one per ROI set and frame, with ``qc_status`` (pass, warn, fail) and ``qc_reasons``.
Missing is NaN here and ``n/a`` in the table. The rules are ``measure_alps`` and ``collect_alps``.
docs/alps.md has the method in words.
"""
