"""Check and preprocess a raw series, fit its tensor; write both, and what they say of the data."""

import contextlib

import numpy as np

from glymflow.dwi import quality as dwi_quality
from glymflow.dwi import series as dwi_series
from glymflow.dwi import tensor as dti
from glymflow.dwi.gradient_check import check_gradients
from glymflow.dwi.gradient_turn import find_turn
from glymflow.dwi.preprocess import preprocess
from glymflow.dwi.protocol import read_protocol
from glymflow.dwi.raw import raw_sidecar, read_scan
from glymflow.image.sidecars import write_sidecar
from glymflow.io import (
    InputFault,
    checksum,
    load_image,
    read_json,
    save_image,
    write_json,
    write_tsv,
)

MEANS = ("raw_b0", "b0", "weighted")
TABLES = ("quality", "volumes", "slices")
_INPUT = ("Preprocessed", "Space")


def main(
    *, dwi, bval, bvec, settings, method, preproc, bvals, bvecs, mask, preproc_sidecar, tensor, fa,
    md, colorfa, tensor_sidecar, residual, means, tables, entities, found=None, sidecar=None,
    preprocessed=False, candidates=(), brain_mask=None, layout="raw", space=None, free_water=False,
):  # fmt: skip
    """Write the series that the tensor is fitted to, and the tensor with its maps.

    Parameters
    ----------
    dwi, bval, bvec : path-like
        The raw series and its gradient table (FSL format).
    settings : dict
        The config's `dwi`; see `glymflow.dwi.preprocess` for each step.
    method : {"WLS", "OLS"}
    sidecar : path-like, optional
        Of the raw series.
    preprocessed : bool
        Whether it is a series of `derivatives_dir`.
    candidates : list of dict
        What may correct its distortion; see `glymflow.dwi.correction_intake.read_candidates`.
    brain_mask : path-like, optional
        The brain mask that comes with a preprocessed series.
    layout, space : str
        How a preprocessed series is written, and its space if not the scanner's (None).
    free_water : bool
        Whether to keep the shells that tell free water apart; the tensor is not fitted to them.
    found : path-like, optional
        The file of `find_resolution`, for `match_resolution: auto`.
    preproc, bvals, bvecs : path-like
        Written: the selected volumes, 0 outside the brain, and their gradient table.
    mask, preproc_sidecar : path-like
        Written: the brain mask with its sidecar, and what was done.
    tensor, fa, md, colorfa, residual, tensor_sidecar : path-like
        Written; tensors in world axes (RAS+), mm^2/s. The tensor's six volumes are its lower
        triangle (`glymflow.dwi.tensor.TRIANGLE`). The residual is the SD of what the tensor
        leaves of the signal.
    means : dict of str to path-like
        Written: the images of `glymflow.dwi.preprocess.Scan.means`.
    tables : dict of str to path-like
        Written: ``quality`` (`glymflow.dwi.quality.QUALITY`), ``volumes`` (`VOLUMES`) and
        ``slices``, each with its sidecar ``<name>_sidecar``.
    entities : dict
        participant_id, session_id and source, the first columns of the table of quality.
    """
    raw = {"sidecar": sidecar, "preprocessed": preprocessed, "candidates": candidates}
    raw |= {"mask": brain_mask, "layout": layout, "space": space, "free_water": free_water}
    target = _target(settings["match_resolution"], found)
    scan = preprocess(read_scan(dwi, bval, bvec, settings, **raw, target=target), settings)
    save_image(scan.data, scan.affine, preproc)
    save_image(scan.mask, scan.affine, mask)
    dwi_series.write_gradients(scan.bvals, scan.bvecs, bvals, bvecs)
    for name, path in means.items():
        save_image(scan.means[name].astype(np.float32, copy=False), scan.affine, path)
    sources = {str(p): checksum(p) for p in filter(None, (dwi, bval, bvec, brain_mask))}
    write_sidecar(mask, [brain_mask or dwi], "Brain, 1 inside", Type="Brain")
    about = {"Description": "Volumes of the tensor fit, preprocessed, 0 outside the brain"}
    about |= {"Sources": [*sources], "SourcesSHA256": sources}
    write_json({**about, **scan.facts}, preproc_sidecar)
    total = scan.facts["VolumesKept"] + len(scan.facts["VolumesDropped"])
    print(f"{len(scan.bvals)} of {total} volumes, brain {scan.facts['BrainVolumeML']:.0f} mL")

    # table and affine as the files hold them, rounded: a fit of the files gives the same maps
    table = dwi_series.read_gradients(bvals, bvecs, scan.data.shape[3])
    affine = load_image(preproc).affine
    maps = {"tensor": tensor, "fa": fa, "md": md, "colorfa": colorfa, "residual": residual}
    with _fault_of(bvec):
        used = np.arange(len(scan.bvals))
        if free_water:  # the tensor is not fitted to the shells that are kept for it
            used = np.flatnonzero(
                dwi_series.select_volumes(*table, **dwi_series.volume_limits(settings))
            )
        table = [values[used] for values in table]
        data = scan.data if len(used) == len(scan.bvals) else scan.data[..., used]
        quality = scan.facts.get("Quality")
        facts, seen = _fit(data, scan.mask, affine, *table, quality, method=method, **maps)
    row = _write_quality(scan, facts, entities, tables, _of_all(seen, used, len(scan.bvals)))
    facts |= _carried(scan.facts, row) | {"TensorVolumes": used}
    if facts["outlier_slices"] is None and "OutlierSlices" in scan.facts:
        facts["outlier_slices"] = len(scan.facts["OutlierSlices"])
    known = {"b0_threshold": settings["b0_threshold"]}
    facts |= dwi_series.scheme(*table, **known)
    facts["Protocol"] = read_protocol(affine, *table, raw_sidecar(sidecar), **known)
    write_json({"Sources": [str(preproc)], **facts}, tensor_sidecar)


