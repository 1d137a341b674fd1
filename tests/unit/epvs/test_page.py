"""Perivascular spaces on the report's pages."""

import numpy as np
import pandas as pd
import pytest

from glymflow.alps.index import alps_table
from glymflow.epvs.domain import CODES, COLUMNS, EPVS
from glymflow.epvs.methods import sentences
from glymflow.epvs.objects import OBJECT_COLUMNS
from glymflow.epvs.page import (
    MOST_OBJECTS,
    cohort_part,
    describe_epvs,
    describe_epvs_cohort,
    session_part,
)
from glymflow.epvs.pictures import ENGINE_STYLES
from glymflow.pages.report import cohort_page, subject_page

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (3).to_bytes(4) + (2).to_bytes(4)
EMPTY = {"charts": [], "tables": [], "figures": []}
REASONS = EPVS.reasons
CONFIG = {"roi_set": "a", "frame": "template"}
COLORS = {name: color for name, (color, _) in ENGINE_STYLES.items()}
NOBODY = pd.DataFrame(columns=["participant_id", "stage", "reason"])


def row(engine, **more):
    values = dict.fromkeys(COLUMNS)
    values |= {
        "participant_id": "sub-1", "session_id": "ses-2", "engine": engine,
        "primary": str(engine == "vbnet").lower(), "contrasts": "T1w+T2w", "epvs_count": 41,
        "epvs_volume_mm3": 586.4, "epvs_permille": 0.4217, "epvs_count_bg": 17,
        "epvs_volume_mm3_bg": 321.0, "epvs_permille_bg": 0.236, "epvs_count_bg_left": 9,
        "epvs_count_bg_right": 8, "brain_volume_ml": 1390.6,
        "epvs_soft_volume_mm3": 710.2, "epvs_soft_volume_se": 81.3, "lacunes": 3,
        "qc_status": "warn", "qc_reasons": "epvs_thick_slices;epvs_t2_moved",
    }  # fmt: skip
    return values | more


def table(*rows):
    return pd.DataFrame(rows)


MEASURES = table(
    row("vbnet"), row("frangi", epvs_count=55, epvs_volume_mm3=702.0, qc_status="pass")
)


def objects(count=3):
    rows = [
        {
            "engine": "vbnet", "index": i, "region": "bg", "side": "left", "volume_mm3": 10.0 + i,
            "length_mm": 4.44, "width_mm": 1.61, "mean_probability": 0.9, "x": -12.3, "y": 4.0,
            "z": -1.0, "lacune": int(i == 2),
        }
        for i in range(1, count + 1)
    ]  # fmt: skip
    other = {**rows[0], "engine": "frangi", "volume_mm3": 999.0}
    outside = {**rows[0], "region": None, "volume_mm3": 888.0}
    return pd.DataFrame([*rows, other, outside], columns=OBJECT_COLUMNS)


def pictures(**more):
    slices = [("bg", -3.4, PNG), ("cso", 29.5, PNG), ("midbrain", -14.0, PNG)]
    brain = dict.fromkeys(("axial", "coronal", "sagittal"), PNG)
    return {"slices": slices, "brain": brain, "background": "T2w", "faults": []} | more


def page(*sections):
    return subject_page("sub-1", [session_part(section) for section in sections])


def cohort_html(measures, cohort, subjects=()):
    config = {"epvs": {"max_count": 200}}
    part = cohort_part(measures, subjects=subjects, has_alps=False, config=config)
    html = cohort_page(
        alps_table([]), cohort, NOBODY, config=CONFIG, reasons={}, subjects=subjects, parts=[part],
        **EMPTY,
    )  # fmt: skip
    return part, html


def describe(measures=MEASURES, listed=None, *, engine="vbnet", **more):
    return describe_epvs(measures, listed, engine=engine, reasons=REASONS, session="ses-2", **more)


# ------------------------------------------------------------------ the subject's page


def test_page():
    html = page(describe(MEASURES, objects(), pictures=pictures()))
    for words in ("Perivascular spaces · ses-2", "<b>41</b>", "<b>586 mm³</b>", "0.422 ‰", "0.236",
                  "9 / 8", "1391 mL", "710 mm³ (SE 81 mm³)",
                  "T1w+T2w", "z = −3 mm", "Slices above 2 mm",
                  "trained on synthetic data", COLORS["vbnet"], COLORS["frangi"]):  # fmt: skip
        assert words in html, words
    assert html.count("<img") == 3 + 3
    assert "frangi: count" in html
    assert ">55<" in html
    assert COLORS["external"] not in html  # what is not drawn is not in the key
    assert "Nothing was measured" not in html
    assert '<span class="badge warn">' in html


def test_the_list_of_parts_tells_sessions_apart():
    first, second = (session_part(describe() | {"session": name}) for name in ("ses-1", "ses-2"))
    assert (first.title, second.title) == (
        "perivascular spaces, ses-1",
        "perivascular spaces, ses-2",
    )
    assert session_part(describe() | {"session": "n/a"}).title == "perivascular spaces"


def test_an_object_that_is_dark_in_the_t2w_is_named():
    listed = objects().assign(t2_excess=[0.4, 0.02, np.nan, np.nan, np.nan])
    assert page(describe(MEASURES, listed)).count("dark in T2w</span>") == 1


def test_missing_region_is_not_zero():
    section = describe()
    regions = {r["name"]: r for r in section["regions"]}
    assert regions["centrum semiovale"]["count"] == "n/a"
    assert regions["basal ganglia"]["count"] == "17"


