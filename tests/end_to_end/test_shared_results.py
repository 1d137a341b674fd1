"""Results can be shared: a BIDS data set that passes, and nothing in it tells of this machine."""

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import pytest
import test_bad_subjects
import test_epvs_cohort
from workflow_runs import CHECKOUT

from glymflow.io import PLACEHOLDER

VALIDATOR = shutil.which("bids-validator-deno", path=os.path.dirname(sys.executable))
# tables that the cohort's tables are made of: they hold the reason of a series at fault
TELL = ("_alps.tsv", "_desc-quality_dwi.tsv", "_desc-epvs_measures.tsv")
RUNS = ("phantom", "epvs", "bad")
# of the source: who made it is not known to us
NOT_OURS = {"NO_AUTHORS", "TOO_FEW_AUTHORS"}


@pytest.fixture(scope="module")
def work_of(once, request):
    """Return the run directory of one of `RUNS`, made when it is asked for."""

    def found(name):
        if name in ("phantom", "small"):
            return request.getfixturevalue(f"{name}_run").work
        make = {"epvs": test_epvs_cohort.make, "bad": test_bad_subjects.make}[name]
        return once(name, make)

    return found


def validate(folder):
    """Return what the validator of BIDS says, without a network: (severity, code, place)."""
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [VALIDATOR, str(folder), "--format", "json"],
        capture_output=True, text=True, check=False,
        env=os.environ | {"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere},
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["summary"]["totalFiles"] > 0, done.stderr
    issues = said["issues"]["issues"]
    return [(one["severity"], one["code"], one.get("location", "")) for one in issues]


@pytest.mark.skipif(VALIDATOR is None, reason="bids-validator-deno is not installed here")
class TestBids:
    def test_simulated_input(self, work_of):
        issues = validate(work_of("phantom") / "bids")
        issues += validate(work_of("phantom") / "bids" / "derivatives" / "truth")
        assert [one for one in issues if one[0] == "error"] == []
        # what a scanner would tell: there is none
        assert {code for _, code, _ in issues} <= {
            *("SIDECAR_KEY_RECOMMENDED", "JSON_KEY_RECOMMENDED", "SUBJECT_FOLDERS"), *NOT_OURS,
        }  # fmt: skip

    @pytest.mark.parametrize("name", RUNS)
    def test_derivatives(self, work_of, name):
        issues = validate(work_of(name) / "results" / "derivatives")
        assert [one for one in issues if one[1] not in NOT_OURS] == []


@pytest.mark.parametrize("name", RUNS)
def test_every_file_is_what_its_name_says(work_of, name):
    derivatives = work_of(name) / "results" / "derivatives"
    files = [path for path in derivatives.rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        if path.name.endswith(".nii.gz"):
            assert nib.load(path).shape
        elif path.suffix == ".json":
            json.loads(path.read_text())
        if path.read_bytes().startswith(PLACEHOLDER):
            assert path.name.endswith(TELL), path
            assert list(path.parent.glob("*_fault.json"))


def test_a_fault_is_left_in_place_of_images(work_of):
    left = work_of("bad") / "results" / "derivatives" / "sub-truncated" / "dwi"
    assert {path.name.removeprefix("sub-truncated_") for path in left.iterdir()} == {
        "fault.json", "alps.tsv", "desc-quality_dwi.tsv",
    }  # fmt: skip
    fault = json.loads((left / "sub-truncated_fault.json").read_text())
    assert fault["Step"] == "fit_tensor"
    assert fault["Fault"].startswith("bids:raw:sub-truncated/dwi/sub-truncated_dwi.nii.gz: ")
    epvs = work_of("epvs") / "results" / "derivatives" / "sub-03" / "anat"
    assert {path.name for path in epvs.iterdir()} == {
        "sub-03_fault.json", "sub-03_desc-epvs_measures.tsv",
    }  # fmt: skip


def test_a_faultless_session_leaves_nothing_for_what_it_lacks(work_of):
    anat = work_of("epvs") / "results" / "derivatives" / "sub-01" / "anat"
    names = {path.name for path in anat.iterdir()}
    assert "sub-01_label-EPVS_desc-vbnet_mask.nii.gz" in names
    assert not {name for name in names if "FLAIR" in name or "external" in name or "fault" in name}


# ---------------------------------------------------------------- nothing of this machine


def places_of_this_machine(work):
    """Texts that only this machine knows: folders, the user's among them, and its name."""
    folders = {work.parent, Path.home(), CHECKOUT, Path(sys.prefix), Path.cwd()}
    found = {re.escape(str(folder)) for folder in folders if len(folder.parts) > 1}
    user, host = re.escape(getpass.getuser()), re.escape(socket.gethostname())
    return re.compile("|".join([*found, f"/{user}/", rf"\b{host}\b"]))


@pytest.mark.parametrize("name", [*RUNS, "small"])
def test_results_name_no_path_user_or_host(work_of, name):
    work = work_of(name)
    known = places_of_this_machine(work)
    seen = 0
    for path in (work / "results").rglob("*"):
        if path.is_file() and not path.name.endswith((".nii.gz", ".mat", ".png", ".docx")):
            text = path.read_text("utf-8", errors="replace")
            text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)  # of which chance makes any word
            assert not (found := known.search(text)), f"{path}: {found[0]}"
            seen += 1
    assert seen > 60


def test_results_that_moved_with_their_input_are_still_known(work_of, tmp_path):
    """Inputs are found by the links of the derivatives: nothing remembers where they lay."""
    work = work_of("epvs")
    moved = tmp_path / "elsewhere"
    shutil.copytree(work, moved, ignore=shutil.ignore_patterns(".snakemake"))
    command = [sys.executable, "-m", "glymflow", "verify", str(moved)]

    def verify():
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
        return done.returncode, done.stdout

    status, text = verify()
    assert (status, "files are as they were written" in text) == (0, True), text
    (moved / "bids" / "sub-01" / "anat" / "sub-01_T1w.nii.gz").write_bytes(b"other")
    status, text = verify()
    assert status == 1
    assert "bids:raw:sub-01/anat/sub-01_T1w.nii.gz: an input that changed" in text
    assert "--forcerun results/derivatives/sub-01/anat/sub-01_desc-preproc_anat.json" in text
