"""Quality of measured values: status, reason codes and limits, the same in every domain.

A domain has a table of its codes: code to (status, sentence). A code with the status "pass" is a
remark.
"""

STATUSES = ("pass", "warn", "fail")  # best first
NORMAL_95 = 1.959964  # standard errors from a value to its 95 % limits


def judge_codes(codes, table):
    """Return the status that reason codes give, and the codes as text.

    Parameters
    ----------
    codes : iterable of str
        What was found; the order does not matter.
    table : dict of str to (str, str)
        The domain's codes in the order in which they are listed, with status and sentence.

    Returns
    -------
    status : {"pass", "warn", "fail"}
        The worst of the codes, "pass" without any.
    reasons : str
        The codes joined by ``;``, empty if there is none.

    Raises
    ------
    ValueError
        If a code is not in the table.

    Examples
    --------
    >>> table = {"cut": ("fail", "The brain is cut."), "thick": ("warn", "Slices are thick.")}
    >>> judge_codes({"thick", "cut"}, table), judge_codes([], table)
    (('fail', 'cut;thick'), ('pass', ''))
    """
    codes = set(codes)
    unknown = codes.difference(table)
    if unknown:
        raise ValueError(f"no such code: {', '.join(sorted(map(str, unknown)))}")
    found = [code for code in table if code in codes]
    status = max((table[code][0] for code in found), key=STATUSES.index, default="pass")
    return status, ";".join(found)


def codes_in(reasons):
    """Return the set of codes in a cell `qc_reasons`; empty for a cell without any.

    Examples
    --------
    >>> sorted(codes_in("thick;cut")), codes_in(float("nan")), codes_in("")
    (['cut', 'thick'], set(), set())
    """
    return {code for code in reasons.split(";") if code} if isinstance(reasons, str) else set()
