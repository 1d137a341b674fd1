"""Text cells as TSV, HTML, LaTeX: every format has all of them, and none is markup."""

import re
from xml.etree import ElementTree

import pytest

from glymflow.tables.render import RENDERERS, Table, note_lines, to_html, to_latex, to_tsv


@pytest.fixture
def table():
    return Table(
        "100% of A & B < C",
        ["Characteristic", "HC (n = 97)", "p"],
        [
            (0, "Age, years", "a", ["58.1 ± 7.2", "0.046"]),
            (0, "Location", "", ["", "<0.001"]),
            (1, "deep", "", ["25 (25.8%)", ""]),
            (0, "Broken <&_%>", "b", ["−0.5\t[x]", "n/a"]),
        ],
        [("a", "Student's t test."), ("", "η² and χ².")],
    )


def test_every_format_has_every_row(table):
    assert set(RENDERERS) == {"tsv", "html", "docx", "tex"}
    for kind, render in RENDERERS.items():
        made = render(table)
        assert made, kind
        assert isinstance(made, bytes if kind == "docx" else str), kind


def test_tsv(table):
    lines = to_tsv(table).splitlines()
    assert lines[0].split("\t") == table.columns
    assert {len(line.split("\t")) for line in lines} == {3}
    assert lines[3] == "  deep\t25 (25.8%)\t"
    assert lines[4].split("\t")[1] == "-0.5 [x]"  # a plain hyphen, and no tab within a cell
    assert len(lines) == 5  # no footnotes


def test_html_is_escaped_and_self_contained(table):
    page = to_html(table)
    assert page.startswith("<!DOCTYPE html>")
    assert "<caption>100% of A &amp; B &lt; C</caption>" in page
    assert "Broken &lt;&amp;_%&gt;<sup>b</sup>" in page
    assert "http" not in page
    fragment = to_html(table, page=False)
    assert fragment in page
    assert fragment.startswith('<div class="glymflow-table">')


def test_html_is_well_formed(table):
    fragment = ElementTree.fromstring(to_html(table, page=False))
    rows = fragment.findall("table/tbody/tr")
    assert [len(row) for row in rows] == [3] * 4
    assert [row.get("class") for row in rows] == [None, None, "level", None]
    assert fragment.find("table/tbody/tr/th").text == "Age, years"


def test_latex(table):
    text = to_latex(table)
    assert r"\caption{100\% of A \& B $<$ C}" in text
    assert r"Broken $<$\&\_\%$>$\textsuperscript{b}" in text
    assert r"\quad deep" in text
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {2}
    assert text.isascii()


def test_latex_row_that_starts_with_a_bracket():
    """The \\ of the row before would take it for its option."""
    text = to_latex(Table("t", ["x"], [(0, "[a]", "", []), (0, "[b]", "", [])]))
    assert "{[}a]" in text


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("−0.31 (−0.5, 0.1)", "-0.31 (-0.5, 0.1)"),
        ("-", "-"),
        ("+1.2", "+1.2"),
        ("a=b", "a=b"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_made_text(cell, written):
    table = Table("t", ["", cell], rows=[(0, cell, "", [cell]), (1, cell, "", ["x"])])
    header, first, second = to_tsv(table).splitlines()
    assert header.split("\t")[1] == written
    assert first.split("\t") == [written, written]
    assert second.split("\t")[0].strip().lstrip("'").strip() == written.lstrip("'")


def test_footnotes_are_lines():
    table = Table("t", ["a"], [], [("a", "One."), ("b", "Two."), ("", "Three."), ("", "Four.")])
    assert note_lines(table) == [[("a", "One."), ("b", "Two.")], [("", "Three.")], [("", "Four.")]]
    notes = to_html(table).split('class="notes">')[1].split("</p>")[0]
    assert notes.split("<br/>\n") == ["<sup>a</sup>One. <sup>b</sup>Two.", "Three.", "Four."]


def test_the_footnote_of_the_plan_is_last():
    notes = [("a", "A test.")]
    table = Table("t", ["a"])
    assert table.noted(notes, {"footnote": "Of the plan."}) is table
    assert table.footnotes == [*notes, ("", "Of the plan.")]
    assert table.noted(notes, {}).footnotes == notes
