"""White matter by its brightness in balls with a cortex, a sulcus, a tube and a lesion."""

import numpy as np
import pytest

from glymflow.epvs import white_matter
from glymflow.image import brain

NUMBER = {name: index for index, name in enumerate(brain.CLASSES)}
SIDE = 80
WORLD = np.indices((SIDE,) * 3) - (SIDE - 1) / 2
RADIUS = np.linalg.norm(WORLD, axis=0)
T1 = {"white": 0.8, "grey": 0.4, "fluid": 0.0}
T2 = {"white": 0.3, "grey": 0.5, "fluid": 1.0}


def ball(values, noise=0.03):
    """White to 28 mm, cortex to 31, fluid to 35; a sulcus of 2 mm with its cortex at x = 0."""
    image = np.full(RADIUS.shape, -1.0)
    classes = np.zeros(RADIUS.shape, np.uint8)
    image[RADIUS < 35], classes[RADIUS < 35] = values["fluid"], NUMBER["csf"]
    image[RADIUS < 31], classes[RADIUS < 31] = values["grey"], NUMBER["tissue"]
    sulcus = np.where(WORLD[2] > 12, abs(WORLD[0]), 99)
    white = (RADIUS < 28) & (sulcus > 4)
    image[white] = values["white"]
    classes[(RADIUS < 24) & (WORLD[2] > 0) & (sulcus > 7)] = NUMBER["centrum_semiovale"]
    image[(RADIUS < 31) & (sulcus < 1)] = values["fluid"]
    classes[(RADIUS < 31) & (sulcus < 1)] = NUMBER["csf"]
    noise = noise * np.random.default_rng(0).standard_normal(image.shape)
    return image + noise, classes, white


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("values", [T1, T2])
def test_white_matter_is_found_in_both_contrasts(values):
    image, classes, white = ball(values)
    found = white_matter.white_matter(image, classes, np.eye(4))
    assert dice(found, white) > 0.97
    assert not found[classes == NUMBER["csf"]].any()
    again = white_matter.white_matter(7 * image + 50, classes, np.eye(4))
    np.testing.assert_array_equal(again, found)


def test_the_white_matter_of_gyri_in_a_poor_t1_is_found_by_the_larger_share():
    """From 25 mm on it is 0.3 of the way to cortex, as after a spin echo."""
    image, classes, white = ball(T1, noise=0.01)
    image[white & (RADIUS >= 25)] = T1["white"] + 0.3 * (T1["grey"] - T1["white"])
    found, poor = (
        white_matter.white_matter(image, classes, np.eye(4), share)
        for share in (white_matter.SHARE, white_matter.SHARE_POOR)
    )
    outer = white & (RADIUS >= 26) & (RADIUS < 27)
    assert not found[outer].any()
    assert poor[outer].mean() > 0.95


def test_the_volume_does_not_grow_with_the_noise():
    """Of half the contrast; without the blur the core grows by 7 %."""
    volumes = []
    for noise in (0.03, 0.2):
        image, classes, _ = ball(T1, noise)
        found = white_matter.white_matter(image, classes, np.eye(4))
        volumes.append(white_matter.core(found, np.eye(4), 2.0, 1.0).sum())
    assert volumes[1] == pytest.approx(volumes[0], rel=0.02)


@pytest.mark.parametrize("values", [T1, T2])
def test_tubes_lesions_and_pools_belong_to_it(values):
    """The tube goes on into the cortex, and the network takes the pool for CSF."""
    image, classes, white = ball(values)
    tube = (abs(WORLD[1]) < 1.6) & (abs(WORLD[2] - 5) < 1.6) & (WORLD[0] > 5) & (RADIUS < 29)
    lesion, pool = (
        np.linalg.norm(WORLD - np.reshape(centre, (3, 1, 1, 1)), axis=0) < size
        for centre, size in (((-14, 0, 5), 6), ((0, 14, 2), 4))
    )
    image[tube], image[lesion], image[pool] = values["fluid"], values["grey"], values["fluid"]
    classes[pool] = NUMBER["csf"]
    found = white_matter.white_matter(image, classes, np.eye(4))
    assert found[tube & (RADIUS < 24)].all()
    assert found[lesion].mean() > 0.99
    assert found[pool].all()
    assert dice(found, white) > 0.97


