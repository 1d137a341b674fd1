"""The record of the lesions: the contract's columns come first; texts are not judged."""

from glymflow.lesions.domain import LESIONS


def test_columns_of_the_contract():
    assert list(LESIONS.columns[:8]) == [
        *("participant_id", "session_id", "volume_lesion_ml", "volume_haematoma_ml"),
        *("volume_oedema_ml", "relative_oedema_ratio", "side", "location"),
    ]


def test_all_columns_go_to_the_cohort_table():
    assert list(LESIONS.measures) == list(LESIONS.columns[2:])
    assert "volume_rater1_haematoma_ml" in LESIONS.measures


def test_what_failed_loses_its_numbers_and_keeps_side_and_location():
    judged = set(LESIONS.judged_columns)
    assert {"volume_lesion_ml", "relative_oedema_ratio", "share_left", "dice_lesion"} <= judged
    assert not {"side", "location", "qc_status", "qc_reasons"} & judged
