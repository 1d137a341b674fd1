"""The page of a subject, from files; a placeholder costs only the part that needs it."""

import numpy as np
import pandas as pd
import pytest
from page_checks import assert_good_page, load_script

from glymflow.io import save_image, write_placeholder, write_tsv

script = load_script("report_subject")
AFFINE = np.array([[-2.0, 0, 0, 23], [0, 2, 0, -20], [0, 0, 2, -16], [0, 0, 0, 1]])  # stored L
REASONS = {"motion_high": "The head moved more than allowed."}


def write_series(folder, name):
    shape = (24, 20, 16)
    rois = np.zeros(shape, np.uint8)
    for label, x in {1: 16, 2: 7, 3: 20, 4: 3}.items():
        rois[x, 9:11, 8] = label
    color = np.zeros((*shape, 3), np.uint8)
    color[..., 2] = 150
    files = {kind: folder / f"{name}_{kind}.nii.gz" for kind in ("fa", "colorfa", "rois", "wm")}
    save_image(np.full(shape, 0.4, np.float32), AFFINE, files["fa"])
    save_image(color, AFFINE, files["colorfa"], intent="rgb")
    save_image(rois, AFFINE, files["rois"])
    save_image(np.linspace(0, 1, rois.size, dtype=np.float32).reshape(shape), AFFINE, files["wm"])
    row = {
        "participant_id": "sub-01", "session_id": "ses-1", "source": name, "roi_set": "ad2025",
        "roi_radius_mm": 2.5, "frame": "fibre", "alps_left": 1.41, "alps_right": 1.52,
        "alps_mean": 1.4649, "alps_ipsilateral": None, "alps_contralateral": None,
        "qc_status": "warn", "qc_reasons": "motion_high",
    }  # fmt: skip
    files["alps"] = folder / f"{name}_alps.tsv"
    write_tsv(pd.DataFrame([row]), files["alps"])
    return files


@pytest.fixture
def cohort(tmp_path):
    names = ["sub-01_dir-AP", "sub-01_dir-PA"]
    return names, [write_series(tmp_path, name) for name in names]


def make_page(cohort, page):
    names, files = cohort
    kinds = ("alps", "fa", "colorfa", "rois", "wm")
    script.main(
        participant="sub-01",
        series=names,
        **{kind: [series[kind] for series in files] for kind in kinds},
        roi_set="ad2025",
        frame="fibre",
        page=page,
        reasons=REASONS,
    )
    return page.read_text(encoding="utf-8")


def test_page(cohort, tmp_path):
    html = make_page(cohort, tmp_path / "report" / "sub-01.html")
    assert_good_page(html)
    assert html.count("<b>1.46</b>") == 2
    assert html.count("The head moved more than allowed.") == 2
    assert html.count("data:image/png;base64,") == 2 * 9
    assert 'href="index.html#sub-01"' in html
    assert 'href="#sub-01_dir-PA"' in html
    assert len(html) < 2 * 600_000


def test_same_bytes_twice(cohort, tmp_path):
    assert make_page(cohort, tmp_path / "a.html") == make_page(cohort, tmp_path / "b.html")


def test_series_that_could_not_be_measured_leaves_the_rest_standing(cohort, tmp_path):
    for path in cohort[1][0].values():
        write_placeholder(path, "sub-01_dir-AP_dwi.bval: no such file")
    html = make_page(cohort, tmp_path / "page.html")
    assert_good_page(html)
    assert html.count("sub-01_dir-AP_dwi.bval: no such file") == 1
    assert html.count("data:image/png;base64,") == 9
    assert html.count("<b>1.46</b>") == 1


@pytest.mark.parametrize(
    ("kind", "left", "heading"),
    [("rois", 3, "No picture."), ("colorfa", 3, "No picture."), ("wm", 6, "No picture.")],
)
def test_one_lost_image_costs_only_its_picture(cohort, tmp_path, kind, left, heading):
    write_placeholder(cohort[1][1][kind], "the registration failed")
    html = make_page(cohort, tmp_path / "page.html")
    assert_good_page(html)
    assert html.count("data:image/png;base64,") == 9 + left
    assert f"<b>{heading}</b> the registration failed" in html
    assert html.count("<b>1.46</b>") == 2


def test_images_on_different_grids_are_refused(cohort, tmp_path):
    save_image(np.zeros((4, 5, 6), np.float32), AFFINE, cohort[1][0]["wm"])
    html = make_page(cohort, tmp_path / "page.html")
    assert "shape (4, 5, 6), but" in html


def test_subject_without_series(tmp_path):
    html = make_page(([], []), tmp_path / "page.html")
    assert_good_page(html)
    assert "no diffusion-weighted series" in html
