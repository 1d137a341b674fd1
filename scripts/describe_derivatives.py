"""Write the dataset description of the derivatives folder."""

from glymflow import __version__
from glymflow.io import write_json


def main(*, description):
    """Write ``dataset_description.json`` (BIDS 1.10, derivative)."""
    content = {
        "Name": "glymflow: ALPS, perivascular spaces and lesions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "glymflow", "Version": __version__}],
    }
    write_json(content, description)


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(description=snakemake.output.description)
