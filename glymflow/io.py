"""Reading and writing: images, tables and sidecars, with faults that say what is wrong in one line.

A series that cannot be measured must not stop the others. Its outputs are then *placeholders*:
small text files that hold the reason. Every reader of this module recognises a placeholder and
raises the same reason again, so it travels from the first job that met the fault to
``excluded.tsv`` without any further bookkeeping. When the run has ended they are removed
(`glymflow.workflow.faults`).
"""

from __future__ import annotations

import contextlib
import csv
import errno
import gzip
import hashlib
import json
import math
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import nibabel as nib
    import pandas as pd

FilePath = str | os.PathLike  # a path as callers give it
PLACEHOLDER = b"glymflow: not measured: "
MISSING = "n/a"
# Largest image that is read, in voxels: 200 volumes of 1 mm are 1.4e9. What a header claims beyond
# is refused before memory is asked for.
MOST_VOXELS = 2_000_000_000
_GZIP_RATIO = 1032  # no stream unpacks to more than this times its size
MOST_ENTRIES = 100_000  # of a config or plan; what has more is made of aliases that multiply
# a file that is not there is a fault of the data set; other refusals are the machine's
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
LOST_LINK = "the link points to a missing file (in a DataLad dataset: datalad get)"
_ANNEX = b"/annex/objects/"  # an unlocked file of git-annex whose content is elsewhere
MAX_SIZE_ERROR = 0.02  # of a voxel size that sform and pixdim both tell
MAX_FORM_ANGLE, MAX_SPACE_ANGLE = 2.0, 45.0  # degrees between sform and qform
_LAST_TOUCH: ContextVar[Callable[[Path], None] | None] = ContextVar("last touch", default=None)


class InputFault(Exception):
    """Data that cannot be used; the message is one line that names the file and the fault.

    Jobs, commands and tables turn this fault and its kinds into a line or a note. Any other
    exception but `MachineFault` is a bug and ends the job with a traceback.
    """


class MachineFault(Exception):
    """A file that the machine refuses, or memory that it lacks; it says nothing of the data.

    The job fails, is tried again, and leaves nobody out. The message is one line.
    """


class ConfigFault(InputFault):
    """A config or study plan that cannot be used; the message names the key and the fault."""


class NoResult(InputFault):
    """A statistic that cannot be computed from these data; the message is the reason."""


@contextlib.contextmanager
def naming(what: object) -> Iterator[None]:
    """Put a file's name (or what else a fault is about) before the text of a fault of its data."""
    try:
        yield
    except InputFault as fault:
        raise type(fault)(f"{what}: {fault}") from None


