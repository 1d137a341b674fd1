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
