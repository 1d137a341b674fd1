"""Write what makes the derivatives folder a BIDS data set: description, README, .bidsignore."""

from glymflow import __version__
from glymflow.io import FilePath, InputFault, read_json, whole, write_json

SOURCE_TERMS = "The terms of the source data set"
# names that BIDS does not know (yet): maps of the tensor, transforms, tables of values
IGNORED = (
    *("*_dwimap.nii.gz", "*_dwimap.json", "*_dwiref.nii.gz"),
    *("*_desc-preproc_dwi.bval", "*_desc-preproc_dwi.bvec"),
    *("*_desc-quality_dwi.tsv", "*_desc-quality_dwi.json", "*_timeseries.tsv", "*_timeseries.json"),
    *("*_xfm.mat", "*_xfm.nii.gz", "*_xfm.json"),
    *("*_alps.tsv", "*_desc-epvs_objects.tsv", "*_desc-epvs_measures.tsv"),
    *("*_desc-preproc_anat.json", "*_fault.json"),
)
README = """\
# Derivatives of glymflow

What was made of each DWI series (`dwi/`) and each session with T1w or T2w (`anat/`): preprocessed
images, brain masks, tensor maps, transforms to MNI152NLin2009aSym, ROIs, perivascular spaces, and
their values. docs/outputs.md of glymflow describes each file.

A series or session that could not be measured has a file `*_fault.json` with the reason in place
of its images; the tables of its values hold the reason too.

Sources are BIDS URIs: `bids:raw:` is the input data set, `bids:derivatives:` the folder of
derivatives that was read with it. `DatasetLinks` in dataset_description.json says where they lie
from here. A link to `sourcedata/` stands for a data set that lies elsewhere: put it there, or a
link to it.
"""


def main(*, description, readme, ignore, links, raw=None):
    """Write ``dataset_description.json`` (BIDS 1.10, derivative), README.md and ``.bidsignore``.

    Parameters
    ----------
    description, readme, ignore : path-like
        Written.
    links : dict of str to (str or None)
        Of the data sets that were read, by their names in BIDS URIs: where they lie, relative to
        the derivatives; None where this would tell of the machine.
    raw : path-like, optional
        The description of the input.
    """
    known = _read(raw)
    ways = {name: way or f"sourcedata/{name}" for name, way in links.items()}
    content = {
        "Name": "glymflow: ALPS, perivascular spaces and lesions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "License": known.get("License") or SOURCE_TERMS,
        "GeneratedBy": [{"Name": "glymflow", "Version": __version__}],
        "SourceDatasets": [_source(way, known if name == "raw" else {})
                           for name, way in ways.items()],
        "DatasetLinks": {**ways, "resources": "../resources"},
    }  # fmt: skip
    if known.get("Authors"):
        content["Authors"] = known["Authors"]
    write_json(content, description)
    for path, text in ((readme, README), (ignore, "\n".join(IGNORED) + "\n")):
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")


def _read(path: FilePath | None) -> dict:
    """Return the description of the input; one that cannot be read tells nothing."""
    if path is None:
        return {}
    try:
        found = read_json(path)
    except InputFault as fault:
        print(fault)
        return {}
    return found if isinstance(found, dict) else {}


def _source(way, known):
    """Return an entry of SourceDatasets."""
    source = {"URL": way}
    if doi := known.get("DatasetDOI"):
        source["DOI"] = doi
    return source


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            description=snakemake.output.description,
            readme=snakemake.output.readme,
            ignore=snakemake.output.ignore,
            links=snakemake.params.links,
            raw=snakemake.input.raw or None,
        )
