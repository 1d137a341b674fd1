"""The protocol of a series: shells, directions, voxel size and scanner; which ones a cohort mixes.

ALPS differs between protocols of one person by as much as between persons, so a cohort says which
protocols it has, and whether they coincide with its groups.
"""

import math

import numpy as np

from glymflow.dwi.series import scheme
from glymflow.text import level_text

FACTS = (
    *("shells", "directions", "voxel_x_mm", "voxel_y_mm", "voxel_z_mm"),
    *("manufacturer", "scanner_model", "field_strength_t"),
)
TABLE_COLUMNS = ["protocol", "series", "subjects"]
UNKNOWN = "scanner not named"
LARGE_SHARE = 0.5  # of two groups that have the same protocols


def read_protocol(affine, bvals, bvecs, told=None, *, b0_threshold=50):
    """Return the facts of a series that make its protocol.

    Parameters
    ----------
    affine : (4, 4) array
        Of the image.
    bvals : (N,) array
        s/mm^2, of the volumes that the tensor is fitted to.
    bvecs : (N, 3) array
    told : dict, optional
        The sidecar: Manufacturer, ManufacturersModelName, MagneticFieldStrength.

    Returns
    -------
    dict
        `FACTS`; NaN or None for what is not known. `shells` is text such as ``b1000`` or
        ``b500+b1000``; voxel sizes are along the axes of the image.
    """
    told, bvals, bvecs = told or {}, np.asarray(bvals, dtype=float), np.asarray(bvecs)
    sizes = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)
    try:
        strength = float(told.get("MagneticFieldStrength"))
    except (TypeError, ValueError):
        strength = math.nan
    # some sidecars have it in gauss
    strength = strength / 1e4 if strength > 100 else strength
    used = scheme(bvals, bvecs, b0_threshold=b0_threshold)
    return {
        "shells": "+".join(f"b{b:.0f}" for b in used["Shells"]),
        "directions": used["Directions"],
        **{f"voxel_{axis}_mm": float(size) for axis, size in zip("xyz", sizes, strict=True)},
        "manufacturer": _word(told.get("Manufacturer")),
        "scanner_model": _word(told.get("ManufacturersModelName")),
        "field_strength_t": strength,
    }


def _word(text):
    """Return a text of a sidecar on one line without tabs, None for none."""
    return " ".join(str(text).split()) or None if isinstance(text, (str, int, float)) else None


def name_protocols(table):
    """Name the protocol of each series in words; series of one protocol have the same name.

    Parameters
    ----------
    table : DataFrame
        With the columns `FACTS`; a column that is missing is not known.

    Returns
    -------
    Series of str
        Such as ``b 1000, 30 directions, 2 x 2 x 2 mm, Siemens Prisma, 3 T``. What scanners write
        a little differently is one: b to its nominal value, voxels to 0.01 mm, field strengths to
        0.5 T.
    """
    import pandas as pd

    rows = table.reindex(columns=FACTS).to_dict("records")
    return pd.Series([_name(row) for row in rows], index=table.index, dtype=object)


def nominal_shells(shells):
    """Return the b-values that were asked for: scanners store 995 or 1005 for 1000.

    Examples
    --------
    >>> nominal_shells("b1010"), nominal_shells("b490+b3020"), nominal_shells(float("nan"))
    ('1000', '500 + 3000', '')
    """
    values = [b for b in str(shells).replace("b", "").split("+") if b.isdecimal()]
    return " + ".join(str(_nominal(int(b))) for b in values)


def _name(row):
    parts = [f"b {nominal_shells(row['shells']) or 'not known'}"]
    if _is_known(row["directions"]):
        parts.append(f"{int(row['directions'])} directions")
    sizes = [row[f"voxel_{axis}_mm"] for axis in "xyz"]
    if all(map(_is_known, sizes)):
        parts.append(" x ".join(f"{round(float(size), 2):g}" for size in sizes) + " mm")
    return ", ".join([*parts, name_scanner(row) or UNKNOWN])


