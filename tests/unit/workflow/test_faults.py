"""What a series that cannot be measured leaves behind, while a run goes on and after it."""

from types import SimpleNamespace

import pytest

from glymflow.io import read_json, write_placeholder
from glymflow.workflow import faults
from glymflow.workflow.checksums import record_outputs

OUTPUTS = [f"d/sub-01_{name}" for name in ("fa.nii.gz", "dwi.json", "dwi.bval", "alps.tsv")]


def test_a_fault_lies_beside_the_outputs_of_a_series_or_session():
    def path(**wildcards):
        return faults.fault_path(OUTPUTS, SimpleNamespace(**wildcards))

    assert path(series="sub-01", folder="sub-01").as_posix() == "d/sub-01_fault.json"
    assert path(session="sub-01_ses-1").as_posix() == "d/sub-01_ses-1_fault.json"
    assert path(subject="sub-01") is None
    assert faults.fault_path([], SimpleNamespace(series="x")) is None


def test_the_first_step_that_meets_a_fault_says_it(tmp_path):
    path = tmp_path / "x_fault.json"
    assert faults.leave_fault(path, "truncated", "fit_tensor")
    assert not faults.leave_fault(path, "truncated", "register_template")  # passed on
    assert faults.leave_fault(path, "truncated", "fit_tensor")
    assert read_json(path) == {"Fault": "truncated", "Step": "fit_tensor"}
    assert faults.leave_fault(path, "no brain", "fit_tensor")
    assert read_json(path)["Fault"] == "no brain"


def test_a_fault_goes_when_its_step_goes_well(tmp_path):
    path = tmp_path / "x_fault.json"
    faults.leave_fault(path, "truncated", "register_template")
    faults.clear_fault(path, "fit_tensor")
    assert path.exists()
    faults.clear_fault(path, "register_template")
    faults.clear_fault(path, "register_template")
    assert not path.exists()
    path.write_text("half")
    faults.clear_fault(path, "fit_tensor")
    assert not path.exists()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in OUTPUTS:
        write_placeholder(path, "truncated")
    record_outputs(OUTPUTS, "results/logs/fit_tensor/sub-01/sub-01.log")
    return tmp_path


def test_only_tables_say_the_reason_after_a_run(run):
    assert faults.remove_placeholders() == 3
    assert [path.name for path in (run / "d").iterdir()] == ["sub-01_alps.tsv"]
    assert faults.remove_placeholders() == 0


def test_what_was_made_since_stays(run):
    (run / OUTPUTS[0]).write_text("an image")
    assert faults.remove_placeholders() == 2
    assert (run / OUTPUTS[0]).read_text() == "an image"
