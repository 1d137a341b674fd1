"""Pictures of perivascular spaces: which slices, whose outline, where, in world coordinates."""

from itertools import pairwise

import numpy as np
import pytest

from glymflow.epvs.objects import LABELS
from glymflow.epvs.pictures import (
    ENGINE_STYLES,
    OBJECT_PIXELS,
    SLICES,
    draw_brain_edge,
    draw_epvs,
    draw_objects,
    pick_slices,
)
from glymflow.figures.charts import figure_bytes

AFFINE = np.array([[1.0, 0, 0, -30], [0, 1, 0, -35], [0, 0, 1, -20], [0, 0, 0, 1]])
SHAPE = (60, 70, 60)
# region: middle (world mm) of its left half, half sizes
BOXES = {"bg": ((-12, 5, 0), (7, 12, 6)), "cso": ((-14, 0, 25), (6, 20, 5)),
         "midbrain": ((-4, -15, -13), (3, 5, 3))}  # fmt: skip


def world():
    """World coordinates of the voxels."""
    return np.stack(np.indices(SHAPE), axis=-1) @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def phantom():
    """A brain (ellipsoid) with six boxes as regions."""
    points = world()
    brain = ((points / (28, 33, 38)) ** 2).sum(axis=-1) < 1
    regions = np.zeros(SHAPE, np.uint8)
    for label, (region, side) in LABELS.items():
        centre, half = BOXES[region]
        centre = np.array(centre) * (1 if side == "left" else -1, 1, 1)
        regions[np.all(np.abs(points - centre) <= half, axis=-1)] = label
    return np.where(brain, 0.2, -1).astype(np.float32), brain, regions


def dots(*places):
    """A mask of 2 x 2 x 3 voxels from each place (world mm) on."""
    mask = np.zeros(SHAPE, bool)
    for place in places:
        x, y, z = (np.array(place) - AFFINE[:3, 3]).astype(int)
        mask[x : x + 2, y : y + 2, z : z + 3] = True
    return mask


IMAGE, BRAIN, REGIONS = phantom()
FOUND = dots((-12, 5, -5), (10, 0, 4), (-14, 10, 23), (3, -16, -13))


def artists(figure):
    """Collections of the lower picture by name, as (N, 2) points in mm."""
    top, bottom = figure.axes
    assert not top.collections
    assert not top.patches
    return {
        c.get_gid(): np.concatenate([np.reshape(s, (-1, 2)) for s in c.get_segments()] or [[]])
        for c in bottom.collections
    }


# ------------------------------------------------------------------ slices


def test_slices_are_spread_and_show_what_was_found():
    picked = pick_slices(REGIONS, FOUND)
    assert [region for region, _ in picked] == ["bg"] * 3 + ["cso"] * 3 + ["midbrain"]
    heights = [k + AFFINE[2, 3] for _, k in picked]
    assert -5 <= heights[0] <= -3  # the left dot; the right one begins at 4
    assert 4 <= heights[2] <= 6
    assert heights[1] in (0, 1)  # nothing there: the middle of the middle third
    assert 23 <= heights[4] <= 25 or 23 <= heights[3] <= 25
    assert heights == sorted(heights[:3]) + sorted(heights[3:6]) + heights[6:]


def test_small_ends_of_a_region_are_not_shown():
    regions = REGIONS.copy()
    regions[30, 30, :6] = 1  # a stalk far below
    assert min(k for region, k in pick_slices(regions, FOUND & False) if region == "bg") > 10


def test_region_that_is_not_there():
    regions = np.where(REGIONS <= 2, REGIONS, 0)
    assert [region for region, _ in pick_slices(regions, FOUND)] == ["bg"] * 3
    assert pick_slices(REGIONS * 0, FOUND) == []


def test_region_thinner_than_the_slices_wanted():
    regions = REGIONS.copy()
    regions[:, :, np.r_[:20, 21:60]] = 0
    assert len(pick_slices(regions, FOUND)) == 1


# ------------------------------------------------------------------ outlines


