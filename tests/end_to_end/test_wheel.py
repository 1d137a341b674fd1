"""The wheel in an environment of its own: from a simulated cohort to the report, no checkout."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from workflow_runs import CHECKOUT

from glymflow.schemas import ROOT

pytestmark = pytest.mark.slow

SOURCES = ("Snakefile", "rules", "scripts", "profiles", "config", "envs", "glymflow",
           "snakemake_logger_plugin_glymflow", "setup.py", "MANIFEST.in", "pyproject.toml",
           "README.md", "LICENSE")  # fmt: skip
WORKFLOW = ("Snakefile", "rules", "scripts", "profiles", "config", "envs")


def pip(*words):
    """Run pip without any index."""
    words = ("--disable-pip-version-check", *map(str, words))
    subprocess.run([sys.executable, "-m", "pip", *words], env=environment(), check=True)


def environment():
    """The environment without what would lead to the checkout."""
    named = ("PYTHONPATH", "VIRTUAL_ENV", "SNAKEMAKE_PROFILE", "GLYMFLOW_JOB")
    return {key: value for key, value in os.environ.items() if key not in named}


def site_packages(folder):
    (packages,) = folder.glob("lib/python3*/site-packages")
    return packages


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what the wheel is built from: a build writes into its folder."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        path = CHECKOUT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source):
    stale = source / "build" / "lib" / "glymflow" / "bundle" / "rules" / "stale.smk"
    stale.parent.mkdir(parents=True)
    stale.touch()
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", source / "dist", source)
    (path,) = (source / "dist").glob("glymflow-*.whl")
    return path


@pytest.fixture(scope="module")
def venv(wheel, tmp_path_factory):
    """An environment with the wheel; its dependencies are those of the present one."""
    folder = tmp_path_factory.mktemp("venv") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    packages = site_packages(folder)
    # a plain path: .pth files there, such as that of an editable install, are not read
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture(scope="module")
def work(venv, tmp_path_factory):
    """An empty folder in which a cohort of two coarse heads was simulated."""
    folder = tmp_path_factory.mktemp("work")
    options = "--subjects 2 --voxel-mm 4 --t1w-mm 4 --directions 12 --seed 2"
    glymflow(venv, folder, "simulate", "bids", *options.split())
    config = "bids_dir: bids\nregistration: {resolution_mm: 4}\n"
    (folder / "my.yaml").write_text(config)
    return folder


def command(venv, *words):
    return [str(venv / "bin" / "glymflow"), *map(str, words)]


def glymflow(venv, folder, *words):
    """Run the installed command; return what it said."""
    done = subprocess.run(
        command(venv, *words), cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def bundle(venv):
    return site_packages(venv) / "glymflow" / "bundle"


def test_the_wheel_holds_package_and_workflow_as_they_are(wheel):
    expected = {}
    for root in (*WORKFLOW, "glymflow"):
        for path in [CHECKOUT / root, *(CHECKOUT / root).rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(CHECKOUT).as_posix()
                place = name if root == "glymflow" else f"glymflow/bundle/{name}"
                expected[place] = path.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("glymflow/")]
        assert sorted(names) == sorted(expected)
        assert {name: archive.read(name) for name in names} == expected


def test_the_checkout_has_no_bundle(source, wheel, tmp_path):
    assert ROOT == CHECKOUT
    assert not (source / "glymflow" / "bundle").exists()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    # with the present environment's setuptools
    packages = site_packages(tmp_path / "env")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = tmp_path / "env" / "bin" / "python"
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    pip("--python", python, "install", *options, "--editable", source)
    (packages / "shared.pth").unlink()
    assert not (source / "glymflow" / "bundle").exists()
    code = "from glymflow.schemas import ROOT; print(ROOT)"
    said = subprocess.run(
        [python, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert Path(said.stdout.strip()) == source


def test_check(venv, work):
    text = glymflow(venv, work, "check", "my.yaml")
    assert "Nothing is missing or excluded." in text


def test_interrupted_then_to_the_report(venv, work):
    """Ctrl-C while jobs run is passed on, and the same command goes on from there."""
    plan = bundle(venv) / "config" / "studies" / "demo.yaml"
    words = ("run", "bids", "out", "group", "--config", "my.yaml", "--study", plan, "--cores", 2)
    with open(work / "said.txt", "w") as said:
        front = subprocess.Popen(
            command(venv, *words), cwd=work, env=environment(), stdout=said, stderr=said
        )
        try:
            while not list((work / "out").rglob("fit_tensor/**/*.log")):  # a job has begun
                assert front.poll() is None, (work / "said.txt").read_text()
                time.sleep(0.2)
            time.sleep(1)
            front.send_signal(signal.SIGINT)
            status = front.wait(timeout=60)
        finally:
            front.kill()
    assert status == 130, (work / "said.txt").read_text()
    assert not (work / "out" / "results" / "cohort" / "alps.tsv").exists()

    text = glymflow(venv, work, *words)
    assert str(bundle(venv) / "Snakefile") in text
    results = work / "out" / "results"
    assert f"Report: {results / 'report' / 'index.html'}" in text
    assert pd.read_csv(results / "cohort" / "cohort.tsv", sep="\t").alps_mean.between(1, 2).all()
    assert (results / "tables" / "table2.docx").stat().st_size > 0
    assert str(CHECKOUT) not in (results / "provenance.json").read_text()
    assert {path.name for path in work.iterdir()} == {"bids", "out", "my.yaml", "said.txt"}
    assert "Nothing to be done" in glymflow(venv, work, *words)
