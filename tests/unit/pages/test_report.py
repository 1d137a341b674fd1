"""Pages say what the tables say, missing as n/a, in words, and refer to nothing outside."""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow.alps import bundles
from glymflow.alps import page as alps_page
from glymflow.figures import charts, slices
from glymflow.pages import parts, report

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (3).to_bytes(4) + (2).to_bytes(4)
REASONS = {"roi_off_axis": "Fibres run off <axis>.", "motion_high": "The head moved."}


def alps_row(participant="sub-01", **more):
    row = {
        "participant_id": participant,
        "session_id": np.nan,
        "source": participant,
        "roi_set": "barisano2025",
        "roi_radius_mm": 2.5,
        "frame": "template",
        "alps_left": 1.4567,
        "alps_right": 1.3,
        "alps_mean": 1.37835,
        "alps_ipsilateral": np.nan,
        "alps_contralateral": np.nan,
        "qc_status": "pass",
        "qc_reasons": np.nan,
        "pitch": -12.34,
        "roll": 0.01,
        "yaw": np.nan,
        "registration_similarity": 0.81,
        "motion_worst_mm": np.nan,
    }
    for roi in slices.ROIS:
        row |= {f"fa_{roi}": 0.5, f"alignment_{roi}": 0.95, f"coverage_{roi}": 1.0}
    for side in ("left", "right"):
        row |= {f"{column}_{side}": 0.0006 for column, *_ in alps_page.COMPONENTS}
    return row | more


def with_intervals(row):
    for side in ("left", "right", "mean"):
        value = row[f"alps_{side}"]
        row |= {f"alps_{side}_ci_low": value - 0.1, f"alps_{side}_ci_high": value + 0.2}
    return row


def subject(rows, **more):
    known = {"roi_set": "barisano2025", "frame": "template"}
    section = alps_page.describe_series("sub-01", rows, reasons=REASONS, **known, **more)
    parts = [alps_page.series_part(section, **known)]
    headline = alps_page.headline(parts, **known)
    return section, report.subject_page("sub-01", parts, headline=headline)


def cohort(rows, people=None, excluded=None, **more):
    people = pd.DataFrame(people or [{"participant_id": r["participant_id"]} for r in rows])
    excluded = pd.DataFrame(excluded or [], columns=["participant_id", "stage", "reason"])
    config = {"roi_set": "barisano2025", "frame": "template", **more.pop("config", {})}
    more = {"tables": [], "figures": [], "charts": [], **more}
    return report.cohort_page(
        pd.DataFrame(rows), people, excluded, config=config, reasons=REASONS, **more
    )


def text_of(html):
    html = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_constants_agree_with_the_pictures():
    assert slices.ROIS == {
        "association_left": 3,
        "projection_left": 1,
        "projection_right": 2,
        "association_right": 4,
    }
    views = dict.fromkeys(("axial", "coronal", "sagittal"), PNG)
    html = subject(pd.DataFrame([alps_row()]), pictures={"rois": views, "registration": views})[1]
    assert all(color in html for color in (slices.CONTOUR_COLOR, *slices.ROI_COLORS.values()))
    assert charts.INK == parts.INK


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.005001, "1.01"), (np.nan, "n/a"), (None, "n/a"), (-0.001, "0.00"), (np.float64(2), "2.00")],
)
def test_number(value, text):
    assert parts.number(value) == text


def test_subject_page_has_values_and_reasons_in_words():
    row = alps_row(
        qc_status="warn", qc_reasons="roi_off_axis;new_code", dxx_projection_left=0.000712
    )
    text = text_of(subject(pd.DataFrame([row]))[1])
    assert "ALPS index 1.38 left 1.46 right 1.30 mean of both sides" in text
    assert "sphere radius 2.5 mm" in text
    assert "Fibres run off &lt;axis&gt;. roi_off_axis new code new_code" in text
    assert "left Dxx projection 0.71 Dxx association 0.60" in text
    assert "pitch −12.3° roll 0.0° yaw n/a" in text
    assert "motion n/a" in text
    assert "! warn" in text
    assert "ipsilateral" not in text


def test_subject_page_shows_intervals():
    rows = [with_intervals(alps_row()), alps_row(frame="scanner", alps_mean=1.99)]
    text = text_of(subject(pd.DataFrame(rows))[1])
    assert (
        "ALPS index 1.38 (1.28 to 1.58) left 1.46 (1.36 to 1.66) right 1.30 (1.20 to 1.50)" in text
    )
    assert "in brackets the 95 % confidence interval" in text
    assert "template 1.38 (1.28 to 1.58) 1.46 (1.36 to 1.66) 1.30 (1.20 to 1.50) 0.95" in text
    assert "scanner 1.99 1.46 1.30 0.95" in text