def test_outlines_lie_on_the_voxels():
    masks = {"vbnet": FOUND, "frangi": dots((14, -5, 4))}
    pictures = draw_epvs(IMAGE, masks, REGIONS, AFFINE)
    assert len(pictures) == sum(SLICES.values())
    region, height, figure = pictures[2]
    assert region == "bg"
    assert 4 <= height <= 6
    drawn = artists(figure)
    assert set(drawn) == {"region", "vbnet", "frangi"}
    # voxels 40 and 41 along x, 35 and 36 along y, their edges half a voxel out
    assert drawn["vbnet"].min(0).tolist() == [39.5, 34.5]
    assert drawn["vbnet"].max(0).tolist() == [41.5, 36.5]
    assert drawn["frangi"].min(0).tolist() == [43.5, 29.5]
    # only the region that is meant, both sides
    assert drawn["region"].min(0).tolist() == [10.5, 27.5]
    assert drawn["region"].max(0).tolist() == [49.5, 52.5]


def test_both_pictures_show_the_same_slice():
    image = IMAGE + np.arange(SHAPE[2]) / 100
    for region, height, figure in draw_epvs(image, {"vbnet": FOUND}, REGIONS, AFFINE):
        top, bottom = (ax.images[0].get_array() for ax in figure.axes)
        k = round(height - AFFINE[2, 3])
        assert np.array_equal(top, image[:, :, k].T), region
        assert np.array_equal(top, bottom)
        assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


@pytest.mark.parametrize(
    ("order", "flips"), [((0, 1, 2), (1, 1, 1)), ((0, 1, 2), (-1, 1, 1)), ((2, 0, 1), (1, -1, -1))]
)
def test_storage_does_not_matter(order, flips):
    expected = draw_epvs(IMAGE, {"vbnet": FOUND}, REGIONS, AFFINE, lacunes=[(-12, 5, 0)])
    step = np.zeros((4, 4))
    step[3, 3] = 1
    for axis, (old, flip) in enumerate(zip(order, flips, strict=True)):
        step[old, axis] = flip
        step[old, 3] += 0 if flip > 0 else SHAPE[old] - 1

    def stored(volume):
        turned = volume.transpose(order)
        return turned[tuple(slice(None, None, flip) for flip in flips)]

    pictures = draw_epvs(
        stored(IMAGE), {"vbnet": stored(FOUND)}, stored(REGIONS), AFFINE @ step,
        lacunes=[(-12, 5, 0)],
    )  # fmt: skip
    assert [row[:2] for row in pictures] == [row[:2] for row in expected]
    for (*_, figure), (*_, other) in zip(pictures, expected, strict=True):
        assert figure_bytes(figure, "png", dpi=50) == figure_bytes(other, "png", dpi=50)


def test_other_contrasts_show_the_same_slice_without_outlines():
    given = {"vbnet": FOUND}
    for (*_, two), (*_, four) in zip(
        draw_epvs(IMAGE, given, REGIONS, AFFINE),
        draw_epvs(IMAGE, given, REGIONS, AFFINE, beside=[-IMAGE, IMAGE * 2]),
        strict=True,
    ):
        shown = [np.asarray(ax.images[0].get_array()) for ax in four.axes]
        np.testing.assert_allclose(shown[2], -shown[0])
        np.testing.assert_allclose(shown[3], 2 * shown[0])
        assert [len(ax.collections) > 0 for ax in four.axes] == [False, True, False, False]
        boxes = [ax.get_position() for ax in four.axes]
        heights = {round(box.height * four.get_figheight(), 6) for box in boxes}
        assert heights == {round(two.axes[0].get_position().height * two.get_figheight(), 6)}
        assert all(low.y0 > high.y1 for low, high in pairwise(boxes))


def test_lacune_near_the_slice_gets_a_ring():
    place = (-12.0, 5.0, 1.0)  # within 2 mm of the middle slice, z = 0
    pictures = draw_epvs(IMAGE, {"vbnet": FOUND}, REGIONS, AFFINE, lacunes=[place])
    rings = [figure.axes[1].patches for *_, figure in pictures]
    assert [len(patches) for patches in rings] == [0, 1, 0, 0, 0, 0, 0]
    assert tuple(rings[1][0].get_center()) == (18.0, 40.0)


def test_other_primary_engine_chooses_the_slices():
    high = dots((-12, 5, 3))
    pictures = draw_epvs(IMAGE, {"vbnet": FOUND & False, "frangi": high}, REGIONS, AFFINE,
                         primary="frangi")  # fmt: skip
    assert 3 <= pictures[2][1] <= 5
    assert "frangi" in artists(pictures[2][2])


