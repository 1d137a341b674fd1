"""The page of a subject, from files; a placeholder costs only the part that needs it."""

import numpy as np
import pandas as pd
import pytest
import yaml
from page_checks import SCRIPTS, assert_good_page, load_script

from glymflow.alps.domain import RAW_FILES
from glymflow.dwi.quality import VOLUMES, quality_table
from glymflow.epvs.domain import ENGINES
from glymflow.io import save_image, write_placeholder, write_tsv

script = load_script("report_subject")
KINDS = ("alps", "fa", "tensor", "rois", "wm", *RAW_FILES)
LIMITS = yaml.safe_load((SCRIPTS.parent / "config" / "config.yaml").read_text())["qc"]
EPVS_NAMES = ("measures", "objects", "scan", "brain", "regions", "head")
AFFINE = np.array([[-2.0, 0, 0, 23], [0, 2, 0, -20], [0, 0, 2, -16], [0, 0, 0, 1]])  # stored L
GRID = [[1.0, 0, 0, -20], [0, 1, 0, -22], [0, 0, 1, -24], [0, 0, 0, 1]]


def write_series(folder, name):
    shape = (24, 20, 16)
    rois = np.zeros(shape, np.uint8)
    for label, x in {1: 16, 2: 7, 3: 20, 4: 3}.items():
        rois[x, 9:11, 8] = label
    tensor = np.tile(np.float32([4e-4, 0, 4e-4, 0, 0, 1.5e-3]), (*shape, 1))
    files = {kind: folder / f"{name}_{kind}.nii.gz" for kind in ("fa", "tensor", "rois", "wm")}
    save_image(np.full(shape, 0.4, np.float32), AFFINE, files["fa"])
    save_image(tensor, AFFINE, files["tensor"])
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
    return files | write_raw_data(folder, name, shape)


def write_raw_data(folder, name, shape):
    """What fit_tensor writes of the raw data of a series of two volumes."""
    files = {kind: folder / f"{name}{ending}" for kind, ending in RAW_FILES.items()}
    for kind in ("raw_b0", "b0", "weighted", "residual", "mask"):
        save_image(np.ones(shape, np.uint8 if kind == "mask" else np.float32), AFFINE, files[kind])
    volumes = pd.DataFrame(0.1, index=range(2), columns=list(VOLUMES))
    write_tsv(volumes.assign(volume=range(2), left_out="false"), files["volumes"])
    write_tsv(pd.DataFrame({"volume": range(2), "slice_0": 0.0}), files["slices"])
    write_tsv(quality_table([{"motion_worst_mm": 0.31}]), files["quality"])
    files["bval"].write_text("0 1000\n")
    files["bvec"].write_text("0 1\n0 0\n0 0\n")
    return files


@pytest.fixture
def cohort(tmp_path):
    names = ["sub-01_dir-AP", "sub-01_dir-PA"]
    return names, [write_series(tmp_path, name) for name in names]


def write_epvs(folder):
    """The files of a session whose EPVS were measured, and its masks by engine."""
    from glymflow.epvs.domain import COLUMNS
    from glymflow.epvs.objects import OBJECT_COLUMNS

    shape, affine = (40, 44, 48), np.array(GRID)
    points = np.stack(np.indices(shape), axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    brain = ((points / (18, 20, 22)) ** 2).sum(axis=-1) < 1
    regions = np.where(points[..., 2] > 8, 3, np.where(points[..., 2] > -6, 1, 5))
    regions = (regions + (points[..., 0] > 0)) * brain
    found = np.zeros(shape, bool)
    found[12:14, 20:22, 20:24] = True
    images = {
        "scan": np.where(found, 0.9, np.where(brain, 0.2, -1)),
        "brain": brain.astype(np.uint8), "regions": regions.astype(np.uint8),
        "head": np.where(brain, 300.0, 20.0),
    }  # fmt: skip
    files = {name: folder / f"sub-01_ses-1_{name}.nii.gz" for name in images}
    for name, data in images.items():
        save_image(data.astype(np.float32 if data.dtype == float else data.dtype), affine,
                   files[name])  # fmt: skip
    masks = {n: folder / f"sub-01_label-EPVS_desc-{n}_mask.nii.gz" for n in ("vbnet", "frangi")}
    for path in masks.values():
        save_image(found, affine, path)
    rows = [
        dict.fromkeys(COLUMNS) | {
            "participant_id": "sub-01", "session_id": "ses-1", "engine": engine,
            "epvs_count": count, "qc_status": "warn", "qc_reasons": "epvs_thick_slices",
        }
        for engine, count in (("vbnet", 123), ("frangi", 77))
    ]  # fmt: skip
    listed = pd.DataFrame([dict.fromkeys(OBJECT_COLUMNS) | {
        "engine": "vbnet", "index": 1, "region": "bg", "side": "left", "volume_mm3": 16.0,
        "x": -7.0, "y": -1.0, "z": -2.0, "lacune": 1,
    }])  # fmt: skip
    files["measures"], files["objects"] = folder / "measures.tsv", folder / "objects.tsv"
    write_tsv(pd.DataFrame(rows).drop(columns="primary").assign(fault=None), files["measures"])
    write_tsv(listed, files["objects"])
    return {"masks": masks, **files}


def make_page(cohort, page, epvs=()):
    names, files = cohort
    known = {"roi_set": "ad2025", "frame": "fibre"}
    script.main(
        participant="sub-01",
        files={
            "alps": {kind: [series[kind] for series in files] for kind in KINDS},
            "lesions": {},
            "epvs": {name: [session[name] for session in epvs] for name in EPVS_NAMES}
            | {name: [session["masks"][name] for session in epvs] for name in ENGINES[:2]}
            | {"external": []},
        },
        values={
            "alps": {"series": names, "limits": LIMITS, **known},
            "lesions": {"sessions": [], "consensus": "union"},
            "epvs": {
                "sessions": ["ses-1"] * len(epvs),
                "contrasts": ["T2w"] * len(epvs),
                "brought": [False] * len(epvs),
                "engine": "vbnet",
            },
        },
        **known,
        page=page,
    )
    return page.read_text(encoding="utf-8")


def test_page(cohort, tmp_path):
    html = make_page(cohort, tmp_path / "report" / "sub-01.html")
    assert_good_page(html)
    assert html.count("<b>1.46</b>") == 2
    assert html.count("The head moved much between volumes.") == 2
    assert html.count('src="data:image/png;base64,') == 2 * 12
    assert html.count('src="data:image/webp;base64,') == 2 * 4
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
    assert "Slices thicker than 2 mm hide small EPVS." in html
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
