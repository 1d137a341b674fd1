"""A real browser without a screen: what a page is after its scripts have run."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from report_files import make_page, write_epvs, write_series

from glymflow.alps import page as alps_page
from glymflow.alps.domain import ALPS
from glymflow.alps.heat_map import heat_map_html
from glymflow.io import save_image, write_tsv
from glymflow.lesions.domain import LESIONS
from glymflow.pages import report
from glymflow.pages.distributions import distributions, splits
from glymflow.pages.values import NAME, cohort_script
from glymflow.text import ROLES_ACROSS
from glymflow.workflow.provenance import BENCHMARK_COLUMNS, cost_script

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


LIMITS = {"min_alignment_warn": 0.8, "max_motion_mm": 2.0}
COSTS = [
    ("merge_cohort", 1, 2.0, 2.0, 2.0, 2.0, 1.5, 210.4),
    ("fit_tensor", 4, 12.0, 11.0, 20.0, 48.0, 300.0, None),
]
PEOPLE = [  # subject, ALPS, codes, alignment of the right association ROI, motion
    ("sub-01", 1.5, None, 0.95, 0.1),
    ("sub-02", 1.3, "roi_off_axis", 0.75, 0.1),
    ("sub-03", 1.4, "roi_off_axis;motion_high", 0.7, 3.0),
    ("sub-10", None, "motion_high", 0.9, 4.0),
]


def write_page(folder, people=PEOPLE):
    """Write the cohort's page, and a small page for each subject; return the former."""
    folder = folder / "report"
    folder.mkdir()
    sound = {f"alignment_{roi}": 0.99 for roi in ROLES_ACROSS}
    rows = [
        sound | {
            "participant_id": name, "session_id": None, "source": name, "roi_set": "a",
            "frame": "template", "alps_left": value, "alps_right": value, "alps_mean": value,
            "alignment_association_right": alignment, "motion_worst_mm": motion,
            "qc_status": "warn" if codes else "pass", "qc_reasons": codes,
        }
        for name, value, codes, alignment, motion in people
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    primary = {"roi_set": "a", "frame": "template"}
    sites = table.assign(site=["Lyon", "Turin"] * (len(table) // 2), scanner="Maker One")
    chosen = splits(sites, grouped={}, scanners=["A 3 T", "B 3 T", "B 3 T", ""] * (len(table) // 4))
    values, names = alps_page.cohort_values(table, primary), list(table.participant_id)
    html = report.cohort_page(
        alps_page.with_words(table, LIMITS),
        pd.DataFrame({"participant_id": table.participant_id}),
        pd.DataFrame(columns=["participant_id", "stage", "reason"]),
        config=primary, reasons=ALPS.reasons,
        counted=alps_page.count_reasons(table, LIMITS), tables=[], figures=[], subjects=names,
        charts=alps_page.cohort_charts(table, primary),
        checks=heat_map_html(table, LIMITS, subjects=names),
        distributions=distributions([values], chosen, names),
    )  # fmt: skip
    for name in table.participant_id[:20]:
        (folder / f"{name}.html").write_text(f"<!DOCTYPE html><title>{name}</title>{name}")
    costs = pd.DataFrame(COSTS, columns=BENCHMARK_COLUMNS)
    (folder.parent / "benchmarks.js").write_text(cost_script(costs))
    (folder / "index.html").write_text(html, encoding="utf-8")
    return folder / "index.html"


@pytest.fixture(scope="session")
def cohort_page(tmp_path_factory):
    """The cohort's page of four subjects, with a small page for each."""
    return write_page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def whole_page(tmp_path_factory):
    """A subject's page with all that is measured: a DWI series, EPVS, a lesion."""
    folder = tmp_path_factory.mktemp("whole")
    image = np.zeros((20, 24, 16), np.float32)
    image[4:16, 4:20, 3:13] = 500
    drawn = (image > 0) & (np.indices(image.shape)[0] < 9)
    paths = {name: folder / f"{name}.nii.gz" for name in ("T2w", "mask")}
    for path, data in zip(paths.values(), (image, drawn), strict=True):
        save_image(data, np.diag([8.0, 8, 8, 1]), path)
    ids = {"participant_id": "sub-01", "session_id": "ses-1"}
    lesion = ids | {"volume_lesion_ml": 12.3, "side": "left", "qc_status": "warn",
                    "qc_reasons": "slice_gap", "share_left": 1.0}  # fmt: skip
    write_tsv(pd.DataFrame([lesion]).reindex(columns=LESIONS.columns), folder / "lesions.tsv")
    write_tsv(pd.DataFrame(columns=[*ids, "reason"]), folder / "excluded.tsv")
    mask = ids | {"label": "lesion", "rater": None, "volume": True,
                  "mask": str(paths["mask"]), "image": str(paths["T2w"])}  # fmt: skip
    files = {"table": [folder / "lesions.tsv"], "excluded": [folder / "excluded.tsv"]}
    files |= {key: [None] for key in ("tables", "masks", "background")}
    lesions = files, {"sessions": [[mask]], "consensus": "union"}
    series = ["sub-01_ses-1"], [write_series(folder, "sub-01_ses-1")]
    page = folder / "report" / "sub-01.html"
    make_page(series, page, [write_epvs(folder)], lesions)
    (page.parent / NAME).write_text(cohort_script(["sub-01"], []))
    return page


@pytest.fixture(scope="session")
def many_scans(tmp_path_factory):
    """The cohort's page of 2,000 subjects, their values in the order of their names."""
    people = [(f"sub-{i:04}", 1 + i / 2000, None, 0.95, 0.1) for i in range(2000)]
    return write_page(tmp_path_factory.mktemp("many"), people)


@pytest.fixture(scope="session")
def dom(tmp_path_factory):
    """Return a function that gives the elements of a page, as its scripts left them."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    profile = tmp_path_factory.mktemp("chromium")

    def load(path, address=""):
        words = [
            browser,
            *QUIET,
            f"--user-data-dir={profile}",
            "--dump-dom",
            f"file://{path}{address}",
        ]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout

    return load


@pytest.fixture
def browser(tmp_path):
    """A browser that is driven by keys and clicks; what it saves lies in `saved`."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if not (program and driver):
        pytest.skip("there is no Chromium with its driver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in (*QUIET, "--window-size=1200,900", f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(word)
    saved = tmp_path / "saved"
    saved.mkdir()
    options.add_experimental_option("prefs", {"download.default_directory": str(saved)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    driven = webdriver.Chrome(options=options, service=service)
    driven.saved = saved
    yield driven
    driven.quit()
