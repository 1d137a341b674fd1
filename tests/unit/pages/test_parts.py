"""Small parts of pages: numbers, intervals, QC codes, pictures, templates."""

import io

import numpy as np
import pytest

from glymflow.pages.parts import (
    STATUSES,
    embed_picture,
    embed_svg,
    explain,
    is_known,
    number,
    percent,
    template,
    with_interval,
    words,
    worst_status,
)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((1.4567,), "1.46"),
        ((-0.001,), "0.00"),
        ((-3.2, 1, 1, "°"), "−3.2°"),
        ((0.000712, 2, 1e3), "0.71"),
        ((None,), "n/a"),
        ((float("nan"),), "n/a"),
        ((float("inf"),), "∞"),
        (("text",), "n/a"),
    ],
)
def test_number(given, text):
    assert number(*given) == text


def test_interval_only_where_there_is_one():
    row = {"alps": 1.41, "alps_ci_low": 1.3, "alps_ci_high": 1.52}
    assert with_interval(row, "alps") == ("1.41", "(1.30 to 1.52)")
    assert with_interval(row | {"alps_ci_low": float("nan")}, "alps") == ("1.41", "")
    assert with_interval({}, "alps") == ("n/a", "")


def test_known_values_and_bars():
    assert [is_known(value) for value in (1, 0.0, None, "1", float("inf"))] == [1, 1, 0, 0, 0]
    assert [percent(value, 2) for value in (1, -1, 5, None)] == ["50.0", "0.0", "100.0", "0"]
    assert [words(value) for value in (None, float("nan"), 1.50, "x", 3)] == [
        *("n/a", "n/a", "1.5", "x", "3")
    ]


def test_codes_in_words():
    reasons = {"motion_high": "The head moved much."}
    assert explain("motion_high; something_new;", reasons) == [
        {"code": "motion_high", "words": "The head moved much.", "found": ""},
        {"code": "something_new", "words": "something new", "found": ""},
    ]
    (one,) = explain("motion_high", reasons, {"motion_high": "3 > 2"}.get)
    assert one["found"] == "3 > 2"
    assert explain(float("nan"), reasons) == explain("", reasons) == []


@pytest.mark.parametrize("place", range(len(STATUSES)))
def test_worst_status(place):
    assert worst_status(STATUSES[place:][::-1]) == STATUSES[place]
    assert worst_status([]) == "none"
    assert worst_status(["strange", "pass"]) == "pass"


def test_picture_has_its_size():
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, np.zeros((7, 11, 3)), format="png")
    picture = embed_picture(file.getvalue())
    assert (picture["width"], picture["height"]) == (11, 7)
    assert picture["source"].startswith("data:image/png;base64,")


def test_drawings_of_a_page_do_not_meet():
    svg = (
        b'<?xml version="1.0"?><svg><metadata>when</metadata><g id="a" fill="#1f2937">'
        b'<use href="#a"/><path clip-path="url(#b)"/></g></svg>'
    )
    text = str(embed_svg(svg, "one"))
    assert text.startswith("<svg>")
    assert 'id="one-a"' in text
    assert 'href="#one-a"' in text
    assert "url(#one-b)" in text
    assert "metadata" not in text
    assert 'fill="currentColor"' in text


def test_template_escapes_and_refuses_what_is_not_given(tmp_path):
    from jinja2 import UndefinedError

    (tmp_path / "t.html.j2").write_text("<p>{{ text }}</p>")
    made = template("t.html.j2", tmp_path)
    assert made.render(text="a < b") == "<p>a &lt; b</p>"
    with pytest.raises(UndefinedError):
        made.render()
    assert template("repeatability.html.j2").filename.endswith("templates/repeatability.html.j2")


def test_webp_is_embedded_with_its_size():
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, np.zeros((70, 110, 3), np.uint8), format="webp", pil_kwargs={"quality": 70})
    picture = embed_picture(file.getvalue())
    assert (picture["width"], picture["height"]) == (110, 70)
    assert picture["source"].startswith("data:image/webp;base64,")


def test_the_head_of_a_page_has_the_reasons_of_its_parts_worst_first():
    from markupsafe import Markup

    from glymflow.pages import parts
    from glymflow.pages.report import subject_page

    reasons = parts.sentences(
        [{"words": "FA is low.", "found": "left 0.1 < 0.2"}, {"words": "It moved.", "found": ""}]
    )
    shown = [
        parts.Part("first", "a", "warn", Markup(""), reasons=("Dark.",)),
        parts.Part("second", "b", "fail", Markup(""), reasons=reasons),
        parts.Part("third", "c", "pass", Markup(""), reasons=("A remark.",)),
    ]
    html = subject_page("sub-1", shown)
    head = ' first"><a href="#b">second</a>: FA is low: left 0.1 &lt; 0.2. It moved.</div>'
    assert html.index(head) < html.index(' first"><a href="#a">first</a>: Dark.</div>')
    assert "A remark." not in html
    assert 'note fail first"' not in subject_page("sub-1", shown[1:2])  # its section says it
