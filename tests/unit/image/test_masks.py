"""Masks: the largest piece, and images blurred within a mask."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from grids import affine_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glymflow.image import masks
from glymflow.image.masks import blur_within, largest_piece
from glymflow.io import InputFault, save_image


def test_largest_piece():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[0, 0, :2] = True
    mask[3:5, 3, 3] = mask[5, 4, 3] = True  # three voxels, one of them at an edge only
    mask[0, 5, 5] = True
    by_faces, by_corners = largest_piece(mask), largest_piece(mask, corners=True)
    assert by_faces.sum() == 2
    assert by_faces[0, 0, 0]  # the first of two of equal size
    assert by_corners.sum() == 3
    assert by_corners[5, 4, 3]


def test_one_piece_and_none_stay_as_they_are():
    mask = np.zeros((4, 4, 4), dtype=bool)
    assert largest_piece(mask) is mask
    mask[1:3, 1:3] = True
    assert largest_piece(mask) is mask


def test_nothing_from_outside_the_mask_enters_a_blur():
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[4:16, 4:16, 4:16] = True
    image = np.where(mask, 3.0, np.nan)
    mean, weight = blur_within(image, mask, 1.5)
    np.testing.assert_allclose(mean[mask], 3, rtol=1e-5)
    np.testing.assert_allclose(weight, ndimage.gaussian_filter(mask.astype(np.float32), 1.5))
    assert mean.dtype == weight.dtype == np.float32


@pytest.mark.parametrize("floor", [1e-3, 1e-2])
def test_the_floor_is_the_least_weight(floor):
    mask = np.zeros((30, 5, 5), dtype=bool)
    mask[:5] = True
    mean, weight = blur_within(np.full(mask.shape, 2.0), mask, 1.0, floor=floor)
    np.testing.assert_allclose(mean[weight > floor], 2, rtol=1e-4)
    low = (weight > 0) & (weight < floor)
    assert low.any()
    np.testing.assert_allclose(mean[low], 2 * weight[low] / floor, rtol=1e-4)
    assert np.all(mean[20:] == 0)


def test_each_axis_has_its_width():
    mask = np.ones((9, 9, 9), dtype=bool)
    image = np.zeros(mask.shape)
    image[4, 4, 4] = 1
    mean, _ = blur_within(image, mask, (0, 1, 1))
    assert mean[3, 4, 4] == 0
    assert mean[4, 3, 4] > 0


class TestReadMask:
    @pytest.fixture
    def write(self, tmp_path):
        def written(data, name="mask.nii.gz"):
            save_image(np.asarray(data), affine_of((1, 2, 3)), tmp_path / name)
            return tmp_path / name

        return written

    def test_zero_and_one(self, write):
        mask, affine, plain = masks.read_mask(write(np.eye(4, dtype=np.uint8)[None]))
        assert mask.sum() == 4
        assert plain
        assert np.allclose(affine, affine_of((1, 2, 3)))

    @pytest.mark.parametrize(
        ("values", "inside"),
        [
            ([0, 255], [0, 1]),
            ([1, 3], [0, 1]),
            ([0.4, 0.5], [0, 1]),
            ([0.2, 1], [0, 1]),
            ([49, 100], [0, 1]),
            ([-0.12, 1.12], [0, 1]),
            ([51, 112], [1, 1]),
            ([120, 261], [0, 1]),
            ([0, 1e-4], [0, 1]),
        ],
    )
    def test_other_values(self, write, values, inside):
        data = np.array(values, dtype=np.float32).reshape(2, 1, 1)
        mask, _, plain = masks.read_mask(write(data))
        assert mask.ravel().tolist() == [bool(x) for x in inside]
        assert not plain

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (np.full((2, 2, 2), np.nan, np.float32), "not numbers"),
            (np.full((2, 2, 2), -1, np.int16), "negative"),
            (np.linspace(-0.4, 1, 8).reshape(2, 2, 2), "negative"),
            (np.linspace(0, 0.45, 8).reshape(2, 2, 2), r"largest value of the mask is 0\.45"),
            (
                np.repeat([0, 1, 2, 3], 64).reshape(16, 4, 4).astype(np.int16),
                "from 1 to 3 in pieces",
            ),
            (np.ones((2, 2, 2, 2), np.uint8), "4-D image, 3-D expected"),
        ],
    )
    def test_what_is_no_mask(self, write, data, words):
        path = write(data)
        with pytest.raises(InputFault, match=rf"mask\.nii\.gz: .*{words}"):
            masks.read_mask(path)

    def test_voi_reads_as_the_same_nifti(self, write, tmp_path):
        """MRIcron's VOI is a gzipped NIfTI-1 with another suffix."""
        rng = np.random.default_rng(1)
        path = write((rng.random((5, 6, 7)) > 0.5).astype(np.uint8))
        voi = tmp_path / "mask.voi"
        voi.write_bytes(gzip.compress(nib.load(path).to_bytes(), mtime=0))
        one, other = masks.read_mask(path), masks.read_mask(voi)
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
        assert one[2] == other[2]