@contextlib.contextmanager
def whole(path: FilePath) -> Iterator[Path]:
    """Give a name to write to; the file takes its place at `path` when it is whole, or not at all.

    The name is in the same folder and has the same ending. A writer that is killed, or whose disk
    is full, leaves nothing at `path` that could be taken for a result.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        yield part
        if touch := _LAST_TOUCH.get():
            touch(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def touching(touch: Callable[[Path], None]) -> Iterator[None]:
    """Let `touch` change each file that `whole` writes, before the file takes its place."""
    before = _LAST_TOUCH.set(touch)
    try:
        yield
    finally:
        _LAST_TOUCH.reset(before)


def write_placeholder(path: FilePath, reason: object) -> None:
    """Write a file that stands for an output that could not be made, and says why."""
    with whole(path) as part:
        part.write_bytes(PLACEHOLDER + " ".join(str(reason).split()).encode() + b"\n")


def is_placeholder(path: FilePath) -> bool:
    """Say whether a file is a placeholder."""
    with open(path, "rb") as file:
        return file.read(len(PLACEHOLDER)) == PLACEHOLDER


def checksum(path: FilePath) -> str:
    """Return the SHA-256 of a file's bytes, as text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require(path: FilePath) -> FilePath:
    """Return `path` if it is a readable file that is no placeholder.

    Raises
    ------
    InputFault
        If there is no such file, it is empty, or it is a placeholder (its reason).
    MachineFault
        If the machine does not let it be read (permission, stale handle, error of the disk).
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(PLACEHOLDER) + 4000)
    except OSError as error:
        _blame_machine(error, path)
        lost = isinstance(error, FileNotFoundError) and os.path.islink(path)
        raise InputFault(f"{path}: {LOST_LINK if lost else error.strerror or error}") from None
    if head.startswith(_ANNEX):
        raise InputFault(f"{path}: a pointer of git-annex, not the file itself: datalad get it")
    if head.startswith(PLACEHOLDER):
        raise InputFault(head[len(PLACEHOLDER) :].decode(errors="replace").strip())
    if not head:
        raise InputFault(f"{path}: the file is empty")
    return path


def load_image(path: FilePath, *, ndim: int | None = None) -> nib.Nifti1Image:
    """Open a NIfTI image; the header is checked, the data are read when asked for.

    Parameters
    ----------
    path : path-like
        `.nii` or `.nii.gz` (MRIcron's `.voi` is a gzipped NIfTI and is read too).
    ndim : int, optional
        Number of dimensions that the image must have; trailing axes of length 1 do not count.

    Returns
    -------
    nibabel.Nifti1Image

    Raises
    ------
    InputFault
        If the file is missing, no NIfTI, has another number of dimensions, a broken affine, more
        than `MOST_VOXELS` voxels, or a header that does not say, or says twice and differently,
        how its axes lie in the head.
    MachineFault
        As `require`.
    """
    import nibabel as nib

    require(path)
    try:
        if str(path).endswith(".voi"):
            with gzip.open(path) as file:
                header = nib.Nifti1Header.from_fileobj(file)
                _check_size(header.get_data_shape(), header.get_data_dtype(), path)
                file.seek(0)
                size = math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
                content = file.read(int(header["vox_offset"]) + size)
            image: Any = nib.Nifti1Image.from_bytes(content)
            image.file_map["image"].filename = str(path)  # for the messages of `image_data`
        else:
            image = nib.load(path)
            _check_size(image.shape, image.get_data_dtype(), path)
        header = _raw_header(image) if isinstance(image, nib.Nifti1Pair) else None
    except _unreadable() as error:
        _blame_machine(error, path)
        raise InputFault(f"{path}: not a readable NIfTI image ({_short(error)})") from None
    if not np.all(np.isfinite(image.affine)) or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise InputFault(f"{path}: the affine is not invertible")
    if image.get_data_dtype().kind == "c":
        raise InputFault(f"{path}: complex values; save the magnitude (part-mag) and use it")
    if header is not None:
        with naming(path):
            _check_axes(header)
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if ndim is not None and len(shape) != ndim:
        raise InputFault(f"{path}: {len(shape)}-D image, {ndim}-D expected (shape {image.shape})")
    return image


def _check_size(shape, dtype, path):
    """Refuse an image whose header claims more than can be, before any of it is unpacked."""
    count = math.prod(int(size) for size in shape)
    if count > MOST_VOXELS:
        raise InputFault(f"{path}: {count} voxels; images of up to {MOST_VOXELS} are read")
    if str(path).endswith((".gz", ".voi")):
        most = _GZIP_RATIO * os.path.getsize(path)
        if count * dtype.itemsize > most:
            raise InputFault(
                f"{path}: the image data are truncated: the header claims {count * dtype.itemsize}"
                f" bytes, and the file can hold {most} at most"
            )


def _blame_machine(error, path):
    """Raise a `MachineFault` for what the machine refused; return for what the file lacks."""
    refused = isinstance(error, OSError) and error.errno is not None
    if refused and error.errno not in _ABSENT:
        raise MachineFault(f"{path}: {error.strerror or error}") from None


def _unreadable():
    """Return what nibabel and the libraries under it raise for a damaged file, and nothing else."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    broken = (ImageFileError, HeaderDataError, ValueError, OverflowError)
    return (*broken, OSError, EOFError, zlib.error)


def _raw_header(image):
    """Return the header as it is in the file: nibabel turns a voxel size of 0 into 1."""
    path = image.file_map.get("header", image.file_map["image"]).filename
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    kind = type(image.header)
    with gzip.open(path) if packed else open(path, "rb") as file:
        return kind(file.read(kind.sizeof_hdr), check=False)


def _check_axes(header):
    """Refuse a header from which the axes of the head, its sides among them, cannot be known."""
    codes = int(header["qform_code"]), int(header["sform_code"])
    if not any(codes):
        raise InputFault(
            "the header does not say where left and right are (qform_code and sform_code are 0);"
            " convert it again, or set a code if you know how its axes lie"
        )
    sizes = np.abs(header["pixdim"][1:4].astype(float))
    if not np.all(sizes > 0):
        raise InputFault(f"the voxel size in the header (pixdim) is {_sizes(sizes)}; correct it")
    if not codes[1]:
        return
    sform = header.get_sform()[:3, :3].astype(float)
    own = np.linalg.norm(sform, axis=0)
    if not np.allclose(own, sizes, rtol=MAX_SIZE_ERROR):
        raise InputFault(
            f"voxels are {_sizes(own)} by the sform and {_sizes(sizes)} by pixdim; correct the"
            " header, or copy it from the image that this one was made of"
        )
    if not codes[0]:
        return
    try:
        qform = header.get_qform()[:3, :3] / sizes
    except ValueError:  # HeaderDataError
        raise InputFault("the quaternion of the qform is damaged; convert it again") from None
    left, _, right = np.linalg.svd(sform / own)
    sform = left @ right  # without the shear that a qform cannot hold
    if np.linalg.det(sform) * np.linalg.det(qform) < 0:
        raise InputFault(
            "sform and qform contradict each other: one is the mirror image of the other, so left"
            " and right are unknown; convert it again"
        )
    cosine = (np.trace(sform.T @ qform) - 1) / 2
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    # forms of two spaces may be turned against each other, but not to other sides
    if angle > (MAX_FORM_ANGLE if codes[0] == codes[1] else MAX_SPACE_ANGLE):
        raise InputFault(
            f"sform and qform contradict each other: they are {angle:.0f} degrees apart; convert"
            " it again, or delete the wrong one"
        )


def _sizes(sizes):
    return " x ".join(f"{size:g}" for size in np.round(sizes, 3)) + " mm"


def image_data(image: nib.Nifti1Image, dtype: Any = np.float32) -> np.ndarray:
    """Return the voxel data of an image, scale slope applied, without trailing axes of length 1.

    Raises
    ------
    InputFault
        If the file ends early or its compressed stream is damaged.
    MachineFault
        As `require`.
    """
    if dtype is not None and image.get_data_dtype().names:
        raise InputFault(f"{image.get_filename()}: a colour image (RGB), not one of numbers")
    try:
        data = np.asarray(image.dataobj, dtype=dtype)
    except _unreadable() as error:
        _blame_machine(error, image.get_filename())
        raise InputFault(
            f"{image.get_filename()}: the image data are truncated or damaged ({_short(error)})"
        ) from None
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    return data


def save_image(
    data: np.ndarray, affine: np.ndarray, path: FilePath, *, intent: str | None = None
) -> None:
    """Write a NIfTI image, the same bytes for the same data; sform and qform both scanner space.

    Parameters
    ----------
    data : ndarray
        Voxel data; the type on disk is the type of the array (bool is stored as uint8).
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    path : path-like
        `.nii` or `.nii.gz`; the folder is made if need be.
    intent : {"rgb", "symmetric matrix"}, optional
        "rgb": `data` is (..., 3) uint8 and stored as RGB24.
    """
    import nibabel as nib

    data = np.asarray(data)
    if data.dtype == bool:
        data = data.astype(np.uint8)
    if intent == "rgb":
        rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
        data = np.ascontiguousarray(data, dtype=np.uint8).view(rgb)[..., 0]
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    # BIDS asks for the unit of a series' fourth axis
    image.header.set_xyzt_units("mm", "sec" if data.ndim == 4 and intent is None else None)
    if intent == "symmetric matrix":
        image.header.set_intent("symmetric matrix", (3,))
    with whole(path) as part:
        nib.save(image, part)


def read_tsv(
    path: FilePath, *, text: Collection[str] = ("participant_id", "session_id")
) -> pd.DataFrame:
    """Read a BIDS table; ``n/a`` and empty cells become NaN, the `text` columns stay strings.

    Raises
    ------
    InputFault
        If the file cannot be read as a table, or a row has more cells than the header.
    """
    import pandas as pd

    require(path)
    _check_width(path)
    try:
        return pd.read_csv(
            path,
            sep="\t",
            index_col=False,
            na_values=[MISSING, ""],
            keep_default_na=False,
            dtype=dict.fromkeys(text, "object"),
            encoding="utf-8-sig",
            float_precision="round_trip",
        )
    except ValueError as error:  # pandas' ParserError and EmptyDataError, UnicodeDecodeError
        raise _no_table(path, error) from None


def _check_width(path):
    """Refuse rows wider than the header: pandas would drop their last cell or shift all of them."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t")
            rows = [(reader.line_num, len(row)) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_table(path, error) from None
    width = next((size for _, size in rows if size), 0)
    for line, size in rows:
        if size > width:
            text = f"line {line} has more cells than the header: {size} instead of {width}"
            raise _no_table(path, text)


def _no_table(path, error):
    return InputFault(f"{path}: not a readable TSV table ({_short(error)})")


def write_tsv(table: pd.DataFrame, path: FilePath) -> None:
    """Write a BIDS table: full precision, missing is ``n/a``, Unix line ends."""
    with whole(path) as part:
        table.to_csv(part, sep="\t", index=False, na_rep=MISSING, lineterminator="\n")


def read_json(path: FilePath) -> dict:
    """Read a JSON file into a dict."""
    require(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise InputFault(f"{path}: not readable as JSON ({_short(error)})") from None


def write_json(content: object, path: FilePath) -> None:
    """Write a dict as JSON; NaN becomes null, NumPy scalars and arrays become plain numbers."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    with whole(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def check_entries(content: object, path: object) -> None:
    """Refuse YAML whose aliases multiply or refer to themselves, before anything walks through it.

    Parameters
    ----------
    content : object
        As a YAML loader gives it: an alias is the same object once more.
    path : object
        The file, for the message.

    Raises
    ------
    ConfigFault
        If all aliases written out have more than `MOST_ENTRIES` entries.
    """
    sizes: dict[int, int | None] = {}

    def size(item):
        if not isinstance(item, (dict, list)):
            return 1
        if id(item) not in sizes:
            sizes[id(item)] = None
            parts = [*item, *item.values()] if isinstance(item, dict) else item
            sizes[id(item)] = 1 + sum(size(part) for part in parts)
        known = sizes[id(item)]
        return MOST_ENTRIES + 1 if known is None else known  # None: it holds itself

    if size(content) > MOST_ENTRIES:
        raise ConfigFault(f"{path}: its aliases (&, *) stand for more than {MOST_ENTRIES} entries")


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _short(error):
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
