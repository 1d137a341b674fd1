"""The end of a run in words."""

import pandas as pd
import pytest

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.commands import run_end
from glymflow.io import write_tsv


@pytest.fixture
def results(tmp_path):
    """Three sessions of two subjects; one has lesions."""
    rows = [
        ("sub-1", "ses-a", "pass", None),
        ("sub-1", "ses-b", "warn", None),
        ("sub-2", "ses-a", "pass", "fail"),
    ]
    columns = ["participant_id", "session_id", "qc_status", "lesions_qc_status"]
    write_tsv(pd.DataFrame(rows, columns=columns), tmp_path / "cohort" / "cohort.tsv")
    for name in ("alps", "lesions"):
        (tmp_path / "cohort" / f"{name}.tsv").touch()
    return tmp_path


def test_subjects_and_verdicts_are_counted_by_domain(results):
    alps, lesions = run_end.measured(results)
    assert alps.endswith(": 2 subjects (2 pass, 1 warn)")
    assert lesions.endswith(": 1 subject (1 fail)")
    assert run_end.measured(results / "none") == []
    for name in ("alps", "lesions"):  # the values came in a ready table
        (results / "cohort" / f"{name}.tsv").unlink()
    assert run_end.measured(results) == []


@pytest.mark.parametrize("status", [0, 1])
def test_what_crashed_is_named_first_with_its_log(results, status, capsys):
    rows = [(f"sub-{n}", None, None, "intake", "no .bval") for n in range(3, 14)]
    rows.append(("sub-99", None, "sub-99_dir-AP", "crashed", "alps: the job failed, see x.log"))
    write_tsv(pd.DataFrame(rows, columns=EXCLUDED_COLUMNS), results / "cohort" / "excluded.tsv")
    assert run_end.tell_end(status, results, "group", strict=False) == status
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[3:5] == [
        "Left out: 12 subjects (intake 11, crashed 1)",
        "  sub-99_dir-AP: crashed: alps: the job failed, see x.log",
    ]
    assert ("something failed" in said.err) == bool(status)


def test_a_run_that_left_nobody_out(results, capsys):
    (results / "report").mkdir()
    assert run_end.tell_end(0, results, "participant", strict=True) == 0
    assert f"Report: {results / 'report'}" in capsys.readouterr().out.splitlines()
