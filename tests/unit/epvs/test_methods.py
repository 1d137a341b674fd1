"""How perivascular spaces were measured, in words."""

import pandas as pd
import pytest

from glymflow.epvs.domain import EPVS
from glymflow.epvs.methods import sentences

CONFIG = {"epvs": {"min_length_mm": 2, "lacune_min_mm": 3.5}}


@pytest.fixture
def table():
    rows = [("true", "T1w+T2w", "vbnet"), ("true", "T1w", "vbnet"), ("false", "T1w", "frangi")]
    return pd.DataFrame(rows, columns=["primary", "contrasts", "engine"])


def test_primary_rows_are_counted(table):
    text = sentences(table, CONFIG)
    assert "in 2 sessions (1 from T1w and 1 from T1w+T2w; engine: vbnet)" in text
    assert "shorter than 2 mm were dropped" in text
    assert "wider than 3.5 mm" in text


def test_the_rule_on_the_t2w_is_told_where_it_was_used(table):
    for values, told in (([None] * 3, False), ([None, 2, None], True)):
        assert ("brighter in the T2w" in sentences(table.assign(t2_dark=values), CONFIG)) == told


def test_the_rule_on_lesions_is_told_where_there_was_a_flair(table):
    for values, told in (([None] * 3, False), ([None, 0.0, None], True)):
        text = sentences(table.assign(flair_bright=values), CONFIG)
        assert ("50 % is brighter in the FLAIR" in text) == told


def test_the_rule_on_outlines_is_that_of_the_network(table):
    assert "at least 4 neighbours lie in an object of vbnet" in sentences(table, CONFIG)
    assert "neighbours lie" not in sentences(table.assign(engine="frangi"), CONFIG)


def test_the_caveat_is_that_of_the_network(table):
    assert EPVS.caveat in sentences(table, CONFIG)
    assert EPVS.caveat not in sentences(table.assign(engine="frangi"), CONFIG)
    assert sentences(table[2:], CONFIG) == ""
