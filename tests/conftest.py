"""Fixtures that several tests share: the real scans at hand, and a small phantom."""

import os
from pathlib import Path

# as in the workflow: one thread, so that a rerun gives the same bytes (before NumPy is imported)
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SLURM = Path(__file__).resolve().parent / "slurm"


def pytest_collection_modifyitems(items):
    """Mark what needs the real scans or a Slurm: `-m "not data and not slurm"` leaves it out.

    Slurm's tests come first: they mostly wait, and another worker has work meanwhile.
    """
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("data")
        if SLURM in item.path.parents:
            item.add_marker("slurm")
    items.sort(key=lambda item: SLURM not in item.path.parents)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real scans, which are no part of the project (see docs)."""
    if not (SHARED / "real_bids").is_dir():
        pytest.skip(f"the real scans are not here: {SHARED / 'real_bids'}")
    return SHARED


@pytest.fixture(scope="session")
def phantom_scan():
    """A small noisy head, turned, in a grid whose axes all differ in size, order and obliquity.

    Its arrays are read-only: tests that change one take a copy.
    """
    from glymflow.commands.simulate import simulate_subject

    scan = simulate_subject(
        alps_left=1.6,
        alps_right=1.3,
        seed=5,
        voxel_mm=(4.0, 4.5, 5.0),
        t1w_mm=4.0,
        n_directions=15,
        orientation="PSR",
        oblique=(10.0, 5.0, -8.0),
        pitch=10.0,
        roll=-8.0,
        yaw=12.0,
    )
    for value in scan.values():
        if hasattr(value, "flags"):
            value.flags.writeable = False
    return scan


@pytest.fixture(scope="session")
def phantom_fit(phantom_scan):
    """The phantom's tensors by WLS, in its true mask: mask, triangle, s0, fa, md, v1, maps."""
    import numpy as np

    from glymflow.dwi.series import world_gradients
    from glymflow.dwi.tensor import fit_tensor, scalars

    mask = phantom_scan["mask"]
    directions = world_gradients(phantom_scan["bvecs"], phantom_scan["affine"])
    triangle, s0 = fit_tensor(phantom_scan["dwi"][mask], phantom_scan["bvals"], directions)
    fa, md, v1 = scalars(triangle)

    def fill(values):
        full = np.zeros((*mask.shape, *values.shape[1:]), dtype=np.float32)
        full[mask] = values
        return full

    return {
        "directions": directions,
        "triangle": triangle,
        "s0": s0,
        "fa": fa,
        "md": md,
        "v1": v1,
        "triangle_map": fill(triangle),
        "fa_map": fill(fa),
        "md_map": fill(md),
        "fill": fill,
    }
