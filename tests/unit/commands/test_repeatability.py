"""Test-retest: known truth, published examples against R, unequal heads, rows left out, faults.

R 4.2, psych 2.2.9. `x` are the children (a row each), `w` the two columns of the peak flow meter.
"""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow import cli
from glymflow.alps.index import alps_table
from glymflow.commands.repeatability import (
    COLUMNS,
    SETS,
    bland_altman,
    choose_repeats,
    one_way,
    repeated_scans,
    summarise,
)
from glymflow.commands.repeatability_page import plot_bland_altman, printed_tables, remarks
from glymflow.io import InputFault, read_tsv, write_tsv

R = 1e-9
# Bland JM, Altman DG. Measurement error. BMJ 1996;313:744, table 1 (litres per minute)
CHILDREN = np.array(
    [
        *([190, 220, 200, 200], [220, 200, 240, 230], [260, 260, 240, 280], [210, 300, 280, 265]),
        *([270, 265, 280, 270], [280, 280, 270, 275], [260, 280, 280, 300], [275, 275, 275, 305]),
        *([280, 290, 300, 290], [320, 290, 300, 290], [300, 300, 310, 300], [270, 250, 330, 370]),
        *([320, 330, 330, 330], [335, 320, 335, 375], [350, 320, 340, 365], [360, 320, 350, 345]),
        *([330, 340, 380, 390], [335, 385, 360, 370], [400, 420, 425, 420], [430, 460, 480, 470]),
    ],
    dtype=float,
)
# Bland JM, Altman DG. Lancet 1986;1:307-310: two readings with the Wright meter
WRIGHT = np.array(
    [
        [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427],
        [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421],
    ],
    dtype=float,
).T


def cohort(heads, *, series=False):
    """An alps.tsv with one ROI set and frame; left is a little below the mean, right above."""
    rows = []
    for i, values in enumerate(heads, 1):
        for j, value in enumerate(values, 1):
            label = f"run-{j}" if series else f"ses-{j}"
            rows.append(
                {
                    "participant_id": f"sub-{i:03}",
                    "session_id": None if series else label,
                    "source": f"sub-{i:03}_{label}",
                    "roi_set": "barisano2025",
                    "roi_radius_mm": 2.5,
                    "frame": "scanner",
                    "alps_left": value - 0.1,
                    "alps_right": value + 0.1,
                    "alps_mean": value,
                    "qc_status": "pass",
                }
            )
    return alps_table(rows)


def pooled(table, side="mean"):
    rows = table[(table["row"] == "pooled") & (table["side"] == side)]
    assert len(rows) == 1
    return rows.iloc[0]


def heads_of(table, side="mean"):
    rows = table[(table["row"] == "head") & (table["side"] == side)]
    return rows.set_index("participant_id")


def triple(row, name):
    return [row[name], row[f"{name}_low"], row[f"{name}_high"]]


UNEVEN = [[1.40, 1.44, 1.38, 1.41], [1.30, 1.36], [1.52, 1.50, 1.55]]


# ------------------------------------------------------------------ published examples


def test_the_twenty_children():
    row = pooled(summarise(cohort(CHILDREN)))
    # a <- anova(aov(v ~ h)); sw <- sqrt(a[2, 3]); sw * sqrt(60 / qchisq(c(.975, .025), 60))
    expected = [21.45974914423125, 18.21309809363797, 26.12586253217413]
    assert triple(row, "sd") == pytest.approx(expected, rel=R)
    assert round(row["sd"], 1) == 21.5  # as the paper prints it
    # 100 * sw / mean(x); mean(100 * apply(x, 1, sd) / rowMeans(x)); qnorm(.975) * sqrt(2) * sw
    assert row["cv_percent"] == pytest.approx(6.909961487375731, rel=R)
    assert row["cv_mean_percent"] == pytest.approx(5.872585350405368, rel=R)
    assert row["mdc"] == pytest.approx(59.48229681714962, rel=R)
    # sqrt((a[1, 3] - a[2, 3]) / 4)
    assert row["sd_between"] == pytest.approx(60.3246198394315, rel=R)
    # ICC(x, lmer = FALSE)$results
    expected = {
        "icc_1": [0.8876663544021604, 0.7959816258986667, 0.948056022958530],
        "icc_2": [0.8882137272515552, 0.7864241450481009, 0.9496279249150157],
        "icc_3": [0.9058700098672734, 0.8259613235942410, 0.9569445050666676],
    }
    for name, values in expected.items():
        assert triple(row, name) == pytest.approx(values, rel=1e-8)
    assert (row["n_heads"], row["n_scans"], row["df"], row["n_complete"]) == (20, 80, 60, 20)


