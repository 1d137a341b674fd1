"""How lesions were measured, in words."""

RULES = {
    "union": "what either of two raters drew counted",
    "intersection": "what both of two raters drew counted",
    "rater1": "the mask of the first rater counted",
}


def sentences(table, config):
    """Write how the lesions were measured.

    Parameters
    ----------
    table : DataFrame
        ``lesions.tsv``.
    config : dict

    Returns
    -------
    str
        One paragraph; empty if nothing was measured.
    """
    if table.empty:
        return ""
    text = (
        f"Lesion volumes of {len(table)} sessions are those of the voxels of their masks, on the"
        " grid on which they were drawn."
    )
    if (table.filter(regex="^raters_") == 2).any(axis=None):
        text += f" Where two raters drew a mask, {RULES[config['lesions']['consensus']]}."
    if (table.oedema_from == "subtraction").any():
        text += " Oedema is the volume of the total lesion less that of the haematoma."
    if table.side_measured.notna().any():
        text += (
            " Side and location were found in MNI152 space, from the hemisphere and the territory"
            " (lobar, deep, infratentorial) that hold most of the mask."
        )
    return text
