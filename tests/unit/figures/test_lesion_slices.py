"""Pictures of lesions: which slice, whose outline, where."""

import numpy as np

from glymflow.figures.slices import LESION_COLORS, draw_frequency, draw_lesion

# stored as right-front-top with flips: voxel x runs to the left
AFFINE = np.array([[-2.0, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 4, -40], [0, 0, 0, 1]])


def outlines(figure):
    """Return the segments of each label, in mm of the turned axes."""
    (ax,) = figure.axes
    found = {c.get_gid(): np.array(c.get_segments()) for c in ax.collections}
    return {label: lines for label, lines in found.items() if label in LESION_COLORS}


def test_slices_and_outlines():
    image = np.ones((40, 40, 20))
    inner, outer = np.zeros((2, 40, 40, 20), bool)
    inner[8:10, 20:24, 5], outer[6:14, 18:30, 4:7] = True, True
    outer[6, 18, 4] = False
    figures = draw_lesion(image, {"haematoma": inner, "lesion": outer}, AFFINE)
    assert set(figures) == {"axial", "coronal", "sagittal"}
    drawn = outlines(figures["axial"])
    assert set(drawn) == {"haematoma", "lesion"}
    # x is flipped for the picture: voxels 8 and 9 of 40 become 30 and 31
    box = drawn["haematoma"].reshape(-1, 2)
    assert np.allclose(box.min(0), (29.5 * 2, 19.5 * 1.5))
    assert np.allclose(box.max(0), (31.5 * 2, 23.5 * 1.5))
    assert set(outlines(figures["sagittal"])) >= {"lesion"}


def test_frequency_shows_the_counts_where_they_are():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-20, -20, -20]
    counts = np.zeros((21, 21, 21), np.int16)
    counts[2, 5, 10] = 3  # left, z = 0
    figure = draw_frequency(
        counts, affine, np.ones((21, 21, 21)), affine, title="t", heights=(-10, 0, 10, 20)
    )
    shown = [ax.images[1].get_array() for ax in figure.axes if len(ax.images) == 2]
    assert [int(np.ma.filled(image, 0).max()) for image in shown] == [0, 3, 0, 0]
    assert np.argwhere(np.ma.filled(shown[1], 0)).tolist() == [[5, 2]]
    assert figure.axes[0].images[1].get_extent() == [-21, 21, -21, 21]
