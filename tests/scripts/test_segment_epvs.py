"""scripts/segment_epvs.py: every engine on a small block with known tubes."""

import numpy as np
import pytest
import yaml
from workflow_runs import CHECKOUT as ROOT

from glymflow.epvs import frangi
from glymflow.epvs import objects as epvs_objects
from glymflow.epvs.domain import COLUMNS
from glymflow.epvs.objects import OBJECT_COLUMNS
from glymflow.epvs.segmentation import segment_frangi
from glymflow.epvs.white_matter import SHARE, SHARE_POOR
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    read_tsv,
    save_image,
    write_json,
    write_placeholder,
)

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["epvs"]
SHAPE = (36, 40, 30)
AFFINE = np.array([[1.0, 0, 0, -18], [0, 1, 0, -20], [0, 0, 1, -15], [0, 0, 0, 1]])
FILES = ("objects", "measures")
ENGINES = ("vbnet", "frangi", "external")


@pytest.fixture
def segment(load_main, tmp_path, monkeypatch):
    """Run the script on a block with two tubes; options change what it is given."""
    truth = np.zeros(SHAPE, dtype=bool)
    truth[8:10, 10:20, 14:16] = True  # left
    truth[25:27, 20:22, 8:18] = True  # right
    place = np.zeros(SHAPE, dtype=np.uint8)
    for label, (z0, z1) in enumerate(((5, 24), (24, 27), (3, 5))):
        place[3:18, 4:36, z0:z1], place[18:33, 4:36, z0:z1] = 2 * label + 1, 2 * label + 2
    noise = 0.06 * np.random.default_rng(0).standard_normal((2, *SHAPE))
    save_image((noise[0] - 0.8 * truth).astype(np.float32), AFFINE, tmp_path / "t1.nii.gz")
    save_image((noise[1] + 0.8 * truth).astype(np.float32), AFFINE, tmp_path / "t2.nii.gz")
    save_image(np.ones(SHAPE, np.uint8), AFFINE, tmp_path / "mask.nii.gz")
    save_image(np.ones(SHAPE, np.uint8), AFFINE, tmp_path / "classes.nii.gz")

    def probability(t1, t2, *, t1_fine, t1_poor, second, place):
        assert (t1 is None) == ("T1w" not in run.contrasts)
        run.t1_fine, run.t1_poor = t1_fine, t1_poor
        run.second.append(second)
        return np.where(run.seen, np.float32(0.9), np.float32(0.1))

    monkeypatch.setattr("glymflow.image.networks.epvs_probability", probability)
    monkeypatch.setattr(epvs_objects, "REGION_ML", {})

    def regions(image, *given):
        run.white, run.share = image, given[-1]
        return place

    monkeypatch.setattr("glymflow.epvs.regions.network_regions", regions)
    monkeypatch.setattr("glymflow.epvs.regions.atlas_regions", regions)

    def run(*, contrasts="T1w+T2w", codes=(), external=None, mask_fault=None, similarity=0.9,
            moved=0.7, flair=None, slice_mm=1.0, fluid=(0.2, 0.4), covered=1.0,
            blur_mm=0.5, **changed):  # fmt: skip
        run.contrasts, run.second = contrasts, []
        for name in {"T1w": "t1", "T2w": "t2"}.items():
            if name[0] not in contrasts:
                write_placeholder(tmp_path / f"{name[1]}.nii.gz", f"no {name[0]} in this session")
        facts = {"contrasts": contrasts, "codes": list(codes), "brain_volume_ml": 1000.0}
        facts["fluid"] = dict(zip(("T1w", "T2w"), fluid, strict=True))
        facts["t2_covered"] = covered
        facts["spacing_mm"] = {name: [1.0, 1.0, slice_mm] for name in contrasts.split("+")}
        facts["slice_mm"] = dict.fromkeys(contrasts.split("+"), slice_mm)
        facts["blur_mm"] = dict.fromkeys(contrasts.split("+"), blur_mm)
        if flair is None:
            write_placeholder(tmp_path / "flair.nii.gz", "no FLAIR in this session")
        else:
            save_image(flair, AFFINE, tmp_path / "flair.nii.gz")
            facts["bright_ml"] = 1.0
        write_json(facts, tmp_path / "about.json")
        fit = {"similarity": similarity, "similarity_moved": moved}
        fit["contrast"] = "T1w" if "T1w" in contrasts else "T2w"
        write_json(fit, tmp_path / "registration.json")
        if external is not None:
            save_image(external, AFFINE, tmp_path / "drawn.nii.gz")
        for name in ("affine", "warp", "inverse_warp"):
            (tmp_path / name).write_text("there")
        load_main("segment_epvs")(
            t1w=tmp_path / "t1.nii.gz",
            t2w=tmp_path / "t2.nii.gz",
            flair=tmp_path / "flair.nii.gz",
            mask=tmp_path / "mask.nii.gz",
            classes=tmp_path / "classes.nii.gz",
            sidecar=tmp_path / "about.json",
            transforms={name: tmp_path / name for name in ("affine", "warp", "inverse_warp")},
            registration=tmp_path / "registration.json",
            external=tmp_path / "drawn.nii.gz" if external is not None else None,
            session={"participant_id": "sub-1", "session_id": None, "mask_fault": mask_fault},
            settings=SETTINGS | changed,
            qc={"min_registration_similarity": 0.5, "max_registration_moved": 1},
            masks={name: tmp_path / f"{name}.nii.gz" for name in ENGINES},
            **{name: tmp_path / f"out_{name}" for name in FILES},
            regions=tmp_path / "regions.nii.gz",
        )
        return read_tsv(tmp_path / "out_measures").set_index("engine")

    run.folder, run.truth, run.place, run.seen = tmp_path, truth, place, truth
    return run


