"""scripts/measure_lesions.py: a batch of sessions, of which some cannot be measured."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import yaml
from workflow_runs import CHECKOUT as ROOT

from glymflow.io import read_tsv, save_image, write_json
from glymflow.lesions.intake import MASK_COLUMNS

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["lesions"]
TEMPLATE = np.diag([2.0, 2.0, 2.0, 1.0])
TEMPLATE[:3, 3] = [-40, -40, -40]
NATIVE = np.array([[0, -1.5, 0, 40], [1.2, 0, 0, -40], [0, 0, 3, -40], [0, 0, 0, 1.0]])


def territories():
    """A cube: lobar, deep within 10 mm of the midline, infratentorial below -20 mm."""
    x, _, z = np.indices((41, 41, 41)) * 2 - 40
    return np.where(z < -20, 3, np.where(np.abs(x) <= 10, 2, 1)).astype(np.uint8), TEMPLATE


def cube(affine, shape, centre, half):
    points = np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    return np.all(np.abs(points - centre) <= half, axis=1).reshape(shape).astype(np.uint8)


@pytest.fixture
def measure(load_main, tmp_path, monkeypatch):
    main = load_main("measure_lesions")
    monkeypatch.setitem(main.__globals__, "territory_map", territories)

    def run(*sessions, transforms=None, **changed):
        main(
            sessions=list(sessions),
            transforms=transforms or [None] * len(sessions),
            settings=SETTINGS | changed,
            table=tmp_path / "table.tsv",
            masks=tmp_path / "masks.nii.gz",
            excluded=tmp_path / "excluded.tsv",
        )
        return read_tsv(tmp_path / "table.tsv"), read_tsv(tmp_path / "excluded.tsv")

    return run


@pytest.fixture
def draw(tmp_path):
    """Write a mask; return its row of the sheet."""

    def written(subject, data, *, affine=TEMPLATE, label="lesion", name=None, **known):
        path = tmp_path / (name or f"{subject}_{label}{known.get('rater') or ''}.nii.gz")
        if data is not None:
            save_image(np.asarray(data), affine, path)
        row = dict.fromkeys(MASK_COLUMNS) | {
            "participant_id": subject, "folder": subject, "label": label, "mask": str(path),
            "template": affine is TEMPLATE, "volume": True,
        }  # fmt: skip
        return row | known

    return written


def good(draw, subject="sub-1", centre=(20, 0, 0)):
    return [draw(subject, cube(TEMPLATE, (41, 41, 41), centre, 5))]


def test_place_volume_and_mask(measure, draw, tmp_path):
    table, excluded = measure(
        good(draw), good(draw, "sub-2", (-4, 0, 0)), good(draw, "sub-3", (-20, 0, -30))
    )
    assert excluded.empty
    assert table.side_measured.tolist() == ["right", "left", "left"]
    assert table.location_measured.tolist() == [
        "supratentorial_lobar", "supratentorial_deep", "infratentorial",
    ]  # fmt: skip
    voxels = [5 * 5 * 5] * 2 + [5**3]
    assert np.allclose(table.volume_lesion_ml, np.array(voxels) * 8 / 1000, atol=0)
    assert table.qc_reasons.tolist() == ["volume_in_template"] * 3
    image = nib.load(tmp_path / "masks.nii.gz")
    assert image.shape == (21, 21, 21, 3)
    where = np.argwhere(np.asarray(image.dataobj)[..., 1]) * 4 - 40
    assert np.allclose(where.mean(0), (-4, 0, 0), atol=1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((4, 4, 4), np.uint8), "the mask is empty"),
        (np.ones((4, 4, 4, 2), np.uint8), "4-D image, 3-D expected"),
        (np.full((4, 4, 4), np.nan, np.float32), "not numbers"),
        (None, "No such file"),
    ],
)
def test_one_bad_subject_spoils_only_itself(measure, draw, data, words):
    bad = [draw("sub-2", data)]
    table, excluded = measure(good(draw), bad, good(draw, "sub-3"))
    assert table.participant_id.tolist() == ["sub-1", "sub-3"]
    assert excluded.participant_id.tolist() == ["sub-2"]
    assert words in excluded.reason[0]
    assert "sub-2_lesion.nii.gz" in excluded.reason[0]
    alone, _ = measure(good(draw), good(draw, "sub-3"))
    assert table.equals(alone)


def test_nobody_is_left(measure, draw, tmp_path):
    table, excluded = measure([draw("sub-1", np.zeros((4, 4, 4), np.uint8))])
    assert table.empty
    assert len(excluded) == 1
    assert nib.load(tmp_path / "masks.nii.gz").shape[:3] == (21, 21, 21)


def test_voi_gives_the_same_row(measure, draw, tmp_path):
    (row,) = good(draw)
    nifti, _ = measure([row])
    voi = tmp_path / "drawn.voi"
    voi.write_bytes(gzip.compress(nib.load(row["mask"]).to_bytes(), mtime=0))
    same, _ = measure([row | {"mask": str(voi)}])
    assert same.masks.tolist() == ["drawn.voi"]
    assert same.drop(columns="masks").equals(nifti.drop(columns="masks"))


def test_native_masks_without_a_way_to_the_template(measure, draw, tmp_path):
    shape = (60, 60, 28)
    inner, outer = (cube(NATIVE, shape, (5, 0, 0), half) for half in (6, 12))
    swi = draw("sub-1", inner, affine=NATIVE, label="haematoma")
    t2 = draw("sub-1", outer, affine=NATIVE)
    table, _ = measure([swi, t2])
    voxel = 1.5 * 1.2 * 3 / 1000
    row = table.iloc[0]
    assert np.isclose(row.volume_haematoma_ml, inner.sum() * voxel)
    assert np.isclose(row.volume_oedema_ml, (outer.sum() - inner.sum()) * voxel)
    assert row[["side_measured", "location_measured"]].isna().all()
    assert (row.qc_status, row.qc_reasons) == ("warn", "lesion_not_coregistered")
    assert not np.asarray(nib.load(tmp_path / "masks.nii.gz").dataobj).any()


def test_a_mask_in_template_space_beside_it_gives_the_place(measure, draw):
    native = draw("sub-1", cube(NATIVE, (60, 60, 28), (5, 0, 0), 6), affine=NATIVE)
    mni = draw("sub-1", cube(TEMPLATE, (41, 41, 41), (-20, 0, 0), 5), name="mni.nii.gz")
    table, _ = measure([native, mni | {"volume": False}])
    row = table.iloc[0]
    assert (row.side_measured, row.located_by, row.masks) == (
        "left",
        "lesion",
        "sub-1_lesion.nii.gz",
    )
    assert row.qc_status == "pass"


def test_volumes_of_two_spaces_are_not_compared(measure, draw):
    native = draw("sub-1", np.ones((4, 4, 4), np.uint8), affine=NATIVE, label="haematoma")
    _, excluded = measure([native, *good(draw)])
    assert (
        "one mask is in template space and one is not; give both in the same space"
        in excluded.reason[0]
    )


@pytest.mark.parametrize(
    ("consensus", "voxels"), [("union", 96), ("intersection", 32), ("rater1", 64)]
)
def test_two_raters(measure, draw, consensus, voxels):
    one, other = np.zeros((2, 8, 8, 4), np.uint8)
    one[:4, :, :2], other[2:6, :, :2] = 1, 1
    drawn = [draw("sub-1", d, affine=NATIVE, rater=str(i)) for i, d in ((1, one), (2, other))]
    row = measure(drawn, consensus=consensus)[0].iloc[0]
    assert np.isclose(row.volume_lesion_ml, voxels * 5.4 / 1000)
    assert (row.raters_lesion, row.dice_lesion) == (2, 0.5)
    assert np.isclose(row.volume_rater2_lesion_ml, 64 * 5.4 / 1000)
    assert "raters_disagree" in row.qc_reasons
    assert "raters_disagree" not in measure(drawn, min_dice=0.5)[0].qc_reasons[0]


def test_image_and_sidecar_are_looked_at(measure, draw, tmp_path):
    image, sidecar = tmp_path / "t2.nii.gz", tmp_path / "t2.json"
    save_image(np.ones((4, 4, 4), np.float32), NATIVE, image)
    write_json({"SpacingBetweenSlices": 7.2, "SliceThickness": 6.0}, sidecar)
    data = np.full((4, 4, 4), 255, np.uint8)
    on = draw("sub-1", data, affine=NATIVE, image=str(image), sidecar=str(sidecar))
    reasons = measure([on])[0].qc_reasons[0].split(";")
    assert reasons == ["mask_values", "slice_gap", "lesion_not_coregistered"]
    off = draw("sub-1", data[:3], affine=NATIVE, image=str(image))
    assert "mask_off_grid" in measure([off])[0].qc_reasons[0]


def test_a_mask_in_a_space_without_a_way_has_a_volume_and_no_place(measure, draw):
    data = cube(NATIVE, (30, 30, 20), (0, 0, 0), 6)
    alone = draw("sub-1", data, affine=NATIVE, to_dwi="unknown")
    row = measure([alone])[0].iloc[0]
    assert np.isclose(row.volume_lesion_ml, data.sum() * 5.4 / 1000)
    assert row.qc_reasons == "lesion_not_coregistered;lesion_space_unknown"
    blood = draw("sub-1", data, affine=NATIVE, label="haematoma", to_dwi="same")
    _, excluded = measure([blood, alone])
    assert "masks in different spaces; bring them to one" in excluded.reason[0]


def test_a_mask_is_moved_by_its_transform(measure, draw, monkeypatch):
    from glymflow.lesions import session

    seen = []

    def world_of(affine, way):
        seen.append(way)
        return TEMPLATE

    monkeypatch.setattr(session, "world_of", world_of)
    moved = draw("sub-1", cube(TEMPLATE, (41, 41, 41), (20, 0, 0), 5), to_dwi="xfm.mat")
    assert measure([moved | {"template": False}])[0].volume_lesion_ml[0] == pytest.approx(1)
    assert seen == ["xfm.mat"]


def test_a_mask_outside_the_brain_fails(measure, draw):
    data = np.zeros((60, 41, 41), np.uint8)
    data[39:45, 18:22, 18:22] = 1  # two of six slices lie in the brain
    row = measure([draw("sub-1", data)])[0].iloc[0]
    assert row.qc_status == "fail"
    assert "lesion_not_in_brain" in row.qc_reasons
    assert "lesion_outside_brain" not in row.qc_reasons


def test_mask_that_lost_its_geometry_is_named(measure, draw):
    kept = draw("sub-1", cube(NATIVE, (60, 60, 28), (5, 0, 0), 6), affine=NATIVE)
    for sign in (1, -1):
        affine = np.diag([sign, sign, 1.0, 1])
        lost = draw("sub-2", nib.load(kept["mask"]).get_fdata() > 0, affine=affine)
        table, _ = measure([kept], [lost])
        assert "mask_no_geometry" not in table.qc_reasons[0]
        assert table.qc_status[1] == "fail"
        assert "mask_no_geometry" in table.qc_reasons[1].split(";")


def test_through_the_registration_of_a_series(measure, draw, walk, load_main, tmp_path):
    """The phantom's own registration: a ball put at a template point is found there."""
    from glymflow.image.registration import map_points

    maps = {name: walk.path[name] for name in ("affine", "warp", "inverse_warp")}
    grid = nib.load(walk.path["fa"])
    for point, side in (((-26, -16, 27), "left"), ((38, -16, 27), "right")):
        centre = map_points(np.array([point]), maps)[0]
        data = cube(grid.affine, grid.shape, centre, 6)
        drawn = [draw("sub-1", data, affine=grid.affine, name=f"{side}.nii.gz")]
        main_table, _ = measure(drawn, transforms=[maps])
        assert main_table.side_measured[0] == side
        assert main_table.share_left[0] == (side == "left")
        image = nib.load(tmp_path / "masks.nii.gz")
        found = np.argwhere(np.asarray(image.dataobj)[..., 0])
        world = found @ image.affine[:3, :3].T + image.affine[:3, 3]
        assert np.linalg.norm(world.mean(0) - point) < 4  # a voxel of the phantom


def test_registration_that_failed_is_no_place(measure, draw, tmp_path):
    from glymflow.io import write_placeholder

    path = tmp_path / "affine.mat"
    write_placeholder(path, "sub-1_dwi.bval: 7 b-values for 9 volumes")
    drawn = [draw("sub-1", np.ones((4, 4, 4), np.uint8), affine=NATIVE)]
    maps = dict.fromkeys(("affine", "warp", "inverse_warp"), str(path))
    table, excluded = measure(drawn, transforms=[maps])
    assert excluded.empty
    assert table.qc_reasons[0] == "lesion_not_coregistered"
