"""scripts/preprocess_anat.py: one grid, placeholders for what is missing, faults of one line."""

from pathlib import Path

import numpy as np
import pytest
from anat_heads import by_brightness, head

from glymflow.epvs import anat
from glymflow.image import anat_registration, networks
from glymflow.io import (
    InputFault,
    image_data,
    is_placeholder,
    load_image,
    read_json,
    read_tsv,
    save_image,
)


@pytest.fixture
def preprocess(load_main, tmp_path, monkeypatch):
    """Run the script on grids of 4 mm, brightness instead of the network."""
    monkeypatch.setattr(networks, "head_probabilities", by_brightness)
    monkeypatch.setattr(anat, "MM", 4.0)
    monkeypatch.setattr(anat_registration, "N4_MM", 4.0)
    monkeypatch.setattr(anat_registration, "N4_SHRINK", 2)

    def run(name="a", **given):
        folder = tmp_path / name
        folder.mkdir()
        names = {
            "t1w_preproc": "t1.nii.gz", "t2w_preproc": "t2.nii.gz", "mask": "mask.nii.gz",
            "classes": "classes.nii.gz", "sidecar": "anat.json", "flair_preproc": "flair.nii.gz",
        }  # fmt: skip
        paths = {key: str(folder / file) for key, file in names.items()}
        load_main("preprocess_anat")(**{"t1w": None, "t2w": None} | given | paths)
        return paths

    return run


@pytest.fixture
def scan(tmp_path):
    def write(name, contrast="T1w", edit=lambda image: image):
        image, affine = head(contrast)
        path = tmp_path / name
        save_image(edit(image.copy()), affine, path)
        return str(path)

    return write


def test_both_contrasts_lie_on_one_grid(preprocess, scan):
    t1w, t2w = scan("sub-01_T1w.nii.gz"), scan("sub-01_T2w.nii.gz", "T2w")
    paths = preprocess(t1w=t1w, t2w=t2w)
    images = [load_image(paths[k]) for k in ("t1w_preproc", "t2w_preproc", "mask", "classes")]
    for image in images:
        assert image.shape == images[0].shape
        np.testing.assert_array_equal(image.affine, images[0].affine)
    assert [image.get_data_dtype() for image in images] == ["<f4", "<f4", "u1", "u1"]
    mask = image_data(images[2]) > 0
    for image in images[:2]:
        assert np.all(image_data(image)[~mask] == -1)
    facts = read_json(paths["sidecar"])
    assert facts["Sources"] == [t1w, t2w]
    assert facts["SkullStripped"] is True
    for name, source in (("t1", t1w), ("t2", t2w)):
        own = read_json(Path(paths["mask"]).with_name(f"{name}.json"))
        assert (own["SkullStripped"], own["Sources"]) == (True, [source])
    labels = read_tsv(Path(paths["classes"].replace(".nii.gz", ".tsv")))
    assert labels.set_index("index").name[4] == "centrum_semiovale"
    assert facts["codes"] == ["epvs_thick_slices"]
    assert facts["contrasts"] == "T1w+T2w"
    assert facts["brain_volume_ml"] == pytest.approx(mask.sum() * 0.064, rel=0.05)


def test_same_bytes_twice(preprocess, scan):
    given = {"t1w": scan("sub-01_T1w.nii.gz"), "t2w": scan("sub-01_T2w.nii.gz", "T2w")}
    first, second = preprocess("a", **given), preprocess("b", **given)
    for key, path in first.items():
        assert Path(path).read_bytes() == Path(second[key]).read_bytes(), key


@pytest.mark.parametrize(("given", "missing"), [("t1w", "t2w_preproc"), ("t2w", "t1w_preproc")])
def test_a_missing_contrast_is_a_placeholder(preprocess, scan, given, missing):
    contrast = f"T{given[1]}w"
    paths = preprocess(**{given: scan(f"sub-01_{contrast}.nii.gz", contrast)})
    assert is_placeholder(paths[missing])
    assert is_placeholder(paths[missing].replace(".nii.gz", ".json"))
    assert not is_placeholder(paths[f"{given}_preproc"])
    with pytest.raises(InputFault, match=rf"^no T{missing[1]}w in this session$"):
        load_image(paths[missing])
    assert f"epvs_t{given[1]}_only" in read_json(paths["sidecar"])["codes"]


