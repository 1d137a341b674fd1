"""axe-core on the pages: nothing serious or critical, with the pages as they open and in use."""

import pytest

pytestmark = pytest.mark.slow
# what axe may find without a failure here is "minor" or "moderate"
GRAVE = ("serious", "critical")


@pytest.fixture
def grave(browser):
    """Return a function that gives what axe finds on the page that is open."""
    axe = pytest.importorskip("selenium_axe_python")

    def look(least=15):
        checker = axe.Axe(browser)
        checker.inject()
        found = checker.run()
        assert len(found["passes"]) >= least  # it has looked
        return [
            f"{one['id']}: {one['help']}: {node['target']} {node['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in GRAVE
            for node in one["nodes"][:3]
        ]

    return look


def test_cohort_page(browser, cohort_page, grave):
    browser.get(f"file://{cohort_page}")
    assert grave() == []
    buttons = browser.find_elements("css selector", ".tools button")
    next(button for button in buttons if button.text == "review").click()
    assert grave() == []


def test_subject_page(browser, whole_page, grave):
    browser.get(f"file://{whole_page}")
    for words in ("Perivascular spaces", "Lesion", "Are the ROIs where they should be?"):
        assert words in browser.page_source
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert grave() == []
    browser.execute_script("document.querySelector('main img').click()")
    assert browser.execute_script("return document.querySelector('dialog').open")
    assert grave() == []
    assert browser.get_log("browser") == []


def test_what_axe_would_find(browser, tmp_path, grave):
    """A picture without a text and pale letters are found: the test can fail."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<!DOCTYPE html><html lang="en"><title>bad</title><main><h1>bad</h1><img src="data:,">'
        '<p style="color: #ccc; background: #fff">pale</p></main></html>'
    )
    browser.get(f"file://{page}")
    assert {found.split(":")[0] for found in grave(least=3)} == {"image-alt", "color-contrast"}