def test_shrout_and_fleiss():
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    # ICC(sf, lmer = FALSE)$results[1, ]
    expected = [0.1657417684054756, -0.13293232487475087, 0.7225600623281211]
    assert one_way(ratings)[1:] == pytest.approx(expected, rel=1e-8)


def test_two_scans_each_is_the_usual_bland_altman():
    row = bland_altman(list(WRIGHT))
    # d <- w[, 2] - w[, 1]; mean(d) + c(0, -1, 1) * qt(.975, 16) * sd(d) / sqrt(17)
    expected = [-4.941176470588236, -16.110646110165469, 6.228293168988998]
    assert triple(row, "bias") == pytest.approx(expected, rel=R)
    # mean(d) -+ qnorm(.975) * sd(d) + c(0, -1, 1) * qt(.975, 16) * sd(d) *
    #   sqrt(1/17 + qnorm(.975)^2 / 32)
    expected = [-47.51950839166004, -66.99662636883772, -28.04239041448236]
    assert triple(row, "loa_lower") == pytest.approx(expected, rel=R)
    expected = [37.63715545048358, 18.16003747330589, 57.11427342766126]
    assert triple(row, "loa_upper") == pytest.approx(expected, rel=R)


def test_unequal_numbers_of_scans():
    sizes = {3: 4, 5: 3, 7: 2, 9: 4, 11: 2, 13: 3}  # child: readings
    samples = [CHILDREN[child - 1, :n] for child, n in sizes.items()]
    # a <- anova(aov(v ~ h)); n0 <- (18 - sum(n^2) / 18) / 5; va <- (a[1, 3] - a[2, 3]) / n0
    # g <- function(r, q) { w <- n * (1 - r) / (1 + (n - 1) * r)
    #   sum(w * (m - sum(w * m) / sum(w))^2) / 5 / a[2, 3] - q }
    # uniroot(g, c(-.3, .9999), q = qf(c(.975, .025), 5, 12))
    expected = [24.213182266871112, 0.835682707908486, 0.5009467858399199, 0.9711371658326805]
    assert one_way(samples) == pytest.approx(expected, rel=1e-8)


# ------------------------------------------------------------------ known truth


@pytest.mark.slow
def test_the_truth_is_recovered():
    rng = np.random.default_rng(3)
    heads = rng.normal(1.5, 0.10, 1500)
    values = heads[:, None] + rng.normal(0, 0.03, (1500, 3))
    row = pooled(summarise(cohort(values)))
    assert row["sd"] == pytest.approx(0.03, rel=0.03)
    assert row["sd_between"] == pytest.approx(0.10, rel=0.05)
    truth = 0.1**2 / (0.1**2 + 0.03**2)
    for name in ("icc_1", "icc_2", "icc_3"):
        assert row[name] == pytest.approx(truth, abs=0.01)
        assert row[f"{name}_low"] < truth < row[f"{name}_high"]
    assert row["cv_percent"] == pytest.approx(2, rel=0.05)
    assert row["sd_share_percent"] == pytest.approx(6, rel=0.05)
    assert row["mdc"] == pytest.approx(1.96 * np.sqrt(2) * 0.03, rel=0.03)
    differences = values[:, 1] - values[:, 0]
    inside = (row["loa_lower"] < differences) & (differences < row["loa_upper"])
    assert inside.mean() == pytest.approx(0.95, abs=0.015)
    assert abs(row["bias"]) < 0.005


def test_intervals_hold_the_truth_in_95_of_100():
    rng = np.random.default_rng(8)
    sizes, within, between = [2, 2, 3, 6, 9], 0.03, 0.06
    truth = between**2 / (between**2 + within**2)
    held = []
    for _ in range(400):
        samples = [rng.normal(rng.normal(1.5, between), within, n) for n in sizes]
        _, _, low, high = one_way(samples)
        limits = bland_altman(samples)
        wanted = 1.959964 * np.sqrt(2) * within
        held.append(
            [low < truth < high, limits["loa_upper_low"] < wanted < limits["loa_upper_high"]]
        )
    assert np.mean(held, axis=0) == pytest.approx([0.95, 0.95], abs=0.03)


