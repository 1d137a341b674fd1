"""The protocols of a cohort, and whether they coincide with its groups."""

import numpy as np
import pandas as pd
import pytest
from bids_trees import DIRECTIONS
from hypothesis import given
from hypothesis import strategies as st

from glymflow.dwi.protocol import (
    FACTS,
    name_protocols,
    nominal_shells,
    protocol_lines,
    protocol_table,
    read_protocol,
)

TOLD = {
    "Manufacturer": "SIEMENS",
    "ManufacturersModelName": "Prisma",
    "MagneticFieldStrength": 2.89362,
}
BVALS = [0, *[1000] * 6]
BVECS = np.vstack([np.zeros(3), DIRECTIONS])


def facts(*, b=1000, size=2.0, told=TOLD):
    affine = np.diag([size, size, 2.5, 1])
    return read_protocol(affine, [0, *[b] * 6], BVECS, told)


def cohort(*series):
    """Return a table of (participant, facts)."""
    rows = [{"participant_id": who, "session_id": None, **one} for who, one in series]
    return pd.DataFrame(rows)


def test_the_facts_of_a_series():
    found = facts()
    assert list(found) == list(FACTS)
    assert found["shells"] == "b1000"
    assert found["directions"] == 6
    assert [found[f"voxel_{axis}_mm"] for axis in "xyz"] == [2, 2, 2.5]
    assert (found["manufacturer"], found["scanner_model"]) == ("SIEMENS", "Prisma")
    assert found["field_strength_t"] == pytest.approx(2.89362)


@pytest.mark.parametrize("told", [None, {}, {"Manufacturer": None, "MagneticFieldStrength": "?"}])
def test_what_a_sidecar_does_not_say(told):
    (name,) = name_protocols(cohort(("sub-01", facts(told=told))))
    assert name == "b 1000, 6 directions, 2 x 2 x 2.5 mm, scanner not named"


def test_a_name_in_words():
    (name,) = name_protocols(cohort(("sub-01", facts())))
    assert name == "b 1000, 6 directions, 2 x 2 x 2.5 mm, Siemens Prisma, 3 T"


def shells_of(bvals):
    return read_protocol(np.eye(4), bvals, np.zeros((len(bvals), 3)))["shells"]


@given(st.lists(st.integers(-15, 15), min_size=6, max_size=6), st.sampled_from([700, 1000, 1500]))
def test_a_scatter_of_b_values_is_one_shell(scatter, b):
    found = shells_of([0, 5, *(b + one for one in scatter)])
    assert "+" not in found
    assert nominal_shells(found) == str(b)


def test_shells_of_their_own():
    assert shells_of([0, 0, 200, 200, 2000, 2010]) == "b200+b2000"
    assert shells_of([0, 500, 710, 995, 2800]) == "b500+b710+b1000+b2800"


def test_what_scanners_write_differently_is_one_protocol():
    told = [
        (1000, {}),
        (1005, {"MagneticFieldStrength": 3}),
        (995, {"Manufacturer": "Siemens Healthineers"}),
        (1000, {"MagneticFieldStrength": 30000}),
    ]
    same = [facts(b=b, told=TOLD | one) for b, one in told]
    table = cohort(*((f"sub-{n}", one) for n, one in enumerate(same)))
    assert protocol_table(table)[["series", "subjects"]].to_numpy().tolist() == [[4, 4]]
    assert protocol_lines(table, {"sub-1": "a", "sub-2": "b"}) == []


@pytest.mark.parametrize("other", [facts(b=2000), facts(size=3), facts(told={})])
def test_a_mix_is_one_line_with_the_counts(other):
    table = cohort(("sub-1", facts()), ("sub-1", facts()), ("sub-2", facts()), ("sub-3", other))
    (line,) = protocol_lines(table)
    assert line.startswith("2 protocols in one cohort (b 1000, 6 directions")
    assert "3 T: 3 series of 2 subjects; b " in line
    assert ": 1 series of 1 subjects)" in line


def by_group(shares):
    """Return a cohort in which so many of each group have the second protocol, of ten."""
    series, groups = [], {}
    for name, count in shares.items():
        for number in range(10):
            who = f"sub-{name}{number}"
            series.append((who, facts(b=3000 if number < count else 1000)))
            groups[who] = name
    return protocol_lines(cohort(*series), groups)


def test_a_protocol_that_coincides_with_a_group_is_said_first():
    lines = by_group({"HC": 0, "AD": 10})
    assert lines[0].startswith("PROTOCOL AND GROUP COINCIDE: 'HC' and 'AD' have no protocol in com")
    assert "'AD' mostly b 3000" in lines[0]


@pytest.mark.parametrize(
    ("shares", "count"),
    [({"HC": 1, "AD": 8}, 2), ({"HC": 5, "AD": 5}, 1), ({"HC": 3, "AD": 6}, 1)],
)
def test_a_protocol_that_goes_with_a_group(shares, count):
    lines = by_group(shares)
    assert len(lines) == count
    assert (count == 2) == lines[0].startswith("protocol and group go together")


def test_several_protocols_in_one_session():
    table = cohort(("sub-1", facts()), ("sub-1", facts(b=3000)), ("sub-2", facts()))
    assert protocol_lines(table)[-1].startswith("sub-1: series of several protocols in one session")


def test_a_table_without_the_columns():
    table = pd.DataFrame({"participant_id": ["a", "b"], "session_id": [None, None]})
    assert protocol_table(table).protocol.tolist() == ["b not known, scanner not named"]