def test_the_largest_objects_lacunes_first():
    listed = describe(MEASURES, objects(60))["objects"]
    assert listed["count"] == 60  # of the primary engine, in the regions
    assert len(listed["rows"]) == MOST_OBJECTS
    assert [r["index"] for r in listed["rows"][:3]] == ["2", "60", "59"]
    assert [r["lacune"] for r in listed["rows"][:2]] == [True, False]
    assert listed["rows"][0]["values"] == ["12", "4.4", "1.6", "0.90"]
    assert listed["rows"][0]["centre"] == "−12, 4, −1"


def test_objects_are_linked_to_their_slices():
    seen = {"object_slices": [(-1.0, PNG), (8.0, PNG)], "places": {2: (1, 0.25, 0.75)}}
    html = page(describe(MEASURES, objects(), pictures=pictures(**seen)))
    assert html.count('<figure hidden><div class="ringed">') == 1
    assert html.count('<div class="ringed">') == 2
    assert 'data-slice="1" data-x="25.00" data-y="75.00" aria-pressed="false">2</button>' in html
    assert html.count("data-slice=") == 1  # the others have no slice
    assert "The largest objects (3 of 3)" in html


def test_other_primary_engine():
    section = describe(engine="frangi")
    assert (section["count"], section["others"]) == ("55", ["vbnet"])
    assert section["status"] == "pass"
    assert "trained" not in section["engine_label"]


def test_primary_engine_without_values():
    measures = table(row("vbnet"), {**dict.fromkeys(COLUMNS), "engine": "external",
                                    "fault": "mask.nii: the mask is empty"})  # fmt: skip
    html = page(describe(measures, engine="external"))
    assert "the primary one, external, has no values here" in html
    assert "external: mask.nii: the mask is empty" in html
    assert "<b>41</b>" in html


def test_page_of_a_session_that_was_not_measured():
    html = page(describe(None, fault="sub-1_T1w.nii.gz: the image has no contrast"))
    assert "sub-1_T1w.nii.gz: the image has no contrast" in html
    assert "<table" not in html
    assert "Perivascular spaces · ses-2" in html


def test_no_engine_had_values():
    measures = table({"engine": "vbnet", "fault": "why not"})
    assert describe(measures)["fault"] == "vbnet: why not"


def test_missing_pictures_say_why():
    html = page(describe(pictures={"faults": ["the registration failed"]}))
    assert "<b>No picture.</b> the registration failed" in html
    assert "Was the brain found?" not in html


def test_without_epvs_there_is_no_section():
    html = subject_page("sub-1", [])
    assert "Perivascular" not in html
    assert "Nothing was measured of this subject." in html


def test_every_code_has_a_sentence_on_the_page():
    measures = table(row("vbnet", qc_reasons=";".join(CODES)))
    html = page(describe(measures))
    for sentence in REASONS.values():
        assert sentence in html


# ------------------------------------------------------------------ the cohort's page


def test_cohort_table():
    cohort = pd.DataFrame([{"participant_id": "sub-1"}])
    part, html = cohort_html(MEASURES, cohort, ["sub-1"])
    rows = part.rows
    assert rows == describe_epvs_cohort(MEASURES, reasons=REASONS, subjects=["sub-1"])
    assert len(rows) == 1
    assert rows[0]["engine"] == "vbnet"
    assert rows[0]["numbers"] == ["41", "586", "0.236", "n/a", "n/a", "1391", "55"]
    assert "<b>1</b><span>sessions with EPVS measured</span>" in html
    assert "ALPS left" not in html
    assert html.count('href="sub-1.html"') == 3
    assert html.count('data-status="warn"') == 3  # subjects, EPVS, heat map
    assert "trained on synthetic data" in html
    assert "ses-2" in html


def test_the_worst_session_is_that_of_the_subject():
    sessions = [
        row("vbnet", session_id=f"ses-{i}", qc_status=status, qc_reasons=codes)
        for i, (status, codes) in enumerate(
            [("pass", None), ("fail", "epvs_t2_misaligned"), ("warn", "epvs_empty")]
        )
    ]
    _, html = cohort_html(table(*sessions), pd.DataFrame([{"participant_id": "sub-1"}]))
    assert html.count('<tr id="sub-1" data-status="fail"') == 1
    assert html.count(REASONS["epvs_t2_misaligned"]) == 2  # of the subject, and of the session


def test_cohort_without_epvs_has_no_section():
    html = cohort_page(alps_table([]), NOBODY, NOBODY, config=CONFIG, reasons={}, **EMPTY)
    assert 'id="epvs"' not in html
    assert "perivascular" not in html


def test_primary_is_read_from_a_file_as_it_was_written(tmp_path):
    from glymflow.io import read_tsv, write_tsv

    write_tsv(MEASURES, tmp_path / "epvs.tsv")
    rows = describe_epvs_cohort(read_tsv(tmp_path / "epvs.tsv"), reasons=REASONS)
    assert [r["engine"] for r in rows] == ["vbnet"]


# ------------------------------------------------------------------ methods


def limits(shortest, widest):
    return {"epvs": {"min_length_mm": shortest, "lacune_min_mm": widest}}


def test_methods():
    more = table(*MEASURES.to_dict("records"), row("vbnet", contrasts="T1w"))
    text = sentences(more, limits(2, 3.5))
    assert "measured in 2 sessions (1 from T1w and 1 from T1w+T2w; engine: vbnet)" in text
    assert "shorter than 2 mm were dropped" in text
    assert "wider than 3.5 mm" in text
    assert text.endswith("until it is compared with raters.")


@pytest.mark.parametrize("engine", ["frangi", "external"])
def test_methods_of_other_engines_name_no_network(engine):
    text = sentences(table(row(engine, primary="true")), limits(2, 3))
    assert "synthetic" not in text


def test_methods_of_nothing():
    nothing = table(row("vbnet", primary="false", epvs_count=np.nan))
    assert sentences(nothing, limits(2, 3)) == ""
