"""b-values and vectors of a gradient table as they are written, turned into s/mm^2 and directions.

Some tables hold ms/um^2 (0, 1, 2, 3); some scanners write one b-value for all volumes and put the
rest into the vectors, whose squared length is then b over the one that is written.
"""

import numpy as np

from glymflow.io import InputFault

SHORT = 0.1  # a shorter vector is no direction
ALIKE = 0.07  # lengths that differ by a smaller share are one length
ROUNDED = 0.1  # off 1 on both sides: vectors of one decimal
LARGEST_MS = 4.0  # ms/um^2; a larger one may be a b0 of b = 5 s/mm^2
LARGEST = 50_000.0  # s/mm^2; the strongest scanners reach 40,000
_LEAST_MS, _MANY = 0.2, 6


def to_mm2(bvals):
    """Return b-values in s/mm^2, and a note if they were in ms/um^2.

    Parameters
    ----------
    bvals : (N,) array
        As they are written. Six or more from 0.2 to 4 and none above are ms/um^2.

    Returns
    -------
    bvals : (N,) array
    note : str
        Empty if nothing was changed.

    Raises
    ------
    InputFault
        If one is larger than any scanner's.

    Examples
    --------
    >>> to_mm2([0, 1, 1, 1, 1, 1, 1])[0]
    array([   0., 1000., 1000., 1000., 1000., 1000., 1000.])
    """
    bvals = np.asarray(bvals, dtype=float)
    largest = bvals.max(initial=0)
    if largest > LARGEST:
        raise InputFault(f"the largest b-value is {largest:g}; b-values are in s/mm^2")
    if largest <= LARGEST_MS and np.count_nonzero(bvals >= _LEAST_MS) >= _MANY:
        return 1000 * bvals, f"b-values up to {largest:g} were read as ms/um^2, times 1000"
    return bvals, ""


def split_lengths(bvals, vectors):
    """Return b-values and unit vectors; the length of a vector may hold a part of its b-value.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2, as they are written.
    vectors : (N, 3) array
        As they are written. Vectors of one length, whatever it is, are directions.

    Returns
    -------
    bvals : (N,) array
        s/mm^2; of coded vectors b times the squared length.
    directions : (N, 3) array
        Unit vectors, zero where no direction is given.
    note : str
        Empty if no length was used.

    Raises
    ------
    InputFault
        If the lengths differ and some are larger than 1: then it is not known of which length the
        b-value is.
    """
    bvals, vectors = np.asarray(bvals, dtype=float), np.asarray(vectors, dtype=float)
    lengths = np.linalg.norm(vectors, axis=1)
    given = lengths > SHORT
    unit = np.divide(vectors, lengths[:, None], out=np.zeros_like(vectors), where=given[:, None])
    judged = lengths[given & (bvals > 0)]
    if not judged.size or judged.min() >= (1 - ALIKE) * judged.max():
        return bvals, unit, ""
    said = f"vectors of lengths {judged.min():.2g} to {judged.max():.2g}"
    if judged.max() > 1 + ROUNDED / 5:
        if np.abs(judged - 1).max() <= ROUNDED:
            return bvals, unit, ""
        raise InputFault(
            f"{said}: if the lengths hold b-values, write these to the .bval; else make all"
            " lengths 1"
        )
    # a b0 of such a table may have the b-value of all others, and no vector
    coded = given | (np.count_nonzero(bvals <= bvals.max() / 20) == 0)
    decoded = np.where(coded, bvals * np.where(given, lengths, 0) ** 2, bvals)
    return decoded, unit, f"{said} were read as b-values: b times the squared length"
