"""How ALPS was measured, in words."""

FRAMES = {
    "scanner": "the axes of the scanner",
    "template": "the axes of the template, turned with the head",
    "fibre": "axes found from the fibres of the two ROIs",
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
    own = table[(table.roi_set == config["roi_set"]) & (table.frame == config["frame"])]
    if own.empty:
        return ""
    return (
        f"The DTI-ALPS index (Taoka 2017) was measured in {len(own)} diffusion series. The tensor"
        f" was fitted by {config['tensor']['fit']}; FA was registered to the white matter of MNI152"
        f" (pose, affine and SyN with ANTs). The primary values are those of the ROI set"
        f" {config['roi_set']} in {FRAMES[config['frame']]}; all others are in alps.tsv. The index"
        " of a side is the mean diffusivity along the perivascular spaces over that across fibres"
        " and spaces, from the mean tensors of the projection and association ROIs."
    )
