"""Images, tables and sidecars: what is written comes back, and what is broken is said in a line."""

import errno
import gzip
import json
import os
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from glymflow import io
from glymflow.io import ConfigFault, InputFault, NoResult
from glymflow.study import plan
from glymflow.workflow import config

AFFINE = np.array([[0, 0, 2.5, -40], [-3.0, 0, 0, 50], [0, 4.0, 0, -20], [0, 0, 0, 1]])


def reason(call, *args, **options):
    """Return the message of the fault, which must be one line."""
    with pytest.raises(InputFault) as fault:
        call(*args, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# ---------------------------------------------------------------- placeholders


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.tsv", "a.json", "a.mat", "a.voi"])
@pytest.mark.parametrize("read", [io.require, io.load_image, io.read_tsv, io.read_json])
def test_every_reader_raises_a_placeholders_reason_again(tmp_path, name, read):
    path = tmp_path / "new folder" / name
    io.write_placeholder(path, InputFault("sub-01_dwi.nii.gz:  three\n lines,\tKöln "))
    assert reason(read, path) == "sub-01_dwi.nii.gz: three lines, Köln"


def test_a_reason_survives_several_steps_unchanged(tmp_path):
    words = f"{'very/' * 300}long: path"
    for step in range(4):
        io.write_placeholder(tmp_path / f"{step}", words)
        words = reason(io.require, tmp_path / f"{step}")
    assert words == f"{'very/' * 300}long: path"


def test_placeholder_replaces_what_was_written_before(tmp_path):
    path = tmp_path / "fa.nii.gz"
    io.save_image(data(3, 4, 5), AFFINE, path)
    io.write_placeholder(path, "no")
    assert reason(io.load_image, path) == "no"


def test_require_returns_the_path_of_a_good_file(tmp_path):
    (tmp_path / "a").write_text("1")
    assert io.require(tmp_path / "a") == tmp_path / "a"


@pytest.mark.parametrize("read", [io.require, io.load_image, io.read_tsv, io.read_json])
def test_missing_empty_or_folder_instead_of_a_file(tmp_path, read):
    assert (
        reason(read, tmp_path / "a b.nii") == f"{tmp_path / 'a b.nii'}: No such file or directory"
    )
    (tmp_path / "empty.nii").touch()
    assert reason(read, tmp_path / "empty.nii") == f"{tmp_path / 'empty.nii'}: the file is empty"
    assert reason(read, tmp_path) == f"{tmp_path}: Is a directory"


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("extension", ["nii", "nii.gz"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 6)])
def test_image_round_trip(tmp_path, extension, shape):
    path = tmp_path / "ordner ä" / f"a.{extension}"
    io.save_image(data(*shape), AFFINE, path)
    image = io.load_image(path, ndim=len(shape))
    np.testing.assert_array_equal(io.image_data(image), data(*shape))
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-6)
    np.testing.assert_allclose(image.get_qform(), AFFINE, atol=1e-5)
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 1
    assert image.header.get_xyzt_units()[0] == "mm"


def test_booleans_are_stored_as_bytes(tmp_path):
    io.save_image(data(3, 4, 5) > 0, AFFINE, tmp_path / "m.nii.gz")
    image = io.load_image(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(io.image_data(image) > 0, data(3, 4, 5) > 0)


def test_rgb_round_trip(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3)).astype(np.uint8)
    io.save_image(colours, AFFINE, tmp_path / "c.nii.gz", intent="rgb")
    image = nib.load(tmp_path / "c.nii.gz")
    assert image.shape == (3, 4, 5)
    stored = np.asarray(image.dataobj)
    assert stored.dtype.names == ("R", "G", "B")
    for number, name in enumerate("RGB"):
        np.testing.assert_array_equal(stored[name], colours[..., number])


def test_tensor_image_says_so(tmp_path):
    io.save_image(data(3, 4, 5, 6), AFFINE, tmp_path / "t.nii.gz", intent="symmetric matrix")
    assert nib.load(tmp_path / "t.nii.gz").header.get_intent()[:2] == ("symmetric matrix", (3.0,))


