"""How lesions were measured, in words."""

import pandas as pd
import pytest

from glymflow.lesions.methods import sentences

CONFIG = {"lesions": {"consensus": "intersection"}}


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "raters_lesion": [1, 2],
            "oedema_from": ["subtraction", None],
            "side_measured": ["left", None],
        }
    )


def test_each_sentence_has_its_cause(table):
    text = sentences(table, CONFIG)
    assert "Lesion volumes of 2 sessions" in text
    assert "what both of two raters drew counted" in text
    assert "less that of the haematoma" in text
    assert "MNI152" in text


def test_nothing_is_said_that_did_not_happen(table):
    table["raters_lesion"] = 1
    table["oedema_from"] = table["side_measured"] = None
    text = sentences(table, CONFIG)
    assert text.endswith("on the grid on which they were drawn.")
    assert sentences(table[:0], CONFIG) == ""
