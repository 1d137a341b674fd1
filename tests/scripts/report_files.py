"""The files of a subject's page, and the page from them: two DWI series, a session with EPVS."""

import numpy as np
import pandas as pd
import yaml
from page_checks import SCRIPTS, load_script

from glymflow.alps.domain import RAW_FILES
from glymflow.dwi.quality import VOLUMES, quality_table
from glymflow.epvs.domain import ENGINES
from glymflow.io import save_image, write_tsv

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


NO_LESIONS = {}, {"sessions": [], "consensus": "union"}


def make_page(cohort, page, epvs=(), lesions=NO_LESIONS):
    names, files = cohort
    known = {"roi_set": "ad2025", "frame": "fibre"}
    script.main(
        participant="sub-01",
        files={
            "alps": {kind: [series[kind] for series in files] for kind in KINDS},
            "lesions": lesions[0],
            "epvs": {name: [session[name] for session in epvs] for name in EPVS_NAMES}
            | {name: [session["masks"][name] for session in epvs] for name in ENGINES[:2]}
            | {"external": []},
        },
        values={
            "alps": {"series": names, "limits": LIMITS, **known},
            "lesions": lesions[1],
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
