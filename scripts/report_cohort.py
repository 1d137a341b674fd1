"""Write the page of the whole cohort: who was measured, who was not, the values and their QC."""

from pathlib import Path

from glymflow.alps.index import alps_table
from glymflow.epvs.objects import LIMITS
from glymflow.epvs.objects import REASONS as EPVS_REASONS
from glymflow.epvs.page import EPVS_CHART, describe_epvs_cohort
from glymflow.figures import charts
from glymflow.io import read_tsv, whole
from glymflow.lesions.measure import REASONS as LESION_REASONS
from glymflow.lesions.page import describe_lesions
from glymflow.pages import report
from glymflow.tables.methods import epvs_methods


def main(
    *, alps, cohort, excluded, subjects, config, page,
    tables=(), figures=(), group_column=None, reasons=None, lesions=None, lesion_map=None,
    epvs=None, epvs_settings=None,
):  # fmt: skip
    """Write the page.

    Parameters
    ----------
    alps, cohort, excluded : path
        The tables in ``results/cohort``; `alps` is None where nobody has DWI.
    subjects : list of str
        Participants that have a page beside this one.
    config : dict
        `roi_set`, `frame`; optionally `title`, `methods`, `versions`, `group_order`,
        `group_labels`; every other entry is listed under "How this was made".
    page : path
        The HTML page to write.
    tables : list of path
        Printed tables (HTML) to show.
    figures : list of path
        Figures of the study plan (SVG, or PNG where there is no SVG of that name).
    group_column : str, optional
        Column of `cohort` with the group.
    reasons : dict, optional
        QC reason code to sentence; default: `glymflow.alps.qc.REASONS`.
    lesions, lesion_map : path, optional
        ``lesions.tsv`` and the frequency map as PNG.
    epvs : path, optional
        ``epvs.tsv``.
    epvs_settings : dict, optional
        The config's `epvs`.
    """
    if reasons is None:
        from glymflow.alps.qc import REASONS as reasons
    alps = read_tsv(alps) if alps else alps_table([])
    cohort, excluded = read_tsv(cohort), read_tsv(excluded)
    spaces = read_tsv(epvs) if epvs else None
    if spaces is not None:
        text = epvs_methods(spaces, **{name: epvs_settings[name] for name in LIMITS})
        config = config | {"methods": [*as_list(config.get("methods")), *as_list(text)]}
    html = report.cohort_page(
        alps, cohort, excluded, config=config, reasons=reasons, subjects=subjects,
        group_column=group_column,
        charts=draw_charts(alps, cohort, subjects, config, group_column),
        tables=[report.embed_table(p.stem, p.read_text("utf-8")) for p in map(Path, tables)],
        figures=embed_figures(figures),
        lesions=describe_lesions(
            read_tsv(lesions), reasons=LESION_REASONS, subjects=subjects
        ) if lesions else (),
        lesion_map=Path(lesion_map).read_bytes() if lesion_map else None,
        epvs=describe_epvs_cohort(
            spaces, reasons=EPVS_REASONS, subjects=subjects
        ) if spaces is not None else (),
    )  # fmt: skip
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    with whole(page) as part:
        part.write_text(html, encoding="utf-8")
    print(f"{page}: {len(subjects)} subjects", flush=True)


def as_list(texts):
    """Return a list of paragraphs."""
    return ([texts] if texts else []) if isinstance(texts, str) else list(texts or [])


def draw_charts(alps, cohort, subjects, config, group_column):
    """Return the charts of the page: ALPS, then perivascular spaces."""
    cohort = report.link_pages(cohort, subjects)
    order, labels = config.get("group_order"), config.get("group_labels")
    grouped = {"column": group_column, "order": order, "labels": labels}
    drawn = draw_alps(alps, cohort, subjects, config, grouped)
    if "epvs_count" in cohort and cohort["epvs_count"].notna().any():
        figure = charts.plot_distribution(cohort, list(EPVS_CHART), names=EPVS_CHART, **grouped)
        text = (
            "One point per subject and session; box: median, quartiles. ‰: of the brain's volume."
        )
        drawn.append(("epvs", figure, "Perivascular spaces", text))
    return [
        report.embed_chart(
            name, charts.figure_bytes(figure, "svg", transparent=True), title, text,
            wide=name == "epvs",
        )
        for name, figure, title, text in drawn
    ]  # fmt: skip


def draw_alps(alps, cohort, subjects, config, grouped):
    """Return (name, figure, title, text) of the charts of ALPS."""
    alps = report.link_pages(alps, subjects)
    primary = report.select_primary(alps, config["roi_set"], config["frame"])
    if primary.empty or "alps_mean" not in cohort:
        return []
    one_set = alps[alps["roi_set"] == config["roi_set"]]
    by_group = charts.plot_distribution(cohort, ["alps_mean"], **grouped)
    return [
        ("groups", by_group, "ALPS by group" if grouped["column"] else "ALPS in the cohort",
         "One point per subject and session; box: median, quartiles; whiskers: 1.5 box lengths."),
        ("sides", charts.plot_sides(primary), "Left and right",
         "One point per series; thin lines: 95 % confidence intervals, if there are not more than"
         f" {charts.MOST_INTERVALS}. Far from the dashed line of equality: look at its page."),
        ("frames", charts.plot_frames(one_set), "The same scans in each frame",
         "Lines join one series. The frame shifts the index: compare only values of one frame."),
        ("alignment", charts.plot_alignment(primary), "Are the ROIs on the right fibres?",
         "1 = fibres run exactly along the axis that the index assumes."
         " Marks: QC status, as above."),
    ]  # fmt: skip


def embed_figures(paths):
    """Return the plan's figures; of one name the SVG is taken."""
    best = {}
    for path in sorted(map(Path, paths), key=lambda p: p.suffix):  # .png before .svg
        best[path.stem] = path
    return [
        report.embed_figure(name, path.read_bytes(), path.suffix[1:]) for name, path in best.items()
    ]


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            alps=snakemake.input.alps or None,
            cohort=snakemake.input.cohort,
            excluded=snakemake.input.excluded,
            subjects=snakemake.params.subjects,
            config=snakemake.params.config,
            page=snakemake.output.page,
            tables=snakemake.input.get("tables", []),
            figures=snakemake.input.get("figures", []),
            group_column=snakemake.params.get("group_column"),
            lesions=snakemake.input.lesions or None,
            lesion_map=snakemake.input.lesion_map or None,
            epvs=snakemake.input.epvs or None,
            epvs_settings=snakemake.params.epvs,
        )
