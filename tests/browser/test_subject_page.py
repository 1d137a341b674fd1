"""A subject's page in a browser: strips of the cohort, neighbours by key, place in the address."""

import pandas as pd
import pytest

from glymflow.alps import page as alps_page
from glymflow.pages.parts import Part
from glymflow.pages.report import subject_page
from glymflow.pages.values import NAME, cohort_script

pytestmark = pytest.mark.slow
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
PLACES = f"""<section class="card"><h2 data-at="values">v</h2><div style="height: 2000px">
<img src="{DOT}" alt="a dot" width="10" height="10"></div><h3 data-at="rois">r</h3>
<details data-fold="frames"><summary>all</summary>x</details>
<div style="height: 2000px"></div></section>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three subjects with pages, whose values stand beside them; one was rated out."""
    from markupsafe import Markup

    made = tmp_path_factory.mktemp("report")
    names = ["sub-1", "sub-2", "sub-10"]
    table = pd.DataFrame(
        {
            "participant_id": names, "session_id": None, "source": names, "roi_set": "a",
            "frame": "fibre", "alps_left": [1.2, 1.3, 1.6], "qc_status": ["pass", "warn", "fail"],
            "qc_reasons": [None, "motion_high", "rated_out"],
        }
    )  # fmt: skip
    held = alps_page.cohort_values(table, {"roi_set": "a", "frame": "fibre"})
    (made / NAME).write_text(cohort_script(names, [held]))
    for name in names:
        html = subject_page(name, [Part(name, name, "pass", Markup(PLACES))])
        (made / f"{name}.html").write_text(html, encoding="utf-8")
    (made / "alone").mkdir()
    (made / "alone" / "sub-2.html").write_text((made / "sub-2.html").read_text("utf-8"), "utf-8")
    return made


def test_the_scan_is_shown_among_all(dom, folder):
    text = dom(folder / "sub-2.html")
    assert "ALPS left: 1.30 among 3 from 1.20 to 1.60" in text
    assert "higher than 50 %" in text
    assert 'id="cohort" hidden' not in text
    assert 'id="rated" hidden' in text


def test_a_page_alone_shows_the_rest(dom, folder):
    text = dom(folder / "alone" / "sub-2.html")
    assert 'id="cohort" hidden' in text
    assert "of 3" not in text.split("<script")[0]


def test_a_scan_that_a_reader_excluded_says_so(dom, folder):
    assert "A reader excluded: sub-10." in dom(folder / "sub-10.html").split("<script")[0]


def test_keys_go_to_the_same_place_of_the_neighbour(browser, folder):
    from selenium.webdriver.common.action_chains import ActionChains

    browser.get(f"file://{folder}/sub-1.html#?at=rois.0&open=frames")
    assert browser.execute_script("return scrollY") > 1000
    assert browser.execute_script("return document.querySelector('[data-fold]').open")
    for key, name in (("j", "sub-2"), ("j", "sub-10"), ("j", "sub-10"), ("k", "sub-2")):
        ActionChains(browser).send_keys(key).perform()
        assert browser.title.startswith(name + " ")
        assert browser.execute_script("return scrollY") > 1000
    assert "at=rois.0" in browser.current_url
    assert browser.get_log("browser") == []


def test_a_picture_is_enlarged_by_click_and_key(browser, folder):
    from selenium.webdriver.common.keys import Keys

    browser.get(f"file://{folder}/sub-1.html")
    image = browser.find_element("css selector", "main img")
    for act in (image.click, lambda: image.send_keys(Keys.ENTER)):
        act()
        assert browser.find_element("css selector", "dialog img").size["width"] > 500
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        assert not browser.execute_script("return document.querySelector('dialog').open")
    assert browser.get_log("browser") == []


def test_an_object_is_shown_in_its_slice(browser, whole_page):
    browser.get(f"file://{whole_page}")
    ring = browser.find_element("css selector", ".viewer figure:not([hidden]) i")
    button = browser.find_element("css selector", ".objects button")
    browser.execute_script("arguments[0].click()", button)
    assert button.get_attribute("aria-pressed") == "true"
    assert ring.get_attribute("style") == (
        f"left: {float(button.get_attribute('data-x')):g}%; "
        f"top: {float(button.get_attribute('data-y')):g}%;"
    )
    shown = browser.find_element("css selector", ".viewer figure:not([hidden]) figcaption")
    assert shown.text == "object 1, z = −2 mm"
