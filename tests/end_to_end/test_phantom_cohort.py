"""Simulated heads with known ALPS through the whole workflow: is the truth found again?"""

import json
import re

import numpy as np
import pandas as pd
import pytest
from workflow_runs import fingerprint, snakemake

VALUES = ["alps_left", "alps_right", "alps_mean"]


# the primary set, and spheres: median and largest error of a value
ERRORS = {"longsheet": (0.02, 0.05), "barisano2025": (0.03, 0.08)}


@pytest.fixture(scope="module", params=ERRORS)
def compared(request, phantom_run):
    """Measured and true values of a ROI set, one row per subject and frame."""
    keys = ["participant_id", "roi_set", "frame"]
    both = phantom_run.table("cohort/alps.tsv").merge(
        phantom_run.table("truth/alps.tsv"), on=keys, suffixes=("", "_true"), validate="1:1"
    )
    assert len(both) == 6 * 3 * 3
    return both[both.roi_set == request.param]


@pytest.mark.parametrize("frame", ["template", "fibre"])
def test_alps_is_that_of_the_truth(compared, frame):
    rows = compared[compared.frame == frame]
    true = rows[[f"{name}_true" for name in VALUES]].to_numpy()
    error = np.abs(rows[VALUES].to_numpy() / true - 1)
    middle, largest = ERRORS[rows.roi_set.iloc[0]]
    assert np.median(error) < middle
    assert error.max() < largest


def test_differences_between_subjects_are_recovered(compared):
    rows = compared[compared.frame == "template"]
    assert np.corrcoef(rows.alps_mean, rows.alps_mean_true)[0, 1] > 0.9


def test_scanner_frame_has_the_bias_of_the_head_rotation(compared):
    """What the scanner frame reads off a turned head is wrong by what theory says, no more."""
    mean = compared.pivot_table(
        values=["alps_mean", "alps_mean_true"], index="participant_id", columns="frame"
    )
    true = mean["alps_mean_true"].scanner / mean["alps_mean_true"].template
    found = mean["alps_mean"].scanner / mean["alps_mean"].template
    assert true.min() < 0.93, "no head of this cohort is turned enough to show a bias"
    assert np.abs(found - true).max() < 0.025
    assert np.corrcoef(found, true)[0, 1] > 0.95


def test_pose_of_the_head_is_found(phantom_run):
    found = phantom_run.table("cohort/cohort.tsv").set_index("participant_id")
    true = phantom_run.table("truth/truth.tsv").set_index("participant_id")
    angles = ["pitch", "roll", "yaw"]
    assert np.abs(found[angles] - true[angles]).to_numpy().max() < 3


def test_components_give_the_index(phantom_run):
    rows = phantom_run.table("cohort/alps.tsv")
    for side in ("left", "right"):
        top = rows[f"dxx_projection_{side}"] + rows[f"dxx_association_{side}"]
        bottom = rows[f"dyy_projection_{side}"] + rows[f"dzz_association_{side}"]
        np.testing.assert_allclose(rows[f"alps_{side}"], top / bottom, rtol=1e-6)
    np.testing.assert_allclose(rows.alps_mean, (rows.alps_left + rows.alps_right) / 2, rtol=1e-6)


def test_good_scans_pass_quality_control(phantom_run):
    cohort = phantom_run.table("cohort/cohort.tsv")
    assert set(cohort.qc_status) == {"pass"}
    assert cohort.qc_reasons.isna().all()
    assert phantom_run.table("cohort/excluded.tsv").empty


def test_cohort_table_joins_participants_and_measures(phantom_run):
    cohort = phantom_run.table("cohort/cohort.tsv")
    people = pd.read_csv(phantom_run.work / "bids" / "participants.tsv", sep="\t")
    pd.testing.assert_frame_equal(cohort[people.columns], people, check_dtype=False)
    alps = phantom_run.table("cohort/alps.tsv")
    primary = alps[(alps.roi_set == "longsheet") & (alps.frame == "template")]
    assert cohort.alps_mean.tolist() == primary.alps_mean.tolist()