def test_the_name_tells_of_contrast_agent(preprocess, scan):
    codes = [
        read_json(preprocess(name[7:9], t1w=scan(name))["sidecar"])["codes"]
        for name in ("sub-01_ce-gd_T1w.nii.gz", "sub-01_aq-gd_T1w.nii.gz")
    ]
    assert ["epvs_contrast_enhanced" in one for one in codes] == [True, False]


def test_neither_contrast_is_a_fault(preprocess):
    with pytest.raises(InputFault, match="neither a T1w nor a T2w"):
        preprocess()


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda image: np.stack([image, image], axis=-1), "4-D image, 3-D expected"),
        (lambda image: image * 0 + 3, r"the image has no contrast \(every voxel is 3\)"),
        (lambda image: np.where(image > 1700, image, 0), "no brain found in the image"),
    ],
)
@pytest.mark.parametrize("which", ["t1w", "t2w"])
def test_a_bad_image_is_named_in_one_line(preprocess, scan, edit, fault, which):
    given = {"t1w": scan("sub-01_T1w.nii.gz"), "t2w": scan("sub-01_T2w.nii.gz", "T2w")}
    given[which] = scan("bad.nii.gz", edit=edit)
    with pytest.raises(InputFault, match=rf"^{given[which]}: {fault}") as caught:
        preprocess(**given)
    assert "\n" not in str(caught.value)


def test_a_t2_that_shows_another_part_is_one_line(preprocess, scan, monkeypatch):
    """A registration that ends up beside the head."""
    far = np.eye(4)
    far[0, 3] = 900
    monkeypatch.setattr(anat, "align", lambda *_: far)
    t2w = scan("sub-01_T2w.nii.gz", "T2w")
    with pytest.raises(InputFault) as fault:
        preprocess(t1w=scan("sub-01_T1w.nii.gz"), t2w=t2w)
    assert str(fault.value) == f"{t2w}: the T2w image does not cover the brain of the T1w image"


def test_a_flair_lies_on_the_grid(preprocess, scan):
    flair = scan("sub-01_FLAIR.nii.gz", "T2w")
    t1w = scan("sub-01_T1w.nii.gz")
    paths = preprocess(t1w=t1w, flair=flair)
    image = load_image(paths["flair_preproc"])
    mask = image_data(load_image(paths["mask"])) > 0
    assert image.shape == mask.shape
    assert np.all(image_data(image)[~mask] == 0)
    facts = read_json(paths["sidecar"])
    assert facts["dice_flair"] > 0.95
    assert facts["Sources"] == [t1w, flair]


@pytest.mark.parametrize("what", ["none", "no image", "flat"])
def test_a_flair_that_cannot_be_used_stops_nothing(preprocess, scan, tmp_path, what):
    flair = tmp_path / "sub-01_FLAIR.nii.gz"
    if what == "no image":
        flair.write_bytes(b"no image")
    elif what == "flat":
        scan(flair.name, edit=np.ones_like)
    paths = preprocess(t1w=scan("sub-01_T1w.nii.gz"), flair=None if what == "none" else str(flair))
    line = "^no FLAIR in this session$" if what == "none" else f"^{flair}: "
    with pytest.raises(InputFault, match=line):
        load_image(paths["flair_preproc"])
    assert not is_placeholder(paths["t1w_preproc"])
    facts = read_json(paths["sidecar"])
    assert "bright_ml" not in facts
    assert ("flair_fault" in facts) == (what != "none")


@pytest.mark.parametrize("which", ["t1w", "t2w"])
def test_an_image_that_lost_its_geometry_is_named(preprocess, scan, which):
    given = {"t1w": scan("sub-01_T1w.nii.gz"), "t2w": scan("sub-01_T2w.nii.gz", "T2w")}
    save_image(image_data(load_image(given[which])), np.eye(4), given[which])
    with pytest.raises(InputFault, match=rf"^{given[which]}: the affine is the identity"):
        preprocess(**given)
