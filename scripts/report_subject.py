"""Write the page of one subject: what each domain shows of it, values and pictures."""

import os
from pathlib import Path

from glymflow.domains import DOMAINS
from glymflow.io import whole
from glymflow.pages.report import subject_page


def main(*, participant, files, values, roi_set, frame, page):
    """Write the page; what could not be measured is shown with the reason.

    Parameters
    ----------
    participant : str
        The subject, e.g. "sub-01".
    files, values : dict of str to dict
        By domain: paths and settings for the `subject_parts` of its page.
    roi_set, frame : str
        The primary ones.
    page : path-like
        Written: HTML.
    """
    parts, headline = [], "no DWI series"
    for domain in DOMAINS:
        shown = domain.part("page").subject_parts(files[domain.name], **values[domain.name])
        if domain.name == "alps" and shown:
            headline = domain.part("page").headline(shown, roi_set=roi_set, frame=frame)
        parts += shown
    tables = link_tables(files, Path(page).parent)
    html = subject_page(participant, parts, headline=headline, tables=tables)
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    with whole(page) as part:
        part.write_text(html, encoding="utf-8")


def link_tables(files, folder):
    """Return (name, link from the folder) of each table that the page is made from."""
    listed = [path for paths in files.values() for some in paths.values() for path in some]
    found = dict.fromkeys(str(path) for path in listed if str(path).endswith(".tsv"))
    return [(Path(p).name, Path(os.path.relpath(p, folder)).as_posix()) for p in found]


def by_domain(inputs):
    """Return the rule's inputs, named `<domain>_<name>`, as a dict for each domain."""
    files = {domain.name: {} for domain in DOMAINS}
    for key, paths in inputs.items():
        domain, _, name = key.partition("_")
        files[domain][name] = [paths] if isinstance(paths, str) else list(paths)
    return files


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            participant=snakemake.params.participant,
            files=by_domain(snakemake.input),
            values=snakemake.params.values,
            roi_set=snakemake.params.roi_set,
            frame=snakemake.params.frame,
            page=snakemake.output.page,
        )
