"""Results name files by their data set: no path of the machine is left, and the file is found."""

import json
import os

import pytest

from glymflow.io import write_json, write_placeholder
from glymflow.workflow import places

HOME = os.path.expanduser("~")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run directory with the config of a run whose input lies elsewhere."""
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    config = {
        "bids_dir": str(tmp_path / "O'Hara & co" / "bids"),
        "derivatives_dir": str(tmp_path / "O'Hara & co" / "bids" / "derivatives"),
        "study": "/data/anna/plan.yaml",
        "roi_sets": {"own": {"projection_left": "/data/anna/rois/{participant_id}/left.nii"}},
        "participants": None,
    }
    return folder, config


def portable(text, config):
    return places.portable_text(text, places.places_of(config))


def test_files_are_named_by_their_data_set(run):
    folder, config = run
    raw = config["bids_dir"]
    for text, expected in {
        f"{raw}/sub-01/dwi/x.nii.gz: truncated": "bids:raw:sub-01/dwi/x.nii.gz: truncated",
        f"{raw}/derivatives/sub-01/m.nii": "bids:derivatives:sub-01/m.nii",
        f"in {raw}.": "in bids:raw:.",
        f"{raw}2/sub-01": "bids2/sub-01",  # beside it
        f"{folder}/results/logs/a.log": "results/logs/a.log",
        "/data/anna/plan.yaml": "plan.yaml",
        "no /data/anna/rois/sub-01/left.nii": "no sub-01/left.nii",
        f"{HOME}/lib/x.py": "~/lib/x.py",
        "a/data/anna/plan.yaml": "a/data/anna/plan.yaml",  # of another folder
    }.items():
        assert portable(text, config) == expected


def test_json_and_html_write_a_folder_in_their_own_way(run):
    _, config = run
    path = f"{config['bids_dir']}/sub-01/x.nii"
    assert json.loads(portable(json.dumps({"Sources": [path]}), config)) == {
        "Sources": ["bids:raw:sub-01/x.nii"]
    }
    written = path.replace("&", "&amp;").replace("'", "&#39;")
    assert portable(f"<td>{written}</td>", config) == "<td>bids:raw:sub-01/x.nii</td>"


@pytest.mark.parametrize("given", ["bids", "../in/bids", "./bids/"])
def test_a_relative_folder_gives_the_same_names(given):
    text = f"{os.path.join(given, 'sub-01/x.nii')}: truncated; results/bids/x; forbids/x"
    expected = "bids:raw:sub-01/x.nii: truncated; results/bids/x; forbids/x"
    assert portable(text, {"bids_dir": given}) == expected


def test_text_files_and_placeholders_of_a_job_are_rewritten(run):
    folder, config = run
    raw = config["bids_dir"]
    sidecar = folder / "results/derivatives/sub-01/dwi/x.json"
    own = "results/derivatives/sub-01/dwi/fa.nii.gz"
    write_json({"Sources": [f"{raw}/a.nii", own, "results/resources/wm.nii.gz"]}, sidecar)
    image, lost = folder / "a.nii.gz", folder / "b.nii.gz"
    image.write_bytes(f"{raw}/a.nii".encode())
    write_placeholder(lost, f"{raw}/a.nii: truncated")
    for path in (sidecar.relative_to(folder), image, lost, folder / "none.tsv"):
        places.make_portable(path, places.places_of(config))
    assert json.loads(sidecar.read_text())["Sources"] == [
        "bids:raw:a.nii", "bids::sub-01/dwi/fa.nii.gz", "bids:resources:wm.nii.gz",
    ]  # fmt: skip
    assert image.read_bytes().startswith(raw.encode())  # no text: left alone
    assert lost.read_text().endswith("bids:raw:a.nii: truncated\n")


def test_a_link_leads_from_the_derivatives_to_the_input(run, monkeypatch):
    folder, config = run
    links = places.link_datasets(config)
    assert links["raw"] == "../../../O'Hara & co/bids"
    assert (folder / places.DERIVATIVES / links["derivatives"]).resolve().name == "derivatives"
    one = config | {"derivatives_dir": config["bids_dir"]}
    assert list(places.link_datasets(one)) == ["raw"]
    monkeypatch.chdir("/usr")
    elsewhere = "/".join(["", "home", "anna", "bids"])
    assert places.link_datasets({"bids_dir": elsewhere}) == {"raw": None}


def test_files_are_found_again_also_when_all_was_moved(run, tmp_path):
    folder, config = run
    bids = tmp_path / "O'Hara & co" / "bids"
    bids.mkdir(parents=True)
    (bids / "a.nii").touch()
    write_json({"DatasetLinks": places.link_datasets(config)}, folder / places.DESCRIPTION)
    (folder / "participants.tsv").touch()
    moved = tmp_path / "new"
    moved.mkdir()
    for name in ("out", "O'Hara & co"):
        (tmp_path / name).rename(moved / name)
    out = moved / "out"
    found = places.locate("bids:raw:a.nii", out, {}, {})
    assert found.resolve() == moved / "O'Hara & co" / "bids" / "a.nii"
    assert places.locate("participants.tsv", out, {}, {}) == out / "participants.tsv"
    (out / places.DERIVATIVES / "b.json").touch()
    assert places.locate("bids::b.json", out, {}, {}).name == "b.json"
    assert places.locate("bids:raw:gone", out, {}, {}) is None


def test_the_config_and_the_caller_say_where_the_rest_lies(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tsv").touch()
    where = str(tmp_path / "in")
    assert places.locate("bids:raw:a.tsv", tmp_path, {"bids_dir": where}, {})
    assert places.locate("bids:raw:a.tsv", tmp_path, {}, {"raw": where})
    assert places.locate("a.tsv", tmp_path, {"participants": f"{where}/a.tsv"}, {})
    assert places.locate("a.tsv", tmp_path, {}, {}) is None
