"""Diffusion-weighted series: gradient tables, shells, brain mask, motion, tensor.

A series is one DWI file: an (X, Y, Z, N) array, N b values and N directions. This package makes of
it what ALPS needs: a diffusion tensor in every voxel of the brain, and facts about its quality.

Axes and units
--------------
b values are in s/mm^2. ``.bvec`` files follow the FSL convention: along the image's voxel axes,
with x flipped if the affine's determinant is positive. `series.world_gradients` rotates them to
world axes (RAS+) when they are read; nothing after it depends on how the scanner stored the image.
Tensors are stored as their lower triangle xx, yx, yy, zx, zy, zz in world axes, mm^2/s
(`tensor.TRIANGLE`). MD is in mm^2/s, FA has no unit, motion is in mm.

Modules
-------
- `intake`: the DWI series of a cohort, by their names; preprocessed ones replace their raw series.
- `acquisitions`: which series would count an acquisition twice; runs with parts of one table.
- `layouts`: names of preprocessed series of other pipelines: image, table, brain mask, space.
- `raw`: a series with all that the steps have to know of it, from its files.
- `preprocess`: the steps from a raw series to one that a tensor can be fitted to, in their order.
- `volume_check`: whether each volume is what the table says, by its signal.
- `table_units`: b-values and vectors as they are written, in s/mm^2 and of length 1.
- `series`: gradient tables, choice of volumes (b0 and the shells up to `shell_max`), motion
  between volumes.
- `protocol`: shells, directions, voxel size and scanner of a series; the protocols of a cohort.
- `denoise`: noise, by MP-PCA. `unring`: Gibbs ringing, by subvoxel shifts.
- `correction_intake`: images of opposite phase encoding and field maps of a series, by their names.
- `phase_encoding`: axis, direction and readout time, from sidecars and ``dir-`` labels.
- `correction`: which of these images corrects a series, by their sidecars, and the field they give.
- `distortion`: the field of a pair of opposite phase encodings.
- `undistort`: what a field does to an image; sign and units of fields.
- `fieldmap`: the field of a phase difference, of two phases, or of a field map in Hz.
- `prediction`: each weighted volume from the others of its shell, a Gaussian process on the sphere.
- `coarse`: the coarse grid on which volumes are compared.
- `motion`: head motion and eddy currents of each volume; gradient directions as the head saw them.
- `b0_link`: the b0 volumes among each other and to the weighted ones, where that is plausible.
- `outliers`: slices that lost their signal, and their replacement.
- `resample`: one interpolation for motion, eddy currents and EPI distortion.
- `quality`: SNR, CNR, displacement, outliers and residuals of a scan, as tables.
- `mask`: the brain in a b0 image, by median Otsu, filled up by the head network where signal is
  lost; concavity, holes, and what differs from the template's brain.
- `given_mask`: whether the mask that comes with a preprocessed series is sound.
- `tensor`: closed-form least squares, weighted or ordinary; FA, MD and principal direction.
- `free_water`: the tensor of tissue beside free water, of several shells.
- `resolution`: the blur that brings a series to the resolution of a study.
- `gradient_check`: compares the table with the 23 that swapped or flipped axes give, by how well
  fibres continue from voxel to voxel. Nothing is corrected.
- `gradient_turn`: the rotation by which the table is off, by the same measure, and its error.

In and out
----------
In come arrays, b values and directions; out come tensors, maps and a dict of facts for the
sidecar. A series with too few directions, volumes that do not match its table, or no brain is an
`glymflow.io.InputFault`. The rule is ``fit_tensor``. What a step cannot correct it says in the
sidecar.
"""
