"""How long the cohort's page takes to open, to sort and to filter, by its number of subjects.

The page is made of random values by the same script as in a run, and opened in a headless Chromium
(needs chromium, its driver and selenium):

    python benchmarks/cohort_page.py 500 2000
"""

import runpy
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from glymflow.alps.domain import COLUMNS, ROLES
from glymflow.io import write_tsv

CHECKOUT = Path(__file__).resolve().parents[1]
FRAMES = ("scanner", "template", "fibre")
SCANNERS = ("Prisma", "Ingenia", "Signa")
CLICK = "document.querySelector('[data-tools={}] th:nth-child({}) button').click()"
STEPS = {
    "sort": CLICK.format("subjects", 1),
    "find": "const i = document.querySelector('.tools input'); i.value = 'sub-00';"
    " i.dispatchEvent(new Event('input'))",
    "sort the checks": CLICK.format("checks", 4),
    "split by scanner": "const s = document.querySelectorAll('#distributions select')[1];"
    " s.value = 2; s.dispatchEvent(new Event('change'))",
}


def random_table(count, seed=1):
    """Return ``alps.tsv`` of `count` subjects: three frames, every tenth scan with reasons."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        row = dict.fromkeys(COLUMNS, np.nan)
        name = f"sub-{i:04d}"
        alignment = rng.uniform(0.82, 1, 4)
        row |= {f"alignment_{role}": a for role, a in zip(ROLES, alignment, strict=True)}
        row |= {f"fa_{role}": rng.uniform(0.3, 0.7) for role in ROLES}
        row |= {f"coverage_{role}": 1.0 for role in ROLES}
        row |= {f"voxels_{role}": rng.uniform(5, 20) for role in ROLES}
        row |= {column: rng.uniform(0, 6) for column in ("pitch", "roll", "yaw")}
        row |= {"pose_difference": rng.uniform(0, 5), "gradient_turn": rng.uniform(0, 3)}
        row |= {"registration_similarity": rng.uniform(0.7, 0.95), "snr_b0": rng.uniform(15, 40)}
        row |= {"motion_worst_mm": rng.gamma(2, 0.4), "outlier_slices": rng.poisson(1)}
        row |= {"mask_volume_ml": rng.normal(1450, 120), "mask_concavity": rng.uniform(0, 0.1)}
        row |= {"mask_missing": rng.uniform(0, 0.05), "mask_outside": rng.uniform(0, 0.05)}
        row |= {"mask_holes_ml": 0.0, "scanner_model": SCANNERS[i % 3], "manufacturer": "Maker"}
        moved, turned = bool(row["motion_worst_mm"] > 2), bool(alignment.min() < 0.84)
        row["qc_reasons"] = ";".join(["motion_high"] * moved + ["roi_off_axis"] * turned) or np.nan
        row |= {"participant_id": name, "source": name, "roi_set": "a", "model": "tensor"}
        row["qc_status"] = "warn" if moved or turned else "pass"
        sides = rng.normal(1.4, 0.12, 2)
        for place, frame in enumerate(FRAMES):
            left, right = sides + 0.05 * place
            values = {"alps_left": left, "alps_right": right, "alps_mean": (left + right) / 2}
            errors = {f"{key}_se": 0.03 for key in values}
            ends = {f"{key}_ci_{end}": value + by for key, value in values.items()
                    for end, by in (("low", -0.06), ("high", 0.06))}  # fmt: skip
            rows.append(row | values | errors | ends | {"frame": frame})
    return pd.DataFrame(rows)


def write_cohort(folder, count):
    """Write the page of `count` subjects; return its path."""
    alps = random_table(count)
    people = alps[alps.frame == "template"].drop(columns="frame")
    people = people.assign(
        group=np.where(np.arange(count) % 2, "patient", "control"),
        site=np.array(["Lyon", "Turin", "Porto", "Kyoto"])[np.arange(count) % 4],
    )
    excluded = pd.DataFrame(columns=["participant_id", "session_id", "series", "stage", "reason"])
    for name, table in (("alps", alps), ("cohort", people), ("excluded", excluded)):
        write_tsv(table, folder / f"{name}.tsv")
    config = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text())
    main = runpy.run_path(str(CHECKOUT / "scripts" / "report_cohort.py"))["main"]
    main(
        measures={"alps": folder / "alps.tsv"}, cohort=folder / "cohort.tsv",
        excluded=folder / "excluded.tsv", subjects=sorted(people.participant_id),
        config=config | {"roi_set": "a", "frame": "template"}, page=folder / "index.html",
        plan={"groups": {"column": "group"}},
    )  # fmt: skip
    return folder / "index.html"


def open_page(page):
    """Return the seconds to open a page, and those of each of `STEPS`, with the time to paint."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    paint = "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done))"
    try:
        browser.get("about:blank")
        begin = time.perf_counter()
        browser.get(f"file://{page}")
        browser.execute_async_script(paint)
        seconds = {"open": time.perf_counter() - begin}
        for name, script in STEPS.items():
            begin = time.perf_counter()
            browser.execute_script(script)
            browser.execute_async_script(paint)
            seconds[name] = time.perf_counter() - begin
    finally:
        browser.quit()
    return seconds


def main(counts):
    """Print a line for each number of subjects."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            page = write_cohort(Path(folder), count)
            made = time.perf_counter() - begin
            size = page.stat().st_size / 1e6
            times = ", ".join(f"{name} {value:.2f} s" for name, value in open_page(page).items())
            print(f"{count} subjects: made in {made:.1f} s, {size:.2f} MB, {times}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [500, 2000])
