"""The review mode of the cohort's page by keyboard: rate, save, reload, load; what is read then."""

import time

import pytest

from glymflow.alps.ratings import read_ratings

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(browser, cohort_page):
    """The cohort's page in the review mode; the rater has said who he is."""
    browser.get(f"file://{cohort_page}")
    click(browser, "review")
    browser.find_element("name", "rater").send_keys("AB\t")
    return browser


def click(browser, words):
    buttons = browser.find_elements("css selector", "button")
    next(button for button in buttons if button.text == words).click()


def press(browser, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    browser.execute_script("document.activeElement.blur()")
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def ratings(browser):
    """The marks beside the subjects, from top to bottom."""
    script = "return [...document.querySelectorAll('td[data-rating]')].map(c => c.dataset.rating)"
    return browser.execute_script(script)


def saved_file(browser):
    for _ in range(100):
        found = list(browser.saved.glob("ratings-*.tsv"))
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no file was saved")


def test_ratings_by_key_survive_reload_and_are_read_by_the_pipeline(opened):
    press(opened, "x", "n", "a", "n", "n", "u", "p", "s")
    assert ratings(opened) == ["exclude", "accept", "", "unsure"]  # worst first
    table = read_ratings([saved_file(opened)]).set_index("series")
    assert table.rating.to_dict() == {"sub-02": "exclude", "sub-03": "accept", "sub-01": "unsure"}
    assert set(table.rater) == {"AB"}
    opened.refresh()
    assert ratings(opened) == ["exclude", "accept", "", "unsure"]
    assert opened.get_log("browser") == []


def test_note_and_roi_belong_to_the_rating(opened):
    press(opened, "x")
    opened.find_element("name", "note").send_keys("dark\t")
    opened.find_element("css selector", ".review select").send_keys("left projection\t")
    press(opened, "s")
    (row,) = read_ratings([saved_file(opened)]).itertuples()
    assert (row.roi, row.note) == ("left projection", "dark")


def test_ratings_of_a_file_are_loaded(opened, tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("series\trater\trating\nsub-10\tAB\texclude\n")
    opened.find_element("css selector", "[type=file]").send_keys(str(path))
    for _ in range(50):
        if "exclude" in ratings(opened):
            break
        time.sleep(0.1)
    assert ratings(opened) == ["", "", "exclude", ""]


def test_review_goes_through_the_rows_that_are_shown(browser, cohort_page):
    browser.get(f"file://{cohort_page}#?subjects.reason=motion_high")
    click(browser, "review")
    assert browser.find_element("css selector", ".review b").text == "sub-03"
    assert browser.find_element("css selector", ".review .soft").text == "1 of 2, 0 rated"
    press(browser, "n")
    assert browser.find_element("css selector", ".review b").text == "sub-10"


def test_nothing_is_rated_without_a_rater(browser, cohort_page):
    browser.get(f"file://{cohort_page}")
    click(browser, "review")
    press(browser, "a")
    assert set(ratings(browser)) == {""}
    assert browser.switch_to.active_element.get_attribute("name") == "rater"
