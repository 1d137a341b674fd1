"""scripts/describe_derivatives.py: what BIDS wants to know about the derivatives."""

from glymflow import __version__
from glymflow.io import read_json


def test_required_fields_of_a_derivative(load_main, tmp_path):
    load_main("describe_derivatives")(description=tmp_path / "new" / "dataset_description.json")
    content = read_json(tmp_path / "new" / "dataset_description.json")
    assert content["DatasetType"] == "derivative"
    assert content["BIDSVersion"].startswith("1.")
    assert content["Name"]
    assert content["GeneratedBy"] == [{"Name": "glymflow", "Version": __version__}]