def test_a_steady_shift_is_the_bias():
    rng = np.random.default_rng(1)
    values = rng.normal(1.5, 0.1, 40)[:, None] + np.array([0.0, 0.02, 0.04])
    row = pooled(summarise(cohort(values + rng.normal(0, 1e-4, values.shape))))
    assert row["bias"] == pytest.approx(0.08 / 3, rel=0.01)  # of 0.02, 0.02 and 0.04
    assert row["icc_3"] == pytest.approx(1, abs=1e-3)
    assert row["icc_2"] < 0.97


# ------------------------------------------------------------------ heads and sides


def test_each_head_has_its_own_row():
    table = summarise(cohort(UNEVEN))
    head = heads_of(table).loc["sub-002"]
    sd = 0.06 / np.sqrt(2)
    assert head["sd"] == pytest.approx(sd)
    assert head["cv_percent"] == pytest.approx(100 * sd / 1.33)
    assert head["sd_share_percent"] == pytest.approx(100 * sd / 0.33)
    # sqrt(1 / qchisq(c(.975, .025), 1))
    expected = [0.446149184921, 31.910159349644]
    assert [head["sd_low"] / sd, head["sd_high"] / sd] == pytest.approx(expected, rel=R)
    assert list(table.columns) == [*SETS, *COLUMNS]
    assert list(table["side"]) == ["mean"] * 4 + ["left"] * 4 + ["right"] * 4
    assert heads_of(table, "left").loc["sub-002", "mean"] == pytest.approx(1.23)


def test_pooled_sd_weighs_by_degrees_of_freedom():
    row = pooled(summarise(cohort(UNEVEN)))
    squares = sum(((np.array(v) - np.mean(v)) ** 2).sum() for v in UNEVEN)
    assert row["sd"] == pytest.approx(np.sqrt(squares / 6))
    assert row["mean"] == pytest.approx(np.mean(np.concatenate(UNEVEN)))
    cvs = [100 * np.std(v, ddof=1) / np.mean(v) for v in UNEVEN]
    assert row["cv_mean_percent"] == pytest.approx(np.mean(cvs))
    assert (row["n_heads"], row["n_scans"], row["df"]) == (3, 9, 6)
    assert row["n_complete"] == 1  # has every session: too few for ICC(2,1)
    assert np.isnan(row["icc_2"])
    assert np.isfinite(row["icc_1"])


def test_one_head_has_no_icc():
    row = pooled(summarise(cohort([[1.4, 1.5, 1.45], [1.3]])))
    assert row["note"] == "one head: no ICC"
    assert row["sd"] == pytest.approx(0.05)
    assert row["bias"] == pytest.approx(np.mean([0.1, 0.05, -0.05]))
    assert row[["icc_1", "icc_2", "icc_3", "bias_low", "sd_between"]].isna().all()
    assert row["loa_upper"] - row["bias"] == pytest.approx(row["mdc"])


def test_a_mean_below_1_has_no_share():
    table = summarise(cohort([[0.9, 0.95], [0.92, 0.98]]))
    assert table.loc[table["side"] == "mean", "sd_share_percent"].isna().all()
    assert table.loc[table["side"] == "mean", "cv_percent"].notna().all()


def test_copies_are_named():
    alps = cohort([[1.4, 1.4], [1.3, 1.3], [1.5, 1.5]])
    table = summarise(alps)
    assert pooled(table)["sd"] == 0
    assert np.isnan(pooled(table)["icc_1"])
    assert "sub-002: all scans have the same value: is one a copy?" in remarks(table, "sessions", 3)
    same = pooled(summarise(cohort([[1.4, 1.4]] * 3)))
    assert same["loa_upper"] == same["bias"] == 0


# ------------------------------------------------------------------ what is a scan


def two_series_a_session():
    """sub-001 and sub-002, two sessions of two series: sessions far apart, series close."""
    values = {"1": (1.40, 1.42), "2": (1.60, 1.62)}
    rows = []
    for head in ("sub-001", "sub-002"):
        for session, pair in values.items():
            for run, value in enumerate(pair, 1):
                alps = cohort([[value]])
                source = f"{head}_ses-{session}_run-{run}"
                names = {"participant_id": head, "session_id": f"ses-{session}", "source": source}
                rows.append(alps.assign(**names))
    return pd.concat(rows, ignore_index=True)


