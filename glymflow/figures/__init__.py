"""Figures: charts of tables, charts of analyses, and slices of the brain.

Data frames or arrays come in, matplotlib figures come out; nothing here opens a file.
`charts.figure_bytes` turns a figure into PNG or SVG with the same bytes in every run.

Modules
-------
- `charts`: distributions by group, left against right, frames, alignment, and the style of all
  charts.
- `study`: scatter, forest, ROC curves and mediation of a study plan. Each printed number is one of
  the results of the analysis; a fitted line and its band are drawn only.
- `flow`: who took part (STROBE). `brackets`: p values above the groups of a distribution.
- `diagnostics`: residuals, calibration, Bland-Altman. `splines`: the outcome over a predictor.
- `curve`: the specification curve of a sensitivity analysis.
- `panels`: several variables side by side in a panel, by group.
- `harmonisation`: measures by site, before and after `harmonise`.
- `raw_data`: mosaics of slices with the edge of the brain mask, motion, lost slices, directions.
- `slices`: ROIs on colour FA, the template's outline on FA, lesions and their frequency.

Orientation
-----------
Slices show voxels as they were measured, along the voxel axes closest to the subject's axes,
without resampling. The left of an axial or coronal picture is the subject's left (x < 0 in RAS+
mm); a sagittal one has anterior on its right. Bars are 10 mm. Colour FA: red left-right, green
front-back, blue up-down.
"""
