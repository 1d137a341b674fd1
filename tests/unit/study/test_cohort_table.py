"""One row per subject and session: participants and measures joined, several series combined."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import write_tsv
from glymflow.study.cohort_table import (
    expected_cohort,
    join_participants,
    merge_cohort,
    read_cohort,
)


def alps_table(*rows):
    """Rows of (participant, session, source, alps_mean, status, reasons) in two ROI sets."""
    columns = [
        "participant_id",
        "session_id",
        "source",
        "alps_mean",
        "qc_status",
        "qc_reasons",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(3, "roi_set", "a")
    table.insert(4, "frame", "template")
    other = table.assign(roi_set="b", alps_mean=9.0)
    return pd.concat([table, other, table.assign(frame="fibre", alps_mean=8.0)])


PRIMARY = {"roi_set": "a", "frame": "template"}
NOBODY = pd.DataFrame(columns=["participant_id"], dtype=object)


class TestMerge:
    rows = (
        ("sub-01", np.nan, "sub-01_dir-AP", 1.4, "warn", "low_fa;motion"),
        ("sub-01", np.nan, "sub-01_dir-PA", 1.6, "pass", np.nan),
        ("sub-01", np.nan, "sub-01_dir-XX", 5.0, "fail", "off_axis"),
        ("sub-02", "ses-1", "sub-02_ses-1", 1.2, "fail", "off_axis"),
        ("sub-02", "ses-1", "sub-02_ses-1_run-2", 1.0, "fail", "low_fa;off_axis"),
        ("sub-02", "ses-2", "sub-02_ses-2", np.nan, "fail", "outside"),
    )

    @pytest.mark.parametrize(
        ("combine", "alps", "status", "sources"),
        [
            (
                "mean",
                [1.5, 1.1, np.nan],
                ["warn", "fail", "fail"],
                ["sub-01_dir-AP;sub-01_dir-PA", "sub-02_ses-1;sub-02_ses-1_run-2", "sub-02_ses-2"],
            ),
            (
                "best",
                [1.6, 1.2, np.nan],
                ["pass", "fail", "fail"],
                ["sub-01_dir-PA", "sub-02_ses-1", "sub-02_ses-2"],
            ),
            (
                "first",
                [1.4, 1.2, np.nan],
                ["warn", "fail", "fail"],
                ["sub-01_dir-AP", "sub-02_ses-1", "sub-02_ses-2"],
            ),
        ],
    )
    def test_several_series(self, combine, alps, status, sources):
        table = alps_table(*self.rows).sample(frac=1, random_state=1)
        cohort = merge_cohort({"alps": table}, NOBODY, **PRIMARY, combine=combine)
        np.testing.assert_allclose(cohort.alps_mean, alps)
        assert cohort.qc_status.tolist() == status
        assert cohort.source.tolist() == sources
        assert cohort.n_series.tolist() == [3, 2, 1]
        assert cohort.session_id.fillna("").tolist() == ["", "ses-1", "ses-2"]
        assert set(cohort.roi_set) == {"a"}
        assert set(cohort.frame) == {"template"}

    def test_reasons_of_the_series_that_count(self):
        cohort = merge_cohort({"alps": alps_table(*self.rows)}, NOBODY, **PRIMARY, combine="mean")
        assert cohort.qc_reasons.fillna("").tolist() == [
            "low_fa;motion",
            "off_axis;low_fa",
            "outside",
        ]

    def test_participants_come_first(self):
        participants = pd.DataFrame(
            {"participant_id": ["sub-02", "sub-09"], "group": ["x", "y"], "alps_mean": [0.0, 0.0]}
        )
        cohort = merge_cohort(
            {"alps": alps_table(*self.rows)}, participants, **PRIMARY, combine="mean"
        )
        assert cohort.columns[:4].tolist() == [
            "participant_id",
            "session_id",
            "group",
            "participants_alps_mean",
        ]
        assert cohort.group.fillna("").tolist() == ["", "x", "x"]
        assert "sub-09" not in set(cohort.participant_id)
        assert cohort.alps_mean[0] == pytest.approx(1.5)

    def test_participants_by_session(self):
        participants = pd.DataFrame(
            {"participant_id": ["sub-02"] * 2, "session_id": ["ses-1", "ses-2"], "age": [40, 42]}
        )
        cohort = merge_cohort(
            {"alps": alps_table(*self.rows)}, participants, **PRIMARY, combine="mean"
        )
        assert cohort.age.fillna(0).tolist() == [0, 40, 42]

    def test_other_domains(self):
        lesions = pd.DataFrame(
            {
                "participant_id": ["sub-01", "sub-03"],
                "session_id": [np.nan, np.nan],
                "volume_lesion_ml": [12.0, 3.0],
                "qc_status": ["pass", "warn"],
            }
        )
        cohort = merge_cohort(
            {"alps": alps_table(*self.rows), "lesions": lesions},
            pd.DataFrame({"participant_id": ["sub-03"], "age": [70]}),
            **PRIMARY,
            combine="mean",
        )
        by_id = cohort.drop_duplicates("participant_id").set_index("participant_id")
        assert by_id.volume_lesion_ml["sub-01"] == 12
        assert by_id.lesions_qc_status["sub-03"] == "warn"
        assert np.isnan(by_id.alps_mean["sub-03"])
        assert by_id.age["sub-03"] == 70
        assert by_id.qc_status["sub-01"] == "warn"

    def test_nothing_measured(self):
        empty = alps_table(*self.rows).iloc[:0]
        cohort = merge_cohort({"alps": empty}, NOBODY, **PRIMARY, combine="mean")
        assert cohort.empty
        assert {"participant_id", "session_id", "n_series", "alps_mean"} <= set(cohort.columns)

    def test_tables_are_left_as_they_were(self):
        alps = alps_table(*self.rows)
        before = alps.copy()
        merge_cohort({"alps": alps}, NOBODY, **PRIMARY, combine="mean")
        pd.testing.assert_frame_equal(alps, before)


class TestPhaseEncodings:
    """AP and PA count the same, however many series each has; errors shrink with the number."""

    rows = pd.DataFrame(
        {
            "participant_id": "sub-01",
            "session_id": None,
            "source": ["sub-01_dir-AP_run-1", "sub-01_dir-AP_run-2", "sub-01_dir-PA"],
            "roi_set": PRIMARY["roi_set"],
            "frame": PRIMARY["frame"],
            "alps_mean": [1.2, 1.4, 1.7],
            "alps_mean_se": [0.06, 0.08, 0.05],
            "alps_mean_ci_low": [0.0, 0.0, 0.0],
            "alps_mean_ci_high": [9.0, 9.0, 9.0],
            "qc_status": "pass",
            "qc_reasons": np.nan,
        }
    )

    def test_each_direction_weighs_the_same(self):
        cohort = merge_cohort({"alps": self.rows}, NOBODY, **PRIMARY, combine="mean")
        assert cohort.alps_mean[0] == pytest.approx((1.3 + 1.7) / 2)  # the plain mean is 1.433

    def test_error_of_the_mean(self):
        row = merge_cohort({"alps": self.rows}, NOBODY, **PRIMARY, combine="mean").iloc[0]
        along = np.hypot(0.06, 0.08) / 2
        error = np.hypot(along, 0.05) / 2
        assert row.alps_mean_se == pytest.approx(error)
        assert row.alps_mean_ci_low == pytest.approx(1.5 - 1.959964 * error)
        assert row.alps_mean_ci_high == pytest.approx(1.5 + 1.959964 * error)

    def test_weights_are_inverse_variances_within_a_direction(self):
        row = merge_cohort({"alps": self.rows}, NOBODY, **PRIMARY, combine="weighted").iloc[0]
        first, second = self.rows[self.rows.source.str.contains("AP")].alps_mean
        weights = np.array([1 / 0.06**2, 1 / 0.08**2])
        along = np.average([first, second], weights=weights)
        assert row.alps_mean == pytest.approx((along + 1.7) / 2)
        error = np.hypot(np.sqrt(1 / weights.sum()), 0.05) / 2
        assert row.alps_mean_se == pytest.approx(error)

    def test_an_unknown_error_makes_weights_equal(self):
        rows = self.rows.assign(alps_mean_se=[0.06, np.nan, 0.05])
        row = merge_cohort({"alps": rows}, NOBODY, **PRIMARY, combine="weighted").iloc[0]
        assert row.alps_mean == pytest.approx((1.3 + 1.7) / 2)

    @pytest.mark.parametrize("combine", ["weighted", "mean"])
    @pytest.mark.parametrize(
        "other",
        [
            {"b_value": [1000, 1005, 2000]},
            {"directions": [30, 30, 6]},
            {"shells": ["b1000", "b1010", "b500+b1000"]},
            {"shells": ["b2950", "b3040", "b2000"], "b_value": [2950, 3040, 2000]},
            {"voxel_z_mm": [2.0, 2.001, 3.0]},
        ],
    )
    def test_other_b_values_and_directions_are_not_mixed(self, combine, other):
        rows = self.rows.assign(**({"b_value": 1000.0, "directions": 30} | other))
        row = merge_cohort({"alps": rows}, NOBODY, **PRIMARY, combine=combine).iloc[0]
        assert "PA" not in row.source
        assert row.alps_mean == pytest.approx(1.3, abs=0.05)
        assert row.n_series == 3

    def test_only_the_tensor_enters(self):
        wet = self.rows.assign(model="fwdti", alps_mean=9.0)
        rows = pd.concat([wet, self.rows.assign(model="tensor")], ignore_index=True)
        one, other = (
            merge_cohort({"alps": table}, NOBODY, **PRIMARY, combine="mean")
            for table in (rows, self.rows.assign(model="tensor"))
        )
        pd.testing.assert_frame_equal(one, other)

    def test_of_two_kinds_as_common_the_first_is_taken(self):
        rows = self.rows[1:].assign(b_value=[2000.0, 1000.0], directions=30)
        row = merge_cohort({"alps": rows}, NOBODY, **PRIMARY, combine="weighted").iloc[0]
        assert row.b_value == 2000

    def test_an_unknown_error_is_left_out(self):
        rows = self.rows.assign(alps_mean_se=[np.nan, np.nan, 0.05])
        row = merge_cohort({"alps": rows}, NOBODY, **PRIMARY, combine="mean").iloc[0]
        assert row.alps_mean_se == pytest.approx(0.05)

    def test_one_series_keeps_its_interval(self):
        row = merge_cohort({"alps": self.rows}, NOBODY, **PRIMARY, combine="first").iloc[0]
        assert row.alps_mean_ci_low == pytest.approx(1.2 - 1.959964 * 0.06)


def test_the_expected_cohort_has_those_that_are_found():
    rows = {
        "alps": pd.DataFrame({"participant_id": ["sub-1", "sub-1"], "session_id": ["ses-1"] * 2}),
        "epvs": pd.DataFrame(
            {
                "participant_id": ["sub-2", "sub-3"],
                "session_id": [None, None],
                "measured": [True, False],
            }
        ),
        "lesions": pd.DataFrame({"participant_id": [], "session_id": []}, dtype=object),
    }
    people = pd.DataFrame({"participant_id": ["sub-1", "sub-3"], "arm": ["01", "02"]})
    table = expected_cohort(rows, people)
    assert table.participant_id.tolist() == ["sub-1", "sub-2"]
    assert table.arm.fillna("").tolist() == ["01", ""]


def test_a_row_without_session_is_of_all_sessions_without_a_row():
    measured = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-1", "sub-2", "sub-3"],
            "session_id": ["ses-1", "ses-2", "ses-1", None],
            "value": [1.0, 2, 3, 4],
        }
    )
    people = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-1", "sub-2", "sub-3"],
            "session_id": [np.nan, "ses-2", np.nan, np.nan],
            "arm": ["a", "b", "c", "d"],
            "value": ["x", "x", "x", "x"],
        }
    )
    table = join_participants(measured, people)
    assert table.arm.tolist() == ["a", "b", "c", "d"]
    assert table.columns.tolist()[2:] == ["arm", "participants_value", "value"]


def test_columns_of_participants_are_read_as_text(tmp_path):
    table = pd.DataFrame(
        {
            "participant_id": ["sub-1", "sub-2"],
            "session_id": [None, None],
            "arm": ["01", "02"],
            "version": ["1.10", "1E1"],
            "flag": ["TRUE", None],
            "alps_mean": [1.5, np.nan],
        }
    )
    write_tsv(table, tmp_path / "cohort.tsv")
    read = read_cohort(tmp_path / "cohort.tsv")
    assert read.arm.tolist() == ["01", "02"]
    assert read.version.tolist() == ["1.10", "1E1"]
    assert read.flag.fillna("-").tolist() == ["TRUE", "-"]
    assert read.alps_mean.dtype == float
