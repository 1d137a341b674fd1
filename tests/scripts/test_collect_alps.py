"""scripts/collect_alps.py: all series in one table, and who is not in it."""

import pandas as pd
import pytest

from glymflow.alps.index import COLUMNS, alps_table
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.quality import quality_table
from glymflow.io import InputFault, read_tsv, write_placeholder, write_tsv


@pytest.fixture
def series(tmp_path):
    """Three measured series (two rows each) and one excluded among them."""
    who = []
    for number, name in enumerate(("sub-01", "sub-02", "sub-03", "sub-04")):
        identity = {"participant_id": name, "session_id": "ses-1" if number else None}
        rows = [
            identity | {"source": f"{name}_dwi", "frame": frame, "alps_left": (1 + 3 * number) / 3}
            for frame in ("scanner", "fibre")
        ]
        write_tsv(alps_table(rows), tmp_path / f"{name}.tsv")
        found = {"source": f"{name}_dwi", "snr_b0": 20.0 + number, f"cnr_b{number + 1}000": 1.5}
        write_tsv(quality_table([identity | found]), tmp_path / f"{name}_quality.tsv")
        who.append(identity | {"series": f"{name}_dwi"})
    for ending in ("", "_quality"):
        path = tmp_path / f"sub-02{ending}.tsv"
        write_placeholder(path, "/data/sub-02_dwi.nii.gz: truncated")
    return who


@pytest.fixture
def collect(load_main, tmp_path, series):
    def run():
        load_main("collect_alps")(
            tables=[tmp_path / f"{who['participant_id']}.tsv" for who in series],
            quality=[tmp_path / f"{who['participant_id']}_quality.tsv" for who in series],
            dwi_quality=tmp_path / "dwi_quality.tsv",
            series=series,
            alps=tmp_path / "alps.tsv",
            excluded=tmp_path / "excluded.tsv",
        )

    return run


def test_measured_series_in_order_and_others_with_their_reason(collect, tmp_path):
    collect()
    table = read_tsv(tmp_path / "alps.tsv")
    assert list(table) == COLUMNS
    assert table.participant_id.tolist() == ["sub-01"] * 2 + ["sub-03"] * 2 + ["sub-04"] * 2
    assert table.alps_left.tolist() == [1 / 3, 1 / 3, 7 / 3, 7 / 3, 10 / 3, 10 / 3]
    excluded = read_tsv(tmp_path / "excluded.tsv")
    assert list(excluded) == list(EXCLUDED_COLUMNS)
    assert excluded.iloc[0].to_dict() == {
        "participant_id": "sub-02",
        "session_id": "ses-1",
        "series": "sub-02_dwi",
        "stage": "measurement",
        "reason": "/data/sub-02_dwi.nii.gz: truncated",
    }


def test_quality_of_the_series_that_were_measured(collect, tmp_path):
    collect()
    table = read_tsv(tmp_path / "dwi_quality.tsv")
    assert table.source.tolist() == ["sub-01_dwi", "sub-03_dwi", "sub-04_dwi"]
    assert table.snr_b0.tolist() == [20, 22, 23]
    assert table.cnr_b3000.isna().tolist() == [True, False, True]
    first = table.columns.get_loc("snr_b0")
    assert list(table.columns[first + 1 : first + 4]) == ["cnr_b1000", "cnr_b3000", "cnr_b4000"]


def test_nobody_excluded_gives_an_empty_table(collect, tmp_path):
    write_tsv(pd.DataFrame({"participant_id": ["sub-02"]}), tmp_path / "sub-02.tsv")
    collect()
    assert len(read_tsv(tmp_path / "alps.tsv")) == 7
    assert read_tsv(tmp_path / "excluded.tsv").empty


def test_nobody_measured_is_a_fault_that_names_the_first_reason(collect, tmp_path):
    for name in ("sub-01", "sub-03", "sub-04"):
        write_placeholder(tmp_path / f"{name}.tsv", f"{name}: broken")
    with pytest.raises(InputFault) as fault:
        collect()
    assert str(fault.value) == ("no series could be measured; the first fault is: sub-01: broken")
    assert len(read_tsv(tmp_path / "excluded.tsv")) == 4


def test_sides_of_the_lesions_are_filled_in(tmp_path, load_main):
    rows = [
        {"participant_id": name, "session_id": "ses-1", "source": name, "alps_left": 1.5,
         "alps_right": 1.25, "alps_left_se": 0.1, "alps_right_se": 0.2}
        for name in ("sub-01", "sub-02", "sub-03")
    ]  # fmt: skip
    paths = [tmp_path / f"{row['participant_id']}.tsv" for row in rows]
    for row, path in zip(rows, paths, strict=True):
        write_tsv(alps_table([row]), path)
    lesions = {"participant_id": ["sub-01", "sub-02"], "session_id": ["ses-1", "ses-1"],
               "side": ["right", None], "location": ["supratentorial_deep", None]}  # fmt: skip
    write_tsv(pd.DataFrame(lesions), tmp_path / "lesions.tsv")
    who = [{"participant_id": row["participant_id"]} for row in rows]
    written = {"alps": tmp_path / "alps.tsv", "excluded": tmp_path / "excluded.tsv"}
    written |= {"quality": [], "dwi_quality": tmp_path / "dwi_quality.tsv"}
    load_main("collect_alps")(tables=paths, series=who, **written, lesions=tmp_path / "lesions.tsv")
    table = read_tsv(tmp_path / "alps.tsv")
    assert list(table) == COLUMNS
    assert table.alps_ipsilateral.tolist()[0] == 1.25
    assert table.alps_contralateral.tolist()[0] == 1.5
    assert table.alps_ipsilateral_se.tolist()[0] == 0.2
    assert table.alps_ipsilateral[1:].isna().all()
    assert table.alps_contralateral[1:].isna().all()
    load_main("collect_alps")(tables=paths, series=who, **written)
    assert read_tsv(tmp_path / "alps.tsv").alps_ipsilateral.isna().all()
