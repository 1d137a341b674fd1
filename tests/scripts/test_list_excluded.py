"""scripts/list_excluded.py: all exclusions in one sorted list."""

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.io import read_tsv, write_tsv


def test_lists_are_joined_and_sorted(load_main, tmp_path, capsys):
    parts = [
        [("sub-03", None, None, "intake", "no DWI"), ("sub-01", "ses-2", None, "intake", "none")],
        [("sub-01", None, "sub-01_dwi", "measurement", "torn: 01")],
        [],
    ]
    paths = [tmp_path / f"{number}.tsv" for number in range(3)]
    for path, rows in zip(paths, parts, strict=True):
        write_tsv(pd.DataFrame(rows, columns=EXCLUDED_COLUMNS), path)
    load_main("list_excluded")(parts=paths, excluded=tmp_path / "excluded.tsv")
    table = read_tsv(tmp_path / "excluded.tsv", text=EXCLUDED_COLUMNS)
    assert list(table) == list(EXCLUDED_COLUMNS)
    assert table.reason.tolist() == ["torn: 01", "none", "no DWI"]
    assert capsys.readouterr().out.splitlines() == [
        "sub-01: torn: 01",
        "sub-01: none",
        "sub-03: no DWI",
    ]


def test_codes_are_not_turned_into_numbers(load_main, tmp_path):
    row = [("01", "02", "03", "intake", "04")]
    write_tsv(pd.DataFrame(row, columns=EXCLUDED_COLUMNS), tmp_path / "a.tsv")
    load_main("list_excluded")(parts=[tmp_path / "a.tsv"], excluded=tmp_path / "b.tsv")
    assert (tmp_path / "b.tsv").read_text().splitlines()[1] == "01\t02\t03\tintake\t04"


def test_nobody_excluded_gives_only_the_header(load_main, tmp_path):
    write_tsv(pd.DataFrame([], columns=EXCLUDED_COLUMNS), tmp_path / "a.tsv")
    load_main("list_excluded")(parts=[tmp_path / "a.tsv"], excluded=tmp_path / "b.tsv")
    assert (tmp_path / "b.tsv").read_text() == "\t".join(EXCLUDED_COLUMNS) + "\n"
