"""The cohort's page by keyboard and mouse: the heat map says its cells and opens their pages."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def keys(browser):
    """Return a function that presses keys."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*names):
        for name in names:
            ActionChains(browser).send_keys(getattr(Keys, name)).perform()

    return press


def said(browser, where):
    return browser.execute_script(f"return document.querySelector('{where}').textContent")


def test_heat_map_by_mouse_and_keyboard(browser, cohort_page, keys):
    from selenium.webdriver.common.action_chains import ActionChains

    browser.get(f"file://{cohort_page}#?checks.find=sub-0")
    motion = browser.find_element("css selector", ".checks tbody tr:first-child td:nth-child(3)")
    ActionChains(browser).move_to_element(motion).perform()
    assert said(browser, ".cell-said") == "sub-03, motion (mm): 3.00, warn (warn above 2)"
    stops = browser.execute_script(
        "return [...document.querySelectorAll('.checks tbody *')]"
        ".filter(e => e.tabIndex === 0).length"
    )
    assert stops == 1
    browser.execute_script("document.querySelector('.checks tbody [tabindex=\"0\"]').focus()")
    keys("ARROW_RIGHT", "ARROW_DOWN")
    assert said(browser, ".cell-said") == "sub-02, ROI alignment: 0.75, warn (warn below 0.8)"
    keys("ARROW_DOWN", "ARROW_DOWN")  # sub-10 is filtered out, so sub-01 is the last
    assert said(browser, ".cell-said").startswith("sub-01, ROI alignment: 0.95, pass")
    keys("ENTER")
    assert browser.current_url.endswith("/sub-01.html#sub-01")


POINT = "#distributions .point"


def point_at(browser, x, row):
    """Move the mouse to a share of the width, in the middle of a row of the distributions."""
    from selenium.webdriver.common.action_chains import ActionChains

    box = browser.find_element("css selector", "#distributions .drawn")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box
    )
    down = row * 72 + 45 - box.size["height"] / 2
    ActionChains(browser).move_to_element_with_offset(
        box, (x - 0.5) * box.size["width"], down
    ).perform()


def test_distributions_by_mouse_name_a_point_and_open_its_page(browser, cohort_page):
    browser.get(f"file://{cohort_page}#?spread.by=scanner_(sidecar)")
    levels = browser.find_elements("css selector", "#distributions .level")
    assert [level.text for level in levels] == ["A 3 T", "B 3 T"]  # sub-10 has no value
    point_at(browser, 0.037, 1)
    assert said(browser, "#distributions .said") == "sub-02, B 3 T: ALPS mean 1.30, warn"
    browser.find_element("css selector", POINT).click()
    assert browser.current_url.endswith("/sub-02.html#sub-02")


def test_distributions_by_keyboard(browser, cohort_page, keys):
    from selenium.webdriver.support.select import Select

    browser.get(f"file://{cohort_page}")
    measure, split = browser.find_elements("css selector", "#distributions select")
    assert [one.text for one in Select(split).options] == ["site", "scanner (sidecar)", "nothing"]
    Select(measure).select_by_visible_text("motion (mm)")
    browser.execute_script(f"document.querySelector('{POINT}').focus()")
    line = "#distributions .said"
    assert said(browser, line) == "sub-01, Lyon: motion (mm) 0.10, pass"
    keys("ARROW_RIGHT")
    assert said(browser, line) == "sub-03, Lyon: motion (mm) 3.00, warn"
    keys("ARROW_DOWN")
    assert said(browser, line) == "sub-10, Turin: motion (mm) 4.00, warn"
    assert "spread.measure=motion" in browser.current_url
    keys("ENTER")
    assert browser.current_url.endswith("/sub-10.html#sub-10")
    assert browser.get_log("browser") == []


def test_points_of_other_charts_are_named(browser, cohort_page, keys):
    browser.get(f"file://{cohort_page}")
    browser.execute_script("document.querySelector('.charts .point').focus()")
    keys("END")
    text = said(browser, ".charts .said")
    assert text.startswith("sub-01, pass: ALPS left 1.50, ALPS right 1.50")
    assert browser.find_element("css selector", ".charts .point").get_attribute("href").endswith(
        "/sub-01.html#sub-01"
    )  # fmt: skip


def test_every_point_of_2000_scans_is_a_link(browser, many_scans, keys):
    browser.get(f"file://{many_scans}#?spread.by=nothing")
    browser.execute_script(f"document.querySelector('{POINT}').focus()")
    met = browser.execute_script(
        f"const link = document.querySelector('{POINT}'), met = new Set();"
        "for (let k = 0; k < 2100; k++) { met.add(link.href);"
        " link.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'})); }"
        "return [...met].map(href => href.split('/').at(-1))"
    )
    assert met == [f"sub-{i:04}.html#sub-{i:04}" for i in range(2000)]
    keys("END")
    assert said(browser, "#distributions .said").startswith("sub-1999")


def test_time_and_memory_by_step(browser, cohort_page):
    browser.get(f"file://{cohort_page}")
    rows = browser.find_elements("css selector", "#cost tbody tr")
    assert [row.text for row in rows] == [
        "fit tensor 4 11.0 20.0 5 min, 100 % n/a",
        "merge cohort 1 2.0 2.0 2 s, 0 % 210",
        "all 5 5 min",
    ]


def test_a_page_alone_has_no_costs(dom, cohort_page, tmp_path):
    copy = tmp_path / "alone.html"
    copy.write_text(cohort_page.read_text("utf-8"), "utf-8")
    assert 'id="cost" hidden' in dom(copy)
