"""The works that the text of the methods cites."""

import re
import urllib.parse

from glymflow.alps import methods as alps
from glymflow.pages.references import WORKS, as_link, bibtex


def test_works_that_are_cited_have_entries():
    text = bibtex(["The index (Taoka 2017) was measured.", "SyN (Avants 2008)."])
    assert re.findall(r"@article\{(\w+),", text) == ["taoka2017", "avants2008"]
    assert "  doi = {10.1007/s11604-017-0617-z},\n" in text
    assert "  year = {2017},\n" in text
    assert text.count("{") == text.count("}")


def test_nothing_cited_has_no_file():
    assert bibtex([]) == ""
    assert as_link("") is None


def test_the_page_holds_the_file():
    text = bibtex(WORKS)
    head, _, body = as_link(text).partition(",")
    assert head == "data:text/x-bibtex;charset=utf-8"
    assert urllib.parse.unquote(body) == text


def test_every_work_is_cited_somewhere():
    """What no text of the methods names would never be printed."""
    from pathlib import Path

    folder = Path(alps.__file__).parents[1]
    texts = " ".join(path.read_text("utf-8") for path in folder.glob("*/methods.py"))
    cited = re.sub(r'"\s*f?"', "", texts)
    assert [work for work in WORKS if work not in cited] == []
