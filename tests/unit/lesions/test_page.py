"""Lesions on the report's pages."""

import numpy as np
import pandas as pd
import pytest

from glymflow.alps.index import alps_table
from glymflow.figures.slices import LESION_COLORS
from glymflow.io import save_image, write_tsv
from glymflow.lesions import page as lesion_page
from glymflow.lesions.domain import COLUMNS, LESIONS
from glymflow.lesions.page import cohort_part, describe_lesion, lesion_part, subject_parts
from glymflow.pages.report import cohort_page, subject_page

ROW = {
    "participant_id": "sub-1", "session_id": np.nan, "volume_lesion_ml": 12.34,
    "volume_haematoma_ml": 5.0, "volume_oedema_ml": 7.34, "relative_oedema_ratio": 1.468,
    "side": "left", "location": "supratentorial_deep", "share_deep": 0.875, "share_left": 1.0,
    "masks": "a.nii.gz", "qc_status": "warn", "qc_reasons": "slice_gap",
}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (3).to_bytes(4) + (2).to_bytes(4)
TABLES = (
    alps_table([]),
    pd.DataFrame([ROW]),
    pd.DataFrame(columns=["participant_id", "stage", "reason"]),
)
CONFIG = {"roi_set": "a", "frame": "template"}
SETTINGS = {"lesions": {"min_dice": 0.7, "max_haematoma_outside": 0.1}}
EMPTY = {"charts": [], "tables": [], "figures": []}


REASONS = LESIONS.reasons


def page(lesion):
    return subject_page("sub-1", [lesion_part(lesion)])


def cohort_html(*parts, subjects=()):
    return cohort_page(*TABLES, config=CONFIG, reasons={}, subjects=subjects, parts=parts, **EMPTY)


def test_page_of_a_lesion():
    views = dict.fromkeys(("axial", "coronal", "sagittal"), PNG)
    lesion = describe_lesion(
        ROW, reasons=REASONS, pictures=[("on the template", ["lesion"], views)]
    )
    html = page(lesion)
    for words in ("12.3 mL", "7.3 mL", "1.47", "supratentorial deep", "88 %", "a gap between"):
        assert words in html, words
    assert html.count("<img") == 3
    assert LESION_COLORS["lesion"] in html
    assert LESION_COLORS["oedema"] not in html  # what is not drawn is not in the key
    assert "Nothing was measured" not in html


def test_the_list_of_parts_tells_sessions_apart():
    lesion = describe_lesion(ROW | {"session_id": "ses-2"}, reasons=REASONS)
    assert lesion_part(lesion).title == "lesion, ses-2"


def test_page_of_a_lesion_that_was_not_measured():
    html = page(describe_lesion(None, reasons=REASONS, fault="m.nii.gz: the mask is empty"))
    assert "m.nii.gz: the mask is empty" in html
    assert "mL" not in html


def test_page_without_a_picture_says_why():
    assert "The image of the mask was not found, and the mask cannot be brought" in page(
        describe_lesion(ROW, reasons=REASONS)
    )


def test_cohort_of_masks_only():
    table = pd.DataFrame([ROW]).reindex(columns=COLUMNS)
    part = cohort_part(table, subjects=["sub-1"], has_alps=False, config=SETTINGS)
    html = cohort_html(part, subjects=["sub-1"])
    assert "<b>1</b><span>lesions measured</span>" in html
    assert "ALPS left" not in html
    assert "series measured" not in html
    assert html.count('href="sub-1.html"') == 3  # subjects, lesions, heat map
    assert html.count('data-status="warn"') == 3
    assert '<td class="w">yes</td>' in part.html


def test_cohort_without_lesions_has_no_section():
    html = cohort_html()
    assert "lesions measured" not in html
    assert 'id="lesions"' not in html
    assert "ALPS left" in html


