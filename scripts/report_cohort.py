"""Write the page of the whole cohort: who was measured, who was not, the values and their QC."""

from pathlib import Path

from glymflow.alps.heat_map import heat_map_html
from glymflow.alps.index import alps_table
from glymflow.cohort.domain import of_primary_model
from glymflow.domains import DOMAINS
from glymflow.dwi.protocol import name_scanner
from glymflow.io import read_tsv, whole
from glymflow.pages import report
from glymflow.pages.distributions import distributions, splits
from glymflow.pages.values import cohort_script
from glymflow.study.cohort_table import read_cohort


def main(
    *, measures, cohort, excluded, subjects, config, page, plan=None, tables=(), figures=(),
    pictures=None, values=None, flow=None, methods_text=None,
):  # fmt: skip
    """Write the page, and the values that the pages of the subjects show of the cohort.

    Parameters
    ----------
    measures : dict of str to path-like
        Table of each domain that is measured, by name.
    cohort, excluded : path-like
        The tables in ``results/cohort``.
    subjects : list of str
        Participants that have a page beside this one.
    config : dict
        The run's; of a ready table its path, `table`.
    page : path-like
        Written: HTML.
    plan : dict, optional
        Of the study plan `title`, `groups` and `site`, the column that is harmonised.
    tables : list of path-like
        Printed tables (HTML) to show.
    figures : list of path-like
        Figures of the study plan (SVG, or PNG where there is no SVG of that name).
    pictures : dict of str to path-like, optional
        A picture of a domain: the frequency map of the lesions (PNG).
    values : path-like, optional
        Written: a script (`glymflow.pages.values`).
    flow, methods_text : path-like, optional
        Of the study plan: ``stats/flow.tsv`` and ``tables/methods.txt``.
    """
    plan, pictures = plan or {}, pictures or {}
    measured = {name: read_tsv(path) for name, path in measures.items()}
    measured = {name: of_primary_model(table) for name, table in measured.items()}
    alps = measured.get("alps", alps_table([]))
    cohort, excluded = read_cohort(cohort), read_tsv(excluded)
    groups = plan.get("groups") or {}
    grouped = {"column": groups.get("column"), "order": groups.get("order"),
               "labels": groups.get("labels")}  # fmt: skip
    charts, parts, methods = [], [], []
    for domain in (domain for domain in DOMAINS if domain.name in measured):
        page_of, table = domain.part("page"), measured[domain.name]
        methods.append(domain.part("methods").sentences(table, config))
        if domain.name == "alps":
            charts += page_of.cohort_charts(table, config)
            continue
        part = page_of.cohort_part(
            table, subjects=subjects, has_alps="alps" in measured, config=config,
            picture=pictures.get(domain.name),
        )  # fmt: skip
        parts.append(part)
        charts += part.charts
    found = domain_values(measured, config)
    scanners = None
    if "scanner_model" in cohort:
        scanners = [name_scanner(row) for row in cohort.to_dict("records")]
    chosen = splits(cohort, grouped=grouped, site=plan.get("site"), scanners=scanners)
    primary = report.select_primary(alps, config["roi_set"], config["frame"])
    html = report.cohort_page(
        DOMAINS[0].part("page").with_words(alps, config.get("qc")), cohort, excluded,
        config=describe_run(config, plan, list(measured), list(filter(None, methods))),
        reasons=DOMAINS[0].reasons, subjects=subjects, group_column=groups.get("column"),
        parts=parts, charts=charts,
        tables=[report.embed_table(p.stem, p.read_text("utf-8")) for p in map(Path, tables)],
        figures=report.embed_figures(figures),
        counted=DOMAINS[0].part("page").count_reasons(primary, config.get("qc")),
        study=describe_study(flow, methods_text),
        checks=heat_map_html(primary, config.get("qc"), subjects=subjects),
        distributions=distributions(found, chosen, subjects),
        protocol=DOMAINS[0].part("page").cohort_protocols(
            alps, cohort, config=config, grouped=grouped
        ),
    )  # fmt: skip
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    with whole(page) as part:
        part.write_text(html, encoding="utf-8")
    if values:
        with whole(values) as part:
            part.write_text(cohort_script(subjects, found), encoding="utf-8")
    print(f"{page}: {len(subjects)} subjects", flush=True)


def domain_values(measured, config):
    """Return the values of each scan, of each domain that is measured."""
    pages = [(d.part("page"), measured[d.name]) for d in DOMAINS if d.name in measured]
    return [
        page_of.cohort_values(table, config)
        for page_of, table in pages
        if hasattr(page_of, "cohort_values")
    ]


def describe_study(flow, methods_text):
    """Return the flow of the study plan and the paragraphs of its methods, for the page."""
    texts = Path(methods_text).read_text("utf-8").split("\n\n") if methods_text else []
    return {
        "flow": read_tsv(flow) if flow else None,
        "methods": [text.strip() for text in texts if text.strip()],
    }


def describe_run(config, plan, measured, methods):
    """Return what the page says of the run: primary values, title, methods, choices."""
    titles = {domain.name: domain.title for domain in DOMAINS}
    groups = plan.get("groups") or {}
    if not measured:  # a ready table
        return {
            "title": plan.get("title", "Study of a table"),
            "roi_set": None,
            "frame": None,
            "cohort table": config["table"],
            "study plan": config["study"],
        }
    of_dwi = {
        "tensor fit": config["tensor"]["fit"],
        "series of a session": config["combine_series"],
    }
    return {
        "roi_set": config["roi_set"],
        "frame": config["frame"],
        "title": plan.get("title", f"{titles[measured[0]]} of the cohort"),
        "group_labels": groups.get("labels"),
        **(of_dwi if "alps" in measured else {}),
        "study plan": config["study"],
        "methods": methods,
    }


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            measures=dict(zip(snakemake.params.domains, snakemake.input.measures, strict=True)),
            cohort=snakemake.input.cohort,
            excluded=snakemake.input.excluded,
            subjects=snakemake.params.subjects,
            config=snakemake.params.config,
            page=snakemake.output.page,
            values=snakemake.output.values,
            plan=snakemake.params.plan,
            tables=snakemake.input.get("tables", []),
            figures=snakemake.input.get("figures", []),
            pictures=dict(zip(snakemake.params.pictured, snakemake.input.pictures, strict=True)),
            **dict(zip(("flow", "methods_text"), snakemake.input.study, strict=False)),
        )
