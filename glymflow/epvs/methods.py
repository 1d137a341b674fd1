"""How perivascular spaces were measured, in words."""

from glymflow.epvs.anat import FLAIR_SD
from glymflow.epvs.domain import EPVS as DOMAIN
from glymflow.epvs.objects import LESION_FLAIR_SD, LESION_SHARE
from glymflow.epvs.outlines import SHARP_SHARE, TOUCHING
from glymflow.tables.methods import listed
from glymflow.text import counted


def sentences(table, config):
    """Write how perivascular spaces were measured.

    Parameters
    ----------
    table : DataFrame
        ``epvs.tsv``.
    config : dict

    Returns
    -------
    str
        One paragraph; empty if nothing was measured.
    """
    shortest, widest = (config["epvs"][key] for key in ("min_length_mm", "lacune_min_mm"))
    own = table[table["primary"].astype(str).str.lower() == "true"]
    if own.empty:
        return ""
    used = own["contrasts"].value_counts().sort_index()
    contrasts = listed([f"{count} from {name}" for name, count in used.items()])
    engines = listed(sorted(own["engine"].unique()))
    text = (
        f"Enlarged perivascular spaces (EPVS) were measured in {counted(len(own), 'session')}"
        f" ({contrasts}; engine: {engines}): bias correction (N4, Tustison 2010), brain extraction,"
        " rigid registration of T2w to T1w, 1 mm isotropic voxels, segmentation. Objects"
        " (26 neighbours) shorter than"
        f" {shortest:g} mm were dropped; round ones wider than {widest:g} mm may be"
        f" lacunes and were not counted{_dark(own)}.{_lesions(own)}{_widened(engines)}"
        " Fractions are EPVS volume / volume of the whole brain, in each region. A soft volume is"
        " the excess of an object and its rim over the tissue round it, in units of the scan's own"
        " fluid, divided by the contrast of its brightest voxels, which the blur of the scan dims."
    )
    return f"{text} {DOMAIN.caveat}" if "vbnet" in set(own["engine"]) else text


def _lesions(own):
    """Return the rule on lesions in the FLAIR, where a session has one."""
    if "flair_bright" not in own or own["flair_bright"].isna().all():
        return ""
    return (
        f" Objects of which at least {100 * LESION_SHARE:g} % is brighter in the FLAIR than the"
        f" median of the tissue by {FLAIR_SD:g} robust SDs, or which are {LESION_FLAIR_SD:g} SDs"
        " brighter than the tissue round them, were taken for lesions."
    )


def _widened(engines):
    """Return the rule on the outlines of the networks, where they were asked."""
    if "vbnet" not in engines:
        return ""
    return (
        f" Voxels of which at least {TOUCHING} neighbours lie in an object of vbnet, and that show"
        f" at least {SHARP_SHARE:g} of its excess over the tissue round it (more in blurred scans),"
        " were added to it."
    )


def _dark(own):
    """Return the rule on what is dark in the T2w, where a session fell under it."""
    if "t2_dark" not in own or own["t2_dark"].isna().all():
        return ""
    return (
        ", nor, where the T1w was poor, was what is not brighter in the T2w than what surrounds it"
    )