class TestPictures:
    """A picture outlines the mask whose volume is in the table, whoever drew it."""

    @pytest.fixture
    def drawn(self, tmp_path):
        """The masks of one label, [0:4] and [2:6] along x, or a final one, by their raters."""
        shape, affine = (12, 12, 12), np.eye(4)
        save_image(np.ones(shape, np.float32), affine, tmp_path / "t2w.nii.gz")

        def write(*raters, image=tmp_path / "t2w.nii.gz"):
            rows = []
            for rater, start in zip(raters, (0, 2, 8), strict=False):
                mask = np.zeros(shape, np.uint8)
                mask[start : start + 4, 4:8, 4:8] = 1
                path = tmp_path / f"{rater}.nii.gz"
                save_image(mask, affine, path)
                rows.append({"participant_id": "sub-1", "session_id": None, "label": "lesion",
                             "rater": rater, "volume": True, "mask": str(path),
                             "image": str(image) if image else None})  # fmt: skip
            return rows

        return write

    @pytest.fixture
    def outlines(self, monkeypatch):
        """What was drawn, instead of the pictures themselves."""
        seen = []

        def draw_lesion(data, masks, affine):
            seen.append({label: mask.copy() for label, mask in masks.items()})
            return dict.fromkeys(("axial", "coronal", "sagittal"))

        monkeypatch.setattr(lesion_page.slices, "draw_lesion", draw_lesion)
        monkeypatch.setattr(lesion_page, "figure_bytes", lambda *_, **__: PNG)
        return seen

    @pytest.mark.parametrize("raters", [("1", "2"), ("2", "3"), ("A", "B")])
    @pytest.mark.parametrize(
        ("consensus", "along_x"),
        [("union", range(6)), ("intersection", range(2, 4)), ("rater1", range(4))],
    )
    def test_any_two_raters(self, drawn, outlines, files, raters, consensus, along_x):
        (part,) = subject_parts(files, sessions=[drawn(*raters)], consensus=consensus)
        assert part.status == "warn"
        (shown,) = outlines
        assert list(shown) == ["lesion", "rater 1 lesion", "rater 2 lesion"]
        of_raters = [np.flatnonzero(shown[f"rater {n} lesion"].any(axis=(1, 2))) for n in (1, 2)]
        assert [places.tolist() for places in of_raters] == [[0, 1, 2, 3], [2, 3, 4, 5]]
        assert np.flatnonzero(shown["lesion"].any(axis=(1, 2))).tolist() == list(along_x)
        assert shown["lesion"].sum() == 16 * len(along_x)

    def test_one_rater_and_a_final_mask_beside_raters(self, drawn, outlines, files):
        subject_parts(files, sessions=[drawn("B")], consensus="union")
        subject_parts(files, sessions=[drawn("1", "2", None)], consensus="union")
        assert [np.flatnonzero(s["lesion"].any(axis=(1, 2))).tolist() for s in outlines] == [
            [0, 1, 2, 3],
            [8, 9, 10, 11],
        ]
        assert [list(shown) for shown in outlines] == [["lesion"], ["lesion"]]

    def test_a_mask_in_template_space_is_not_outlined_on_the_scan(self, drawn, outlines, files):
        masks = drawn("A", "B")
        masks[1]["volume"] = False
        subject_parts(files, sessions=[masks], consensus="union")
        assert np.flatnonzero(outlines[0]["lesion"].any(axis=(1, 2))).tolist() == [0, 1, 2, 3]

    def test_the_pictures_are_on_the_page(self, drawn, files):
        (part,) = subject_parts(files, sessions=[drawn("A", "B")], consensus="union")
        assert part.html.count("<img") == 3
        assert LESION_COLORS["lesion"] in part.html
        assert LESION_COLORS["rater 1 lesion"] in part.html
        assert "rater 2 lesion" in part.html

    @pytest.fixture
    def files(self, tmp_path):
        """The tables and, as far as they matter here, the images of the page."""
        write_tsv(pd.DataFrame([ROW]).reindex(columns=COLUMNS), tmp_path / "lesions.tsv")
        write_tsv(TABLES[2].assign(session_id=[]), tmp_path / "excluded.tsv")
        write_tsv(pd.DataFrame([ROW | {"located_by": "lesion"}]), tmp_path / "batch.tsv")
        mask = np.zeros((12, 12, 12), np.uint8)
        mask[1:3, 1:3, 1:3] = 1
        save_image(mask, np.eye(4), tmp_path / "batch.nii.gz")
        save_image(np.ones((12, 12, 12), np.float32), np.eye(4), tmp_path / "t1.nii.gz")
        return {
            "table": [tmp_path / "lesions.tsv"],
            "excluded": [tmp_path / "excluded.tsv"],
            "background": [tmp_path / "t1.nii.gz"],
            "tables": [tmp_path / "batch.tsv"],
            "masks": [tmp_path / "batch.nii.gz"],
        }

    def test_without_an_image_it_is_drawn_on_the_template(self, drawn, outlines, files):
        subject_parts(files, sessions=[drawn("A", image=None)], consensus="union")
        assert outlines[0]["lesion"].sum() == 8

    def test_a_subject_without_masks_has_no_part(self, files):
        assert subject_parts(files, sessions=[], consensus="union") == []

    def test_a_session_that_was_not_measured_has_its_reason(self, drawn, files, tmp_path):
        write_tsv(pd.DataFrame(columns=COLUMNS), tmp_path / "lesions.tsv")
        why = {
            "participant_id": "sub-1",
            "session_id": None,
            "stage": "measurement",
            "reason": "the mask is empty",
        }
        write_tsv(pd.DataFrame([why]), tmp_path / "excluded.tsv")
        (part,) = subject_parts(files, sessions=[drawn("A")], consensus="union")
        assert part.status == "none"
        assert "the mask is empty" in part.html