def test_every_engine_has_its_own_look():
    colors = [color for color, _ in ENGINE_STYLES.values()]
    assert len(set(colors)) == 3
    assert ENGINE_STYLES["frangi"][1] < ENGINE_STYLES["vbnet"][1]


def test_no_image_values_to_scale_by():
    flat = np.zeros(SHAPE, np.float32)
    assert len(draw_epvs(flat, {}, REGIONS, AFFINE)) == 7
    assert draw_epvs(flat, {}, REGIONS * 0, AFFINE) == []


# ------------------------------------------------------------------ the edge of the brain


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_objects_lie_where_their_places_say(flips):
    """The colour of the outline is at each place, however the image is stored."""
    cut = tuple(slice(None, None, step) for step in flips)
    stored = AFFINE @ np.diag([*flips, 1.0])
    stored[:3, 3] += AFFINE[:3, :3] @ [(n - 1) * (f < 0) for n, f in zip(SHAPE, flips, strict=True)]
    centres = [(-11.5, 5.5, -4), (10.5, 0.5, 5), (10.5, 0.5, 5.2), (0, 0, 500)]
    slices, places = draw_objects(
        IMAGE[cut], FOUND[cut], REGIONS[cut], stored, centres, color="#ff0000"
    )
    assert [height for height, _ in slices] == [-4, 5]
    assert [at and at[0] for at in places] == [0, 1, 1, None]
    for (number, x, y), centre in zip(places[:3], centres, strict=False):
        pixels = slices[number][1]
        row, column = int(y * pixels.shape[0]), int(x * pixels.shape[1])
        near = pixels[row - OBJECT_PIXELS : row + OBJECT_PIXELS,
                      column - OBJECT_PIXELS : column + OBJECT_PIXELS]  # fmt: skip
        assert (near == (255, 0, 0)).all(axis=-1).any(), centre
    red = [(pixels == (255, 0, 0)).all(axis=-1).sum() for _, pixels in slices]
    assert red == [4 * (2 * OBJECT_PIXELS - 1)] * 2  # the edge of 2 x 2 voxels


def test_objects_without_regions_are_not_drawn():
    centres = np.zeros((2, 3))
    drawn = draw_objects(IMAGE, FOUND, REGIONS * 0, AFFINE, centres, color="#ff0000")
    assert drawn == ([], [None, None])


def test_edge_of_the_brain_over_the_whole_scan():
    head_affine = np.array([[0, 0, -1.5, 60], [2.0, 0, 0, -70], [0, 2, 0, -60], [0, 0, 0, 1]])
    shape = (70, 60, 80)
    points = np.stack(np.indices(shape), -1) @ head_affine[:3, :3].T + head_affine[:3, 3]
    skull = ((points / (36, 41, 46)) ** 2).sum(axis=-1)
    head = np.where((skull < 1) & (skull > 0.85), 400, np.where(skull < 0.6, 100, 0))
    figures = draw_brain_edge(head.astype(np.float32), head_affine, BRAIN, AFFINE)
    assert set(figures) == {"axial", "coronal", "sagittal"}
    (ax,) = figures["axial"].axes
    shown = np.asarray(ax.images[0].get_array())
    # the scan reaches beyond the mask on all sides: the skull is seen
    assert (shown[:, 7:10] > 200).any()
    assert (shown[:, -10:-7] > 200).any()
    assert shown.shape == (2 * 32 + 1 + 30, 2 * 27 + 1 + 30)
    (line,) = [c for c in ax.collections if len(c.get_paths())]
    edge = np.concatenate([path.vertices for path in line.get_paths()])
    size = edge.max(0) - edge.min(0)
    # through the middle, the mask is 55 voxels wide (x at 8 mm does not matter here) and 65 long
    assert size == pytest.approx([55, 65], abs=1.5)
    assert (edge.min(0) + edge.max(0)) / 2 == pytest.approx([42, 47], abs=1)


def test_empty_brain_has_no_edge():
    assert draw_brain_edge(IMAGE, AFFINE, BRAIN & False, AFFINE) == {}
