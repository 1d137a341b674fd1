"""The page of a subject, from files; a placeholder costs only the part that needs it."""

import numpy as np
import pytest
from page_checks import assert_good_page
from report_files import (
    AFFINE,
    ENGINES,
    EPVS_NAMES,
    make_page,
    script,
    write_epvs,
    write_series,
)

from glymflow.io import save_image, write_placeholder


@pytest.fixture
def cohort(tmp_path):
    names = ["sub-01_dir-AP", "sub-01_dir-PA"]
    return names, [write_series(tmp_path, name) for name in names]


def test_page(cohort, tmp_path):
    html = make_page(cohort, tmp_path / "report" / "sub-01.html")
    assert_good_page(html)
    assert html.count("<b>1.46</b>") == 2
    assert html.count("The head moved much between volumes.") == 2 + 2  # head of the page, sections
    assert html.count('src="data:image/png;base64,') == 2 * 12
    assert html.count('src="data:image/webp;base64,') == 2 * (4 + 2)
    raw = html.index("Raw data: is the scan sound?")
    assert html.index("The head moved much") < raw < html.index("Are the ROIs where")
    assert html.count("0.31 mm") == 2
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
    assert html.count('src="data:image/png;base64,') == 12
    assert html.count("<b>1.46</b>") == 1


@pytest.mark.parametrize(
    ("kind", "left", "heading"),
    [("rois", 6, "No picture."), ("tensor", 6, "No picture."), ("wm", 6, "No picture.")],
)
def test_one_lost_image_costs_only_its_picture(cohort, tmp_path, kind, left, heading):
    write_placeholder(cohort[1][1][kind], "the registration failed")
    html = make_page(cohort, tmp_path / "page.html")
    assert_good_page(html)
    assert html.count('src="data:image/png;base64,') == 12 + left
    assert f"<b>{heading}</b> the registration failed" in html
    assert html.count("<b>1.46</b>") == 2


def test_images_on_different_grids_are_refused(cohort, tmp_path):
    save_image(np.zeros((4, 5, 6), np.float32), AFFINE, cohort[1][0]["wm"])
    html = make_page(cohort, tmp_path / "page.html")
    assert "shape (4, 5, 6), but" in html


def test_subject_without_series(tmp_path):
    html = make_page(([], []), tmp_path / "page.html")
    assert_good_page(html)
    assert "no DWI series" in html
    assert "Nothing was measured of this subject." in html


# ------------------------------------------------------------------ perivascular spaces

SLICES, PLANES = 7, 3


def test_page_with_epvs(cohort, tmp_path):
    html = make_page(cohort, tmp_path / "page.html", [write_epvs(tmp_path)])
    assert_good_page(html)
    assert html.count('src="data:image/png;base64,') == 2 * 12 + SLICES + PLANES
    assert "<b>123</b>" in html
    assert "T2w, above alone" in html
    assert "Slices above 2 mm or voxels above 4 mm³ hide small EPVS." in html
    assert "No picture." not in html


def test_epvs_page_has_the_same_bytes_twice(tmp_path):
    session = write_epvs(tmp_path)
    pages = [make_page(([], []), tmp_path / name, [session]) for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
    assert len(pages[0]) < 900_000


@pytest.mark.parametrize(
    ("lost", "shown"),
    [
        (("scan",), PLANES),
        (("regions",), PLANES),
        (("brain",), SLICES),
        (("objects",), SLICES + PLANES),
    ],
    ids=str,
)
def test_a_lost_file_costs_only_its_part(tmp_path, lost, shown):
    session = write_epvs(tmp_path)
    for name in lost:
        write_placeholder(session[name], f"there is no {name} in this session")
    html = make_page(([], []), tmp_path / "page.html", [session])
    assert_good_page(html)
    assert "<b>123</b>" in html
    assert html.count('src="data:image/png;base64,') == shown
    assert f"<b>No picture.</b> there is no {lost[0]} in this session" in html


def test_session_whose_epvs_could_not_be_measured(cohort, tmp_path):
    session = write_epvs(tmp_path)
    own = [session[name] for name in ("measures", "objects", "scan")]
    for path in [*session["masks"].values(), *own]:
        write_placeholder(path, "sub-01_ses-1_T1w.nii.gz: the image has no contrast")
    html = make_page(cohort, tmp_path / "page.html", [session])
    assert_good_page(html)
    assert html.count("the image has no contrast") == 1
    assert html.count("<b>1.46</b>") == 2


def test_masks_on_another_grid_are_told(tmp_path):
    session = write_epvs(tmp_path)
    save_image(np.zeros((4, 5, 6), np.uint8), AFFINE, session["masks"]["frangi"])
    html = make_page(([], []), tmp_path / "page.html", [session])
    assert "shape (4, 5, 6), but" in html
    assert html.count('src="data:image/png;base64,') == PLANES


def test_files_of_each_session_stay_together(monkeypatch):
    """From the sheet through the rule's inputs to the page: what is of one session is so."""
    from types import SimpleNamespace

    from glymflow.epvs import intake
    from glymflow.epvs import page as epvs_page

    rows = [
        {"folder": f"sub-01/{session}", "session": f"sub-01_{session}", "session_id": session,
         "t1w": f"{session}-t1w", "t2w": None, "flair": None, "mask": None}
        for session in ("ses-a", "ses-b")
    ]  # fmt: skip
    rows[1] |= {"t1w": None, "t2w": "ses-b-t2w", "flair": "ses-b-flair", "mask": "drawn"}
    sheet = SimpleNamespace(epvs_sessions=lambda subject: rows)
    files, values = intake.page_files(sheet, "sub-01", {"epvs": {"engine": "frangi"}})
    assert set(files) == {*EPVS_NAMES, *ENGINES, "beside"}
    inputs = {f"epvs_{name}": paths for name, paths in files.items()}
    given = script.by_domain(inputs | {"lesions_table": "one.tsv"})
    assert given == {"alps": {}, "lesions": {"table": ["one.tsv"]}, "epvs": files}

    seen = []
    monkeypatch.setattr(epvs_page, "_describe_session", lambda **known: seen.append(known))
    monkeypatch.setattr(epvs_page, "session_part", lambda section, place: place)
    assert epvs_page.subject_parts(given["epvs"], **values) == [1, 2]
    for session, found in zip(("ses-a", "ses-b"), seen, strict=True):
        assert (found["session"], found["engine"]) == (session, "frangi")
        paths = [found[name] for name in EPVS_NAMES if name != "head"]
        assert all(f"/sub-01/{session}/anat/sub-01_{session}_" in path for path in paths)
        masks = found["masks"].items()
        assert all(f"_{session}_label-EPVS_desc-{n}_" in path for n, path in masks)
    # what a session lacks is asked of nobody
    assert [list(found["masks"]) for found in seen] == [list(ENGINES[:2]), list(ENGINES)]
    assert [found["contrast"] for found in seen] == ["T1w", "T2w"]
    assert ["_T1w." in found["scan"] for found in seen] == [True, False]
    assert [list(found["beside"]) for found in seen] == [[], ["FLAIR"]]
    assert "/ses-b/anat/sub-01_ses-b_desc-preproc_FLAIR" in seen[1]["beside"]["FLAIR"]
    assert [found["head"] for found in seen] == ["ses-a-t1w", "ses-b-t2w"]
