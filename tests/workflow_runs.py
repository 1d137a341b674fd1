"""Running the workflow as a user does, in a process of its own, and reading what it says."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
DEMO_PLAN = CHECKOUT / "config" / "studies" / "demo.yaml"
GRADIENTS = (".nii.gz", ".bval", ".bvec", ".json")


def as_a_user():
    """What to put before a command so that file permissions count, also where the tests are root.

    Returns None where that cannot be had.
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        return None
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def snakemake(work, *options, config=None, checkout=CHECKOUT, status=0, cwd=None):
    """Run Snakemake in the folder `work`; return what it said.

    Parameters
    ----------
    config : dict or path-like, optional
        A dict is written as ``config.yaml`` in `work` first.
    checkout : path-like
        Whose Snakefile.
    status : int or None
        The exit status that is expected; None for any but 0.
    cwd : path-like, optional
        Where it is started; by default in `work`.
    """
    command = _command(work, options, config, checkout)
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_environment(),
        cwd=cwd or work,
        check=False,
    )
    as_expected = done.returncode != 0 if status is None else done.returncode == status
    assert as_expected, f"exit status {done.returncode}\n{done.stdout}"
    return done.stdout


class SnakemakeProcess(subprocess.Popen):
    """Snakemake as `snakemake` starts it, but nobody waits for it."""

    def __init__(self, work, *options, config=None, checkout=CHECKOUT, env=None):
        self.work = Path(work).resolve()
        command = _command(work, options, config, checkout)
        self.log = self.work / "said.txt"
        with open(self.log, "w") as log:
            super().__init__(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment() | (env or {}),
                cwd=work,
            )

    def said(self):
        """Return what Snakemake said so far."""
        return self.log.read_text(errors="replace")


def _command(work, options, config, checkout):
    """The command line of Snakemake; a config that is a dict is written into the folder."""
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    command = [
        *(as_a_user() or []),
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(checkout / "Snakefile"),
    ]
    command += ["--directory", str(work)]
    if config is not None:
        if isinstance(config, dict):
            path = work / "config.yaml"
            path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
            config = path
        command += ["--configfile", str(config)]
    return [*command, *map(str, options)]


def _environment():
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SNAKEMAKE_PROFILE")}


def dry_run(work, *targets, config, **options):
    """Return how many jobs of each rule would run (empty: nothing to be done)."""
    return jobs_of(snakemake(work, "--dry-run", *targets, config=config, **options))


def jobs_of(text):
    """Return the jobs per rule from what a dry run says; the target rules do not count."""
    match = re.search(r"^job +count\n-+ +-+\n(.*?)\ntotal", text, flags=re.DOTALL | re.MULTILINE)
    if match is None:
        assert "Nothing to be done" in text, text
        return {}
    counts = dict(line.split() for line in match[1].splitlines())
    return {rule: int(n) for rule, n in counts.items() if rule not in TARGETS}


def subjects_of(text):
    """Return the subjects that the jobs of a dry run are about."""
    jobs = [line for line in text.splitlines() if re.match(r"(local)?(job|rule) ?\d*:", line, re.I)]
    return {subject for line in jobs for subject in re.findall(r"sub-[^\W_]+", line)}


TARGETS = ("all", "alps", "lesions", "epvs", "stats", "tables", "qc", "measures")


def empty_cohort(bids, *names, participants=None):
    """Write a BIDS tree of empty files: enough for everything that happens before the first job.

    Parameters
    ----------
    names : str
        Paths in the tree; one that ends in ``_dwi`` gets image, gradients and sidecar.
    participants : list of str, optional
        Rows of participants.tsv as tab-separated text, header first.
    """
    bids.mkdir(parents=True, exist_ok=True)
    for name in names:
        for extension in GRADIENTS if name.endswith("_dwi") else ("",):
            path = bids / f"{name}{extension}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    if participants is not None:
        (bids / "participants.tsv").write_text("\n".join(participants) + "\n", encoding="utf-8")
    return bids


def fingerprint(folder):
    """Content, modification time and mode of every file and folder."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None,
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
    }


# what two runs of the same cohort have in common, to the last byte
RESULTS = ("derivatives", "cohort", "stats", "tables", "figures", "report")


def differences(results, reference, *, folders=RESULTS):
    """Return the files of a results folder that are not the same in another one.

    Where all of `RESULTS` are compared, files that are missing count too.
    """
    found = []
    for folder in folders:
        files = {
            root: {p.relative_to(root) for p in (root / folder).rglob("*") if p.is_file()}
            for root in (results, reference)
        }
        if folders == RESULTS:
            found += sorted(map(str, files[results] ^ files[reference]))
        else:
            found += sorted(map(str, files[results] - files[reference]))
        common = files[results] & files[reference]
        found += [
            str(name)
            for name in sorted(common)
            if (results / name).read_bytes() != (reference / name).read_bytes()
        ]
    return found
