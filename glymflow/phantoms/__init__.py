"""Simulated heads whose ALPS, lesions and EPVS are known.

Phantoms test the pipeline and train the networks. Their truth must not depend on the code that it
tests: this package imports neither `glymflow.alps` and `glymflow.dwi` nor the pose and
registration of `glymflow.image` (an import contract checks it), and no step of the workflow
imports this package.

Space and units
---------------
Template and world are RAS+ mm; x < 0 is left. A *head* maps template points to world points: size,
a smooth deformation, and a pose (pitch, roll, yaw in degrees). Tensors are (3, 3) in world axes,
mm^2/s. Signals are relative to white matter at b = 0; noise is Rician. Everything random comes
from a seed.

Modules
-------
- `fibres`: white-matter tensors as smooth functions of template coordinates. At the ALPS ROIs the
  fibres run exactly along the head's axes, so that ALPS is the number that was chosen.
- `head`: tissue, deformation, pose and diffusion signal of one head.
- `lesion`: a haematoma with oedema and mass effect.
- `scan`: one simulated subject: DWI, T1w, lesion images, and the truth in each ROI set and frame.
- `contrasts`: whole heads of any contrast, to train the head network.
- `epvs`, `epvs_anatomy`, `epvs_objects`, `epvs_scan`: brains with EPVS and what is mistaken for
  them (lacunes, vessels, white matter hyperintensities), scanned and prepared as real ones are.
- `epvs_insert`: tubes of known size and contrast put into a real scan.

In and out
----------
In come numbers that describe a subject, and a seed. Out come arrays with affines, FSL gradient
tables and the truth as rows with the pipeline's column names. ``glymflow simulate`` writes them as
BIDS. docs/simulate.md has the models in words.
"""