def test_same_data_gives_the_same_bytes_at_another_time_and_place(tmp_path, monkeypatch):
    io.save_image(data(3, 4, 5), AFFINE, tmp_path / "a.nii.gz")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    io.save_image(data(3, 4, 5), AFFINE, tmp_path / "other.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "other.nii.gz").read_bytes()


@pytest.mark.parametrize("share", [0.999, 0.6, 0.02])
@pytest.mark.parametrize("extension", ["nii", "nii.gz", "voi"])
def test_truncated_file_is_named(tmp_path, extension, share):
    whole = tmp_path / "whole.nii.gz"
    io.save_image(data(30, 20, 10), AFFINE, whole)
    content = whole.read_bytes() if extension != "nii" else gzip.decompress(whole.read_bytes())
    path = tmp_path / f"cut.{extension}"
    # the last 8 bytes of a gzip file are no data
    path.write_bytes(content[: int(share * (len(content) - 8))])
    words = reason(lambda: io.image_data(io.load_image(path)))
    assert words.startswith(f"{path}: ")
    assert "truncated or damaged" in words or "not a readable NIfTI" in words


def test_voi_with_too_few_voxels_is_named(tmp_path):
    io.save_image(data(30, 20, 10), AFFINE, tmp_path / "a.nii")
    path = tmp_path / "lesion.voi"
    path.write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()[:-500]))
    assert reason(lambda: io.image_data(io.load_image(path))).startswith(f"{path}: ")


def test_damaged_stream_is_named(tmp_path):
    path = tmp_path / "a.nii.gz"
    io.save_image(np.rint(3 * data(30, 20, 10)), AFFINE, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 500] = b"\xff" * 500
    path.write_bytes(content)
    image = io.load_image(path)
    assert reason(io.image_data, image).startswith(f"{path}: the image data are truncated or dama")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.voi", "a.txt"])
def test_what_is_no_nifti_is_named(tmp_path, name):
    (tmp_path / name).write_text("this is no image\n" * 100)
    words = reason(io.load_image, tmp_path / name)
    assert words.startswith(f"{tmp_path / name}: not a readable NIfTI image (")
    assert len(words) < len(str(tmp_path)) + 250


def test_voi_is_read_as_nifti(tmp_path):
    io.save_image(data(3, 4, 5), AFFINE, tmp_path / "a.nii.gz")
    (tmp_path / "a.nii.gz").rename(tmp_path / "lesion.voi")
    image = io.load_image(tmp_path / "lesion.voi", ndim=3)
    np.testing.assert_array_equal(io.image_data(image), data(3, 4, 5))


def test_scale_slope_is_applied(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    image.header.set_slope_inter(2.5, -3)
    nib.save(image, tmp_path / "philips.nii.gz")
    stored = io.load_image(tmp_path / "philips.nii.gz")
    assert io.image_data(stored)[1, 2, 3] == pytest.approx(23 * stored.dataobj.slope - 3)
    assert io.image_data(stored).dtype == np.float32


def test_number_of_dimensions_is_checked(tmp_path):
    path = tmp_path / "a.nii.gz"
    io.save_image(data(3, 4, 5), AFFINE, path)
    assert (
        reason(io.load_image, path, ndim=4) == f"{path}: 3-D image, 4-D expected (shape (3, 4, 5))"
    )
    io.save_image(data(3, 4, 5, 2), AFFINE, path)
    assert "4-D image, 3-D expected" in reason(io.load_image, path, ndim=3)


def test_complex_and_colour_images_are_no_magnitudes(tmp_path):
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 4, 5, 2), np.complex64), np.eye(4)), path)
    assert reason(io.load_image, path) == (
        f"{path}: complex values; save the magnitude (part-mag) and use it"
    )
    io.save_image(np.zeros((3, 4, 5, 3), np.uint8), np.eye(4), path, intent="rgb")
    assert "a colour image (RGB)" in reason(io.image_data, io.load_image(path))


@pytest.mark.parametrize(("shape", "kept"), [((3, 4, 5, 1), 3), ((3, 4, 5, 2, 1), 4)])
def test_trailing_axes_of_length_one_do_not_count(tmp_path, shape, kept):
    io.save_image(data(*shape), AFFINE, tmp_path / "a.nii.gz")
    image = io.load_image(tmp_path / "a.nii.gz", ndim=kept)
    assert io.image_data(image).shape == shape[:kept]
    assert "expected" in reason(io.load_image, tmp_path / "a.nii.gz", ndim=7 - kept)


def test_a_single_slice_is_three_dimensional(tmp_path):
    io.save_image(data(3, 4, 1), AFFINE, tmp_path / "a.nii.gz")
    assert io.image_data(io.load_image(tmp_path / "a.nii.gz", ndim=3)).shape == (3, 4, 1)


