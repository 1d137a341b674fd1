"""A new domain touches its package, its rules file and one line of glymflow/domains.py."""

import shutil

import pandas as pd
import pytest
import yaml
from workflow_runs import CHECKOUT, empty_cohort, snakemake

PACKAGE = {
    "__init__.py": "",
    "domain.py": """
from glymflow.cohort.domain import Domain, Measure

TOY = Domain(
    name="toy",
    title="Toy",
    columns=("participant_id", "session_id", "toy_score", "qc_status", "qc_reasons"),
    measures={
        "toy_score": Measure("Score of the toy", "points"),
        "qc_status": Measure("Quality control of the toy", kind="text"),
        "qc_reasons": Measure("Codes of the toy", kind="text"),
    },
    judged_columns=("toy_score",),
    codes={"toy_low": ("fail", "The score is too low to be true.")},
    intake="glymflow.toy.intake",
    page="glymflow.toy.page",
    methods="glymflow.toy.methods",
    caveat="A toy was used.",
)
""",
    "intake.py": """
import pandas as pd

from glymflow.cohort.bids import Found


def settings(config, plan):
    return {}


def index(listing, settings, found):
    rows = [{"participant_id": s, "session_id": None} for s in listing.subjects]
    return Found(pd.DataFrame(rows, dtype=object), [], set(listing.subjects))


def check(rows, config):
    return rows, []


def describe(rows, config):
    return {"toys": f"{len(rows)} subjects"}


def page_files(sheet, subject, config):
    return {"table": "<cohort>/toy.tsv"}, {"subject": subject}
""",
    "page.py": """
from markupsafe import Markup

from glymflow.io import read_tsv
from glymflow.pages.parts import CohortPart, Part


def subject_parts(files, *, subject):
    row = read_tsv(files["table"][0]).set_index("participant_id").loc[subject]
    html = Markup("<section>toy score {}</section>").format(row.toy_score)
    return [Part("toy", "toy1", row.qc_status, html)]


def cohort_part(table, *, subjects, has_alps, config, picture=None):
    rows = [
        {"participant": row.participant_id, "session": "", "status": row.qc_status, "reasons": ""}
        for row in table.itertuples()
    ]
    return CohortPart("toys", "toys measured", rows, Markup("<section>all toys</section>"))
""",
    "methods.py": """
def sentences(table, config):
    return f"Toys of {len(table)} subjects were scored."
""",
}
RULES = """
rule measure_toys:
    output:
        table="<cohort>/toy.tsv",
        excluded="<cohort>/excluded/toy.tsv",
    run:
        from pathlib import Path

        rows = ["participant_id\\tsession_id\\ttoy_score\\tqc_status\\tqc_reasons"]
        for number, row in enumerate(SHEET.rows["toy"]):
            status = "fail\\ttoy_low" if number == 5 else "pass\\tn/a"
            rows.append(f"{row['participant_id']}\\tn/a\\t{number}\\t{status}")
        Path(output.table).write_text("\\n".join(rows) + "\\n")
        Path(output.excluded).write_text(
            "participant_id\\tsession_id\\tseries\\tstage\\treason\\n"
            "sub-06\\tn/a\\tn/a\\tmeasurement\\tthe toy broke\\n"
        )


rule toy:
    input:
        "<cohort>/toy.tsv",
"""
PLAN = {
    "title": "Toys",
    "groups": {"column": "group", "order": ["a", "b"]},
    "qc": ["pass", "fail"],
    "variables": {"toy_score": {"type": "continuous", "label": "Toy"}},
    "analyses": [{"id": "one", "kind": "compare_groups", "variables": ["toy_score"]}],
    "tables": [{"id": "table1", "analysis": "one", "title": "Toys"}],
}


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    """A checkout with a fourth domain, and a run of it on six subjects."""
    work = tmp_path_factory.mktemp("toy")
    checkout = work / "checkout"
    for name in ("glymflow", "rules", "scripts", "config", "profiles", "envs"):
        shutil.copytree(CHECKOUT / name, checkout / name, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(CHECKOUT / "Snakefile", checkout)
    (checkout / "glymflow" / "toy").mkdir()
    for name, text in PACKAGE.items():
        (checkout / "glymflow" / "toy" / name).write_text(text)
    (checkout / "rules" / "toy.smk").write_text(RULES)
    registry = checkout / "glymflow" / "domains.py"
    registry.write_text(
        registry.read_text()
        + "\nDOMAINS = (*DOMAINS, __import__('glymflow.toy.domain').toy.domain.TOY)\n"
    )
    rows = [f"sub-{n:02}\t{group}" for n, group in enumerate("ababab", start=1)]
    empty_cohort(
        work / "bids", *(f"sub-{n:02}/notes.txt" for n in range(1, 7)),
        participants=["participant_id\tgroup", *rows],
    )  # fmt: skip
    (work / "plan.yaml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    config = {"bids_dir": "bids", "study": "plan.yaml"}
    # the logger is that of the installed package, which knows no toys
    logger = ("--logger", "glymflow")
    said = snakemake(work, "--cores", 1, *logger, config=config, checkout=checkout)
    return work / "results", said


def test_its_column_is_in_the_cohort_table_and_in_the_data_dictionary(toy_run):
    cohort = pd.read_csv(toy_run[0] / "cohort" / "cohort.tsv", sep="\t")
    assert cohort.toy_score.tolist() == [0, 1, 2, 3, 4, 5]
    assert cohort.toy_qc_status.tolist() == ["pass"] * 5 + ["fail"]
    assert '"Score of the toy"' in (toy_run[0] / "cohort" / "cohort.json").read_text()


def test_who_was_left_out_is_listed(toy_run):
    assert "the toy broke" in (toy_run[0] / "cohort" / "excluded.tsv").read_text()


def test_a_plan_knows_its_column_and_its_status(toy_run):
    stats = pd.read_csv(toy_run[0] / "stats" / "one.tsv", sep="\t")
    test = stats[stats.row == "test"].iloc[0]
    assert test.variable == "toy_score"
    assert pd.notna(test.p)
    assert "A toy was used." in (toy_run[0] / "tables" / "methods.txt").read_text()


def test_it_is_on_the_pages(toy_run):
    page = (toy_run[0] / "report" / "sub-02.html").read_text()
    assert "<section>toy score 1</section>" in page
    index = (toy_run[0] / "report" / "index.html").read_text()
    assert "<section>all toys</section>" in index
    assert "Toys of 6 subjects were scored." in index