def test_a_region_that_is_not_there_is_missing_and_not_zero(segment, capsys):
    segment.place[segment.place == 6] = 0
    row = segment().loc["vbnet"]
    assert (row.qc_status, row.qc_reasons) == ("fail", "epvs_region_missing")
    assert row[["epvs_count", "epvs_count_midbrain", "epvs_count_midbrain_right"]].isna().all()
    assert row[["epvs_permille", "epvs_soft_volume_mm3", "lacunes"]].isna().all()
    assert row.epvs_count_bg == 2
    assert row.epvs_count_cso == row.epvs_count_midbrain_left == 0
    assert "vbnet: a region was not found" in capsys.readouterr().out


@pytest.mark.parametrize(("blur", "volume"), [(0.5, 80), (0.9, 60), (None, 60)])
def test_a_narrow_outline_is_widened_in_a_sharp_scan(segment, blur, volume):
    segment.seen = segment.truth & (np.arange(SHAPE[0]) != 26)[:, None, None]  # half of one tube
    classes = np.ones(SHAPE, np.uint8)
    classes[:, :3] = 2  # fluid
    save_image(classes, AFFINE, segment.folder / "classes.nii.gz")
    for name, fluid in (("t1", -0.8), ("t2", 0.8)):
        path = segment.folder / f"{name}.nii.gz"
        save_image(np.where(classes == 2, fluid, image_data(load_image(path))), AFFINE, path)
    rows = segment(blur_mm=blur)
    assert rows.loc["vbnet", ["epvs_count", "epvs_volume_mm3"]].tolist() == [2, volume]
    assert rows.blur_mm.fillna(0).tolist() == [blur or 0] * 2
    assert mask_of(segment, "vbnet").sum() == volume
    objects = read_tsv(segment.folder / "out_objects")
    assert objects[objects.engine == "vbnet"].volume_mm3.tolist() == [40, volume - 40]
    # the frangi filter draws its own outline
    assert rows.loc["frangi", "epvs_volume_mm3"] == mask_of(segment, "frangi").sum()
    flair = np.zeros(SHAPE, dtype=np.float32)
    flair[26] = 5.0  # a lesion beside the tube
    assert segment(blur_mm=blur, flair=flair).loc["vbnet", "epvs_volume_mm3"] == 60


def test_a_region_of_an_odd_size_is_told(segment, monkeypatch):
    monkeypatch.setattr(epvs_objects, "REGION_ML", {"bg": (30.0, 110.0)})
    rows = segment()
    assert rows.loc["vbnet", "qc_reasons"] == "epvs_region_implausible"
    assert rows.loc["vbnet", "qc_status"] == "warn"
    assert rows.loc["vbnet", "epvs_count"] == 2


def mask_of(segment, engine):
    return image_data(load_image(segment.folder / f"{engine}.nii.gz")) > 0


