"""The scripts of one series, run one after the other on a small phantom."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from glymflow.dwi.preprocess import OFF
from glymflow.io import save_image

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.fixture(scope="session")
def load_main():
    """Return the `main` of a script, as a job runs it."""
    return lambda script: runpy.run_path(ROOT / "scripts" / f"{script}.py")["main"]


@pytest.fixture(scope="session")
def walk(tmp_path_factory, phantom_scan, load_main):
    """One series' walk through the scripts: the folder and the arguments of each `main`."""
    folder = tmp_path_factory.mktemp("walk") / "ordner mit leerzeichen ä"
    folder.mkdir()
    path = {
        name: str(folder / f"{name}.{extension}")
        for extension, names in {
            "nii.gz": "dwi preproc mask tensor fa md colorfa wm brain warp inverse_warp warped_wm "
            "rois residual raw_b0 b0 weighted",
            "json": "preproc_sidecar fit registration quality_sidecar volumes_sidecar "
            "slices_sidecar",
            "tsv": "alps quality volumes slices",
            "mat": "affine",
        }.items()
        for name in names.split()
    }
    path |= {name: str(folder / name) for name in ("raw.bval", "raw.bvec", "sel.bval", "sel.bvec")}
    # as a scanner has it: a trace volume at the end, and a second shell that is not fitted
    scan = phantom_scan
    extra = np.stack([scan["dwi"][..., 3], scan["dwi"][..., 4]], axis=-1)
    save_image(np.concatenate([scan["dwi"], extra], axis=-1), scan["affine"], path["dwi"])
    bvals = np.r_[scan["bvals"], 3000, 1000]
    bvecs = np.vstack([scan["bvecs"], [[0, 0.6, 0.8], [0, 0, 0]]])
    np.savetxt(path["raw.bval"], bvals[None], fmt="%g")
    np.savetxt(path["raw.bvec"], bvecs.T, fmt="%.6f")
    arguments = {
        "prepare_template": {"resolution_mm": 4, "wm": path["wm"], "mask": path["brain"]},
        "fit_tensor": {
            "dwi": path["dwi"], "bval": path["raw.bval"], "bvec": path["raw.bvec"],
            "settings": CONFIG["dwi"] | OFF, "method": "WLS",
            "preproc": path["preproc"], "bvals": path["sel.bval"], "bvecs": path["sel.bvec"],
            "mask": path["mask"], "preproc_sidecar": path["preproc_sidecar"],
            "tensor": path["tensor"], "fa": path["fa"], "md": path["md"],
            "colorfa": path["colorfa"], "tensor_sidecar": path["fit"],
            "residual": path["residual"],
            "means": {name: path[name] for name in ("raw_b0", "b0", "weighted")},
            "tables": {
                name: path[name]
                for table in ("quality", "volumes", "slices")
                for name in (table, f"{table}_sidecar")
            },
            "entities": {
                "participant_id": "sub-01", "session_id": None, "source": "sub-01_dir-AP",
            },
        },
        "register_template": {
            "fa": path["fa"], "md": path["md"], "mask": path["mask"], "wm": path["wm"],
            "brain": path["brain"], "seed": 1, "affine": path["affine"], "warp": path["warp"],
            "inverse_warp": path["inverse_warp"], "warped_wm": path["warped_wm"],
            "sidecar": path["registration"],
        },
        "measure_alps": {
            "tensor": path["tensor"], "fa": path["fa"], "mask": path["mask"],
            "dwi": path["preproc"], "bval": path["sel.bval"], "bvec": path["sel.bvec"],
            "affine": path["affine"], "warp": path["warp"],
            "registration": path["registration"], "tensor_sidecar": path["fit"], "wm": path["wm"],
            "brain": path["brain"], "settings": CONFIG["alps"],
            "participant_id": "sub-01", "session_id": None, "series": "sub-01_dir-AP",
            "roi_sets": CONFIG["roi_sets"], "roi_set": CONFIG["roi_set"],
            "thresholds": CONFIG["qc"], "alps": path["alps"], "rois": path["rois"],
        },
    }  # fmt: skip
    for script, given in arguments.items():
        load_main(script)(**given)
    return SimpleNamespace(folder=folder, path=path, arguments=arguments)


@pytest.fixture
def rerun(walk, load_main, tmp_path):
    """Run one script again with some arguments changed; what it writes goes to `tmp_path`."""
    written = {
        "prepare_template": {"wm": "wm.nii.gz", "mask": "brain.nii.gz"},
        "fit_tensor": {
            "preproc": "p.nii.gz", "bvals": "p.bval", "bvecs": "p.bvec", "mask": "m.nii.gz",
            "preproc_sidecar": "p.json", "tensor": "t.nii.gz", "fa": "fa.nii.gz",
            "md": "md.nii.gz", "colorfa": "c.nii.gz", "tensor_sidecar": "t.json",
            "residual": "r.nii.gz",
            "means": {"raw_b0": "raw.nii.gz", "b0": "b0.nii.gz", "weighted": "w.nii.gz"},
            "tables": {
                "quality": "q.tsv", "quality_sidecar": "q.json", "volumes": "v.tsv",
                "volumes_sidecar": "v.json", "slices": "s.tsv", "slices_sidecar": "s.json",
            },
        },
        "register_template": {
            "affine": "a.mat", "warp": "w.nii.gz", "inverse_warp": "iw.nii.gz",
            "warped_wm": "wm.nii.gz", "sidecar": "r.json",
        },
        "measure_alps": {"alps": "alps.tsv", "rois": "rois.nii.gz"},
    }  # fmt: skip

    def run(script, **changed):
        outputs = {
            key: (
                {one: str(tmp_path / each) for one, each in name.items()}
                if isinstance(name, dict)
                else str(tmp_path / name)
            )
            for key, name in written[script].items()
        }
        load_main(script)(**walk.arguments[script] | outputs | changed)
        return SimpleNamespace(**outputs)

    return run
