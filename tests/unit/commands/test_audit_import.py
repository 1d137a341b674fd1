"""Tables of Word and HTML files: our own are read whole and agree; a changed number is found."""

import numpy as np
import pandas as pd
import pytest

from glymflow.cli import main
from glymflow.commands.audit import audit
from glymflow.commands.audit_import import read_tables
from glymflow.io import InputFault
from glymflow.stats.analyses import run_analysis
from glymflow.tables.planned import RENDERERS, planned_table

PLAN = {
    "seed": 1,
    "groups": {"column": "group", "order": ["a", "b"], "labels": {"a": "Controls"}},
    "variables": {
        "age": {"type": "continuous", "label": "Age", "unit": "years"},
        "score": {"type": "continuous", "label": "Score"},
        "sex": {"type": "categorical", "levels": ["F", "M"], "event": "F"},
        "site": {"type": "categorical", "levels": ["x", "y", "z"]},
    },
    "analyses": [
        {"id": "c", "kind": "compare_groups", "variables": ["age", "score", "sex", "site"]}
    ],
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(8)
    group = rng.choice(["a", "b"], 90)
    table = pd.DataFrame({"participant_id": [f"s{i}" for i in range(90)], "group": group})
    table["age"] = rng.normal(60, 8, 90) + 6 * (group == "b")
    table["score"] = rng.exponential(5, 90)
    table["sex"] = rng.choice(["F", "M"], 90)
    table["site"] = rng.choice(["x", "y", "z"], 90)
    results, _ = run_analysis(table, PLAN, PLAN["analyses"][0])
    wanted = {"id": "t", "analysis": "c", "title": "One", "more": ["overall", "smd"]}
    return planned_table(results, PLAN, wanted)


def written(table, folder, kind):
    content = RENDERERS[kind](table)
    path = folder / f"table.{kind}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", ["docx", "html"])
def test_our_own_table_agrees(table, tmp_path, kind):
    document, passed = read_tables(written(table, tmp_path, kind))
    (read,) = document["tables"]
    assert read["groups"] == ["Controls", "b"]
    assert [row["label"] for row in read["rows"]] == ["Age, years", "Score", "sex: F", "site"]
    assert list(read["rows"][3]["levels"]) == ["x", "y", "z"]
    assert passed == []
    found = audit(document)
    assert found["status"].tolist() == ["consistent", "not checkable", "consistent", "consistent"]


def test_a_changed_p_is_found_by_the_command(table, tmp_path, capsys):
    p = table.rows[0][3][-1]
    path = written(table, tmp_path, "html")
    text = path.read_text()
    path.write_text(text.replace(f"<td>{p.replace('<', '&lt;')}</td>", "<td>0.812</td>", 1))
    assert main(["audit", "--html", str(path)]) == 0
    assert "FLAG  Age, years" in capsys.readouterr().out


def test_other_rows_are_passed_over_and_other_files_refused(tmp_path, capsys):
    page = tmp_path / "page.html"
    head = "<tr><th>x</th><th>A (n = 9)</th><th>B, n=8</th><th>P value</th></tr>"
    page.write_text(
        f"<table>{head}<tr><td>Age</td><td>61 (7)</td><td>60 (8)</td><td>0.79</td></tr>"
        "<tr><td>Text</td><td>a</td><td>b</td><td>-</td></tr></table><table></table>"
    )
    document, passed = read_tables(page)
    assert document["tables"][0]["n"] == ["9", "8"]
    assert passed == ["Table 1: Text"]
    assert main(["audit", "--html", str(page)]) == 0
    assert "1 rows passed over: Table 1: Text" in capsys.readouterr().out
    page.write_text("<p>nothing</p>")
    with pytest.raises(InputFault, match="no table with group sizes"):
        read_tables(page)
    other = tmp_path / "page.pdf"
    other.write_text("x")
    with pytest.raises(InputFault, match=r"read from \.docx and \.html"):
        read_tables(other)
    broken = tmp_path / "broken.docx"
    broken.write_text("x")
    with pytest.raises(InputFault, match="not readable as a Word file"):
        read_tables(broken)
