"""Masks that the config names by a path with fields."""

import pytest
from bids_trees import make_tree

from glymflow.cohort.patterns import masks_by_pattern
from glymflow.io import InputFault

COLUMNS = ("participant_id", "session_id", "label", "rater", "space", "path")


@pytest.fixture
def find(tmp_path):
    """Find the masks of two subjects, one of them with two sessions, and of a table."""
    bids = make_tree(tmp_path / "bids", "sub-1/ses-a/x", "sub-1/ses-b/x", "sub-2/x")
    table = bids / "participants.tsv"
    table.write_text("participant_id\tfile\nsub-1\tone\nsub-2\tn/a\n", encoding="utf-8")

    def found(files=(), rows=None, **patterns):
        make_tree(tmp_path / "masks", *files)
        if rows:
            table.write_text("\n".join(rows) + "\n", encoding="utf-8")
        patterns = {
            label: f"{tmp_path}/masks/{given}"
            if isinstance(given, str)
            else [f"{tmp_path}/masks/{name}" for name in given]
            for label, given in patterns.items()
        }
        masks, faults = masks_by_pattern(
            bids, table, ["sub-1", "sub-2"], patterns, section="lesions.masks"
        )
        rows = [dict(zip(COLUMNS, mask, strict=False)) for mask in masks]
        return [row | {"path": row["path"].rpartition("/")[2]} for row in rows], faults

    return found


def test_without_patterns_there_is_nothing(find):
    assert find() == ([], [])


def test_by_participant(find):
    masks, faults = find(["sub-1_space-T2w_les.nii"], lesion="{participant_id}_space-T2w_les.nii")
    assert masks == [
        {
            "participant_id": "sub-1",
            "session_id": None,
            "label": "lesion",
            "rater": None,
            "space": "T2w",
            "path": "sub-1_space-T2w_les.nii",
        }
    ]
    assert faults == []  # sub-2 has no mask: nobody said that it has one


def test_by_session(find):
    masks, _ = find(
        ["sub-1/ses-b.voi", "sub-2/ses-a.voi"], haematoma="{participant_id}/{session_id}.voi"
    )
    assert [(row["participant_id"], row["session_id"]) for row in masks] == [("sub-1", "ses-b")]


def test_two_patterns_are_two_raters(find):
    masks, _ = find(
        ["a/sub-1.nii", "b/sub-1.nii", "b/sub-2.nii"],
        lesion=["a/{participant_id}.nii", "b/{participant_id}.nii"],
    )
    assert [(row["participant_id"], row["rater"]) for row in masks] == [
        ("sub-1", "1"),
        ("sub-1", "2"),
        ("sub-2", "2"),
    ]


def test_a_column_of_the_table(find):
    masks, faults = find(["one.nii"], lesion="{file}.nii")
    assert [(row["participant_id"], row["path"]) for row in masks] == [("sub-1", "one.nii")]
    assert faults == []  # n/a of sub-2: there is no mask


def test_a_named_mask_that_is_not_there_is_a_fault(find):
    masks, faults = find(lesion="{file}.nii")
    assert masks == []
    ((subject, *_, reason),) = faults
    assert subject == "sub-1"
    assert reason.endswith("one.nii: there is no such file (lesions.masks.lesion)")


def test_a_session_of_the_table_that_is_no_label(find):
    rows = ["participant_id\tsession_id\tfile", "sub-1\t$(x)\tone", "sub-1\tses-a\tone"]
    masks, faults = find(["one.nii"], rows, lesion="{file}.nii")
    assert [row["session_id"] for row in masks] == ["ses-a"]
    assert "letters and digits only" in faults[0][-1]


@pytest.mark.parametrize("pattern", ["{nowhere}.nii", "{file}_{session_id}.nii"])
def test_a_field_that_is_no_column(find, pattern):
    with pytest.raises(InputFault, match=r"lesions\.masks\.lesion: \{\w+\} is not a column of"):
        find(lesion=pattern)


@pytest.mark.parametrize("pattern", ["{participant_id.nii", "a}.nii"])
def test_a_brace_without_its_partner_is_named(find, pattern):
    with pytest.raises(InputFault, match=r"\.nii: a brace without its partner"):
        find(lesion=pattern)
