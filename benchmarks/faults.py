"""What becomes of a run when its machine fails? The table of docs/reliability.md.

    python benchmarks/faults.py WORK [--kills N] [--only WORDS] [--page docs/reliability.md]

Kills runs of a small simulated cohort (ALPS, EPVS, lesions, statistics, pages) at random moments,
takes away disk, memory and permissions, damages files, and does what clusters do (on a private
Slurm, where it is installed); then lets the workflow go on and compares each file with those of an
undisturbed run. What was tried before in WORK is not tried again: delete WORK to begin anew.
Needs root for the full disk (a tmpfs). 200 kills take some 15 minutes of CPU; a call that was
stopped goes on where it was.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests"), str(CHECKOUT / "tests" / "slurm")]

import fault_cases  # noqa: E402
import fault_kills  # noqa: E402
import fault_slurm  # noqa: E402
from workflow_runs import differences  # noqa: E402

NAMES = {
    "snakemake": "kill -9 of Snakemake",
    "job": "kill -9 of a job",
    "both": "kill -9 of both",
}
INTRO = """\
# Reliability

What becomes of a run when its machine fails. Made by `python benchmarks/faults.py WORK`: a small
simulated cohort (ALPS, EPVS, lesions, statistics, pages) is disturbed, runs on, and each file of
the results is compared with that of an undisturbed run. Kills come at random moments (seeded), up
to {row} in a row before a run may end; after each kill, each file that stands under its own name
is compared as well.

| fault | times tried | what happened | bytes equal |
|---|---|---|---|
"""
OUTRO = """
Kills: {kills} in {trials} trials. Trials with a lost or wrong file at the end: {lost}. Kills
right after which a file under its own name was not as in the undisturbed run: {wrong}. What to do:
[cluster.md](cluster.md#after-an-interruption).

- A job ends with the Snakemake that started it (Linux): nothing writes beside the next run.
- A job writes under another name and renames: no half-written file is taken for a result.
- Each job records the size and SHA-256 of what it wrote; `glymflow verify` compares.
- A fault of the machine (permission, disk, memory, a killed job) fails the job and leaves nobody
  out; only what a whole, readable file says can leave a subject out.
"""


def read_outcomes(path):
    """Return what was tried before: case -> {said, differ}."""
    return json.loads(path.read_text()) if path.exists() else {}


def try_cases(folder, reference, wanted):
    """Try the cases that are wanted and were not tried before; return the outcomes of all."""
    kept = folder / "outcomes.json"
    outcomes = read_outcomes(kept)
    for name, case in fault_cases.CASES.items():
        if name in outcomes or name not in wanted:
            continue
        work = (folder / "case").resolve()
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(reference, work, symlinks=True)
        said = case(work)
        if said is None:
            print(f"{name}: cannot be tried here")
            continue
        found = differences(work / "results", reference / "results")
        _keep(kept, outcomes, name, said, found)
    left = [name for name in wanted if name not in outcomes]
    for name, said, found in fault_slurm.run_slurm(folder, reference, left):
        _keep(kept, outcomes, name, said, found)
    return outcomes


def _keep(path, outcomes, name, said, found):
    print(f"{name}: {said}; {len(found)} files differ {found[:3]}", flush=True)
    outcomes[name] = {"said": said, "differ": len(found)}
    path.write_text(json.dumps(outcomes, indent=1))


def write_page(path, kills, outcomes):
    """Write the page: no dates, no paths; it names what was not tried."""
    lines = []
    for domain in ("demo", "EPVS", "lesions"):
        for victim, name in NAMES.items():
            some = kills[(kills.domain == domain) & (kills.victim == victim)] if len(kills) else []
            if len(some):
                equal = "no" if some.faults.any() or some.wrong.any() else "yes"
                lines.append(f"| {name}, {domain} | {len(some)} | the rerun ends | {equal} |")
    names = (*fault_cases.CASES, *fault_slurm.CASES, *fault_slurm.MANY)
    for name in names:
        if name in outcomes:
            equal = "no" if outcomes[name]["differ"] else "yes"
            lines.append(f"| {name} | 1 | {outcomes[name]['said']} | {equal} |")
    wrong = int((kills.wrong > 0).sum()) if len(kills) else 0
    lost = kills[kills.faults > 0].trial.nunique() if len(kills) else 0
    trials = kills.trial.nunique() if len(kills) else 0
    left = [f"- {name}" for name in names if name not in outcomes]
    left = ["\nNot tried here, or not compared:\n", *left] if left else []
    end = OUTRO.format(kills=len(kills), trials=trials, lost=lost, wrong=wrong)
    text = INTRO.format(row=fault_kills.IN_A_ROW[1]) + "\n".join([*lines, *left]) + "\n" + end
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--only", default="", help="cases whose name has this text; no kills")
    parser.add_argument("--page", type=Path, default=CHECKOUT / "docs" / "reliability.md")
    given = parser.parse_args()
    here = given.work.resolve()
    here.mkdir(parents=True, exist_ok=True)
    whole = fault_kills.reference_run(here / "undisturbed")
    names = (*fault_cases.CASES, *fault_slurm.CASES, *fault_slurm.MANY)
    tried = try_cases(here, whole, [name for name in names if given.only in name])
    if not given.only:
        fault_kills.run_kills(here, given.kills)
    write_page(given.page, fault_kills.read_kills(here), tried)
