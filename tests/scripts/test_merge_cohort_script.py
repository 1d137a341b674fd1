"""scripts/merge_cohort.py: participants and measures in one table."""

from datetime import datetime

import pandas as pd
import pytest

from glymflow.alps.index import alps_table
from glymflow.io import InputFault, read_json, read_tsv, write_tsv
from glymflow.text import level_text


@pytest.fixture
def merge(load_main, tmp_path):
    rows = [
        {
            "participant_id": f"sub-0{n}", "source": f"sub-0{n}_dwi", "roi_set": roi_set,
            "frame": frame, "alps_mean": n + len(frame) / 10, "qc_status": "pass",
        }
        for n in (1, 2)
        for roi_set in ("barisano2025", "ad2025")
        for frame in ("template", "fibre")
    ]  # fmt: skip
    write_tsv(alps_table(rows), tmp_path / "alps.tsv")

    def run(participants, **others):
        load_main("merge_cohort")(
            measures={"alps": tmp_path / "alps.tsv"} | others,
            participants=participants,
            roi_set="barisano2025",
            frame="fibre",
            combine="mean",
            cohort=tmp_path / "cohort.tsv",
            dictionary=tmp_path / "cohort.json",
        )
        return read_tsv(tmp_path / "cohort.tsv")

    return run


def test_primary_set_and_frame_beside_the_participants(merge, tmp_path):
    table = pd.DataFrame({"participant_id": ["01", "sub-02", "sub-09"], "age": [60, None, 70]})
    write_tsv(table, tmp_path / "participants.tsv")
    cohort = merge(tmp_path / "participants.tsv")
    assert cohort.participant_id.tolist() == ["sub-01", "sub-02"]
    assert cohort.alps_mean.tolist() == [1.5, 2.5]
    assert cohort.age.fillna(-1).tolist() == [60, -1]
    assert set(cohort.frame) == {"fibre"}


def test_without_participants_it_holds_the_measures(merge):
    assert merge(None).alps_mean.tolist() == [1.5, 2.5]


def test_table_that_cannot_be_read_is_named(merge, tmp_path):
    (tmp_path / "p.tsv").write_text("participant_id\tage\nsub-01\t4\t5\n")
    with pytest.raises(InputFault, match=r"p\.tsv: .*line 2 has more cells than the header"):
        merge(tmp_path / "p.tsv")


def test_epvs_of_the_primary_engine(merge, tmp_path):
    """Whom ALPS does not have is there too; names that do not say EPVS get it as prefix."""
    rows = {
        "participant_id": ["sub-01", "sub-01", "sub-03"],
        "session_id": None,
        "engine": ["vbnet", "frangi", "vbnet"],
        "primary": ["true", "false", "true"],
        "epvs_count": [7, 9, 8],
        "brain_volume_ml": 1200.0,
        "lacunes": 1,
        "qc_status": ["warn", "pass", "pass"],
        "qc_reasons": ["epvs_t1_only", None, None],
    }
    write_tsv(pd.DataFrame(rows), tmp_path / "epvs.tsv")
    cohort = merge(None, epvs=tmp_path / "epvs.tsv")
    assert cohort.participant_id.tolist() == ["sub-01", "sub-02", "sub-03"]
    assert cohort.epvs_count.fillna(-1).tolist() == [7, -1, 8]
    assert cohort.epvs_engine.tolist()[0] == "vbnet"
    assert cohort.epvs_lacunes.tolist()[0] == 1
    assert cohort.epvs_qc_status.tolist()[0] == "warn"
    assert cohort.qc_status.fillna("-").tolist() == ["pass", "pass", "-"]
    assert "primary" not in cohort
    assert cohort.alps_mean.notna().tolist() == [True, True, False]


def test_the_dictionary_says_what_each_measure_is(merge, tmp_path):
    table = pd.DataFrame({"participant_id": ["sub-01"], "age": [60]})
    write_tsv(table, tmp_path / "participants.tsv")
    cohort = merge(tmp_path / "participants.tsv")
    dictionary = read_json(tmp_path / "cohort.json")
    # of the participants table there is another one
    assert set(dictionary) == set(cohort) - {"participant_id", "session_id", "age"}
    assert dictionary["alps_mean"] == {"Description": "ALPS index, mean of left and right"}
    assert dictionary["motion_mm"]["Units"] == "mm"


@pytest.mark.parametrize(
    ("codes", "order"),
    [
        (("01", "02"), "[01, 02]"),
        (("1.10", "1.1"), "[1.10, 1.1]"),
        (("1E1", "10"), "[1E1, 10]"),
        (("TRUE", "FALSE"), "[TRUE, FALSE]"),
        (("1", "2"), "[1, 2]"),
    ],
)
def test_codes_keep_their_members_to_the_printed_table(merge, load_main, tmp_path, codes, order):
    """From participants.tsv over cohort.tsv and the results to the table: text stays text."""
    lines = ["participant_id\tarm", f"sub-01\t{codes[0]}", f"sub-02\t{codes[1]}"]
    (tmp_path / "participants.tsv").write_text("\n".join(lines) + "\n")
    merge(tmp_path / "participants.tsv")
    assert (tmp_path / "cohort.tsv").read_text().splitlines()[1].split("\t")[2] == codes[0]
    (tmp_path / "plan.yaml").write_text(
        f"title: t\ngroups: {{column: arm, order: {order}}}\n"
        "variables: {alps_mean: {type: continuous}}\n"
        "analyses: [{id: one, kind: compare_groups, variables: [alps_mean]}]\n"
        "tables: [{id: table1, analysis: one}]\n"
    )
    stats = [tmp_path / "one.tsv", tmp_path / "flow.tsv"]
    load_main("run_study")(cohort=tmp_path / "cohort.tsv", plan=tmp_path / "plan.yaml", stats=stats)
    flow = read_tsv(stats[1], text=("group",)).set_index("group")
    names = [level_text(code) for code in codes]
    assert flow.loc[names, "left"].tolist() == [1, 1] * (len(flow) // 3)
    load_main("render_tables")(
        plan=tmp_path / "plan.yaml", stats=stats, tables=[tmp_path / "table1.tsv"]
    )
    printed = (tmp_path / "table1.tsv").read_text()
    for name in names:
        assert f"{name} (n = 1)" in printed


def test_sessions_are_numbered_in_their_order(load_main, tmp_path):
    rows = [
        {
            "participant_id": "sub-01", "session_id": session, "source": session,
            "roi_set": "one", "frame": "fibre", "alps_mean": 1.5, "qc_status": "pass",
        }
        for session in ("ses-post", "ses-pre")
    ]  # fmt: skip
    write_tsv(alps_table(rows), tmp_path / "alps.tsv")
    found = {"cohort": tmp_path / "cohort.tsv", "dictionary": tmp_path / "cohort.json"}

    def run(**times):
        load_main("merge_cohort")(
            measures={"alps": tmp_path / "alps.tsv"}, participants=None, roi_set="one",
            frame="fibre", combine="mean", **found, **times,
        )  # fmt: skip
        return read_tsv(found["cohort"]).set_index("session_id")

    assert run().session_order.to_dict() == {"ses-post": 2, "ses-pre": 1}
    assert read_json(found["dictionary"])["session_order"]["Description"]
    years = {"ses-pre": 2021, "ses-post": 2020}
    times = {("sub-01", session): datetime(year, 1, 1) for session, year in years.items()}
    table = run(times=times)
    assert table.session_order.to_dict() == {"ses-post": 1, "ses-pre": 2}
    assert set(table.session_order_by) == {"acq_time"}