@pytest.mark.parametrize("broken", [np.nan, 0.0])
def test_singular_affine_is_refused(tmp_path, broken):
    image = nib.Nifti1Image(data(3, 4, 5), None)
    image.header.set_sform(np.diag([broken, 1, 1, 1]), 1)
    image.header["qform_code"] = 0
    header = image.header
    path = tmp_path / "a.nii"
    path.write_bytes(header.binaryblock + bytes(4) + data(3, 4, 5).tobytes())
    assert reason(io.load_image, path).startswith(f"{path}: ")


# ---------------------------------------------------------------- tables


def headed(path, **keys):
    """Write an image whose header is as a careless program leaves it; return its path."""
    image = nib.Nifti1Image(data(3, 4, 5), AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(keys.pop("qform", AFFINE), keys.pop("qcode", 1))
    image.set_sform(keys.pop("sform", AFFINE), keys.pop("scode", 1))
    raw = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in keys.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(raw)) if path.suffix in (".gz", ".voi") else bytes(raw))
    return path


def turned(degrees):
    world = np.eye(4)
    world[:3, :3] = Rotation.from_rotvec([0, degrees, 0], degrees=True).as_matrix()
    return world @ AFFINE


MIRRORED = AFFINE @ np.diag([1.0, 1, -1, 1])
UNEVEN = [1, 3, 4, 2.5, 1, 0, 0, 0]
HEADERS = {
    "no code": ({"qform_code": 0, "sform_code": 0}, "does not say where left and right are"),
    "zero": ({"pixdim": [1, 3, 0, 2.5, 1, 0, 0, 0]}, "pixdim) is 3 x 0 x 2.5 mm"),
    "zero, qform only": ({"pixdim": [1, 0, 0, 0, 1, 0, 0, 0], "sform_code": 0}, "0 x 0 x 0 mm"),
    "nan": ({"pixdim": [1, 3, np.nan, 2.5, 1, 0, 0, 0]}, "3 x nan x 2.5 mm"),
    "identity": (
        {"sform": np.eye(4), "pixdim": UNEVEN},
        "voxels are 1 x 1 x 1 mm by the sform and 3 x 4 x 2.5 mm by pixdim",
    ),
    "mirrored": ({"qform": MIRRORED}, "left and right are unknown"),
    "mirrored, other space": ({"sform": MIRRORED, "scode": 4}, "left and right are unknown"),
    "turned": ({"sform": turned(3)}, "3 degrees apart"),
    "half a turn": ({"sform": turned(180), "scode": 4}, "180 degrees apart"),
}


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.voi"])
@pytest.mark.parametrize(("keys", "words"), HEADERS.values(), ids=HEADERS)
def test_header_whose_axes_cannot_be_known_is_refused(tmp_path, name, keys, words):
    path = headed(tmp_path / name, **keys)
    text = reason(io.load_image, path)
    assert text.startswith(f"{path}: ")
    assert words in text


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"sform_code": 0},
        {"qform_code": 0},
        {"qform_code": 0, "quatern_b": 0.9},  # not said, so it cannot contradict
        {"sform": turned(1.5)},
        {"sform": turned(20), "scode": 4},  # aligned to another space
        {"pixdim": [-1, 3.01, 4, 2.5, 1, 0, 0, 0], "qform_code": 0},
    ],
)
def test_headers_that_agree_are_read(tmp_path, keys):
    assert io.load_image(headed(tmp_path / "a.nii.gz", **keys)).shape == (3, 4, 5)


@given(
    turn=st.tuples(*[st.floats(-180, 180)] * 3),
    flip=st.sampled_from([1, -1]),
    sizes=st.tuples(*[st.floats(0.4, 7)] * 3),
)
@settings(max_examples=20, deadline=None)
def test_any_grid_that_is_written_can_be_read(tmp_path_factory, turn, flip, sizes):
    affine = np.eye(4)
    rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    affine[:3, :3] = rotation * np.array(sizes) @ np.diag([flip, 1, 1])
    path = tmp_path_factory.mktemp("grid") / "a.nii"
    io.save_image(data(2, 3, 2), affine, path)
    np.testing.assert_allclose(io.load_image(path).affine, affine, atol=1e-4)
    image = nib.load(path)
    image.set_sform(affine @ np.diag([-1, 1, 1, 1]), 1)
    nib.save(image, path)
    assert "mirror image" in reason(io.load_image, path)


