"""scripts/render_tables.py: from the results of the analyses to the printed tables."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glymflow.io import write_tsv
from glymflow.stats.compare_groups import compare_groups

ROOT = Path(__file__).parents[2]
main = runpy.run_path(ROOT / "scripts" / "render_tables.py")["main"]
TEXT = """
title: Numbered groups
groups: { column: group, order: [0, 1], labels: { 0: Zero, 1: One } }
variables:
  x: { type: continuous, label: X, decimals: 2 }
  y: { type: categorical, levels: [0, 1], label: Y }
analyses:
  - { id: one, kind: compare_groups, variables: [x, y] }
tables:
  - { id: table1, analysis: one, title: First }
  - { id: table2, analysis: one, columns: [p] }
"""


@pytest.fixture
def study(tmp_path):
    """Groups and levels that look like numbers must come back from the TSV as they were."""
    (tmp_path / "plan.yaml").write_text(TEXT)
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"group": [0, 1] * 10, "x": rng.normal(size=20), "y": [0, 0, 1, 1] * 5})
    levels = {"type": "categorical", "levels": ["0", "1"]}
    results = compare_groups(
        table,
        variables={"x": {"type": "continuous"}, "y": levels},
        group="group",
        order=["0", "1"],
    )
    write_tsv(results, tmp_path / "stats" / "one.tsv")
    return tmp_path


def test_all_formats(study):
    names = [f"{table}.{kind}" for table in ("table1", "table2") for kind in ("tsv", "html", "tex")]
    paths = [study / "tables" / name for name in names]
    stats = [study / "stats" / "flow.tsv", study / "stats" / "one.tsv"]
    main(plan=study / "plan.yaml", stats=stats, tables=paths)
    lines = (study / "tables" / "table1.tsv").read_text().splitlines()
    assert lines[0].startswith("Characteristic\tZero (n = 10)\tOne (n = 10)\tEffect size (95% CI)")
    assert lines[3].startswith("  0\t5 (50.0%)\t5 (50.0%)")
    assert (study / "tables" / "table2.tsv").read_text().startswith("Characteristic\tZero (n = 10)")
    assert "<caption>First</caption>" in (study / "tables" / "table1.html").read_text()
    assert r"\caption{First}" in (study / "tables" / "table1.tex").read_text()


def test_an_analysis_that_failed_whole_prints_its_note(study):
    rows = [{"variable": name, "row": "test", "note": "no test: no column"} for name in "xy"]
    from glymflow.stats.compare_groups import COLUMNS

    write_tsv(pd.DataFrame(rows, columns=COLUMNS), study / "stats" / "one.tsv")
    path = study / "table1.html"
    main(plan=study / "plan.yaml", stats=study / "stats" / "one.tsv", tables=path)
    assert "X: no test: no column." in path.read_text()
