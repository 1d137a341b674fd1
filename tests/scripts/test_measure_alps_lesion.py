"""measure_alps.py and register_template.py with lesion masks, native and in the template."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from glymflow.alps.domain import COLUMNS, OVERLAP_COLUMNS
from glymflow.alps.rois import sphere_points
from glymflow.image.registration import map_points
from glymflow.io import InputFault, read_json, read_tsv, save_image

SETTINGS = {"consensus": "union", "overlap": "exclude", "max_overlap": 0.1}
CENTRE = np.array([-26.0, -16, 27])  # of the left projection ROI


def ball(path, centre, *, radius=9.0, step=1.5):
    """Write a ball as a mask on a small grid of its own."""
    n = int(2 * radius / step) + 5
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = centre - step * (n - 1) / 2
    world = np.indices((n, n, n)).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    mask = np.linalg.norm(world - centre, axis=1) <= radius
    save_image(mask.reshape(n, n, n).astype(np.uint8), affine, path)
    return str(path)


def row(path, label="haematoma", *, template=False):
    return {"label": label, "rater": None, "template": template, "volume": True, "mask": path}


@pytest.fixture
def to_scan(walk):
    return partial(map_points, transforms={key: walk.path[key] for key in ("affine", "warp")})


@pytest.fixture
def native(to_scan):
    """The centre of the left projection ROI in the scan."""
    return to_scan(CENTRE[None])[0]


@pytest.fixture
def measured(walk, rerun):
    """Measure with some masks, in one ROI set only."""
    sets = {"barisano2025": walk.arguments["measure_alps"]["roi_sets"]["barisano2025"]}
    only = {"roi_sets": sets, "roi_set": "barisano2025"}

    def run(masks, settings=SETTINGS, **changed):
        written = rerun("measure_alps", masks=masks, lesions=settings, **only, **changed)
        return read_tsv(written.alps)

    return run


def primary(table):
    return table[(table.roi_set == "barisano2025") & (table.frame == "template")].iloc[0]


def test_without_masks_nothing_is_known_of_a_lesion(walk):
    table = read_tsv(walk.path["alps"])
    assert list(table) == COLUMNS
    assert table[OVERLAP_COLUMNS].isna().all(axis=None)
    assert not table.qc_reasons.fillna("").str.contains("lesion").any()


def test_native_mask_on_a_region(measured, to_scan, native, tmp_path):
    blood = ball(tmp_path / "blood.nii.gz", native, radius=9)
    both = ball(tmp_path / "both.nii.gz", native, radius=14)
    masks = [row(blood), row(both, "lesion")]
    found = primary(measured(masks))
    assert found.lesion_share == 1
    assert found.haematoma_share_projection_left == 1
    assert found.haematoma_share_projection_right == 0
    # 12 mm away: outside the blood, in what is drawn around it in part
    assert found.haematoma_share_association_left == 0
    assert 0.3 < found.oedema_share_association_left <= 1
    # the volume of the sphere, as much larger as its points are apart in the scan
    sphere = sphere_points(CENTRE, 2.5)
    spread = [np.linalg.det(np.cov(cloud.T)) for cloud in (sphere, to_scan(sphere))]
    volume = len(sphere) / 8 * np.sqrt(spread[1] / spread[0])
    assert found.haematoma_mm3_projection_left == pytest.approx(volume, rel=0.05)
    assert "roi_in_lesion" in found.qc_reasons.split(";")
    assert found.qc_status == "fail"
    assert np.isnan(found.border_left_mm)


def test_mask_in_template_space_is_the_same_place(walk, measured, tmp_path):
    masks = [row(ball(tmp_path / "mni.nii.gz", CENTRE, radius=9), template=True)]
    found = primary(measured(masks, inverse_warp=walk.path["inverse_warp"]))
    assert found.haematoma_share_projection_left == 1
    assert found.haematoma_share_association_left < 0.01  # its edge is 12 mm away
    assert np.isnan(found.oedema_share_projection_left)


def test_mask_far_away_moves_no_value(walk, measured, native, tmp_path):
    masks = [row(ball(tmp_path / "far.nii.gz", native - [0, 0, 60], radius=5))]
    table = measured(masks)
    before = read_tsv(walk.path["alps"])
    assert (table.lesion_share == 0).all()
    same = [name for name in COLUMNS if name not in OVERLAP_COLUMNS]
    before = before[before.roi_set == "barisano2025"].reset_index(drop=True)
    rows = table.frame != "fibre"  # takes each side's own directions
    pd.testing.assert_frame_equal(table[rows][same], before[rows][same], check_exact=True)


def test_keep_leaves_the_lesion_in(measured, native, tmp_path):
    """What is in a mask is healthy here: the value is that without a mask, but flagged."""
    masks = [row(ball(tmp_path / "edge.nii.gz", native + np.array([0, 9, 0]), radius=11))]
    settings = SETTINGS | {"max_overlap": 1.0}
    found = primary(measured(masks, settings | {"overlap": "keep"}))
    assert 0 < found.haematoma_share_projection_left < 1
    assert "roi_lesion" in found.qc_reasons.split(";")
    other = primary(measured(masks, settings))
    assert other.voxels_projection_left < found.voxels_projection_left
    assert other.alps_left != found.alps_left
    assert other.alps_right == found.alps_right


def test_mask_of_another_space_is_moved_or_its_overlap_is_not_known(
    walk, measured, native, tmp_path
):
    """DWI in ACPC, mask in the scanner's world: with the transform as in its own world."""
    import ants

    shift = np.array([30.0, -40, 25])  # native to the world of the DWI, RAS+
    path = tmp_path / "sub-1_from-anat_to-ACPC_mode-image_xfm.mat"
    # an image goes by +shift, so points go by -shift; x and y are LPS
    transform = ants.create_ants_transform(
        transform_type="AffineTransform", matrix=np.eye(3), translation=-shift * [-1, -1, 1]
    )
    ants.write_transform(transform, str(path))
    here = row(ball(tmp_path / "here.nii.gz", native))
    there = row(ball(tmp_path / "there.nii.gz", native - shift))
    expected = measured([here])
    moved = measured([there | {"to_dwi": str(path)}])
    pd.testing.assert_frame_equal(moved, expected, rtol=1e-5)
    unknown = measured([there | {"to_dwi": "unknown"}])
    assert unknown[OVERLAP_COLUMNS].isna().all(axis=None)
    before = read_tsv(walk.path["alps"])
    before = before[before.roi_set == "barisano2025"]
    assert unknown.alps_left.tolist() == before.alps_left.tolist()
    assert all("lesion_unknown" in reasons.split(";") for reasons in unknown.qc_reasons)


def test_faulty_mask_excludes_the_series(rerun, tmp_path):
    save_image(np.full((4, 4, 4), np.nan, np.float32), np.eye(4), tmp_path / "nan.nii.gz")
    masks = [row(str(tmp_path / "nan.nii.gz"))]
    with pytest.raises(InputFault, match=r"nan\.nii\.gz: the mask has values that are not numbers"):
        rerun("measure_alps", masks=masks, lesions=SETTINGS)
    with pytest.raises(InputFault, match=r"nan\.nii\.gz: the mask has values that are not numbers"):
        rerun("register_template", lesions=[tmp_path / "nan.nii.gz"])


def test_probability_below_one_half_is_no_lesion_for_the_registration(rerun, native, tmp_path):
    """As where its volume is measured."""
    path = tmp_path / "probability.nii.gz"
    low = np.full((9, 9, 9), 0.3, np.float32)
    low[4, 4, 4] = 0.9
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = native - 8
    save_image(low, affine, path)
    facts = read_json(rerun("register_template", lesions=[path]).sidecar)
    assert facts.get("lesion_left_out_ml", 0) < 1.5  # 5.8 mL and the margin, were it all of it