def test_series_of_a_session_are_averaged():
    row = pooled(summarise(two_series_a_session(), "sessions"))
    assert (row["n_heads"], row["n_scans"]) == (2, 4)
    assert row["sd"] == pytest.approx(0.2 / np.sqrt(2))
    row = pooled(summarise(two_series_a_session(), "series"))
    assert row["n_scans"] == 8
    assert row["sd"] == pytest.approx(np.std([1.4, 1.42, 1.6, 1.62], ddof=1))


def test_sessions_are_the_default_where_there_are_several():
    assert choose_repeats(two_series_a_session()) == "sessions"
    series = cohort(UNEVEN, series=True)
    assert choose_repeats(series) == "series"
    assert pooled(summarise(series))["sd"] == pytest.approx(pooled(summarise(cohort(UNEVEN)))["sd"])


def test_series_with_the_same_labels_make_a_two_way_table():
    row = pooled(summarise(cohort(CHILDREN, series=True)))
    assert row["n_complete"] == 20
    assert row["icc_2"] == pytest.approx(0.8882137272515552, rel=1e-8)


def test_session_2_is_earlier_than_session_10():
    alps = cohort([[1.40, 1.50]])
    alps["session_id"] = ["ses-10", "ses-2"]
    assert pooled(summarise(alps))["bias"] == pytest.approx(-0.10)


def test_the_order_of_the_rows_does_not_matter():
    alps = cohort(UNEVEN)
    shuffled = alps.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(summarise(alps), summarise(shuffled))


def test_sets_frames_and_own_columns_are_kept_apart():
    first = cohort(UNEVEN).assign(variant="a")
    second = first.assign(variant="b", alps_mean=first["alps_mean"] * 2)
    frames = pd.concat([first, second, first.assign(frame="fibre", roi_radius_mm=np.nan)])
    table = summarise(frames, by=["variant"])
    rows = table[(table["row"] == "pooled") & (table["side"] == "mean")]
    assert list(zip(rows["variant"], rows["frame"], strict=True)) == [
        ("a", "scanner"),
        ("b", "scanner"),
        ("a", "fibre"),
    ]
    assert np.ptp(rows["cv_percent"]) < 1e-12
    assert rows["mean"].iloc[1] == pytest.approx(2 * rows["mean"].iloc[0])
    with pytest.raises(InputFault, match="several rows of sub-001_ses-1, barisano2025, scanner"):
        summarise(frames)
    with pytest.raises(InputFault, match="cannot be split by 'frame'"):
        summarise(frames, by=["frame"])


# ------------------------------------------------------------------ rows left out


def test_failed_rows_are_left_out_and_counted():
    alps = cohort([*UNEVEN, [1.45, 1.46]])
    alps.loc[[1, 4, 5], "qc_status"] = "fail"  # one of sub-001's, both of sub-002's
    table = summarise(alps)
    row, heads = pooled(table), heads_of(table)
    assert (row["n_heads"], row["n_scans"], row["n_failed"]) == (3, 8, 3)
    assert list(heads["n_failed"]) == [1, 2, 0, 0]
    assert list(heads["n_scans"]) == [3, 0, 3, 2]
    assert heads.loc["sub-001", "mean"] == pytest.approx(np.mean([1.40, 1.38, 1.41]))
    assert heads.loc["sub-002", "note"] == "fewer than two scans that can be used"
    assert "3 rows with qc_status fail were left out" in " ".join(remarks(table, "sessions", 4))
    kept = pooled(summarise(alps, include_failed=True))
    assert (kept["n_heads"], kept["n_scans"], kept["n_failed"]) == (4, 11, 0)


def test_a_failed_series_leaves_the_other_of_its_session():
    alps = two_series_a_session()
    alps.loc[0, "qc_status"] = "fail"
    head = heads_of(summarise(alps)).loc["sub-001"]
    assert head["n_scans"] == 2
    assert head["mean"] == pytest.approx((1.42 + 1.61) / 2)


def test_missing_values_count_for_their_side_only():
    alps = cohort(UNEVEN)
    alps.loc[0, ["alps_left", "alps_mean"]] = np.nan
    table = summarise(alps)
    counts = [pooled(table, side)["n_missing"] for side in ("mean", "left", "right")]
    assert counts == [1, 1, 0]
    assert pooled(table, "right")["n_scans"] == 9
    assert pooled(table)["n_scans"] == 8