def _carried(facts, row):
    """Return what of the preprocessing ALPS is judged by, for the sidecar of the tensor."""
    return {
        **{name: row[name] for name in dwi_quality.MASK},
        **{name: facts[name] for name in ("ResolutionMM", "BlurSDMM", *_INPUT)},
        **{name: facts.get(name, []) for name in ("StepsDiffer", "VolumeCodes")},
    }


def _of_all(seen, used, count):
    """Return a value for each volume, NaN for those that the tensor was not fitted to."""
    if seen is None:
        return None
    values = np.full(count, np.nan)
    values[used] = seen
    return values


def _write_quality(scan, fitted, entities, tables, displacement):
    """Write the tables of quality with their sidecars; return the series' row."""
    row = dwi_quality.quality_row(
        scan.facts, scan.mask, scan.affine, field=scan.field, phase_axis=scan.phase_axis
    )
    if scan.moved is None:  # what is seen without correction
        names = {"motion_worst_mm": "motion_worst_mm", "displacement_absolute_mean_mm": "motion_mm"}
        names["displacement_absolute_max_mm"] = "motion_max_mm"
        row |= {column: fitted[fact] for column, fact in names.items()}
    left_out = scan.facts.get("VolumesLeftOut", ())
    volumes = dwi_quality.volume_table(
        *scan.chosen, scan.moved, scan.lost, left_out=left_out, displacement=displacement
    )
    written = {
        "quality": (dwi_quality.quality_table([entities | row]), dwi_quality.QUALITY),
        "volumes": (volumes, dwi_quality.VOLUMES),
        "slices": (dwi_quality.slice_table(scan.chosen[0], scan.lost), dwi_quality.VOLUMES),
    }
    for name, (table, known) in written.items():
        write_tsv(table, tables[name])
        write_json(dwi_quality.describe_columns(table, known), tables[f"{name}_sidecar"])
    return row


