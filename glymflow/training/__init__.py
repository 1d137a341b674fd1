"""Training of the networks that glymflow ships; needs PyTorch (``pip install glymflow[training]``).

The pipeline never imports this package: it runs the networks with onnxruntime
(`glymflow.image.networks`).
"""
