"""Pictures of raw data: the right slices and edges, however the scan is stored; motion, slices."""

import numpy as np
import pandas as pd
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from glymflow.dwi.quality import VOLUMES
from glymflow.figures import raw_data
from glymflow.figures.charts import figure_bytes

SHAPE = (40, 48, 36)
AFFINE = np.array([[2.0, 0, 0, -39], [0, 2.5, 0, -59], [0, 0, 3, -53], [0, 0, 0, 1]])
EDGE = np.array([0xFF, 0x9E, 0x1B])


@pytest.fixture
def head():
    """An image that is bright on the subject's left (low x), and its brain, an ellipsoid."""
    x, y, z = np.indices(SHAPE)
    mask = ((x - 19.5) / 15) ** 2 + ((y - 23.5) / 18) ** 2 + ((z - 17.5) / 13) ** 2 < 1
    return np.where(mask, np.where(x < 20, 900.0, 300.0), 40.0).astype(np.float32), mask


def edges(pixels):
    return (pixels == EDGE).all(axis=-1)


@pytest.mark.parametrize("codes", ["LAS", "PSR", "AIL"])
def test_same_mosaic_however_stored(head, codes):
    change = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    image, mask = (apply_orientation(volume, change) for volume in head)
    turned = raw_data.draw_mosaic(image, mask, AFFINE @ inv_ornt_aff(change, SHAPE))
    np.testing.assert_array_equal(turned, raw_data.draw_mosaic(*head, AFFINE))


def test_left_of_the_picture_is_the_subjects_left_and_the_edge_is_that_of_the_mask(head):
    pixels = raw_data.draw_mosaic(*head, AFFINE)
    tile = pixels[:110, pixels.shape[1] // 3 : 2 * pixels.shape[1] // 3]  # axial, in the middle
    lines, columns = np.nonzero(edges(tile))
    middle = (columns.min() + columns.max()) // 2
    inside = slice(lines.min() + 20, lines.max() - 20)
    assert tile[inside, middle - 15 : middle - 5].mean() > 220
    assert tile[inside, middle + 5 : middle + 15].mean() < 120
    assert np.ptp(columns) == pytest.approx(2 * 15 * 2, abs=4)  # mm, one pixel each
    assert np.ptp(lines) == pytest.approx(2 * 18 * 2.5, abs=4)


def test_what_is_cut_out_of_the_mask_is_seen(head):
    image, mask = head
    cut = mask.copy()
    cut[14:26, 18:30, 12:24] = False
    more = edges(raw_data.draw_mosaic(image, cut, AFFINE)).sum()
    assert more > 1.2 * edges(raw_data.draw_mosaic(image, mask, AFFINE)).sum()


def test_the_edge_of_something_else(head):
    image, mask = head
    small = np.zeros_like(mask)
    small[15:25, 18:28, 13:23] = True
    drawn = [edges(raw_data.draw_mosaic(image, mask, AFFINE, edge=e)) for e in (small, small & 0)]
    alone = raw_data.draw_mosaic(image, mask, AFFINE)
    assert 0 < drawn[0].sum() < edges(alone).sum()
    assert drawn[0].shape == alone.shape[:2]  # the mask says what is shown
    assert not drawn[1].any()


def test_mosaic_of_nothing_is_black_not_a_crash(head):
    image, mask = np.zeros_like(head[0]), np.zeros_like(head[1])
    assert raw_data.draw_mosaic(image, mask, AFFINE)[..., 2].mean() < 10


def test_webp_is_small_and_the_same_twice(head):
    pixels = raw_data.draw_mosaic(*head, AFFINE)
    content = raw_data.mosaic_bytes(pixels)
    assert content == raw_data.mosaic_bytes(pixels)
    assert content.startswith(b"RIFF")
    assert len(content) < pixels.size / 10


def volumes(count=8, **columns):
    table = pd.DataFrame(0.1, index=range(count), columns=list(VOLUMES))
    return table.assign(**{"volume": range(count), "left_out": "false", **columns})


def test_motion_with_limit_left_out_volumes_and_lost_slices():
    left = np.where(np.arange(8) == 5, "true", "false")
    slices = pd.DataFrame({"volume": range(8), **{f"slice_{n}": 0.0 for n in range(4)}})
    slices.loc[3, "slice_2"] = 0.4
    slices.loc[0, "slice_1":] = np.nan
    table = volumes(left_out=left, volume=np.arange(2, 10))
    figure = raw_data.plot_motion(table, slices, max_motion_mm=2.0)
    assert len(figure.axes) == 4
    for ax in figure.axes[:2]:  # a still head looks still
        assert ax.get_ylim()[0] <= -0.5 < 0.5 <= ax.get_ylim()[1]
    limit = next(line for line in figure.axes[2].lines if line.get_gid() == "limit")
    assert set(limit.get_ydata()) == {2.0}
    assert figure.axes[2].get_ylim()[1] > 2  # the limit is seen
    shown = figure.axes[3].images[0].get_array()
    assert shown.shape == (4, 8)
    assert np.unravel_index(np.nanargmax(shown), shown.shape) == (2, 3)
    for ax in figure.axes:
        assert [patch.get_x() for patch in ax.patches] == [4.5]
    assert figure.axes[3].get_xticklabels()[0].get_text() == "2"
    assert figure_bytes(figure, "svg") == figure_bytes(
        raw_data.plot_motion(table, slices, max_motion_mm=2.0), "svg"
    )


def test_motion_that_was_not_sought_shows_what_is_known():
    table = volumes(trans_x=np.nan, rot_x_degrees=np.nan, displacement_relative_mm=np.nan)
    figure = raw_data.plot_motion(table, pd.DataFrame({"volume": range(8)}), max_motion_mm=2.0)
    assert len(figure.axes) == 1
    assert [line.get_gid() for line in figure.axes[0].lines] == [
        "displacement_absolute_mm",
        "limit",
    ]


def test_directions_and_their_opposites_are_the_same_point():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    bvals = np.r_[0, np.full(6, 1000.0), np.full(6, 2000.0)]

    def points(signs):
        table = np.vstack([np.zeros(3), vectors * signs[:, None]])
        ax = raw_data.plot_directions(bvals, table).axes[0]
        return {c.get_gid(): np.array(c.get_offsets()) for c in ax.collections}

    first = points(np.ones(12))
    assert {name: len(found) for name, found in first.items()} == {"b1000": 6, "b2000": 6}
    assert np.linalg.norm(np.concatenate(list(first.values())), axis=1).max() <= 1
    turned = points(np.where(np.arange(12) % 2, 1, -1))
    for name in first:
        np.testing.assert_allclose(turned[name], first[name])