def test_a_lesion_beside_a_ventricle_is_kept_by_the_network():
    """Grey from the ventricle on: open to it, so no island."""
    image, classes, white = ball(T1)
    ventricle = (RADIUS < 10) & (WORLD[2] < 3)
    lesion = (RADIUS < 17) & (WORLD[2] > 3) & (WORLD[2] < 10)
    image[ventricle], image[lesion] = T1["fluid"], T1["grey"]
    classes[ventricle] = NUMBER["csf"]
    found = white_matter.white_matter(image, classes, np.eye(4))
    inside = lesion & (WORLD[2] > 5)  # the network's region begins at 0 and at 3, beside and above
    assert found[inside].all()
    assert found[ventricle].mean() < 0.05  # its sharp edge is rounded off
    assert dice(found, white & ~ventricle) > 0.95


def test_the_core_keeps_away_from_a_sulcus():
    image, classes, _ = ball(T1)
    found = white_matter.white_matter(image, classes, np.eye(4))
    core = white_matter.core(found, np.eye(4), 2.0, 1.0)
    sulcus = np.where(WORLD[2] > 15, abs(WORLD[0]), 99)  # not its square bottom
    assert sulcus[core].min() > 5
    assert RADIUS[core].max() < 27
    assert core[(RADIUS < 24) & (WORLD[2] < 8)].all()


def test_a_neck_is_cut_off():
    wide = np.zeros((30, 30, 60), bool)
    wide[5:25, 5:25, 5:25] = True
    wide[12:18, 12:18, 25:55] = True  # 6 voxels: 2 are left by a rim of 2, too thin to open by 1
    core = white_matter.core(wide, np.eye(4), 2.0, 1.0)
    assert core[10:20, 10:20, 10:20].all()
    assert not core[:, :, 26:].any()


def test_without_a_centrum_semiovale_there_is_none():
    image, classes, _ = ball(T1)
    classes[classes == NUMBER["centrum_semiovale"]] = NUMBER["tissue"]
    found = white_matter.white_matter(image, classes, np.eye(4))
    assert not found.any()
    assert not white_matter.core(found, np.eye(4), 2.0, 1.0).any()


def test_an_image_without_contrast_leaves_what_the_network_saw():
    image, classes, _ = ball(T1)
    found = white_matter.white_matter(np.ones(image.shape), classes, np.eye(4))
    assert found.sum() > 1000
    assert np.all(classes[found] == NUMBER["centrum_semiovale"])


def test_small_pools_count_as_tissue_and_ventricles_do_not():
    classes = np.zeros((40, 40, 40), np.uint8)
    classes[4:36, 4:36, 4:36] = NUMBER["tissue"]
    classes[10:12, 10:12, 10:20] = NUMBER["csf"]  # 40 mm^3
    classes[20:30, 20:30, 20:30] = NUMBER["csf"]  # 1000 mm^3
    tissue = white_matter.tissue_mask(classes, np.eye(4))
    assert tissue[10:12, 10:12, 10:20].all()
    assert not tissue[20:30, 20:30, 20:30].any()
    assert not tissue[0, 0, 0]
    assert not white_matter.tissue_mask(classes, np.diag([3.0, 3, 3, 1]))[10, 10, 10]


@pytest.mark.parametrize("size", [0.9999998, 1.0000002])
def test_the_core_does_not_hang_on_the_last_digit_of_the_voxel_size(size):
    image, classes, _ = ball(T1)
    cores = [
        white_matter.core(white_matter.white_matter(image, classes, affine), affine, 2.0, 1.0)
        for affine in (np.eye(4), np.diag([size, size, size, 1]))
    ]
    np.testing.assert_array_equal(*cores)
