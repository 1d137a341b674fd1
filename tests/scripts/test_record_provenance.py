"""scripts/record_provenance.py: what the run was made with, and what it cost."""

import pandas as pd

from glymflow.io import checksum, read_json, read_tsv, write_json, write_placeholder, write_tsv

KINDS = {"dwi": "nii", "bval": "bval", "bvec": "bvec"}


def test_record_and_cost(load_main, tmp_path):
    write_json({"SourcesSHA256": {"bids/sub-01_dwi.nii.gz": "ab"}}, tmp_path / "sub-01.json")
    write_placeholder(tmp_path / "sub-02.json", "b.bvec: no tensor")
    write_json({"SourcesSHA256": {"bids/sub-01_T1w.nii.gz": "cd"}}, tmp_path / "anat.json")
    for name in ("a", "b"):
        for kind in ("nii", "bval", "bvec"):
            (tmp_path / f"{name}.{kind}").write_text(f"{name} {kind}")
    rows = [{k: str(tmp_path / f"{n}.{e}") for k, e in KINDS.items()} for n in ("a", "b")]
    write_tsv(pd.DataFrame(rows), tmp_path / "series.tsv")
    (tmp_path / "plan.yaml").write_text("title: x\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "merge_cohort.tsv").write_text(
        "s\th:m:s\tmax_rss\tcpu_time\n1.0\t0:00:01\t100\t0.5\n"
    )
    given = {
        "config": {"bids_dir": "bids", "frame": "template"},
        "plan": tmp_path / "plan.yaml",
        "scripts": {"fit_tensor": "0123"},
        "series": tmp_path / "series.tsv",
        "sidecars": [tmp_path / "sub-01.json", tmp_path / "sub-02.json"],
        "others": [tmp_path / "anat.json"],
        "files": [],
        "benchmarks": tmp_path / "benchmarks",
    }
    main = load_main("record_provenance")
    for name in ("a", "b"):
        main(**given, provenance=tmp_path / f"{name}.json", cost=tmp_path / f"{name}.tsv")
    record = read_json(tmp_path / "a.json")
    assert record["workflow"]["code"] == {"fit_tensor": "0123"}
    assert record["config"] == given["config"]
    assert record["plan"]["path"] == str(tmp_path / "plan.yaml")
    assert len(record["plan"]["sha256"]) == 64
    failed = {str(tmp_path / f"b.{kind}") for kind in ("nii", "bval", "bvec")}
    assert record["inputs"] == {path: checksum(path) for path in failed} | {
        "bids/sub-01_dwi.nii.gz": "ab", "bids/sub-01_T1w.nii.gz": "cd",
        str(tmp_path / "sub-02.json"): "not measured: b.bvec: no tensor",
    }  # fmt: skip
    assert record["software"]["packages"]["numpy"]
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_tsv(tmp_path / "a.tsv").rule.tolist() == ["merge_cohort"]


def test_a_cohort_without_plan(load_main, tmp_path):
    load_main("record_provenance")(
        config={}, plan=None, scripts={}, series=None, sidecars=[], others=[], files=[],
        benchmarks=tmp_path / "none", provenance=tmp_path / "a.json", cost=tmp_path / "a.tsv",
    )  # fmt: skip
    assert read_json(tmp_path / "a.json")["plan"] is None
