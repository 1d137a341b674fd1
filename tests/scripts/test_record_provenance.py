"""scripts/record_provenance.py: what the run was made with, and what it cost."""

from glymflow.io import read_json, read_tsv, write_json


def test_record_and_cost(load_main, tmp_path):
    write_json({"SourcesSHA256": {"bids/sub-01_dwi.nii.gz": "ab"}}, tmp_path / "sub-01.json")
    (tmp_path / "plan.yaml").write_text("title: x\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "merge_cohort.tsv").write_text(
        "s\th:m:s\tmax_rss\tcpu_time\n1.0\t0:00:01\t100\t0.5\n"
    )
    given = {
        "config": {"bids_dir": "bids", "frame": "template"},
        "plan": tmp_path / "plan.yaml",
        "scripts": {"fit_tensor": "0123"},
        "sidecars": [tmp_path / "sub-01.json"],
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
    assert record["inputs"] == {"bids/sub-01_dwi.nii.gz": "ab"}
    assert record["software"]["packages"]["numpy"]
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_tsv(tmp_path / "a.tsv").rule.tolist() == ["merge_cohort"]


def test_a_cohort_without_plan(load_main, tmp_path):
    load_main("record_provenance")(
        config={}, plan=None, scripts={}, sidecars=[], files=[], benchmarks=tmp_path / "none",
        provenance=tmp_path / "a.json", cost=tmp_path / "a.tsv",
    )  # fmt: skip
    assert read_json(tmp_path / "a.json")["plan"] is None