def test_a_set_without_usable_scans_stands_beside_the_others():
    good = cohort(UNEVEN)
    bad = good.assign(roi_set="ad2025", qc_status="fail")
    table = summarise(pd.concat([good, bad], ignore_index=True))
    row = table[(table["row"] == "pooled") & (table["roi_set"] == "ad2025")].iloc[0]
    assert (row["n_heads"], row["n_failed"]) == (0, 9)
    assert np.isnan(row["sd"])
    assert printed_tables(table)[0].rows[4:] == [
        (0, "ad2025 (2.5 mm), scanner frame: no head has two scans that can be used", "", [""] * 9)
    ]
    scans = repeated_scans(pd.concat([good, bad], ignore_index=True), "sessions")
    assert len(plot_bland_altman(scans, table).axes) == 1


# ------------------------------------------------------------------ figure and command


def run(tmp_path, alps, *options):
    write_tsv(alps, tmp_path / "alps.tsv")
    return cli.main(["repeatability", str(tmp_path / "alps.tsv"), *options])


def test_the_command_writes_the_same_bytes_again(tmp_path, capsys):
    assert run(tmp_path, cohort(UNEVEN)) == 0
    printed = capsys.readouterr().out
    assert run(tmp_path, cohort(UNEVEN), "--out", str(tmp_path / "again")) == 0
    for name in ("repeatability.tsv", "repeatability.html"):
        first = (tmp_path / "repeatability" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == first
    written = read_tsv(tmp_path / "again" / "repeatability.tsv")
    expected = summarise(read_tsv(tmp_path / "alps.tsv"))
    assert written["sd"].tolist() == expected["sd"].tolist()  # full precision
    row = pooled(expected)
    cells = f"{row['cv_percent']:.2f} ({row['cv_percent_low']:.2f}, {row['cv_percent_high']:.2f})"
    page = (tmp_path / "again" / "repeatability.html").read_text()
    assert cells in page
    assert cells in printed
    assert "<svg" in page
    assert "with 6 degrees of freedom the true one is 0.64 to 2.20 times" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert str(tmp_path) not in page


def test_options_reach_the_computation(tmp_path, capsys):
    alps = two_series_a_session().assign(scanner="A")
    alps.loc[0, "qc_status"] = "fail"
    assert run(tmp_path, alps, "--repeats", "series", "--include-failed", "--by", "scanner") == 0
    written = read_tsv(tmp_path / "repeatability" / "repeatability.tsv")
    assert pooled(written)["n_scans"] == 8
    assert list(written["scanner"].unique()) == ["A"]
    assert "scanner A, barisano2025 (2.5 mm), scanner frame" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["frame", "qc_status"]), "columns missing: frame, qc_status"),
        (lambda t: t.head(1), "none of the 1 subjects has several series"),
        (lambda t: t.assign(qc_status="fail"), "no head has two sessions with a value: 9 rows"),
        (lambda t: t.assign(alps_left="high"), "alps_left is not a number: 'high'"),
        (lambda t: t.assign(alps_left=np.inf), "alps_left is not a number: 'inf'"),
        (lambda t: t.assign(roi_set=None), "rows without roi_set"),
        (lambda t: pd.concat([t, t]), "several rows of sub-001_ses-1"),
        (lambda t: t.iloc[:0], "none of the 0 subjects"),
    ],
)
def test_faults_are_one_line(tmp_path, capsys, change, message):
    assert run(tmp_path, change(cohort(UNEVEN))) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"glymflow repeatability: {tmp_path / 'alps.tsv'}: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "repeatability").exists()


def test_series_alone_are_hinted_at(tmp_path, capsys):
    assert run(tmp_path, cohort(UNEVEN, series=True), "--repeats", "sessions") == 1
    assert "has several sessions; --repeats series takes" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00\xff\xfe", b'{"a": 1}\n'])
def test_a_file_that_is_no_table(tmp_path, capsys, content):
    path = tmp_path / "alps.tsv"
    path.write_bytes(content)
    assert cli.main(["repeatability", str(path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(tmp_path, cohort(UNEVEN), "--out", str(tmp_path / "file" / "out")) == 1
    assert "Not a directory" in capsys.readouterr().err