def test_subject_page_without_intervals_does_not_speak_of_them():
    text = text_of(subject(pd.DataFrame([alps_row()]))[1])
    assert "ALPS index 1.38 left 1.46 right 1.30" in text
    assert "confidence interval" not in text


@pytest.mark.parametrize(("side", "text"), [("left", "n/a / 32.3 mm"), ("both", "n/a local")])
def test_placement(side, text):
    row = alps_row(border_left_mm=np.nan, border_right_mm=32.31, shift_left_mm=0.68)
    row |= {"shift_right_mm": 4.0, "border_right_mm": np.nan if side == "both" else 32.31}
    page = text_of(subject(pd.DataFrame([row]))[1])
    assert f"fibre border, left / right {text}" in page
    assert "local shift, left / right 0.7 / 4.0 mm" in page
    assert f"usually about {bundles.BORDER_MM:g} mm" in page


def test_subject_page_shows_sides_of_a_lesion():
    row = alps_row(alps_ipsilateral=1.2, alps_contralateral=np.nan)
    text = text_of(subject(pd.DataFrame([row]))[1])
    assert "ipsilateral 1.20 contralateral n/a" in text


def test_primary_row_is_marked_and_others_listed():
    rows = pd.DataFrame([alps_row(frame="scanner", alps_mean=1.99), alps_row()])
    section, html = subject(rows)
    assert section["alps"]["mean"] == ("1.38", "")
    assert [row["primary"] for row in section["rows"]] == [False, True]
    assert "1.99" in text_of(html)


def test_primary_row_missing_gives_not_available():
    section, html = subject(pd.DataFrame([alps_row(frame="scanner")]))
    assert section["status"] == "none"
    assert "ALPS index n/a left n/a" in text_of(html)


def test_lowest_roi_decides_the_table():
    row = alps_row(alignment_projection_right=0.61, alignment_projection_left=np.nan)
    section, _ = subject(pd.DataFrame([row]))
    assert section["rows"][0]["alignment"] == "0.61"


def test_series_that_was_not_measured():
    section, html = subject(None, faults={"series": "sub-01_dwi.bval: 30 values <for> 31"})
    assert section["status"] == "none"
    assert "Not measured. sub-01_dwi.bval: 30 values &lt;for&gt; 31" in text_of(html)


def test_worst_status():
    assert parts.worst_status(["pass", "fail", "warn"]) == "fail"
    assert parts.worst_status(["pass", np.nan]) == "pass"
    assert parts.worst_status([]) == "none"


def test_cohort_counts_and_order():
    rows = [alps_row(f"sub-{i}") for i in range(3)]
    rows += [alps_row("sub-3", qc_status="fail", qc_reasons="motion_high")]
    people = [{"participant_id": f"sub-{i}", "group": "g"} for i in range(5)]
    lost = [{"participant_id": "sub-4", "stage": "index", "reason": "no DWI & no hope"}]
    html = cohort(rows, people, lost, group_column="group", subjects=["sub-0", "sub-3"])
    text = text_of(html)
    assert "5 subjects 4 subjects measured 4 DWI series measured 3 series pass" in text
    assert "0 series warn 1 series fail 1 left out, with reason" in text
    assert re.findall(r'<tr id="(sub-\d)"', html) == ["sub-3", "sub-0", "sub-1", "sub-2", "sub-4"]
    assert '<a href="sub-3.html">' in html
    assert '<a href="sub-1.html">' not in html
    assert "✕ fail 1.46 1.30 1.38 0.95 The head moved." in text
    assert "– not measured n/a n/a n/a n/a no DWI &amp; no hope" in text


def test_cohort_shows_the_interval_of_the_mean():
    html = cohort([with_intervals(alps_row()), alps_row("sub-02", alps_mean=1.5)])
    text = text_of(html)
    assert "ALPS mean (95 % CI)" in text
    assert "1.46 1.30 1.38 (1.28 to 1.58) 0.95" in text
    assert "1.46 1.30 1.50 0.95" in text
    assert '<td class="n" data-v="1.37835">' in html  # sorted by the value
    assert "95 % CI" not in text_of(cohort([alps_row()]))


def test_cohort_columns_only_where_they_say_something():
    def heads(html):
        return re.findall(r"<th(?: [^>]*)?>(.*?)</th>", html.split('data-tools="subjects"')[1])

    plain = heads(cohort([alps_row()]))
    assert plain[:2] == ["subject", "QC"]
    series = heads(cohort([alps_row(source="sub-01_ses-1_dir-AP", session_id="ses-1")]))
    assert series[:4] == ["subject", "session", "series", "QC"]