def test_volume_from_the_determinant():
    mask = np.zeros((5, 5, 5), bool)
    mask[1:3, 1, 2:5] = True
    assert np.isclose(masks.volume_ml(mask, affine_of((0.5, 0.7, 6.0))), 6 * 2.1 / 1000)


class TestGrids:
    def test_points_fill_the_voxels(self):
        mask = np.zeros((3, 3, 3), bool)
        mask[1, 2, 0] = True
        affine = affine_of((0.6, 0.6, 6), (1, 2, 3))
        points, volume = masks.mask_points(mask, affine, step_mm=1)
        assert len(points) == 6
        assert np.isclose(volume * 6, 2.16)
        assert np.allclose(points.mean(0), affine[:3, :3] @ (1, 2, 0) + affine[:3, 3])
        assert masks.sample_nearest(mask, affine, points).all()

    def test_same_grid_allows_rounding_only(self):
        affine = affine_of((1, 1, 3))
        near, far = affine.copy(), affine.copy()
        near[:3, 3] += 0.004
        far[0, 0] += 0.003  # adds up over 100 voxels
        assert masks.same_grid((100, 9, 9), affine, (100, 9, 9, 5), near)
        assert not masks.same_grid((100, 9, 9), affine, (100, 9, 9), far)
        assert not masks.same_grid((100, 9, 9), affine, (100, 9, 8), affine)

    def test_components(self):
        mask = np.zeros((5, 5, 5), bool)
        assert masks.count_components(mask) == 0
        mask[0, 0, 0] = mask[1, 1, 1] = True  # touch at a corner
        assert masks.count_components(mask) == 1
        mask[4, 4, 4] = True
        assert masks.count_components(mask) == 2

    @pytest.mark.parametrize("turn", [0, 1, 2, 3])
    def test_to_another_grid_and_back(self, turn):
        """A grid whose axes are turned and whose voxels are the same holds the same mask."""
        rng = np.random.default_rng(turn)
        mask = rng.random((5, 6, 7)) > 0.5
        affine = affine_of((1, 2, 3), (4, -5, 6))
        turned = affine.copy()
        turned[:3, 0] *= -1  # the first axis the other way round
        turned[:3, 3] = affine[:3, 3] + 4 * affine[:3, 0]
        there = masks.to_grid(mask, affine, mask.shape, turned)
        assert np.array_equal(there, mask[::-1])
        assert np.array_equal(masks.to_grid(there, turned, mask.shape, affine), mask)

    def test_beyond_the_grid_there_is_nothing(self):
        mask = np.ones((3, 3, 3), bool)
        points = np.array([[0.0, 0, 0], [2.4, 2.4, 2.4], [2.6, 0, 0], [-0.6, 0, 0]])
        found = masks.sample_nearest(mask, np.eye(4), points)
        assert found.tolist() == [True, True, False, False]


def test_overlap_of_masks_on_different_grids():
    """Two boxes of 4 x 4 x 4 mm that share 2 x 4 x 4, one in voxels of 1 mm, one of 2 mm."""
    fine, coarse = np.ones((4, 4, 4), bool), np.ones((2, 2, 2), bool)
    moved = affine_of((2, 2, 2), (2.5, 0.5, 0.5), np.eye(3))  # from 1.5 to 5.5, from -0.5 to 3.5
    one, other = (fine, np.eye(4)), (coarse, moved)  # from -0.5 to 3.5
    assert np.isclose(masks.overlap_ml(one, other), 0.032)
    assert np.isclose(masks.overlap_ml(other, one), 0.032)


