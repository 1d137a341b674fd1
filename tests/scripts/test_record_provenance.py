"""scripts/record_provenance.py: what the run was made with, and what it cost."""

import runpy

from workflow_runs import CHECKOUT

from glymflow.io import checksum, read_json, read_tsv, write_json, write_placeholder

KINDS = {"dwi": "nii", "bval": "bval", "bvec": "bvec"}


def test_record_and_cost(load_main, tmp_path):
    write_json({"SourcesSHA256": {"bids/sub-01_dwi.nii.gz": "ab"}}, tmp_path / "sub-01.json")
    write_placeholder(tmp_path / "sub-02.json", "b.bvec: no tensor")
    write_json({"SourcesSHA256": {"bids/sub-01_T1w.nii.gz": "cd"}}, tmp_path / "anat.json")
    for name in ("a", "b"):
        for kind in ("nii", "bval", "bvec"):
            (tmp_path / f"{name}.{kind}").write_text(f"{name} {kind}")
    rows = [{k: str(tmp_path / f"{n}.{e}") for k, e in KINDS.items()} for n in ("a", "b")]
    (tmp_path / "plan.yaml").write_text("title: x\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "merge_cohort.tsv").write_text(
        "s\th:m:s\tmax_rss\tcpu_time\n1.0\t0:00:01\t100\t0.5\n"
    )
    given = {
        "config": {"bids_dir": "bids", "frame": "template"},
        "plan": tmp_path / "plan.yaml",
        "scripts": {"fit_tensor": "0123"},
        "raw": [list(row.values()) for row in rows],
        "sidecars": [tmp_path / "sub-01.json", tmp_path / "sub-02.json"],
        "others": [tmp_path / "anat.json"],
        "files": [],
        "benchmarks": tmp_path / "benchmarks",
    }
    main = load_main("record_provenance")
    for name in ("a", "b"):
        main(**given, provenance=tmp_path / f"{name}.json", cost=tmp_path / f"{name}.tsv",
             script=tmp_path / f"{name}.js")  # fmt: skip
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
    assert (tmp_path / "a.js").read_text().startswith('window.glymflowCost = [["merge_cohort",1')


def test_a_cohort_without_plan(load_main, tmp_path):
    load_main("record_provenance")(
        config={}, plan=None, scripts={}, raw=[], sidecars=[], others=[], files=[],
        benchmarks=tmp_path / "none", provenance=tmp_path / "a.json", cost=tmp_path / "a.tsv",
        script=tmp_path / "a.js",
    )  # fmt: skip
    assert read_json(tmp_path / "a.json")["plan"] is None


def test_a_series_without_a_sidecar_is_known_by_its_table(tmp_path):
    """The same in the run that met the fault and in a later one, when the placeholder is gone."""
    sidecar_of = runpy.run_path(str(CHECKOUT / "scripts" / "record_provenance.py"))["sidecar_of"]
    table = tmp_path / "sub-01_desc-quality_dwi.tsv"
    sidecar = tmp_path / "sub-01_desc-preproc_dwi.json"
    write_json({}, sidecar)
    assert sidecar_of(table, "_desc-preproc_dwi.json") == sidecar
    write_placeholder(sidecar, "no tensor")
    assert sidecar_of(table, "_desc-preproc_dwi.json") == table
    sidecar.unlink()
    assert sidecar_of(table, "_desc-preproc_dwi.json") == table
