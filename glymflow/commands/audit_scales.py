"""Whether a printed mean and SD can be those of whole numbers, and of numbers within a scale.

GRIM: the mean of n whole numbers is a whole number over n. GRIMMER: their sum of squares is a
whole number of the same parity as their sum. An SD can be no larger than that of numbers at both
ends of the scale with the same mean.

References
----------
Brown NJL, Heathers JAJ. The GRIM test. Soc Psychol Personal Sci 2017;8:363-369.
Anaya J. The GRIMMER test. PeerJ Prepr 2016;4:e2400v1. Allard A. Analytic-GRIMMER. 2018.
"""

import math

MOST_SUMS = 200_000  # rounding so coarse that everything is possible: not tried
SLACK = 1e-9


def scale_fault(cell, mean, sd, sizes, *, integers=False, items=1, scale=None):
    """Return (short name, text) of why no such numbers have this mean and SD; None if some do.

    Parameters
    ----------
    cell : str
        The cell as printed, for the text.
    mean, sd : (float, float)
        Rounding intervals; the SD's, not the SE's.
    sizes : iterable of int
        The sizes that the group may have.
    integers : bool
        Whether each value is a whole number, or the mean of `items` whole numbers.
    items : int
        Number of items that each value is the mean of.
    scale : (float, float), optional
        Least and largest value.

    Examples
    --------
    >>> scale_fault("27.45 ± 2.1", (27.445, 27.455), (2.05, 2.15), [46], integers=True)[0]
    'GRIM'
    >>> scale_fault("2.0 ± 2.9", (1.95, 2.05), (2.85, 2.95), [30], scale=(0, 4))[0]
    'SD'
    """
    sizes = [size for size in sizes if size > 1]
    if scale is not None:
        low, high = scale
        if mean[1] < low or mean[0] > high:
            return "mean", f"{cell}: the mean is outside the scale of {low:g} to {high:g}"
        most = max((_largest_sd(mean, scale, n) for n in sizes), default=math.inf)
        if sd[0] > most * (1 + SLACK):
            text = f"{cell}: on a scale of {low:g} to {high:g} the SD is at most {most:.3g}"
            return "SD", text
    if not integers or not sizes:
        return None
    found = {_fits_whole(mean, sd, n, items, scale) for n in sizes}
    if "yes" in found:
        return None
    many = f"{sizes[0]}" if len(sizes) == 1 else f"{min(sizes)} to {max(sizes)}"
    each = f", each the mean of {items} items," if items > 1 else ""
    if "mean" in found:
        text = f"{cell}: no {many} whole numbers{each} have this mean with this SD"
        return "GRIMMER", text
    return "GRIM", f"{cell}: no {many} whole numbers{each} have this mean"


def _largest_sd(mean, scale, n):
    """SD of n numbers at both ends of the scale; the mean as near to its middle as it may be."""
    middle = min(max(sum(scale) / 2, mean[0], scale[0]), mean[1], scale[1])
    return math.sqrt(max((middle - scale[0]) * (scale[1] - middle), 0.0) * n / (n - 1))


def _fits_whole(mean, sd, n, items, scale):
    """Return "yes", "mean" (the mean alone can be) or "no"."""
    total = n * items
    low = math.ceil(mean[0] * total - SLACK * max(1.0, abs(mean[0] * total)))
    high = math.floor(mean[1] * total + SLACK * max(1.0, abs(mean[1] * total)))
    if low > high:
        return "no"
    if high - low > MOST_SUMS or not all(map(math.isfinite, (*mean, *sd))):
        return "yes"
    ends = None if scale is None else [round(end * items) for end in scale]
    return (
        "yes" if any(_has_squares(s, sd, n, items, ends) for s in range(low, high + 1)) else "mean"
    )


def _has_squares(total, sd, n, items, ends):
    """Say whether n whole numbers with this sum can have an SD within the interval."""
    least, most = _square_range(total, n, ends)
    around = total**2 / n
    bounds = [max(end, 0.0) ** 2 * items**2 * (n - 1) + around for end in sd]
    low = max(math.ceil(bounds[0] - SLACK * max(1.0, bounds[0])), least)
    high = min(math.floor(bounds[1] + SLACK * max(1.0, bounds[1])), most)
    low += (low - total) % 2
    return low <= high


def _square_range(total, n, ends):
    """Least and largest sum of squares of n whole numbers with a sum, within the ends."""
    each, rest = divmod(total, n)
    least = (n - rest) * each**2 + rest * (each + 1) ** 2
    if ends is None:
        return least, math.inf
    low, high = ends
    above = total - n * low
    if not 0 <= above <= n * (high - low) or high <= low:
        return 1, 0
    full, part = divmod(above, high - low)
    shifted = full * (high - low) ** 2 + part**2
    return least, shifted + 2 * low * above + n * low**2