def _motion(quality, data, predicted, brain, affine):
    """Return the motion before it was corrected, and what was seen with it; else what is seen.

    And the displacement of each volume, where nothing was corrected.
    """
    if quality is None:
        moved = dwi_series.estimate_motion(data, predicted(), brain, affine)
        worst = float(np.percentile(moved, dwi_series.WORST))
        return {
            "motion_mm": float(moved.mean()),
            "motion_worst_mm": worst,
            "motion_max_mm": float(moved.max()),
            "outlier_slices": None,
            "snr_b0": None,
        }, moved
    return {
        "motion_mm": quality["displacement_absolute_mean_mm"],
        "motion_worst_mm": quality["motion_worst_mm"],
        "motion_max_mm": quality["displacement_absolute_max_mm"],
        "outlier_slices": quality["outlier_slices"],
        "snr_b0": quality["snr_b0"],
    }, None


def _target(match_resolution, found):
    """Return the voxel size (mm) along the axes of the head that is wanted, or None."""
    if match_resolution == "off":
        return None
    return read_json(found)["ResolutionMM"] if match_resolution == "auto" else match_resolution


def _fit(data, brain, affine, bvals, bvecs, quality, *, method, tensor, fa, md, colorfa, residual):
    """Fit and write the maps; return what the sidecar says of the fit, and `_motion`'s second."""
    directions = dwi_series.world_gradients(bvecs, affine)
    triangles, s0 = dti.fit_tensor(data[brain], bvals, directions, method=method)
    values, diffusivity, v1 = dti.scalars(triangles)

    def fill(inside):
        full = np.zeros((*brain.shape, *inside.shape[1:]), dtype=np.float32)
        full[brain] = inside
        return full

    save_image(fill(triangles), affine, tensor, intent="symmetric matrix")
    save_image(fill(values), affine, fa)
    save_image(fill(diffusivity), affine, md)
    colours = np.rint(255 * np.abs(v1) * values[:, None])
    save_image(fill(colours).astype(np.uint8), affine, colorfa, intent="rgb")

    left = dti.residual_sd(data[brain], triangles, s0, bvals, directions)
    save_image(fill(left), affine, residual)

    def predicted():
        return fill(dti.predict_signal(triangles, s0, bvals, directions))

    motion, displacement = _motion(quality, data, predicted, brain, affine)
    fibres = (triangles, values, v1, brain, affine)
    count = dwi_series.scheme(bvals, bvecs)["Directions"]
    gradients = check_gradients(*fibres) | find_turn(*fibres, directions=count)
    print(
        f"mean FA {values.mean():.3f}, motion {motion['motion_mm']:.2f} mm, gradients {gradients}"
    )
    return {
        "FitMethod": method,
        "TensorAxes": "world (RAS+)",
        "Units": "mm^2/s",
        **motion,
        **{f"gradient_{name}": value for name, value in gradients.items()},
    }, displacement


@contextlib.contextmanager
def _fault_of(path):
    """Name the file in a fault that does not name it yet."""
    try:
        yield
    except InputFault as fault:
        raise InputFault(fault if str(path) in str(fault) else f"{path}: {fault}") from None


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            dwi=snakemake.input.dwi,
            bval=snakemake.input.bval,
            bvec=snakemake.input.bvec,
            settings=snakemake.params.settings,
            method=snakemake.params.method,
            found=snakemake.input.get("resolution") or None,
            sidecar=snakemake.input.get("sidecar") or None,
            preprocessed=snakemake.params.preprocessed,
            candidates=snakemake.params.candidates,
            brain_mask=snakemake.input.get("brain_mask") or None,
            layout=snakemake.params.layout,
            space=snakemake.params.space,
            free_water=snakemake.params.free_water,
            preproc=snakemake.output.dwi,
            bvals=snakemake.output.bval,
            bvecs=snakemake.output.bvec,
            mask=snakemake.output.mask,
            preproc_sidecar=snakemake.output.dwi_sidecar,
            tensor=snakemake.output.tensor,
            fa=snakemake.output.fa,
            md=snakemake.output.md,
            colorfa=snakemake.output.colorfa,
            tensor_sidecar=snakemake.output.tensor_sidecar,
            residual=snakemake.output.residual,
            means={name: snakemake.output[name] for name in MEANS},
            tables={
                name: snakemake.output[name]
                for table in TABLES
                for name in (table, f"{table}_sidecar")
            },
            entities=snakemake.params.entities,
        )
