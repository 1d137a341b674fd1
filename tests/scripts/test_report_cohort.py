"""The page of the cohort, from files."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from page_checks import assert_good_page, load_script

from glymflow.figures.charts import figure_bytes, plot_distribution
from glymflow.io import read_tsv, write_tsv
from glymflow.text import ROLES_ACROSS
from glymflow.workflow.config import load_config

script = load_script("report_cohort")
STATUSES = ["pass", "pass", "warn", "pass", "fail", "pass", "pass", "pass"]


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(3)
    rows = []
    for i, status in enumerate(STATUSES):
        for frame, shift in (("scanner", -0.05), ("template", 0.0), ("fibre", 0.05)):
            left, right = 1.4 + shift + rng.normal(0, 0.05, 2)
            name = f"sub-{i + 1:02d}"
            rows.append(
                {
                    "participant_id": name, "session_id": None, "source": name,
                    "roi_set": "ad2025", "frame": frame, "model": "tensor",
                    "steps": "border_0.5", "preprocessed": "raw",
                    "alps_left": left, "alps_right": right,
                    "alps_mean": (left + right) / 2, "qc_status": status,
                    "qc_reasons": None if status == "pass" else "motion_high",
                    **{f"alignment_{roi}": rng.uniform(0.9, 1) for roi in ROLES_ACROSS},
                }
            )  # fmt: skip
    alps = pd.DataFrame(rows)
    people = alps[alps["frame"] == "template"][["participant_id", "session_id", "alps_mean"]]
    people = people.assign(group=["a", "b"] * 4)
    lost = {"participant_id": "sub-99", "stage": "index", "reason": "no DWI"}
    tables = {"alps": alps, "cohort": people, "excluded": pd.DataFrame([lost])}
    paths = {name: tmp_path / f"{name}.tsv" for name in tables}
    for name, table in tables.items():
        write_tsv(table, paths[name])
    figure = plot_distribution(people, ["alps_mean"])
    for kind in ("svg", "png"):
        (tmp_path / f"figure1.{kind}").write_bytes(figure_bytes(figure, kind, dpi=50))
    (tmp_path / "table1.html").write_text("<body><table><caption>T 1</caption></table></body>")
    return paths


def make_page(files, page, **more):
    config = {**load_config(os.devnull), "roi_set": "ad2025", "frame": "template", **more}
    folder = files["cohort"].parent
    script.main(
        measures={name: files[name] for name in ("alps", "epvs") if name in files},
        cohort=files["cohort"],
        excluded=files["excluded"],
        tables=[folder / "table1.html"],
        figures=[folder / "figure1.svg", folder / "figure1.png"],
        subjects=[f"sub-{i + 1:02d}" for i in range(len(STATUSES))],
        config=config,
        plan={"title": "Small & fine", "groups": {"column": "group"}},
        page=page,
    )
    return page.read_text(encoding="utf-8")


def held(html):
    """What the script of the distributions is given."""
    return json.loads(re.search('id="distribution-values">(.*?)</script>', html)[1])


def test_page(files, tmp_path):
    html = make_page(files, tmp_path / "report" / "index.html")
    assert_good_page(html)
    assert "<h1>Small &amp; fine</h1>" in html
    assert html.count("<svg") == 3 + 1  # charts, and the plan's figure once
    assert "<caption>T 1</caption>" in html
    assert "Raw series (8): correction of head motion" in html
    assert 'download="references.bib"' in html
    assert html.count('data-status="fail"') == 1 + 1  # table of subjects, heat map
    assert "The head moved much between volumes." in html
    assert "no DWI" in html
    points = [json.loads(found) for found in re.findall('data-points="(.*?)"', html)]
    assert [len(found) for found in points] == [8, 3 * 8, 4 * 8]  # sides, frames, ROIs
    assert all({scan for *_, scan in found} == set(range(8)) for found in points)
    (split,) = held(html)["splits"]
    assert split == {"name": "group", "levels": ["a", "b"]}


def test_same_bytes_twice(files, tmp_path):
    assert make_page(files, tmp_path / "a.html") == make_page(files, tmp_path / "b.html")


def test_primary_frame_that_nobody_has(files, tmp_path):
    html = make_page(files, tmp_path / "page.html", frame="other")
    assert_good_page(html)
    assert "The cohort at a glance" not in html
    assert "<b>9</b><span>subjects</span>" in html
    assert "<b>0</b><span>subjects measured</span>" in html


# ------------------------------------------------------------------ perivascular spaces


def add_epvs(files):
    """Write epvs.tsv, and the columns of its primary engine into cohort.tsv."""
    from glymflow.epvs.domain import COLUMNS
    from glymflow.io import read_tsv

    rows = [
        dict.fromkeys(COLUMNS) | {
            "participant_id": f"sub-{i + 1:02d}", "engine": engine, "contrasts": "T1w+T2w",
            "primary": str(engine == "vbnet").lower(), "epvs_count": 30 + i,
            "epvs_volume_mm3": 400.0 + i, "epvs_permille_bg": 0.1 + i / 50, "qc_status": "pass",
        }
        for i in range(len(STATUSES)) for engine in ("vbnet", "frangi")
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    files["epvs"] = files["cohort"].parent / "epvs.tsv"
    write_tsv(table, files["epvs"])
    own = table.loc[table.engine == "vbnet", ["participant_id", "epvs_count", "epvs_volume_mm3",
                                              "epvs_permille_bg"]]  # fmt: skip
    write_tsv(read_tsv(files["cohort"]).merge(own), files["cohort"])
    return files


def test_page_with_epvs(files, tmp_path):
    html = make_page(add_epvs(files), tmp_path / "page.html")
    assert_good_page(html)
    names = [name for name, _ in held(html)["domains"][1]["measures"]]
    assert names == ["EPVS", "EPVS (mm³)", "EPVS in basal ganglia (‰)"]
    assert "<b>8</b><span>sessions with EPVS measured</span>" in html
    assert "measured in 8 sessions (8 from T1w+T2w; engine: vbnet)" in html
    assert html.count('<td class="n">37</td>') == 2  # sub-08: primary engine, and the check


def test_page_of_epvs_alone(files, tmp_path):
    files = add_epvs(files)
    cohort = pd.read_csv(files["cohort"], sep="\t").drop(columns="alps_mean")
    write_tsv(cohort, files["cohort"])
    del files["alps"]
    html = make_page(files, tmp_path / "page.html")
    assert_good_page(html)
    for of_alps in ("ALPS left", "tensor fit", "<dt>roi set", "<dt>frame"):
        assert of_alps not in html
    assert "<dt>study plan" in html
    assert html.count("<svg") == 1
    assert held(html)["domains"][0]["levels"] == [[0, 1] * 4]
    assert html.count('data-status="pass"') == 8 + 8 + 8  # subjects, EPVS, heat map


def test_protocols_are_counted_and_those_of_one_group_named(files, tmp_path):
    alps = read_tsv(files["alps"])
    second = alps.participant_id.str[-1].astype(int) % 2 == 0
    alps["shells"] = np.where(second, "b3000", "b1000")
    write_tsv(alps, files["alps"])
    html = make_page(files, tmp_path / "protocols.html")
    assert "2 protocols in one cohort" in html
    assert "<td>b 3000, scanner not named</td><td>4</td><td>4</td><td>0</td><td>4</td>" in html
    assert "PROTOCOL AND GROUP COINCIDE" in html


def test_one_protocol_is_no_section(files, tmp_path):
    make_page(files, tmp_path / "page.html")
    assert 'id="protocols"' not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_of_a_ready_table(tmp_path, files):
    (tmp_path / "table1.html").write_text("<body><table><tr><td>27</td></tr></table></body>")
    config = load_config(os.devnull) | {"table": "mine.csv", "study": "plan.yaml"}
    script.main(
        measures={}, cohort=files["cohort"], excluded=files["excluded"], subjects=[],
        config=config, plan={"title": "A study"}, tables=[tmp_path / "table1.html"],
        page=tmp_path / "index.html",
    )  # fmt: skip
    html = (tmp_path / "index.html").read_text()
    assert_good_page(html)
    assert "<h1>A study</h1>" in html
    assert "no image was measured" in html
    assert "mine.csv" in html
    assert "<td>27</td>" in html
    assert "DTI-ALPS" not in html
    assert "data-tools" not in html
