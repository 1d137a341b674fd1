"""Images in space: grids, masks, the template, registration, networks, brain and regions.

This package is about voxels and millimetres, not about diffusion, EPVS or statistics. The packages
`dwi`, `alps`, `lesions` and `epvs` are built on it.

Space
-----
World is RAS+ in mm, as nibabel gives it: x to the right, y to the front, z to the top; x < 0 is
the subject's left. An *affine* is a (4, 4) array, voxel to world. A *grid* is a shape with an
affine. A *mask* is a bool array with its affine. Masks and images of one session share one world,
so they are compared in mm and may lie on different grids. "Canonical" arrays have axes to the
right, front and top (`grid.to_canonical`). ANTs works in LPS: only `registration` and
`anat_registration` import it, and they convert on the way in and out.

The template is MNI152 2009a symmetric (1 mm, brain only) from the wheel of nilearn. In it x = 0 is
the midline. A transform "template to subject" maps *points* from the template's world to the
subject's.

Modules
-------
- `grid`: spacing, canonical axes, resampling, windows, points through affines.
- `masks`: read a mask, its volume (mL), its points, overlap, two raters combined.
- `template`: T1, white and grey matter and brain mask of the template.
- `pose`: rotation, shift and scale of a head (7 numbers), and pitch, roll, yaw in degrees.
- `directions`: mean shapes of the tensors all over the template's white matter.
- `registration`: FA to the template's white matter (affine, SyN), points through the transforms.
- `anat_registration`: N4, T2w to T1w, brain to template.
- `networks`: one of the head, two of EPVS, run with onnxruntime; weights in ``weights/``.
- `brain`: mask, tissue classes and volume from the head network's answer.
- `sidecars`: JSON sidecars and label tables of the images that are written.
- `region_map`: territories (lobar, deep, infratentorial) and EPVS regions in the template.

In and out
----------
In come arrays with affines, intensities in any unit. Out come arrays with affines, transforms
(files of ANTs, 4 x 4 matrices in RAS+ mm) and volumes in mL. What cannot be used is an
`glymflow.io.InputFault`.
"""
