"""How ALPS was measured, in words."""

from glymflow.cohort.domain import of_primary_model
from glymflow.tables.methods import listed

FRAMES = {
    "scanner": "the axes of the scanner",
    "template": "the axes of the template, turned with the head",
    "fibre": "axes found from the fibres of the two ROIs",
}
# in the order in which they are done
STEPS = {
    "calibrate": "calibration of the tensors on the scan's own grey matter",
    "direction_pose": "the head's axes from the fibre directions of its white matter",
    "keep_shape": "ROIs whose shape the warp does not change",
    "border_1": "ROIs moved to the border of projection and association fibres",
    "border_0.5": "ROIs moved half of the way to the border of projection and association fibres",
    "level": "ROIs moved up or down to where ALPS peaks",
    "partial_volume": "correction for what voxels average over",
}


def sentences(table, config):
    """Write how ALPS was measured.

    Parameters
    ----------
    table : DataFrame
        ``alps.tsv``.
    config : dict

    Returns
    -------
    str
        One paragraph; empty if nothing was measured.
    """
    own = of_primary_model(table)
    own = own[(own.roi_set == config["roi_set"]) & (own.frame == config["frame"])]
    if own.empty:
        return ""
    return (
        f"The DTI-ALPS index (Taoka 2017) was measured in {len(own)} diffusion series."
        f" {_preprocessing(own, config['dwi'])} The tensor was fitted by {config['tensor']['fit']}"
        " (Dipy, Garyfallidis 2014); FA was registered to the white matter of MNI152 (Fonov 2011;"
        " pose, affine and SyN with ANTs, Avants 2008). The primary values are those of the ROI set"
        f" {config['roi_set']} in {FRAMES[config['frame']]}; all others are in alps.tsv."
        f"{_steps(own)} The index of a side is the mean diffusivity along the perivascular spaces"
        " over that across fibres and spaces, from the mean tensors of the projection and"
        " association ROIs."
    )


def _preprocessing(own, dwi):
    """Write what was done to the raw series, and how many came preprocessed."""
    done = [
        ("denoising (MP-PCA, Veraart 2016)", dwi["denoise"] == "mppca"),
        ("removal of Gibbs ringing (Kellner 2016)", dwi["unring"]),
        ("correction of head motion", dwi["motion"] != "off"),
        ("correction of eddy currents where the data showed them", dwi["motion"] == "auto"),
        ("correction of distortion where an image for it was there", dwi["distortion"] != "off"),
        ("division by the bias field (N4, Tustison 2010)", dwi["bias_field"]),
    ]
    used = [words for words, was_used in done if was_used]
    steps = listed(used) if used else "no correction"
    raw = int((own.preprocessed == "raw").sum())
    texts = [f"Raw series ({raw}): {steps}."] if raw else []
    texts += [f"{len(own) - raw} series came preprocessed."] if raw < len(own) else []
    return " ".join(texts)


def _steps(own):
    """Write the steps of the primary ROI set, with the number of series if not all."""
    done = own.steps.fillna("").astype(str).str.split(";")
    counts = {
        words: int(done.map(lambda names, s=step: s in names).sum())
        for step, words in STEPS.items()
    }
    told = [
        words if count == len(own) else f"{words} ({count} series)"
        for words, count in counts.items()
        if count
    ]
    return f" Before the value was read: {'; '.join(told)}." if told else ""