def test_every_row_of_the_table_has_every_column():
    rows = [alps_row(source="sub-01_dir-AP"), alps_row(source="sub-01_dir-PA")]
    html = cohort(rows, [{"participant_id": "sub-01"}, {"participant_id": "sub-02"}])
    table = html[html.index('data-tools="subjects"') :].split("</table>")[0]
    heads = table.count("<th ") + table.count("<th>")
    body = table[table.index("<tbody>") :]
    assert [row.count("<td") for row in body.split("</tr>")[:-1]] == [heads] * 3
    assert table.count('id="sub-01"') == 1


def test_group_labels_and_missing_group():
    people = [{"participant_id": "sub-01", "g": 1.0}, {"participant_id": "sub-02", "g": np.nan}]
    rows = [alps_row(), alps_row("sub-02")]
    html = cohort(rows, people, group_column="g", config={"group_labels": {1: "Patients"}})
    assert "<td>Patients</td>" in html
    assert "<td>n/a</td>" in html


def test_config_methods_and_versions_are_told():
    config = {
        "methods": ["First.", "Second."],
        "versions": {"dipy": "1.12"},
        "roi_sets": ["a", "b"],
    }
    text = text_of(cohort([alps_row()], config=config))
    assert "First. Second." in text
    assert "dipy 1.12" in text
    assert "roi sets a, b" in text


def test_nobody_measured():
    nothing = pd.DataFrame([alps_row()]).iloc[:0]
    html = report.cohort_page(
        nothing,
        pd.DataFrame({"participant_id": ["sub-01"]}),
        pd.DataFrame(columns=["participant_id", "stage", "reason"]),
        config={"roi_set": "barisano2025", "frame": "template"},
        reasons={},
        charts=[],
        tables=[],
        figures=[],
    )
    assert "– not measured" in html


def test_what_is_absent_is_not_left_out():
    lost = [
        {"participant_id": "sub-1", "stage": "absent", "reason": "no T1w or T2w"},
        {"participant_id": "sub-2", "stage": "intake", "reason": "no DWI"},
    ]
    text = text_of(cohort([alps_row("sub-1")], excluded=lost))
    assert "1 left out, with reason" in text
    assert "Left out, and why (1)" in text
    assert "No image of one kind, something else is measured (1)" in text


def test_reasons_of_the_cohort_name_place_value_and_limit():
    row = alps_row(qc_status="warn", qc_reasons="roi_off_axis", alignment_association_right=0.7977)
    table = alps_page.with_words(pd.DataFrame([row]), {"min_alignment_warn": 0.8})
    html = cohort(table.to_dict("records"))
    assert "right association 0.798 &lt; 0.8" in html


def test_reasons_and_bars_of_a_subject_show_the_limit():
    row = alps_row(qc_status="warn", qc_reasons="roi_off_axis", alignment_association_right=0.8998)
    limits = {"min_alignment_warn": 0.9, "min_fa": 0.2, "min_coverage": 0.95}
    _, html = subject(pd.DataFrame([row]), limits=limits)
    assert "<b>right association 0.8998 &lt; 0.9</b>" in html
    assert html.count('<u style="left: 90.0%">') == 4  # one bar of each ROI
    assert '0.8998 <span class="soft">≥ 0.9</span></dd>' in html


def test_thousand_subjects_stay_small():
    html = cohort([alps_row(f"sub-{i:04d}") for i in range(1000)])
    assert html.count('<tr id="sub-') == 1000
    assert len(html) < 1_000_000


def test_printed_table_is_taken_without_script_and_style():
    page = "<html><head><style>x</style></head><body class='a'><table>T</table><script>s</script>"
    html = report.embed_table("table1", page + "</body></html>")["html"]
    assert html == "<table>T</table>"
    assert report.embed_table("t", "<table>P</table>")["html"] == "<table>P</table>"


def test_two_drawings_on_a_page_keep_their_ids_apart():
    svg = (
        b'<?xml?><!DOCTYPE svg><svg><metadata>m</metadata><path id="a" fill="#1f2937"/>'
        b'<use href="#a" clip-path="url(#a)"/></svg>'
    )
    text = parts.embed_svg(svg, "one")
    assert text == (
        '<svg><path id="one-a" fill="currentColor"/>'
        '<use href="#one-a" clip-path="url(#one-a)"/></svg>'
    )