def test_table_round_trip_with_missing_values(tmp_path):
    table = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-Ä", "sub-3"],
            "session_id": ["01", np.nan, "2"],
            "value": [7 / 3, np.nan, 1e-300],
            "count": [1, 2, 3],
            "words": ["None", np.nan, "NA"],
        }
    )
    path = tmp_path / "new" / "a.tsv"
    io.write_tsv(table, path)
    pd.testing.assert_frame_equal(io.read_tsv(path), table, check_exact=True)
    content = path.read_bytes()
    assert b"\r" not in content
    assert content.splitlines()[2] == "sub-Ä\tn/a\tn/a\t2\tn/a".encode()


def test_text_columns_keep_their_zeros(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("participant_id\tcentre\n01\t01\n")
    assert io.read_tsv(path).iloc[0].tolist() == ["01", 1]
    assert io.read_tsv(path, text=("participant_id", "centre")).iloc[0].tolist() == ["01", "01"]


def test_table_from_a_spreadsheet_on_windows(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("participant_id\tage\r\nsub-01\t40\r\n\r\nsub-02\t\r\n".encode("utf-8-sig"))
    table = io.read_tsv(path)
    assert list(table) == ["participant_id", "age"]
    assert table.participant_id.tolist() == ["sub-01", "sub-02"]
    assert np.isnan(table.age[1])


@pytest.mark.parametrize(
    ("rows", "line", "cells"),
    [
        (["a\tb", "1\t2\t3", "4\t5\t6"], 2, "3 instead of 2"),  # pandas would shift all columns
        (["a\tb", "1\t2\t"], 2, "3 instead of 2"),
        (["a\tb", "1\t2", "", "4\t5\t6"], 4, "3 instead of 2"),
        (["", "a\tb", "1\t2\t3\t4"], 3, "4 instead of 2"),
        (["a", "1", '"x\ty"\tz'], 3, "2 instead of 1"),
    ],
)
def test_row_with_more_cells_than_the_header_is_named_with_its_line(tmp_path, rows, line, cells):
    path = tmp_path / "a.tsv"
    path.write_text("\n".join(rows) + "\n")
    assert f"line {line} has more cells than the header: {cells}" in reason(io.read_tsv, path)
    assert reason(io.read_tsv, path).startswith(f"{path}: ")


def test_quoted_tabs_and_short_rows_are_no_fault(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('a\tb\n"x\ty"\t1\nz\n')
    table = io.read_tsv(path)
    assert table.a.tolist() == ["x\ty", "z"]
    assert np.isnan(table.b[1])


@pytest.mark.parametrize("content", [b"\n\n", b"a\tb\n\xff\xfe\t1\n", b'a\tb\n"1\t2\n'])
def test_what_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    assert reason(io.read_tsv, path).startswith(f"{path}: not a readable TSV table (")


# ---------------------------------------------------------------- sidecars


def test_json_round_trip_as_plain_values(tmp_path):
    path = tmp_path / "new" / "a.json"
    io.write_json(
        {
            "text": "Köln",
            "nan": float("nan"),
            "inf": np.float32(np.inf),
            "numbers": np.array([[1.5, np.nan], [2, 3]]),
            "count": np.int64(3),
            "flag": np.bool_(True),
            "path": Path("a") / "b",
            "nested": ({"x": (1, np.float64(0.1))},),
            3: None,
        },
        path,
    )
    assert io.read_json(path) == {
        "text": "Köln",
        "nan": None,
        "inf": None,
        "numbers": [[1.5, None], [2.0, 3.0]],
        "count": 3,
        "flag": True,
        "path": "a/b",
        "nested": [{"x": [1, 0.1]}],
        "3": None,
    }
    assert path.read_text(encoding="utf-8").endswith("}\n")
    json.loads(path.read_bytes(), parse_constant=pytest.fail)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"{'a': 1}"])
def test_broken_json_is_named(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert reason(io.read_json, path).startswith(f"{path}: not readable as JSON (")


# ---------------------------------------------------------------- whole files or none


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "a.tsv"
    with io.whole(path) as part:
        assert part.parent == path.parent
        assert part.name.endswith("a.tsv")
        part.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with pytest.raises(OSError, match="full"), io.whole(path) as part:  # noqa: PT012
        part.write_text("sec")
        raise OSError("disk full")
    assert path.read_text() == "first"
    assert [p.name for p in path.parent.iterdir()] == ["a.tsv"]


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii"])
def test_the_name_while_writing_is_not_in_the_file(tmp_path, name):
    for folder in ("one", "two"):
        io.save_image(data(3, 4, 5), AFFINE, tmp_path / folder / name)
    saved = (tmp_path / "one" / name).read_bytes()
    assert saved == (tmp_path / "two" / name).read_bytes()
    assert b".part-" not in saved


def test_faults_are_told_apart():
    assert issubclass(ConfigFault, InputFault)
    assert issubclass(NoResult, InputFault)
    assert not issubclass(InputFault, ValueError)  # `except ValueError` must not swallow one


def test_running_out_of_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    io.save_image(np.zeros((2, 3, 4), np.float32), np.eye(4), tmp_path / "a.nii")

    def full(*args, **options):
        raise MemoryError

    monkeypatch.setattr("nibabel.load", full)
    with pytest.raises(MemoryError):
        io.load_image(tmp_path / "a.nii")


def test_naming_says_which_file_and_keeps_the_kind():
    with pytest.raises(NoResult, match=r"^a\.tsv: too few$"), io.naming("a.tsv"):
        raise NoResult("too few")
    with pytest.raises(ValueError, match=r"^a bug$"), io.naming("a.tsv"):
        raise ValueError("a bug")
    with io.naming("a.tsv"):
        pass


# ---------------------------------------------------------------- faults of the machine


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO, errno.EMFILE])
def test_what_the_machine_refuses_is_no_fault_of_the_data(number, tmp_path, monkeypatch):
    path = tmp_path / "a.nii"

    class Refused:
        def __array__(self, *_, **__):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr("builtins.open", lambda *_, **__: Refused().__array__())
    with pytest.raises(io.MachineFault, match=rf"a\.nii: {os.strerror(number)}$"):
        io.require(path)
    image = SimpleNamespace(
        dataobj=Refused(), get_filename=lambda: path, get_data_dtype=lambda: np.dtype("f4")
    )
    with pytest.raises(io.MachineFault, match=rf"a\.nii: {os.strerror(number)}$"):
        io.image_data(image)