def name_scanner(row):
    """Name the scanner of a series in words, "" where nothing is known.

    Parameters
    ----------
    row : dict
        With `manufacturer`, `scanner_model` and `field_strength_t`.

    Examples
    --------
    >>> name_scanner({"manufacturer": "SIEMENS", "scanner_model": "Prisma"})
    'Siemens Prisma'
    """
    maker, model, strength = (row.get(name) for name in FACTS[5:])
    maker = str(maker).split()[0] if level_text(maker) else ""
    maker = "" if maker.lower() == "none" else maker
    maker = maker.upper() if len(maker) <= 3 else maker.capitalize()  # GE, UIH; Siemens
    model = str(model) if level_text(model) else ""
    scanner = " ".join(filter(None, (maker, model)))
    tesla = f"{round(2 * float(strength)) / 2:g} T" if _is_known(strength) else ""
    return ", ".join(filter(None, (scanner, tesla)))


def _is_known(value):
    return isinstance(value, (int, float, np.number)) and not math.isnan(value)


def _nominal(b):
    step = 50 if b < 450 else 100 if b < 2000 else 250
    return int(step * math.floor(b / step + 0.5))


def protocol_table(table):
    """Count the series and subjects of each protocol, the most common first.

    Parameters
    ----------
    table : DataFrame
        One row per series: `participant_id` and `FACTS`.

    Returns
    -------
    DataFrame
        `TABLE_COLUMNS`.
    """
    import pandas as pd

    names = name_protocols(table)
    grouped = table.participant_id.groupby(names)
    counts = pd.DataFrame({"series": grouped.size(), "subjects": grouped.nunique()})
    counts = counts.rename_axis("protocol").reset_index()
    return counts.sort_values(["series", "protocol"], ascending=[False, True], ignore_index=True)


def protocol_lines(table, groups=None):
    """Say in words that a cohort mixes protocols, and which groups have which.

    Parameters
    ----------
    table : DataFrame
        One row per series: `participant_id`, `session_id` and `FACTS`.
    groups : dict of str to str, optional
        Group of each participant.

    Returns
    -------
    list of str
        Empty for one protocol; a protocol that coincides with a group comes first.
    """
    counts = protocol_table(table)
    if len(counts) < 2:
        return []
    listed = [f"{row.protocol}: {row.series} series of {row.subjects} subjects"
              for row in counts.head(6).itertuples()]  # fmt: skip
    more = [f"{len(counts) - 6} more"] if len(counts) > 6 else []
    text = (
        f"{len(counts)} protocols in one cohort ({'; '.join(listed + more)}). ALPS differs between"
        " protocols by as much as between persons"
    )
    lines = [*_by_group(table, groups or {}), text]
    names = name_protocols(table).rename("protocol")
    session = [table.participant_id, table.session_id.fillna("")]
    several = names.groupby(session).nunique()
    mixed = ["/".join(filter(None, ids)) for ids, count in several.items() if count > 1]
    if mixed:
        others = f" and {len(mixed) - 3} more" if len(mixed) > 3 else ""
        lines.append(
            f"{', '.join(mixed[:3])}{others}: series of several protocols in one session; those of"
            " the most common b-value, directions and voxel size make its value (combine_series)"
        )
    return lines


def _by_group(table, groups):
    """Compare what shares of two groups have each protocol."""
    import pandas as pd

    known = table.assign(protocol=name_protocols(table), group=table.participant_id.map(groups))
    known = known.dropna(subset=["group"]).drop_duplicates(["participant_id", "protocol"])
    shares = pd.crosstab(known.group, known.protocol, normalize="index")
    sizes = known.groupby("group").participant_id.nunique()
    order = [one for one in dict.fromkeys(groups.values()) if sizes.get(one, 0) > 1]
    lines = []
    for place, one in enumerate(order):
        for other in order[place + 1 :]:
            common = float(np.minimum(shares.loc[one], shares.loc[other]).sum())
            most = [f"'{name}' mostly {shares.loc[name].idxmax()}" for name in (one, other)]
            if common == 0:
                lines.append(
                    f"PROTOCOL AND GROUP COINCIDE: '{one}' and '{other}' have no protocol in common"
                    f" ({'; '.join(most)}): a difference between them may be one of scans"
                )
            elif common < LARGE_SHARE:
                lines.append(
                    f"protocol and group go together: '{one}' and '{other}' have"
                    f" {100 * common:.0f} % of their protocols in common ({'; '.join(most)})"
                )
    return lines
