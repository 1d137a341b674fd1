"""Files of a run and its inputs are compared with what was recorded of them."""

from types import SimpleNamespace

import pytest

from glymflow.commands import verify
from glymflow.io import InputFault, checksum, write_json, write_placeholder
from glymflow.workflow.checksums import record_outputs

SIDECAR = "results/derivatives/sub-01/dwi/sub-01_desc-preproc_dwi.json"
TENSOR = "results/derivatives/sub-01/dwi/sub-01_tensor.nii.gz"


@pytest.fixture
def out(tmp_path, monkeypatch):
    """A run directory with one series."""
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "dwi.nii.gz"
    raw.write_text("raw")
    write_json({"SourcesSHA256": {str(raw): checksum(raw)}}, SIDECAR)
    (tmp_path / TENSOR).write_text("tensor")
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id")
    inputs = {str(path): checksum(path) for path in (raw, table)}
    inputs["sub-02.json"] = "not measured: no image"  # and is not there
    write_json({"inputs": inputs}, "results/provenance.json")
    record_outputs([SIDECAR, TENSOR], "results/logs/fit_tensor/sub-01/sub-01.log")
    return tmp_path


def run(out, capsys, quick=False, **given):
    given = {"bids_dir": None, "config": None} | given
    status = verify.run(SimpleNamespace(out_dir=str(out), quick=quick, **given))
    return status, capsys.readouterr().out.splitlines()


def test_all_is_as_it_was(out, capsys):
    assert run(out, capsys) == (0, ["2 files are as they were written"])


def test_a_file_with_the_same_size_and_another_content(out, capsys):
    (out / TENSOR).write_text("TENSOR")
    status, lines = run(out, capsys)
    assert status == 1
    assert lines[0] == f"{TENSOR}: changed since it was written"
    assert lines[-1] == f"To make them again: glymflow run ... -- --forcerun {TENSOR}"
    assert run(out, capsys, quick=True)[0] == 0


def test_a_changed_input_is_named_with_what_was_made_of_it(out, capsys):
    (out / "dwi.nii.gz").write_text("other")
    status, lines = run(out, capsys)
    assert status == 1
    assert lines[0].endswith("dwi.nii.gz: an input that changed since it was read")
    assert lines[-1].endswith(f"--forcerun {SIDECAR}")
    (out / "participants.tsv").unlink()
    assert run(out, capsys)[1][-1].endswith("--forceall")


def test_inputs_are_found_by_the_links_the_config_or_where_they_lie_now(out, capsys):
    raw = out / "in" / "dwi.nii.gz"
    write_json({"inputs": {"bids:raw:dwi.nii.gz": checksum(out / "dwi.nii.gz")}},
               "results/provenance.json")  # fmt: skip
    raw.parent.mkdir()
    (out / "dwi.nii.gz").rename(raw)
    assert "an input that is gone" in run(out, capsys)[1][0]
    assert run(out, capsys, bids_dir=str(raw.parent))[0] == 0
    (out / "mine.yaml").write_text("bids_dir: in\n")
    assert run(out, capsys, config=str(out / "mine.yaml"))[0] == 0
    (out / "mine.yaml").rename(out / verify.CONFIG)
    assert run(out, capsys)[0] == 0
    (out / verify.CONFIG).unlink()
    description = "results/derivatives/dataset_description.json"
    write_json({"DatasetLinks": {"raw": "../../in"}}, description)
    assert run(out, capsys)[0] == 0


def test_what_a_placeholder_stood_for_is_not_missed(out, capsys):
    write_placeholder(TENSOR, "no tensor")
    record_outputs([SIDECAR, TENSOR], "results/logs/fit_tensor/sub-01/sub-01.log")
    (out / TENSOR).unlink()
    assert run(out, capsys) == (0, ["1 files are as they were written"])
    assert verify.spoilt_outputs(out) == []


def test_spoilt_outputs_are_found_by_size(out):
    assert verify.spoilt_outputs(out) == []
    (out / TENSOR).unlink()
    (out / SIDECAR).write_text("")
    assert verify.spoilt_outputs(out) == [SIDECAR, TENSOR]


def test_a_folder_without_records_is_named(tmp_path, capsys):
    with pytest.raises(InputFault, match=r"no records of a run in results/logs"):
        run(tmp_path, capsys)
