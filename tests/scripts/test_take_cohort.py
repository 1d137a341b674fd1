"""The ready table becomes the cohort's."""

import pytest
from page_checks import load_script

from glymflow.io import InputFault, read_json, read_tsv
from glymflow.study.cohort_table import read_cohort

main = load_script("take_cohort").main


def take(folder, *lines):
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    names = {"cohort": "cohort.tsv", "dictionary": "cohort.json", "excluded": "excluded.tsv"}
    main(table=folder / "table.csv", **{name: folder / file for name, file in names.items()})


def test_values_stay_and_measures_are_described(tmp_path):
    take(tmp_path, "participant_id;arm;alps_mean;code", "1;01;1.45;1.10", "2;02;;1E1")
    cohort = read_cohort(tmp_path / "cohort.tsv")
    assert cohort.arm.tolist() == ["01", "02"]
    assert cohort.code.tolist() == ["1.10", "1E1"]
    assert cohort.alps_mean.tolist()[0] == 1.45
    assert cohort.alps_mean.isna().tolist() == [False, True]
    assert list(read_json(tmp_path / "cohort.json")) == [
        "session_order", "session_order_by", "alps_mean",
    ]  # fmt: skip
    assert read_tsv(tmp_path / "excluded.tsv").empty


def test_a_table_with_faults_is_refused(tmp_path):
    with pytest.raises(InputFault, match="lines 2 and 3 give different data for sub-1"):
        take(tmp_path, "participant_id,age", "1,60", "1,61")
    assert not (tmp_path / "cohort.tsv").exists()