def test_statistics_are_those_of_the_cohort_table(phantom_run):
    """An independent look: means and Student's t from cohort.tsv with SciPy."""
    from scipy.stats import mannwhitneyu, ttest_ind

    cohort = phantom_run.table("cohort/cohort.tsv")
    groups = {name: rows.alps_mean for name, rows in cohort.groupby("group")}
    stats = phantom_run.table("stats/alps_by_group.tsv")
    stats = stats[stats.variable == "alps_mean"]
    for name, values in groups.items():
        row = stats[(stats.row == "summary") & (stats.group == name)].iloc[0]
        assert row["n"] == len(values) == 3
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-12)
    (test,) = stats[stats.row == "test"].itertuples()  # which one, the normality test chooses
    name = test.test.partition(" (")[0]
    test_of = {"Student t": ttest_ind, "Mann-Whitney U": mannwhitneyu}[name]
    expected = test_of(groups["patient"], groups["control"])
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert test.p == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize(("table", "stats"), [("table1", "characteristics"),
                                              ("table2", "alps_by_group")])  # fmt: skip
def test_every_printed_number_is_in_the_statistics(phantom_run, table, stats):
    lines = (phantom_run.results / "tables" / f"{table}.tsv").read_text("utf-8").splitlines()
    known = phantom_run.table(f"stats/{stats}.tsv").select_dtypes("number").to_numpy().ravel()
    known = known[np.isfinite(known)]
    printed = 0
    for line in lines[1:]:
        cells = line.split("\t")[1:]
        for number in re.findall(r"-?\d+(?:\.\d+)?", " ".join(cells).replace("−", "-")):
            decimals = len(number.partition(".")[2])
            near = np.abs(known - float(number)) <= 0.5000001 * 10.0**-decimals
            assert near.any(), f"{number} of {line!r} is not in {stats}.tsv"
            printed += 1
    assert printed > 10


def test_everything_that_was_asked_for_is_there(phantom_run):
    people = phantom_run.table("cohort/cohort.tsv").participant_id
    expected = [
        *("derivatives/dataset_description.json", "stats/flow.tsv", "report/index.html"),
        *(f"report/{subject}.html" for subject in people),
        *(f"tables/table{n}.{kind}" for n in (1, 2) for kind in ("tsv", "html", "tex")),
        *(f"figures/figure1.{kind}" for kind in ("png", "svg")),
    ]
    for path in expected:
        assert (phantom_run.results / path).stat().st_size > 0, path


def test_nothing_is_written_outside_results(phantom_run):
    assert {path.name for path in phantom_run.work.iterdir()} == {
        "bids", "results", "config.yaml", "plan d'étude.yaml", ".snakemake",
    }  # fmt: skip
    assert {path.name for path in phantom_run.results.iterdir()} == {
        "benchmarks", "benchmarks.js", "benchmarks.tsv", "cohort", "derivatives", "figures",
        "logs", "provenance.json", "report", "resources", "stats", "tables",
    }  # fmt: skip


def test_every_job_has_its_log_and_benchmark(phantom_run):
    for ending in ("logs/**/*.log", "logs/**/*.sha256.tsv", "benchmarks/**/*.tsv"):
        files = list(phantom_run.results.glob(ending))
        assert len(files) == 6 * 4 + 6 + 5, ending


def test_input_folder_is_read_only_and_unchanged(phantom_run):
    before, after = (phantom_run.work.parent / f"{name}.json" for name in ("before", "after"))
    assert before.read_text() == after.read_text()
    assert json.dumps(fingerprint(phantom_run.work / "bids")) == before.read_text()


def test_pages_are_self_contained_and_link_each_other(phantom_run):
    people = phantom_run.table("cohort/cohort.tsv").participant_id
    index = (phantom_run.results / "report" / "index.html").read_text("utf-8")
    for subject in people:
        assert f'href="{subject}.html"' in index
    pages = sorted((phantom_run.results / "report").glob("*.html"))
    assert len(pages) == 6 + 1
    for page in pages:
        text = page.read_text("utf-8")
        linked = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
        outside = [link for link in linked if not link.startswith(("data:", "#"))]
        assert all((page.parent / link.partition("#")[0]).is_file() for link in outside), page.name
        loaded = re.findall(r"""<link[^>]+href=["']([^"']+)|src=["']([^"']+)""", text)
        loaded = {"".join(one) for one in loaded if not "".join(one).startswith("data:")}
        # a page alone works without them (tests/browser)
        assert loaded <= {"cohort-values.js", "../benchmarks.js"}, page.name


def test_progress_can_be_read(phantom_run):
    for words in ("Register sub-03 to the template", "100%"):
        assert words in phantom_run.text


def test_second_run_has_nothing_to_do(phantom_run):
    text = snakemake(phantom_run.work, "--cores", 2, config=phantom_run.config)
    assert "Nothing to be done" in text