def test_a_file_that_is_not_there_is_a_fault_of_the_data(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("none.nii", "loop", "."):
        with pytest.raises(io.InputFault):
            io.require(tmp_path / name)


# ---------------------------------------------------------------- files that unpack to gigabytes


def claiming(shape, path, dtype=np.uint8):
    """Write the header of an image of this shape, and a few zeros after it."""
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header.set_sform(np.eye(4), 1)
    with (gzip.open if path.suffix != ".nii" else open)(path, "wb") as file:
        file.write(header.binaryblock + bytes(104))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".voi"])
def test_an_image_that_claims_too_much_is_refused_from_its_header(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    claiming((30000, 30000, 30), path)
    with pytest.raises(io.InputFault, match=r"a\.\S+: 27000000000 voxels; images of up to 20"):
        io.load_image(path)


@pytest.mark.parametrize("ending", [".nii.gz", ".voi"])
def test_an_image_that_its_file_cannot_hold_is_refused_before_it_is_unpacked(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    claiming((1000, 1000, 1000), path)
    with pytest.raises(io.InputFault, match=r"truncated: the header claims 1000000000 bytes"):
        io.load_image(path)


def test_what_follows_the_voxels_of_a_voi_is_not_unpacked(tmp_path):
    path = tmp_path / "a.voi"
    io.save_image(np.ones((4, 5, 6), np.uint8), np.eye(4), tmp_path / "a.nii")
    with gzip.open(path, "wb") as file:
        file.write((tmp_path / "a.nii").read_bytes() + bytes(50_000_000))
    tracemalloc.start()
    data = io.image_data(io.load_image(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.sum() == 120
    assert peak < 5_000_000


def bomb(levels=9, width=9):
    lines = ["a0: &a0 [x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]")
    return "\n".join(lines)


def test_aliases_that_multiply_are_refused_at_once():
    start = time.perf_counter()
    with pytest.raises(ConfigFault, match=r"^c\.yaml: its aliases .* more than 100000 entries$"):
        io.check_entries(yaml.safe_load(bomb()), "c.yaml")
    with pytest.raises(ConfigFault, match=r"aliases"):
        io.check_entries(yaml.safe_load("a: &a [*a]"), "c.yaml")
    assert time.perf_counter() - start < 5
    io.check_entries(yaml.safe_load(bomb(3)), "c.yaml")  # some aliases are no bomb


@pytest.mark.parametrize("reader", [config.read_config, plan.load_plan])
def test_a_file_of_aliases_is_refused(reader, tmp_path):
    (tmp_path / "c.yaml").write_text(bomb())
    with pytest.raises(ConfigFault, match=r"c\.yaml: its aliases"):
        reader(tmp_path / "c.yaml")
