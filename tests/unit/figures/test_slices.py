"""Pictures of series and lesions: the right slice, side and outline, however the scan is stored."""

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from glymflow.figures import slices
from glymflow.figures.charts import figure_bytes
from glymflow.figures.slices import LESION_COLORS, draw_frequency, draw_lesion

SHAPE = (24, 20, 16)  # all axes differ
AFFINE = np.array([[2.0, 0, 0, -23], [0, 2.5, 0, -24], [0, 0, 3, -20], [0, 0, 0, 1]])
CENTERS = {1: (7, 9, 8), 2: (16, 9, 8), 3: (3, 9, 8), 4: (20, 9, 8)}


@pytest.fixture
def head():
    """FA, labels and white matter (left only)."""
    rois = np.zeros(SHAPE, np.uint8)
    for label, (x, y, z) in CENTERS.items():
        rois[x : x + 2, y : y + 2, z] = label
    fa = np.zeros(SHAPE, np.float32)
    fa[2:22, 2:18, 2:14] = 0.5
    wm = np.zeros(SHAPE, np.float32)
    wm[2:10, 5:15, 4:12] = 1  # left only
    return {"fa": fa, "rois": rois, "wm": wm}


def stored(volume, codes, tilt=0.0):
    """Store a RAS volume along other axes; `tilt` turns the grid in the world (degrees)."""
    change = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    angle = np.deg2rad(tilt)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return apply_orientation(volume, change), turn @ AFFINE @ inv_ornt_aff(change, SHAPE)


STORAGES = [("RAS", 0), ("LAS", 0), ("LPI", 20), ("PSR", 0), ("AIL", -30), ("SRA", 15)]


@pytest.mark.parametrize(("codes", "tilt"), STORAGES[1:])
def test_same_picture_however_stored(head, codes, tilt):
    def pictures(codes, tilt):
        arrays = {name: stored(volume, codes, tilt)[0] for name, volume in head.items()}
        affine = stored(head["fa"], codes, tilt)[1]
        drawn = slices.draw_registration(arrays["fa"], arrays["wm"], affine, arrays["rois"])
        return [figure_bytes(figure, "png", dpi=50) for figure in drawn.values()]

    assert pictures(codes, tilt) == pictures("RAS", 0)


def test_empty_image():
    nothing = np.zeros(SHAPE, np.uint8)
    drawn = slices.draw_registration(nothing, nothing, AFFINE)
    assert set(drawn) == {name for plane in slices.PLANES for name in (plane, f"{plane}_template")}


def test_best_slices_prefer_all_rois_over_more_voxels():
    rois = np.zeros((10, 10, 10), int)
    for x, label in zip((1, 3, 6, 8), (3, 1, 2, 4), strict=True):
        rois[x, 4, 5] = label
    rois[0:3, 0:3, 7] = 3
    assert slices.best_slices(rois)[2] == 5


def test_registration_contour_follows_white_matter(head):
    drawn = slices.draw_registration(head["fa"], head["wm"], AFFINE, head["rois"])
    for plane in ("axial", "coronal"):
        (contour,) = drawn[plane].axes[0].collections
        x = np.concatenate([path.vertices for path in contour.get_paths()])[:, 0]
        assert (x.min(), x.max()) == pytest.approx((3.0, 19.0))  # 2..9 in 2 mm steps, half-way out
        # the template alone has the same view, so that pictures can be laid over each other
        alone = drawn[f"{plane}_template"]
        assert not alone.axes[0].collections
        assert alone.axes[0].axis() == drawn[plane].axes[0].axis()
        assert (alone.get_size_inches() == drawn[plane].get_size_inches()).all()


def test_outline_segments_of_a_ring():
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    assert len(slices.outline_segments(mask)) == 12 + 4
    assert slices.outline_segments(np.zeros((3, 3), bool)).shape == (0, 2, 2)


# ------------------------------------------------------------------ lesions

# stored as right-front-top with flips: voxel x runs to the left
TURNED = np.array([[-2.0, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 4, -40], [0, 0, 0, 1]])


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
    figures = draw_lesion(image, {"haematoma": inner, "lesion": outer}, TURNED)
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
