"""scripts/collect_lesions.py: batches in one table, and the user's own side and location."""

import numpy as np
import pandas as pd
import pytest
import yaml
from workflow_runs import CHECKOUT as ROOT

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.io import InputFault, read_tsv, write_tsv
from glymflow.lesions.domain import COLUMNS

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["lesions"]


@pytest.fixture
def collect(load_main, tmp_path):
    """Collect batches of (subject, session, side, location, reasons)."""

    def run(*batches, people=None, **changed):
        for number, rows in enumerate(batches):
            names = ["participant_id", "session_id", "side_measured", "location_measured"]
            table = pd.DataFrame(rows, columns=[*names, "qc_reasons"]).assign(qc_status="pass")
            write_tsv(table.reindex(columns=COLUMNS), tmp_path / f"{number}.tsv")
            lost = pd.DataFrame(columns=EXCLUDED_COLUMNS)
            if not rows:
                lost.loc[0] = ["sub-9", None, None, "measurement", "m.nii.gz: the mask is empty"]
            write_tsv(lost, tmp_path / f"{number}_excluded.tsv")
        if people:
            (tmp_path / "participants.tsv").write_text(people)
        load_main("collect_lesions")(
            tables=[tmp_path / f"{n}.tsv" for n in range(len(batches))],
            faults=[tmp_path / f"{n}_excluded.tsv" for n in range(len(batches))],
            participants=tmp_path / "participants.tsv" if people else None,
            settings=SETTINGS | changed,
            table=tmp_path / "lesions.tsv",
            excluded=tmp_path / "excluded.tsv",
        )
        return read_tsv(tmp_path / "lesions.tsv"), read_tsv(tmp_path / "excluded.tsv")

    return run


LEFT = ("sub-2", np.nan, "left", "supratentorial_deep", "volume_in_template")
NOWHERE = ("sub-1", "ses-1", np.nan, np.nan, "lesion_not_coregistered")


def test_batches_are_one_sorted_table(collect):
    table, excluded = collect([LEFT], [], [NOWHERE])
    assert list(table) == COLUMNS
    assert table.participant_id.tolist() == ["sub-1", "sub-2"]
    assert table.side.fillna("-").tolist() == ["-", "left"]
    assert table.location.fillna("-").tolist() == ["-", "supratentorial_deep"]
    assert excluded.reason.tolist() == ["m.nii.gz: the mask is empty"]


def test_own_words_win_and_a_difference_is_said(collect):
    people = "participant_id\themi\tplace\n1\tL\tlobar\nsub-2\tRight\tdeep\n"
    table, _ = collect(
        [LEFT], [NOWHERE], people=people, side_column="hemi", location_column="place"
    )
    assert table.side.tolist() == ["left", "right"]
    assert table.location.tolist() == ["supratentorial_lobar", "supratentorial_deep"]
    assert table.side_measured.fillna("-").tolist() == ["-", "left"]
    # what was not measured cannot disagree
    assert table.qc_reasons.tolist() == [
        "lesion_not_coregistered", "volume_in_template;side_disagrees",
    ]  # fmt: skip
    assert table.qc_status[1] == "warn"


def test_a_missing_own_word_leaves_the_measured(collect):
    table, _ = collect([LEFT], people="participant_id\themi\nsub-2\tn/a\n", side_column="hemi")
    assert (table.side[0], table.qc_reasons[0]) == ("left", "volume_in_template")


def test_of_a_session(collect):
    people = "participant_id\tsession_id\themi\nsub-1\tses-1\tR\nsub-1\tses-2\tL\n"
    table, _ = collect([NOWHERE], people=people, side_column="hemi")
    assert table.side.tolist() == ["right"]


@pytest.mark.parametrize(
    ("people", "words"),
    [("participant_id\tage\nsub-2\t4\n", "hemi is not a column of"),
     ("participant_id\themi\nsub-2\tlinks\n", "column hemi: 'links' is not a side")],
)  # fmt: skip
def test_columns_that_cannot_be_read(collect, people, words):
    with pytest.raises(InputFault, match=words):
        collect([LEFT], people=people, side_column="hemi")


def test_nothing_measured(collect, tmp_path):
    with pytest.raises(
        InputFault, match=r"no lesion could be measured; the first fault is: m\.nii"
    ):
        collect([])
    with pytest.raises(InputFault, match="there is no lesion mask to measure"):
        collect()
    assert (tmp_path / "excluded.tsv").is_file()
