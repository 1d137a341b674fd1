"""glymflow: trustworthy MRI measures of the brain's glymphatic system at cohort scale."""

__version__ = "0.1.0"

from glymflow import lean

lean.start()