def test_rows_masks_and_objects_of_both_engines(segment):
    rows = segment()
    assert list(read_tsv(segment.folder / "out_measures")) == [
        *(column for column in COLUMNS if column != "primary"), "fault",
    ]  # fmt: skip
    assert rows.index.tolist() == ["vbnet", "frangi"]
    assert rows.epvs_count.tolist() == [2, 2]
    assert rows.loc["vbnet", "epvs_volume_mm3"] == segment.truth.sum() == 80
    assert rows.loc["vbnet", "epvs_permille_bg_left"] == pytest.approx(40 / 1000)
    assert rows.loc["frangi", "epvs_volume_mm3"] == pytest.approx(80, rel=0.35)
    assert rows.contrasts.tolist() == ["T1w+T2w"] * 2
    assert rows.qc_status.tolist() == ["pass", "pass"]
    np.testing.assert_array_equal(mask_of(segment, "vbnet"), segment.truth)
    objects = read_tsv(segment.folder / "out_objects")
    assert list(objects) == OBJECT_COLUMNS
    own = objects[objects.engine == "vbnet"]
    assert own.side.tolist() == ["left", "right"]
    assert own.length_mm.tolist() == pytest.approx([10, 10], abs=0.3)
    assert own.mean_probability.tolist() == pytest.approx([0.9, 0.9])
    assert objects[objects.engine == "frangi"].mean_probability.isna().all()
    with pytest.raises(InputFault, match="there is no mask of EPVS of this session"):
        load_image(segment.folder / "external.nii.gz")
    names = read_tsv(segment.folder / "regions.tsv")
    assert dict(zip(names["index"], names["name"], strict=True))[4] == "cso_right"
    for name, sources in (("regions", "classes"), ("vbnet", "t1"), ("frangi", "t1")):
        assert f"{sources}.nii.gz" in read_json(segment.folder / f"{name}.json")["Sources"][0]


@pytest.mark.parametrize(("slice_mm", "fine"), [(1.0, True), (2.0, True), (3.0, False)])
def test_a_t1_of_thin_slices_helps_with_the_outline(segment, slice_mm, fine):
    segment(slice_mm=slice_mm)
    assert segment.t1_fine == fine
    # the second network outlines what is wide
    assert segment.second == ([False, True] if fine else [True])
    segment(slice_mm=slice_mm, contrasts="T2w")
    assert not segment.t1_fine


@pytest.mark.parametrize(
    ("fluid", "poor", "better"),
    [
        ((0.2, 0.4), False, False),
        ((0.48, 0.4), True, True),
        ((0.48, 0.6), True, False),
        ((0.48, None), True, False),
    ],
)
def test_a_t1_beyond_the_training_does_not_hide_what_the_t2_shows(segment, fluid, poor, better):
    rows = segment(fluid=fluid, contrasts="T1w+T2w" if fluid[1] else "T1w")
    assert segment.t1_poor == better
    assert segment.second == ([True] if better else [False, True])
    assert ("epvs_t1_poor" in str(rows.loc["vbnet", "qc_reasons"])) == poor
    assert "epvs_t1_poor" not in str(rows.loc["frangi", "qc_reasons"])


@pytest.mark.parametrize(
    ("given", "which", "share"),
    [
        ({}, "t1", SHARE),
        ({"fluid": (0.48, 0.4)}, "t2", SHARE),
        ({"fluid": (0.48, 0.4), "covered": 0.98}, "t1", SHARE_POOR),
        ({"fluid": (0.48, 0.6)}, "t1", SHARE_POOR),
        ({"fluid": (None, 0.4), "contrasts": "T2w"}, "t2", SHARE),
        ({"fluid": (0.48, None), "contrasts": "T1w"}, "t1", SHARE_POOR),
    ],
)
def test_regions_lie_in_the_white_matter_of_the_better_image(segment, given, which, share):
    segment(**given)
    # the tubes are dark in the T1w
    assert (segment.white[segment.truth].mean() < 0) == (which == "t1")
    assert segment.share == share


def test_what_is_bright_in_the_flair_is_told(segment):
    flair = np.zeros(SHAPE, dtype=np.float32)
    flair[:15] = 5.0  # the left tube, half of all
    rows = segment(flair=flair)
    assert rows.loc["vbnet", ["epvs_count", "lesion_like"]].tolist() == [1, 1]
    assert rows.loc["vbnet", "flair_bright"] == 0
    objects = read_tsv(segment.folder / "out_objects")
    assert objects[objects.engine == "vbnet"].flair_bright.tolist() == [1.0, 0.0]
    assert objects[objects.engine == "vbnet"].lesion.tolist() == [1, 0]
    flair[:, :14] = 0  # 6 of the left tube's 10 mm: a lesion; then 4, which is a lot and no lesion
    assert segment(flair=flair).loc["vbnet", "lesion_like"] == 1
    flair[:, :16] = 0
    flair[25:] = 5.0 * (np.arange(SHAPE[2]) < 12)
    assert segment(flair=flair).qc_reasons["vbnet"] == "epvs_bright_on_flair"


def test_without_a_flair_nothing_is_said_of_it(segment):
    assert segment().flair_bright.isna().all()
    assert read_tsv(segment.folder / "out_objects").flair_bright.isna().all()


