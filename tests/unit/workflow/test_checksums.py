"""What jobs wrote is recorded, and what changed since is found."""

import pytest

from glymflow.io import write_placeholder
from glymflow.workflow import checksums


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory in which two jobs wrote three files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    checksums.record_outputs(["a.txt", "b.txt", "none.txt"], "logs/fit/sub-01/x.log")
    checksums.record_outputs(["c.txt"], "logs/collect.log")
    return tmp_path


def found(run, **options):
    written = checksums.read_records(run / "logs")
    return [fault for one in written if (fault := checksums.compare(one, run, **options))]


def test_files_as_they_were_written_are_no_faults(run):
    assert [one.path for one in checksums.read_records(run / "logs")] == ["c.txt", "a.txt", "b.txt"]
    assert found(run) == []


def test_a_deleted_a_shorter_and_a_changed_file_are_named(run):
    (run / "a.txt").unlink()
    (run / "b.txt").write_text("b")
    (run / "c.txt").write_text("C.txt")
    deleted, shorter = "a.txt: deleted since", "b.txt: 1 bytes, 5 were written"
    assert [fault.split(" it was")[0] for fault in found(run)] == [
        "c.txt: changed since",
        deleted,
        shorter,
    ]
    assert len(found(run, whole_file=False)) == 2  # sizes alone


def test_only_inputs_that_a_job_of_ours_wrote_count(run):
    (run / "a.txt").write_text("a")
    (run / "sub-01").mkdir()
    log = "logs/measure/sub-01/x.log"
    assert checksums.damaged(["b.txt", "raw.nii.gz"], log) is None
    assert checksums.damaged(["a.txt"], log) is None  # of sub-01, which the input does not name
    checksums.record_outputs(["sub-01/../b.txt"], "logs/fit/sub-01/y.log")
    (run / "b.txt").write_text("b")
    assert checksums.damaged(["sub-01/../b.txt"], log).startswith("sub-01/../b.txt: 1 bytes")
    assert checksums.damaged(["c.txt"], "job.log") is None  # not among logs


def test_a_damaged_record_counts_as_none(run):
    checksums.record_path("logs/collect.log").write_text("sha256\tbytes\tpath\nxx\tyy")
    assert [one.path for one in checksums.read_records(run / "logs")] == ["a.txt", "b.txt"]


def test_what_could_not_be_made_is_recorded_so(run):
    for name in ("d.nii.gz", "d_alps.tsv"):
        write_placeholder(name, "truncated")
    checksums.record_outputs(["d.nii.gz", "d_alps.tsv"], "logs/fit/sub-02/x.log")
    made = {one.path: one.made for one in checksums.read_records(run / "logs")}
    assert (made["d.nii.gz"], made["d_alps.tsv"]) == (False, True)  # a table stays, with the reason
    (run / "d.nii.gz").unlink()
    assert found(run) == []


def test_the_kernels_of_each_job_are_kept_and_are_no_file(run, monkeypatch):
    checksums.record_path("logs/collect.log").unlink()
    for name, job in (("A", "fit/sub-01/x"), ("B", "fit/sub-02/x"), ("A", "collect"), (None, "z")):
        monkeypatch.setattr(checksums, "name_kernels", lambda name=name: name)
        checksums.record_outputs(["a.txt"], f"logs/{job}.log")
    assert checksums.used_kernels(run / "logs") == ["A", "B"]
    assert {one.path for one in checksums.read_records(run / "logs")} == {"a.txt"}
    assert found(run) == []


def test_a_job_that_begins_has_not_finished(run, monkeypatch):
    log = run / "logs/fit/sub-01/x.log"
    monkeypatch.setenv(checksums.RUN, "run-1")
    assert not checksums.is_done(log)
    assert not checksums.was_cut_off(log)
    checksums.record_begin(log)
    assert checksums.was_cut_off(log)
    assert not checksums.is_done(log)
    assert not list(checksums.read_records(run / "logs", ["sub-01"]))[1:]
    checksums.record_outputs(["a.txt"], log)
    assert checksums.is_done(log)
    monkeypatch.setenv(checksums.RUN, "run-2")
    assert not checksums.is_done(log)
    assert not checksums.was_cut_off(log)
