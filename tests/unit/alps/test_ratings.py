"""Ratings of readers: what is read, what is refused, what an exclusion does, how readers agree."""

import pandas as pd
import pytest

from glymflow.alps.ratings import apply_ratings, compare_ratings, read_ratings
from glymflow.io import InputFault

HEAD = "participant_id\tsession_id\tseries\trater\trating\troi\tnote\tdate\n"


@pytest.fixture
def write(tmp_path):
    def make(name, *rows, head=HEAD):
        path = tmp_path / name
        path.write_text(head + "".join(f"{row}\n" for row in rows))
        return path

    return make


def row(series, rater, rating, roi="n/a", note="n/a"):
    return f"sub-{series}\tn/a\tsub-{series}\t{rater}\t{rating}\t{roi}\t{note}\t2026-01-02"


def test_two_readers(write):
    one = write("a.tsv", row("1", "AB", "accept"), row("2", "AB", "exclude", "left projection"))
    two = write("b.tsv", row("1", "CD", "unsure"), row("3", "CD", "n/a"))
    found = read_ratings([one, two])
    assert found.series.tolist() == ["sub-1", "sub-2", "sub-1"]
    assert found.roi.tolist()[1] == "left projection"


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        ([row("1", "AB", "maybe")], HEAD, "rating 1: 'maybe' is none of accept, unsure, exclude"),
        ([row("1", "n/a", "accept")], HEAD, "rating 1: it needs a series and a rater"),
        ([row("1", "AB", "accept")] * 2, HEAD, "two ratings of sub-1 by AB"),
        (["sub-1\tAB"], "series\trater\n", "no column rating"),
    ],
)
def test_what_is_refused(write, rows, head, words):
    with pytest.raises(InputFault, match=words) as fault:
        read_ratings([write("a.tsv", *rows, head=head)])
    assert "a.tsv" in str(fault.value)


def test_an_excluded_scan_fails_in_all_rois_and_frames(write):
    ratings = read_ratings([write("a.tsv", row("1", "AB", "accept"), row("2", "AB", "exclude"))])
    alps = pd.DataFrame(
        {
            "source": ["sub-1", "sub-2", "sub-2"],
            "qc_status": ["pass", "pass", "warn"],
            "qc_reasons": [None, None, "snr_low"],
        }
    )
    rated = apply_ratings(alps, ratings)
    assert rated.qc_status.tolist() == ["pass", "fail", "fail"]
    assert rated.qc_reasons.tolist()[1:] == ["rated_out", "snr_low;rated_out"]
    assert alps.qc_status.tolist() == ["pass", "pass", "warn"]


def test_ratings_side_by_side(write):
    ratings = read_ratings(
        [
            write("a.tsv", row("1", "AB", "accept"), row("2", "AB", "exclude", note="dark"),
                  row("3", "AB", "accept")),
            write("b.tsv", row("1", "CD", "accept"), row("2", "CD", "accept", "left projection")),
        ]
    )  # fmt: skip
    names = ["sub-1", "sub-2", "sub-3", "sub-4"]
    series = pd.DataFrame({"participant_id": names, "session_id": None, "series": names})
    table = compare_ratings(ratings, series).set_index("series")
    assert table.agreement.fillna("n/a").tolist() == ["yes", "no", "n/a", "n/a"]
    assert table.rating_CD.fillna("n/a").tolist() == ["accept", "accept", "n/a", "n/a"]
    assert table.notes["sub-2"] == "AB: dark; CD: left projection"