class TestRaters:
    affine = affine_of((1, 1, 2))

    @pytest.fixture
    def drawn(self):
        one, other = np.zeros((2, 6, 5, 4), bool)
        one[:4], other[2:] = True, True  # 80 each, 40 in both
        return [(one, self.affine), (other, self.affine)]

    @pytest.mark.parametrize(
        ("rule", "count"), [("union", 120), ("intersection", 40), ("rater1", 80)]
    )
    def test_rules(self, drawn, rule, count):
        mask, _, facts = masks.combine_raters(drawn, rule)
        assert mask.sum() == count
        assert facts == {"dice": 0.5, "volume_rater1_ml": 0.16, "volume_rater2_ml": 0.16}

    def test_the_second_on_another_grid(self, drawn):
        one, affine = drawn[0]
        finer = affine @ np.diag([0.5, 0.5, 0.5, 1])
        finer[:3, 3] = affine[:3, 3] + affine[:3, :3] @ np.full(3, -0.25)
        same = np.repeat(np.repeat(np.repeat(one, 2, 0), 2, 1), 2, 2)
        mask, _, facts = masks.combine_raters([drawn[0], (same, finer)], "union")
        assert facts["dice"] == 1
        assert np.array_equal(mask, one)
        assert np.isclose(facts["volume_rater2_ml"], facts["volume_rater1_ml"])

    def test_both_empty_agree(self):
        nothing = (np.zeros((2, 2, 2), bool), np.eye(4))
        assert masks.combine_raters([nothing, nothing], "union")[2]["dice"] == 1


def ball(shape=(24, 26, 22), radius=8.0, centre=None):
    centre = (np.array(shape) - 1) / 2 if centre is None else np.asarray(centre)
    return radius >= np.linalg.norm(np.indices(shape).T - centre, axis=-1).T


class TestValuesOfMasks:
    """The same lesion in whatever numbers a program writes."""

    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from([1.0, 100.0, 255.0, 4095.0, 0.5]),
        st.floats(-0.4, 0.4),
        st.sampled_from([1, 3]),
        st.sampled_from([np.float32, np.int16]),
    )
    def test_a_resampled_mask_keeps_its_size(self, top, shift, order, kind):
        truth = ball()
        moved = top * ndimage.shift(truth.astype(float), (shift, shift / 2, 0), order=order)
        if kind is np.int16:
            moved = np.rint(moved) if top > 2 else np.rint(1000 * moved)
        if top == 0.5 and kind is np.float32:
            moved *= 2
        inside, plain = masks.binarise(moved.astype(kind))
        assert abs(inside.sum() / truth.sum() - 1) < 0.06
        assert not plain or abs(shift) < 1e-3

    def test_a_probability_counts_from_one_half(self):
        blurred = ndimage.gaussian_filter(ball().astype(np.float32), 2)
        for scale in (1, 100):
            inside, plain = masks.binarise(np.rint(100 * blurred) * scale / 100)
            assert 0.85 < inside.sum() / ball().sum() < 1.0
            assert not plain

    def test_components_with_their_numbers_are_labels(self):
        pieces = ball(radius=4, centre=(5, 5, 5)) + 2 * ball(radius=4, centre=(16, 16, 15))
        with pytest.raises(InputFault, match="from 1 to 2 in pieces, like labels"):
            masks.binarise(pieces.astype(np.int16))


class TestExtent:
    def test_an_inverted_mask(self):
        affine = np.diag([8.0, 8, 8, 1])  # a field of view of 7 L
        masks.check_extent(ball(radius=5), affine)
        with pytest.raises(InputFault, match=r"marks 6\d\d\d mL, 9\d % .*are 1 and 0 exchanged"):
            masks.check_extent(~ball(radius=5), affine)

    def test_a_brain_is_no_lesion(self):
        affine = np.diag([8.0, 8, 8, 1])
        with pytest.raises(InputFault, match="or is it a mask of the brain"):
            masks.check_extent(ball(radius=9), affine)

    def test_a_small_field_of_view_turned_inside_out(self):
        affine = np.diag([4.0, 4, 4, 1])
        with pytest.raises(InputFault, match="are 1 and 0 exchanged"):
            masks.check_extent(~ball(radius=11), affine)
        masks.check_extent(ball(radius=11), affine)
        masks.check_extent(np.zeros((0, 3, 3), bool), affine)
