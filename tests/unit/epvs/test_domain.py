"""The record of the EPVS: values of the brain and of each region and side."""

from glymflow.epvs.domain import EPVS


def test_columns_of_the_contract():
    assert list(EPVS.columns[:3]) == ["participant_id", "session_id", "engine"]
    for value in ("count", "volume_mm3", "fraction", "permille"):
        for place in ("", "_bg_left", "_cso_right", "_midbrain"):
            assert f"epvs_{value}{place}" in EPVS.columns
    assert {"brain_volume_ml", "qc_status", "qc_reasons"} <= set(EPVS.columns)


def test_what_failed_loses_every_number():
    judged = set(EPVS.judged_columns)
    numbers = {
        name
        for name, measure in EPVS.measures.items()
        if measure.kind == "number" and name != "n_images"
    }
    assert numbers - judged == set()
    assert not {"qc_status", "qc_reasons"} & judged


def test_units_and_caveat():
    assert EPVS.measures["epvs_volume_mm3"].unit == "mm^3"
    assert "trained on synthetic data" in EPVS.caveat
