"""`glymflow run`: the command that it builds, the config that it writes, how it exits."""

import os
import shlex
import signal
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from glymflow import cli
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.commands import run
from glymflow.commands.crashed import Output
from glymflow.io import write_tsv
from glymflow.schemas import ROOT

LOGGER = {"--logger": ["glymflow"]}
DWI = (".nii.gz", ".bval", ".bvec", ".json")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Where the user stands: beside a BIDS folder of two subjects (empty files)."""
    for subject in ("sub-01", "sub-02"):
        folder = tmp_path / "bids" / subject / "dwi"
        folder.mkdir(parents=True)
        for ending in DWI:
            (folder / f"{subject}_dwi{ending}").touch()
    table = "participant_id\tgroup\tage\tsex\tscore\nsub-01\tcontrol\t60\tF\t25\n"
    (tmp_path / "bids" / "participants.tsv").write_text(table)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def snakemake(monkeypatch):
    """Stand for Snakemake: note each command; end with the status that the test sets."""

    class Snakemake:
        commands = []  # noqa: RUF012 (a new class for each test)
        status, pid = 0, None

        def __init__(self, command, **_):
            self.commands.append(command)

        def wait(self):
            return self.status

    monkeypatch.setattr(run.subprocess, "Popen", Snakemake)
    return Snakemake


def options(command):
    """The words after each option of a command, by option."""
    words, found = None, {}
    for word in command:
        if word.startswith("--"):
            words = found.setdefault(word, [])
        elif words is not None:
            words.append(word)
    return found


# ------------------------------------------------------------------ the command


def test_the_command(here, snakemake, capsys):
    assert cli.main(["run", "bids", "out", "group", "--cores", "3"]) == 0
    (command,) = snakemake.commands
    assert command[:5] == [sys.executable, "-P", "-m", "snakemake", "all"]
    assert options(command) == {
        "--snakefile": [str(ROOT / "Snakefile")],
        "--directory": [str(here / "out")],
        "--configfile": [str(here / "out" / "glymflow-run.yaml")],
        "--keep-going": [],
        "--cores": ["3"],
        "--logger": ["glymflow"],
    }
    assert " ".join(command) in capsys.readouterr().out


def test_a_command_with_blanks_can_be_copied(here, snakemake, capsys):
    assert cli.main(["run", "bids", "my results", "participant"]) == 0
    (command,) = snakemake.commands
    assert command[4] == "measures"
    assert shlex.split(capsys.readouterr().out.splitlines()[0]) == command


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", {"--cores": ["all"]} | LOGGER),
        ("--profile slurm", {"--profile": [str(ROOT / "profiles" / "slurm")]} | LOGGER),
        ("--profile mine --cores 2", {"--profile": ["mine"], "--cores": ["2"]} | LOGGER),
        ("-- --logger mine", {"--cores": ["all"], "--logger": ["mine"]}),
        ("--dry-run", {"--cores": ["all"], "--dry-run": []}),
        ("-- --retries 2 --dry-run", {"--cores": ["all"], "--retries": ["2"], "--dry-run": []}),
    ],
)
def test_options(here, snakemake, given, expected):
    assert cli.main(["run", "bids", "out", "group", *given.split()]) == 0
    found = options(snakemake.commands[0])
    constant = ("--snakefile", "--directory", "--configfile", "--keep-going")
    assert {key: words for key, words in found.items() if key not in constant} == expected


# ------------------------------------------------------------------ the config of the run


def test_the_config(here, snakemake):
    (here / "my.yaml").write_text("frame: fibre\nbids_dir: elsewhere\nparticipant_label: ['01']\n")
    demo = (ROOT / "config" / "studies" / "demo.yaml").read_text(encoding="utf-8")
    (here / "plan.yaml").write_text(demo, encoding="utf-8")
    command = "run bids out group --config my.yaml --study plan.yaml --participant-label 01 sub-02"
    assert cli.main(command.split()) == 0
    written = here / "out" / "glymflow-run.yaml"
    assert yaml.safe_load(written.read_text()) == {
        "frame": "fibre",
        "bids_dir": str(here / "bids"),
        "participant_label": ["01", "sub-02"],
        "study": str(here / "plan.yaml"),
    }
    before = written.stat().st_mtime_ns, written.read_bytes()
    assert cli.main(command.split()) == 0
    assert (written.stat().st_mtime_ns, written.read_bytes()) == before


def test_a_label_with_an_underscore_as_in_bids_apps(here, snakemake):
    assert cli.main(["run", "bids", "out", "participant", "--participant_label", "02"]) == 0
    written = yaml.safe_load((here / "out" / "glymflow-run.yaml").read_text())
    assert written["participant_label"] == ["02"]


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere out group", "bids_dir: there is no folder"),
        ("bids bids/derivatives/glymflow group", "is inside BIDS_DIR"),
        ("bids bids group", "is inside BIDS_DIR"),
        ("bids out group --config none.yaml", "none.yaml: No such file"),
        ("bids out group --config wrong.yaml", "roi_sett: unknown key; did you mean roi_set?"),
        ("bids out group --config relative.yaml", "no folder masks in {here}/out"),
        ("bids out group --study none.yaml", "study: there is no file {here}/none.yaml"),
        ("bids out group --study wrong.yaml", "wrong.yaml"),
        ("bids out group --participant-label 1", "participant_label: 1 is the label of no subject"),
        ("bids out group --session-label 1", "session_label: 1 is the label of no session"),
        ("empty out group", "empty: there is nothing that can be measured"),
        ("bids file/out group", "OUT_DIR: {here}/file"),
    ],
)
def test_refused(here, snakemake, capsys, words, said):
    (here / "wrong.yaml").write_text("roi_sett: ad2025\n")
    (here / "relative.yaml").write_text("derivatives_dir: masks\n")
    (here / "empty" / "sub-01").mkdir(parents=True)
    (here / "file").touch()
    before = sorted(here.rglob("*"))
    assert cli.main(["run", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("glymflow run: refused, nothing was run\n")
    assert said.format(here=here) in err
    assert out == ""
    assert snakemake.commands == []
    assert sorted(here.rglob("*")) == before, "a refused run leaves nothing behind"


def test_paths_in_a_config_are_relative_to_out_dir(here, snakemake, capsys):
    (here / "my.yaml").write_text("derivatives_dir: masks\n")
    (here / "out" / "masks" / "sub-01").mkdir(parents=True)
    assert cli.main(["run", "bids", "out", "group", "--config", "my.yaml"]) == 0
    (here / "out" / "masks" / "sub-01").rmdir()
    (here / "out" / "masks").rmdir()
    assert cli.main(["run", "bids", "out", "group", "--config", "my.yaml"]) == 2
    assert "(paths in my.yaml are relative to OUT_DIR)" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["bids out", "bids out session", "bids out group --cohort x"])
def test_a_command_line_that_is_wrong(here, snakemake, words):
    with pytest.raises(SystemExit) as end:
        cli.main(["run", *words.split()])
    assert end.value.code == 2
    assert snakemake.commands == []


def test_out_dir_in_the_checkout_is_noted(here, snakemake, capsys, monkeypatch):
    monkeypatch.setattr(run, "ROOT", here)
    assert cli.main(["run", "bids", "out", "group"]) == 0
    assert "inside the folder of glymflow itself" in capsys.readouterr().err


# ------------------------------------------------------------------ how it ends


def test_something_failed(here, snakemake, capsys, monkeypatch):
    snakemake.status = 1
    monkeypatch.setattr(run, "crashed_jobs", lambda *_: [])
    assert cli.main(["run", "bids", "out", "group"]) == 1
    assert (
        f"see the lines above, and {here / 'out' / 'results' / 'logs'}" in capsys.readouterr().err
    )


def test_tables_are_made_without_what_crashed(here, snakemake, capsys, monkeypatch):
    log = "results/logs/fit_tensor/sub-01/sub-01.log"
    crashed = [{"domain": "alps", "name": "sub-01", "log": log}]
    snakemake.status = 1
    monkeypatch.setattr(run, "crashed_jobs", lambda *_: crashed)
    assert cli.main(["run", "bids", "out", "group"]) == 1
    first, second = snakemake.commands
    configs = options(second)["--configfile"]
    assert options(first)["--configfile"] == configs[:1]
    assert yaml.safe_load((here / "out" / "glymflow-crashed.yaml").read_text()) == {
        "crashed": crashed
    }
    assert configs[1:] == [str(here / "out" / "glymflow-crashed.yaml")]
    assert "Jobs failed: the tables and pages are made of the others." in capsys.readouterr().out


@pytest.fixture
def finished(here):
    """Results of a run in which twelve were left out."""
    rows = [(f"sub-{n:02}", None, None, "intake", f"reason {n}") for n in range(11)]
    rows += [("sub-00", "ses-2", "sub-00_ses-2_dir-AP", "measurement", "too few volumes")]
    table = here / "out" / "results" / "cohort" / "excluded.tsv"
    table.parent.mkdir(parents=True)
    write_tsv(pd.DataFrame(rows, columns=EXCLUDED_COLUMNS), table)
    (table.parent / "cohort.tsv").touch()
    (here / "out" / "results" / "report").mkdir()
    (here / "out" / "results" / "report" / "index.html").touch()
    return here


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1)])
def test_who_was_left_out(finished, snakemake, capsys, options, status):
    assert cli.main(["run", "bids", "out", "group", *options]) == status
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("Left out: 11 subjects (intake 11, measurement 1)")
    assert lines[start + 1] == "  sub-00: intake: reason 0"
    assert lines[start + 10] == "  sub-09: intake: reason 9"
    assert lines[start + 11] == "  and 2 more"
    results = finished / "out" / "results"
    assert lines[start + 12] == f"  The whole list: {results / 'cohort' / 'excluded.tsv'}"
    assert f"Report: {results / 'report' / 'index.html'}" in lines
    assert f"Values: {results / 'cohort' / 'cohort.tsv'}" in lines


def test_nobody_was_left_out(finished, snakemake, capsys):
    nobody = pd.DataFrame(columns=EXCLUDED_COLUMNS)
    write_tsv(nobody, finished / "out" / "results" / "cohort" / "excluded.tsv")
    assert cli.main(["run", "bids", "out", "participant", "--strict"]) == 0
    out = capsys.readouterr().out
    assert "Left out" not in out
    assert f"Report: {finished / 'out' / 'results' / 'report'}\n" in out


def test_a_dry_run_says_nothing_of_old_results(finished, snakemake, capsys):
    assert cli.main(["run", "bids", "out", "group", "--dry-run", "--strict"]) == 0
    assert "Left out" not in capsys.readouterr().out


# ------------------------------------------------------------------ interrupted

# tells of the signals that reach it, and of those that reach what it started
LISTENER = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(print("told", flush=True)))
signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
if sys.argv[1:]:
    child = subprocess.Popen([sys.executable, "-c", open(sys.argv[1]).read()])
    time.sleep(0.5)
print("ready", flush=True)
time.sleep(30)
"""
FRONT = """
import sys
from glymflow.commands.run import run_command
sys.exit(run_command([sys.executable, "listener.py", "listener.py"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_snakemake_and_its_jobs(tmp_path, number):
    (tmp_path / "listener.py").write_text(LISTENER)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    front = subprocess.Popen(
        [sys.executable, "-c", FRONT], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    try:
        assert [front.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        front.send_signal(number)
        rest = front.communicate(timeout=20)[0]
    finally:
        front.kill()
    # both write at the same time, in whatever order
    assert sorted(rest.replace("told", "told ").split()) == ["told"] * 2
    assert front.returncode == 130


def test_damaged_files_that_the_run_writes_are_made_again(monkeypatch, capsys):
    written = [Output(f"results/{name}", "rule", "log", "ok") for name in "ab"]
    monkeypatch.setattr(run, "list_outputs", lambda command: written)
    command = ["snakemake", "all", "--dry-run"]
    repaired = run.with_repairs(command, ["results/a", "results/of-nobody"])
    assert repaired == [*command, "--forcerun", "results/a"]
    assert capsys.readouterr().out == "damaged or deleted, made again: results/a\n"
    assert run.with_repairs(command, ["results/of-nobody"]) == command


def test_a_ready_table_in_place_of_a_folder(here, snakemake, capsys):
    (here / "plan.yaml").write_text(
        "title: t\nvariables: { age: { type: continuous } }\n"
        "analyses: [{ id: one, kind: describe, variables: [age] }]\n"
    )
    (here / "table.csv").write_text("participant_id,age\n01,60\n")
    words = ["run", "table.csv", "out"]
    assert cli.main([*words, "group", "--study", "plan.yaml"]) == run.DONE
    keys = yaml.safe_load((here / "out" / run.CONFIG).read_text())
    assert keys == {"cohort": str(here / "table.csv"), "study": str(here / "plan.yaml")}
    assert len(snakemake.commands) == 1
    assert cli.main([*words, "participant", "--study", "plan.yaml"]) == run.REFUSED
    assert cli.main([*words, "group"]) == run.REFUSED
    said = capsys.readouterr().err
    assert "of a table nothing is measured; give group" in said
    assert "study: not set" in said
    assert len(snakemake.commands) == 1
