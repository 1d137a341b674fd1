"""scripts/describe_derivatives.py: what BIDS wants to know about the derivatives."""

import pytest

from glymflow import __version__
from glymflow.io import read_json, write_json


@pytest.fixture
def describe(load_main, tmp_path):
    def run(**given):
        folder = tmp_path / "new"
        names = {"description": "dataset_description.json", "readme": "README.md"}
        paths = {key: folder / name for key, name in names.items()}
        load_main("describe_derivatives")(
            **({"links": {"raw": "../../bids"}} | given), **paths, ignore=folder / ".bidsignore"
        )
        return read_json(paths["description"])

    return run


def test_required_fields_of_a_derivative(describe, tmp_path):
    content = describe()
    assert content["DatasetType"] == "derivative"
    assert content["BIDSVersion"].startswith("1.")
    assert content["Name"]
    assert content["License"] == "The terms of the source data set"
    assert content["GeneratedBy"] == [{"Name": "glymflow", "Version": __version__}]
    assert content["SourceDatasets"] == [{"URL": "../../bids"}]
    assert content["DatasetLinks"] == {"raw": "../../bids", "resources": "../resources"}
    assert "bids:raw:" in (tmp_path / "new" / "README.md").read_text()
    assert "*_fault.json" in (tmp_path / "new" / ".bidsignore").read_text().splitlines()


def test_the_source_says_licence_authors_and_doi(describe, tmp_path):
    raw = tmp_path / "raw.json"
    write_json({"License": "CC0", "Authors": ["A", "B"], "DatasetDOI": "doi:10.1/x"}, raw)
    content = describe(raw=raw, links={"raw": None, "derivatives": "../masks"})
    assert (content["License"], content["Authors"]) == ("CC0", ["A", "B"])
    assert content["SourceDatasets"] == [
        {"URL": "sourcedata/raw", "DOI": "doi:10.1/x"},  # where to put it
        {"URL": "../masks"},
    ]
    raw.write_text("no JSON")
    assert "Authors" not in describe(raw=raw)
