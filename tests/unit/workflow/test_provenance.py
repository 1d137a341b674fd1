"""What a run was made with."""

import hashlib
import subprocess

import pytest

from glymflow.io import checksum, write_json, write_placeholder
from glymflow.workflow import provenance


def test_checksum_is_sha256_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_inputs_come_from_sidecars_and_files(tmp_path):
    write_json({"SourcesSHA256": {"bids/b.nii.gz": "12", "bids/a.bval": "34"}}, tmp_path / "1.json")
    write_placeholder(tmp_path / "2.json", "bids/c.nii.gz: truncated")
    (tmp_path / "participants.tsv").write_bytes(b"abc")
    (tmp_path / "c.nii.gz").write_bytes(b"abcd")
    sources = {
        tmp_path / "1.json": [tmp_path / "not read again"],
        tmp_path / "2.json": [tmp_path / "c.nii.gz", tmp_path / "not there"],
    }
    found = provenance.input_checksums(sources, [tmp_path / "participants.tsv"])
    assert found["bids/a.bval"] == "34"
    assert found["bids/b.nii.gz"] == "12"
    assert found[str(tmp_path / "2.json")] == "not measured: bids/c.nii.gz: truncated"
    assert found[str(tmp_path / "participants.tsv")] == hashlib.sha256(b"abc").hexdigest()
    assert found[str(tmp_path / "c.nii.gz")] == hashlib.sha256(b"abcd").hexdigest()
    assert len(found) == 5
    assert list(found) == sorted(found)


def test_packages_are_those_that_the_project_needs():
    versions = provenance.package_versions()
    assert {"glymflow", "numpy", "antspyx", "snakemake"} <= set(versions)
    assert "pytest" not in versions  # for development only
    assert list(versions) == sorted(versions)
    everything = provenance.package_versions("no-such-distribution")
    assert {"numpy", "pytest"} <= set(everything)


def test_commit_and_whether_files_differ(tmp_path):
    assert provenance.checkout_state(tmp_path) == {"commit": None, "modified": None}
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
    except OSError:
        pytest.skip("git is not installed")
    (tmp_path / "file").write_text("1")
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    state = provenance.checkout_state(tmp_path)
    assert len(state["commit"]) == 40
    assert state["modified"] is False
    (tmp_path / "file").write_text("2")
    assert provenance.checkout_state(tmp_path) == state | {"modified": True}


HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def test_benchmarks_are_summed_up_per_rule(tmp_path):
    for name, row in {
        "fit_tensor/sub-01/sub-01.tsv": "2.0\t0:00:02\t300\t1\t1\t1\t1\t1\t90\t1.5\n",
        "fit_tensor/sub-02/sub-02.tsv": "4.0\t0:00:04\t200\t1\t1\t1\t1\t1\t90\t3.5\n",
        "collect_alps.tsv": "1.0\t0:00:01\tNA\tNA\tNA\tNA\t1\t1\t0\t0.5\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + row)
    table = provenance.summarise_benchmarks(tmp_path).set_index("rule")
    assert table.loc["fit_tensor"].tolist() == [2, 3.0, 3.0, 4.0, 6.0, 5.0, 300.0]
    assert table.loc["collect_alps", "jobs"] == 1
    assert table.loc["collect_alps"].isna()["max_rss_mb"]
    assert provenance.summarise_benchmarks(tmp_path / "none").empty
    assert provenance.cost_script(table.reset_index()) == (
        'window.glymflowCost = [["fit_tensor",2,3.0,4.0,5.0,300.0],'
        '["collect_alps",1,1.0,1.0,0.5,null]];\n'
    )
