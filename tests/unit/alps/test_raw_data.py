"""The block of raw data: what is beyond a limit is marked; a lost file costs only what needs it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from glymflow.alps.domain import RAW_FILES
from glymflow.alps.raw_data import MOSAICS, raw_section, scan_facts
from glymflow.dwi.quality import VOLUMES
from glymflow.io import save_image, write_placeholder, write_tsv

CONFIG = Path(__file__).resolve().parents[3] / "config" / "config.yaml"
LIMITS = yaml.safe_load(CONFIG.read_text())["qc"]
ROW = {
    "motion_worst_mm": 0.51, "rotation_max_degrees": 0.4, "outlier_slices": 3,
    "volumes_left_out": 0, "snr_b0": 31.4, "cnr_b1000": 1.26, "cnr_b2000": np.nan,
    "field_sd_mm": np.nan, "mask_volume_ml": 1400.0, "mask_concavity": 0.01, "mask_holes_ml": 0.0,
    "mask_missing": 0.004, "mask_outside": 0.001, "brain_in_image": 1.0,
}  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """The files of a series of 3 volumes, small and whole."""
    paths = {name: tmp_path / f"x{ending}" for name, ending in RAW_FILES.items()}
    shape, affine = (20, 22, 18), np.diag([-4.0, 4.0, 4.0, 1.0])
    mask = np.zeros(shape, np.uint8)
    mask[3:17, 3:19, 3:15] = 1
    save_image(mask, affine, paths["mask"])
    for name in MOSAICS:
        save_image((100.0 * mask + 10).astype(np.float32), affine, paths[name])
    table = pd.DataFrame(0.1, index=range(3), columns=list(VOLUMES))
    write_tsv(table.assign(volume=range(3), left_out="false"), paths["volumes"])
    write_tsv(pd.DataFrame({"volume": range(3), "slice_0": 0.0}), paths["slices"])
    write_tsv(pd.DataFrame([ROW]), paths["quality"])
    paths["bval"].write_text("0 1000 1000\n")
    paths["bvec"].write_text("0 1 0\n0 0 1\n0 0 0\n")
    return paths


def test_block_of_a_sound_series(files):
    html = str(raw_section(files, limits=LIMITS, prefix="raw0"))
    assert html.count("data:image/webp;base64,") == len(MOSAICS)
    assert html.count("<svg") == 2
    assert 'id="raw0-motion-' in html
    assert "No picture" not in html
    assert "0.51 mm" in html
    assert "beyond" not in html
    assert html == str(raw_section(files, limits=LIMITS, prefix="raw0"))


@pytest.mark.parametrize(
    ("name", "webp", "svg"), [("b0", 3, 2), ("volumes", 4, 1), ("slices", 4, 1), ("bvec", 4, 1)]
)
def test_a_lost_file_costs_only_what_needs_it(files, name, webp, svg):
    write_placeholder(files[name], "the disk is full")
    html = str(raw_section(files, limits=LIMITS, prefix="s"))
    assert html.count("data:image/webp;base64,") == webp
    assert html.count("<svg") == svg
    assert html.count("No picture: the disk is full") == 1


def test_series_that_was_not_preprocessed_has_no_block(files):
    write_placeholder(files["mask"], "no brain found")
    assert raw_section(files, limits=LIMITS, prefix="s") is None


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"motion_worst_mm": LIMITS["max_motion_mm"] + 0.1}, "motion, worst volumes"),
        ({"snr_b0": LIMITS["min_snr_b0"] - 0.1}, "signal to noise of b0"),
        ({"mask_volume_ml": LIMITS["mask_volume_ml"][1] + 1}, "brain mask"),
        ({"mask_concavity": LIMITS["max_mask_concavity"] + 0.01}, "folds of the mask"),
        ({"mask_holes_ml": LIMITS["max_mask_holes_ml"] + 1}, "holes of the mask"),
        ({"mask_missing": LIMITS["max_mask_missing"] + 0.001}, "brain it leaves out"),
        ({"mask_outside": LIMITS["max_mask_outside"] + 0.001}, "mask far outside"),
    ],
)
def test_what_is_beyond_its_limit_is_marked(change, name):
    assert [fact["name"] for fact in scan_facts(ROW | change, LIMITS) if fact["beyond"]] == [name]


def test_part_of_a_brain_is_not_marked_as_too_small():
    small = ROW | {"mask_volume_ml": LIMITS["mask_volume_ml"][0] - 1}
    for share, beyond in ((1.0, True), (0.7, False), (np.nan, False)):
        facts = scan_facts(small | {"brain_in_image": share}, LIMITS)
        assert any(fact["beyond"] for fact in facts) == beyond


def test_facts_in_words():
    facts = {fact["name"]: fact for fact in scan_facts(ROW, LIMITS)}
    assert facts["slices without signal"]["text"] == "3"
    assert facts["contrast to noise, b 1000"]["text"] == "1.3"
    assert "contrast to noise, b 2000" not in facts
    assert facts["distortion, SD"]["text"] == "n/a"
    assert facts["motion, worst volumes"]["limit"] == f"≤ {LIMITS['max_motion_mm']:g}"
    assert all(fact["text"] == "n/a" for fact in scan_facts({}, LIMITS))