@pytest.mark.parametrize("contrasts", ["T1w", "T2w"])
def test_one_contrast(segment, contrasts):
    rows = segment(contrasts=contrasts, codes=[f"epvs_{contrasts[:2].lower()}_only"])
    assert rows.epvs_count.tolist() == [2, 2]
    assert set(rows.qc_reasons) == {f"epvs_{contrasts[:2].lower()}_only"}
    assert set(rows.qc_status) == {"warn"}


def test_external_mask_is_a_third_engine(segment):
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[8:10, 10:20, 14:16] = 1
    rows = segment(external=drawn)
    assert rows.index.tolist() == ["vbnet", "frangi", "external"]
    assert rows.loc["external", ["epvs_count", "epvs_volume_mm3"]].tolist() == [1, 40]
    assert mask_of(segment, "external").sum() == 40


def test_a_mask_that_cannot_be_used_leaves_the_other_engines(segment):
    rows = segment(external=np.zeros(SHAPE, dtype=np.uint8))
    assert rows.loc["external", "fault"].endswith("drawn.nii.gz: the mask is empty")
    assert np.isnan(rows.loc["external", "epvs_count"])
    assert rows.epvs_count.tolist()[:2] == [2, 2]
    rows = segment(mask_fault="several masks of EPVS: a and b. Remove all but one")
    assert rows.loc["external", "fault"] == "several masks of EPVS: a and b. Remove all but one"


def test_missing_weights_leave_the_other_engine(segment, monkeypatch):
    def missing(*_, **how):
        raise InputFault("epvs.onnx: the weights of this network are missing")

    monkeypatch.setattr("glymflow.image.networks.epvs_probability", missing)
    rows = segment()
    assert "weights" in rows.loc["vbnet", "fault"]
    assert rows.loc["frangi", "epvs_count"] == 2


def test_codes(segment, monkeypatch):
    rows = segment(similarity=0.3, moved=0.6, max_count=1)
    assert rows.loc["vbnet", "qc_reasons"] == "epvs_registration_poor;epvs_many"
    assert rows.loc["vbnet", "qc_status"] == "fail"
    assert "registration" not in segment(similarity=0.3, regions="vbnet").to_string()
    # 6 mm away it fits better
    assert "epvs_registration_poor" in segment(moved=1.01).loc["vbnet", "qc_reasons"]
    assert "registration" not in segment(moved=1.0).to_string()
    full = np.zeros(SHAPE, np.float32)
    full[3:18, 4:36, 3:27] = 1
    monkeypatch.setattr("glymflow.image.networks.epvs_probability", lambda *_, **how: full)
    rows = segment(max_ratio=3, lacune_min_mm=100, contrasts="T2w")
    assert rows.qc_reasons.tolist() == ["epvs_engines_disagree"] * 2
    assert rows.loc["vbnet", "epvs_count"] == 1
    # fluid outweighs grey and white matter in a T2w alone
    assert "registration" not in segment(similarity=0.4, moved=0.6, contrasts="T2w").to_string()
    assert "registration" in segment(similarity=0.3, moved=0.6, contrasts="T2w").to_string()
    monkeypatch.setattr("glymflow.image.networks.epvs_probability", lambda *_, **how: 0 * full)
    assert segment(contrasts="T2w").loc["vbnet", "qc_reasons"] == "epvs_empty"


def test_a_session_that_was_not_prepared_is_not_measured(segment):
    write_placeholder(segment.folder / "classes.nii.gz", "x.nii.gz: no brain is found")
    with pytest.raises(InputFault, match="no brain is found"):
        segment()


def test_the_same_bytes_again(segment):
    segment()
    paths = [segment.folder / name for name in ("frangi.nii.gz", "out_measures", "out_objects")]
    first = [path.read_bytes() for path in paths]
    segment()
    assert [path.read_bytes() for path in paths] == first


def test_frangi_looks_into_pools_of_fluid_in_tissue_but_not_into_ventricles(monkeypatch):
    seen = []
    monkeypatch.setattr(
        frangi, "segment", lambda t1, t2, where, **given: seen.append(where) or where
    )
    tissue = np.ones((30, 30, 30), np.uint8)
    tissue[5:8, 5:8, 5:8] = 2  # 27 mm^3: a wide EPVS
    tissue[15:25, 15:25, 15:25] = 2  # 1000 mm^3: a ventricle
    place = np.ones(tissue.shape, np.uint8)
    segment_frangi(None, None, place, tissue, np.eye(4), {"frangi": {}})
    assert seen[0][6, 6, 6]
    assert not seen[0][20, 20, 20]
