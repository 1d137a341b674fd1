"""GRIM, GRIMMER and the SD of a scale: what is real is never flagged, what cannot be is."""

import itertools

import numpy as np
import pytest

from glymflow.commands.audit_scales import scale_fault
from glymflow.commands.audit_tests import printed


def fault(mean, sd, n, **options):
    cell = f"{mean} ± {sd}"
    found = scale_fault(cell, printed(mean), printed(sd), [n], **options)
    return found and found[0]


@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_are_never_flagged(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        n, items, top = int(rng.integers(3, 120)), int(rng.integers(1, 4)), int(rng.integers(1, 31))
        answers = rng.integers(0, top + 1, (n, items))
        values = answers.mean(axis=1)
        mean, sd = f"{values.mean():.2f}", f"{values.std(ddof=1):.2f}"
        assert fault(mean, sd, n, integers=True, items=items, scale=(0, top)) is None


def test_every_pair_that_five_people_can_have_and_no_other():
    real = set()
    for values in itertools.combinations_with_replacement(range(5), 5):
        real.add((f"{np.mean(values):.1f}", f"{np.std(values, ddof=1):.2f}"))
    flagged = 0
    for mean, sd in itertools.product(np.arange(0, 4.01, 0.1), np.arange(0, 2.5, 0.01)):
        pair = f"{mean:.1f}", f"{sd:.2f}"
        found = fault(*pair, 5, integers=True, scale=(0, 4))
        assert not (found and pair in real), pair
        flagged += found is not None
    assert flagged > 0.98 * (41 * 250 - len(real))


def test_the_known_cases():
    assert fault("27.45", "2.10", 46, integers=True) == "GRIM"
    assert fault("27.46", "2.11", 46, integers=True) is None
    assert fault("5.19", "1.34", 28, integers=True) == "GRIM"  # the example of Brown and Heathers
    assert fault("2.0", "2.9", 30, scale=(0, 4)) == "SD"
    assert fault("2.0", "2.0", 30, scale=(0, 4)) is None
    assert fault("4.6", "0.1", 30, scale=(0, 4)) == "mean"
    assert fault("3.44", "2.47", 18, integers=True) == "GRIMMER"  # total 62: SD 2.48 or 2.45
    assert fault("3.44", "2.48", 18, integers=True) is None


def test_an_unknown_size_is_given_the_doubt():
    cell = ("27.45 ± 2.10", printed("27.45"), printed("2.10"))
    assert scale_fault(*cell, [46], integers=True) is not None
    assert scale_fault(*cell, range(44, 49), integers=True) is None
    assert scale_fault(*cell, [1], integers=True, scale=(0, 30)) is None
