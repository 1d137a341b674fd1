"""Training of the networks that glymflow ships (extra ``training``, needs PyTorch).

No run imports this package: `glymflow.image.networks` runs the trained networks with onnxruntime.
Both are trained on synthetic data only, made by `glymflow.phantoms`.

Modules
-------
- `head`: the head network (3-D, 2 mm): tissue, CSF and regions in heads of any contrast, from
  `glymflow.phantoms.contrasts`; ``glymflow train-head``.
- `epvs`: the EPVS network (2-D, five axial slices of T1w and T2w, 1 mm), from
  `glymflow.phantoms.epvs`; ``glymflow train-epvs``.
- `vb_net`: VB-Net in two and three dimensions, its loss, its export to ONNX.
- `command`: options and checks of both commands.

In and out
----------
In come a seed and the number of steps. Out come ``<name>.onnx`` and ``<name>.json`` with seed,
steps, hours and the shifts that are applied to the network's answer. Axes of all images: right,
front, top; intensities -1 to 1. The same machine and versions of PyTorch give the same weights.
docs/notes/networks.md and docs/notes/epvs-training.md describe both trainings.
"""
