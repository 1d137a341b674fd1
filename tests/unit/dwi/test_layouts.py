"""Names of other pipelines: image, gradient table, brain mask and space of each layout."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tool_outputs
import yaml
from bids_trees import SETTINGS, index_all, index_series, make_tree, write_series
from scipy.spatial.transform import Rotation

from glymflow.alps import index
from glymflow.alps.rois import sphere_points
from glymflow.dwi.layouts import space_of
from glymflow.dwi.preprocess import OFF, preprocess
from glymflow.dwi.raw import read_scan
from glymflow.dwi.series import fsl_gradients, world_gradients, write_gradients
from glymflow.dwi.tensor import fit_tensor
from glymflow.image.grid import map_points
from glymflow.phantoms.head import to_world

CONFIG = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text())
EDDY = "eddy_unwarped_images"


def names(row, *columns):
    return [row[column] and Path(row[column]).name for column in columns]


def write_image(path, volumes=7):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4, volumes), np.float32), np.eye(4)), path)


@pytest.fixture
def raw(tmp_path):
    write_series(tmp_path / "raw", "sub-01")
    return tmp_path / "raw"


class TestNames:
    @pytest.mark.parametrize("space", ["ACPC", "T1w"])
    @pytest.mark.parametrize("table", [("dwi.bval", "dwi.bvec"), ("dwi.b", "dwi.b")])
    def test_qsiprep(self, raw, tmp_path, space, table):
        stem = f"sub-01/dwi/sub-01_space-{space}_desc-"
        made = make_tree(
            tmp_path / "made", *(f"{stem}{name}" for name in (
                "preproc_dwi.nii.gz", "brain_mask.nii.gz", "lesion_mask.nii.gz",
                *(f"preproc_{name}" for name in table),
            )), "sub-01/dwi/sub-01_desc-brain_mask.nii.gz",
            "sub-01/anat/sub-01_desc-brain_mask.nii.gz",
        )  # fmt: skip
        series, excluded = index_series(raw, made)
        row = series.iloc[0]
        assert excluded.empty
        assert (row.series, row.layout, row.space) == (
            f"sub-01_space-{space}",
            "desc-preproc",
            space,
        )
        start = f"sub-01_space-{space}_desc-"
        assert names(row, "bval", "bvec", "mask") == [
            *(f"{start}preproc_{name}" for name in table), f"{start}brain_mask.nii.gz",
        ]  # fmt: skip

    @pytest.mark.parametrize("folder", ["sub-01/dwi", "sub-01", "sub-01/eddy"])
    @pytest.mark.parametrize(
        ("image", "rotated", "mask"),
        [
            (EDDY, f"{EDDY}.eddy_rotated_bvecs", "nodif_brain_mask"),
            (EDDY, "eddy_rotated_bvecs", "my_brain_mask"),
            ("sub-01_eddy", "sub-01_eddy.eddy_rotated_bvecs", "sub-01_eddy_brain_mask"),
            ("sub-01_dwi", "sub-01_dwi.eddy_rotated_bvecs", "nodif_brain_mask"),
            ("data", "data.eddy_rotated_bvecs", "nodif_brain_mask"),
        ],
    )
    def test_eddy(self, raw, tmp_path, folder, image, rotated, mask):
        made = tmp_path / "made"
        write_image(made / folder / f"{image}.nii.gz")
        write_image(made / folder / f"{image}.eddy_outlier_free_data.nii.gz")
        make_tree(made / folder, rotated, f"{mask}.nii.gz", f"{image}.eddy_parameters")
        series, excluded = index_series(raw, made)
        assert excluded.empty
        row = series.iloc[0]
        assert len(series) == 1
        assert (row.series, row.layout, row.space) == ("sub-01", "eddy", None)
        assert row.preprocessed
        assert row.dwi == str(made / folder / f"{image}.nii.gz")
        assert row.bval == str(raw / "sub-01/dwi/sub-01_dwi.bval")
        assert names(row, "bvec", "mask") == [rotated, f"{mask}.nii.gz"]

    def test_eddy_takes_the_name_of_the_only_raw_series(self, tmp_path):
        raw = make_tree(tmp_path / "raw", "sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi")
        make_tree(raw, *(f"sub-01/ses-2/dwi/sub-01_ses-2_dir-{d}_dwi" for d in ("AP", "PA")))
        made = tmp_path / "made"
        for session in "12":
            make_tree(
                made / f"sub-01/ses-{session}/dwi", f"{EDDY}.nii.gz", f"{EDDY}.eddy_rotated_bvecs",
                "bvals",
            )  # fmt: skip
        series, excluded = index_series(raw, made)
        assert excluded.empty
        assert series.series.tolist() == ["sub-01_ses-1_dir-AP", "sub-01_ses-2"]

    def test_tortoise(self, raw, tmp_path):
        make_tree(
            tmp_path / "made/sub-01/dwi", "sub-01_dwi_TORTOISE_final.nii",
            "sub-01_dwi_TORTOISE_final.bvals", "sub-01_dwi_TORTOISE_final.bvecs",
        )  # fmt: skip
        series, excluded = index_series(raw, tmp_path / "made")
        row = series.iloc[0]
        assert excluded.empty
        assert (row.series, row.layout, row["mask"]) == ("sub-01", "TORTOISE", None)
        assert row.bvec.endswith("_TORTOISE_final.bvecs")

    def test_hcp_by_a_pattern(self, raw, tmp_path):
        make_tree(
            tmp_path / "hcp/100307/T1w/Diffusion", "data.nii.gz", "bvals", "bvecs",
            "nodif_brain_mask.nii.gz", "grad_dev.nii.gz",
        )  # fmt: skip
        (raw / "participants.tsv").write_text("participant_id\thcp\nsub-01\t100307\n")
        pattern = str(tmp_path / "hcp/{hcp}/T1w/Diffusion/data.nii.gz")
        rows, excluded = index_all(raw, alps=SETTINGS["alps"] | {"preprocessed": pattern})
        row = rows["alps"].iloc[0]
        assert excluded.empty
        assert (row.series, row.layout, row.space) == ("sub-01", "pattern", "T1w")
        assert names(row, "dwi", "bval", "bvec", "mask") == [
            "data.nii.gz", "bvals", "bvecs", "nodif_brain_mask.nii.gz",
        ]  # fmt: skip

    def test_a_pattern_without_the_session_is_refused_where_there_are_several(self, tmp_path):
        raw = make_tree(tmp_path / "raw", *(f"sub-01/ses-{s}/dwi/sub-01_ses-{s}_dwi" for s in "12"))
        make_tree(tmp_path / "x", "sub-01.nii.gz", "bvals", "bvecs")
        pattern = str(tmp_path / "x/{participant_id}.nii.gz")
        rows, excluded = index_all(raw, alps=SETTINGS["alps"] | {"preprocessed": pattern})
        assert not rows["alps"].preprocessed.any()
        assert excluded.reason[0].endswith("whose of 2 sessions? dwi.preprocessed: {session_id}")


class TestTables:
    def preproc(self, tmp_path, *files, volumes=7):
        made = tmp_path / "made"
        write_image(made / "sub-01/dwi/sub-01_desc-preproc_dwi.nii.gz", volumes)
        return make_tree(made / "sub-01/dwi", *files).parents[1]

    def test_b_values_of_the_raw_series_with_as_many_volumes(self, raw, tmp_path):
        made = self.preproc(tmp_path, "sub-01_desc-preproc_dwi.bvec")
        series, excluded = index_series(raw, made)
        assert excluded.empty
        assert series.preprocessed.tolist() == [True]
        assert series.bval[0] == str(raw / "sub-01/dwi/sub-01_dwi.bval")

    def test_raw_is_measured_where_the_counts_differ(self, raw, tmp_path):
        made = self.preproc(tmp_path, "sub-01_desc-preproc_dwi.bvec", volumes=8)
        series, excluded = index_series(raw, made)
        assert series.preprocessed.tolist() == [False]
        assert excluded.series.tolist() == ["sub-01_desc-preproc"]
        assert excluded.reason[0].endswith(
            "there is no .bval file for it, and no raw series has as many volumes (8); "
            "the raw series sub-01 is measured instead"
        )

    def test_eddy_without_rotated_directions(self, raw, tmp_path):
        make_tree(tmp_path / "made/sub-01/dwi", f"{EDDY}.nii.gz", "bvals", "bvecs")
        series, excluded = index_series(raw, tmp_path / "made")
        assert series.preprocessed.tolist() == [False]
        assert "no rotated directions (.eddy_rotated_bvecs)" in excluded.reason[0]

    def test_directions_of_the_raw_series_are_never_taken(self, tmp_path):
        """Those of a folder that holds both are not rotated."""
        write_series(tmp_path, "sub-01")
        make_tree(tmp_path, "sub-01/dwi/sub-01_desc-preproc_dwi.nii.gz")
        series, _ = index_series(tmp_path, tmp_path)
        assert series.preprocessed.tolist() == [False]


@pytest.mark.parametrize(
    ("entities", "path", "space"),
    [
        ({}, "x_dwi.nii.gz", None),
        ({"space": "ACPC"}, "x", "ACPC"),
        ({"space": "orig"}, "x", None),
        ({}, "a/T1w/Diffusion/data.nii.gz", "T1w"),
    ],
)
def test_space(entities, path, space):
    assert space_of(entities, path) == space


# ---------------------------------------------------------------- values


def measure(scan, pose, head):
    """ALPS of the frames template and fibre at the true places of the head."""
    directions = world_gradients(scan.bvecs, scan.affine)
    triangle = np.zeros((*scan.mask.shape, 6), dtype=np.float32)
    triangle[scan.mask] = fit_tensor(scan.data[scan.mask], scan.bvals, directions)[0]
    centres = {role: CONFIG["roi_sets"]["barisano2025"][role] for role in index.ROLES}
    tensors = {}
    for role, centre in centres.items():
        points = map_points(pose, to_world(sphere_points(centre, 2.5), head))
        tensors[role] = index.sample_region(triangle, scan.mask, scan.affine, points)["tensor"]
    values = index.index_values(tensors, pose[:3, :3] @ head.rotation)
    return np.array([values[frame, "mean"] for frame in ("template", "fibre")])


def read(row, **more):
    """Read and preprocess a series of the intake."""
    settings = CONFIG["dwi"] | OFF
    scan = read_scan(
        row.dwi, row.bval, row.bvec, settings, mask=row["mask"], layout=row.layout,
        space=row.space, preprocessed=row.preprocessed, **more,
    )  # fmt: skip
    return preprocess(scan, settings)


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """A head without noise, its raw series, the value of it, and the same with turned vectors."""
    from glymflow.commands.simulate import simulate_subject
    from glymflow.io import save_image

    scan = simulate_subject(
        alps_left=1.6, alps_right=1.3, seed=5, voxel_mm=2.5, t1w_mm=8, n_directions=7, n_b0=1,
        snr=np.inf, pitch=10.0, roll=-8.0, yaw=12.0, oblique=(10.0, 5.0, -8.0), orientation="PSR",
    )  # fmt: skip
    root = tmp_path_factory.mktemp("raw")
    stem = root / "sub-01" / "dwi" / "sub-01_dwi"
    stem.parent.mkdir(parents=True)
    save_image(scan["dwi"], scan["affine"], f"{stem}.nii.gz")
    # the scanner's table: the head turned by 12 degrees in the meantime
    turn = Rotation.from_euler("xyz", (9, 7, -5), degrees=True).as_matrix()
    told = world_gradients(scan["bvecs"], scan["affine"]) @ turn.T
    write_gradients(
        scan["bvals"], fsl_gradients(told, scan["affine"]), f"{stem}.bval", f"{stem}.bvec"
    )
    still = tmp_path_factory.mktemp("still") / "t.bvec"
    write_gradients(scan["bvals"], scan["bvecs"], still.with_suffix(".bval"), still)
    raw = read_scan(f"{stem}.nii.gz", f"{stem}.bval", still, CONFIG["dwi"] | OFF, mask=None)
    raw = preprocess(raw, CONFIG["dwi"] | OFF)
    return scan, root, measure(raw, np.eye(4), scan["head"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "write", "space"),
    [
        ("desc-preproc", tool_outputs.write_qsiprep, "ACPC"),
        ("desc-preproc", "mrtrix", "ACPC"),
        ("eddy", tool_outputs.write_eddy, None),
        ("TORTOISE", tool_outputs.write_tortoise, None),
        ("pattern", tool_outputs.write_hcp, "T1w"),
    ],
)
def test_value_is_that_of_the_raw_head(head, tmp_path, layout, write, space):
    """Within 0.5 %: resampled and turned as the tool does, by its own vectors and mask."""
    scan, root, truth = head
    size = {} if layout == "eddy" else {"size": 2.5}
    if write == "mrtrix":
        write, size = tool_outputs.write_qsiprep, size | {"table": "b"}
    made = write(scan, tmp_path, "sub-01", **size)
    pattern = str(tmp_path / "{participant_id}/T1w/Diffusion/data.nii.gz")
    pattern = pattern if layout == "pattern" else None
    rows, excluded = index_all(root, tmp_path, alps={"preprocessed": pattern})
    assert excluded.empty
    row = rows["alps"].iloc[0].copy()
    assert (len(rows["alps"]), row.preprocessed, row.layout) == (1, True, layout)
    found = read(row)
    assert (found.facts["Preprocessed"], found.facts["Space"]) == (layout, space)
    if row["mask"]:
        assert found.facts["MaskSource"] == "derivatives"
        assert np.sum(found.mask != made["mask"]) <= 5  # holes of single voxels
    np.testing.assert_allclose(measure(found, made["pose"], scan["head"]), truth, rtol=0.005)
    # the table of the raw series would not do
    if layout == "eddy":
        row["bvec"] = str(root / "sub-01/dwi/sub-01_dwi.bvec")
        wrong = read(row)
        error = measure(wrong, made["pose"], scan["head"]) / truth - 1
        assert np.abs(error).max() > 0.02
