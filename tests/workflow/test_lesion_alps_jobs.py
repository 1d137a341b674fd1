"""What lesion masks change in the measurement of ALPS: which jobs read them, on empty files."""

import os

import pytest
from workflow_runs import dry_run, empty_cohort, jobs_of, snakemake

MASK = "{0}/anat/{0}_space-{1}_label-{2}_mask.nii.gz"
SERIES = ("fit_tensor", "register_template", "measure_alps")
PAST = 1_000_000_000


@pytest.fixture
def cohort(tmp_path):
    """sub-01 with native masks, sub-02 with one in template space too, sub-03 with that only."""
    names = ["sub-01", "sub-02", "sub-03", "sub-04"]
    bids = empty_cohort(tmp_path / "bids", *(f"{name}/dwi/{name}_dwi" for name in names))
    masks = empty_cohort(
        tmp_path / "masks",
        *(MASK.format("sub-01", *item) for item in (("SWI", "haematoma"), ("T2w", "lesion"))),
        *(MASK.format("sub-02", space, "lesion") for space in ("T2w", "MNI152")),
        MASK.format("sub-03", "MNI152", "lesion"),
    )
    return tmp_path, {"bids_dir": str(bids), "derivatives_dir": str(masks)}


def test_alps_waits_for_the_sides_of_the_lesions_but_not_for_their_map(cohort):
    work, config = cohort
    assert dry_run(work, "results/cohort/alps.tsv", config=config) == dict.fromkeys(SERIES, 4) | {
        "prepare_template": 1, "collect_alps": 1, "measure_lesions": 1, "collect_lesions": 1,
    }  # fmt: skip


def test_a_changed_mask_reruns_what_reads_it(cohort):
    """Native: the registration leaves it out. In the template: only the ROIs are compared."""
    work, config = cohort
    target = "results/cohort/alps.tsv"
    listed = snakemake(work, "--summary", target, config=config).splitlines()
    outputs = [line.split("\t")[0] for line in listed if line.startswith("results/")]
    for path in [*(work / "bids").rglob("*"), *(work / "masks").rglob("*")]:
        os.utime(path, (PAST, PAST))
    for path in outputs:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).touch()
        os.utime(work / path, (PAST + 9, PAST + 9))

    def jobs():  # the empty files are older than the code
        return jobs_of(
            snakemake(work, "--dry-run", "--rerun-triggers=mtime", target, config=config)
        )

    assert jobs() == {}
    after = {"measure_alps": 1, "collect_alps": 1, "measure_lesions": 1, "collect_lesions": 1}
    for subject, space, label, expected in (
        ("sub-01", "SWI", "haematoma", {"register_template": 1} | after),
        ("sub-01", "T2w", "lesion", {"register_template": 1} | after),
        ("sub-02", "T2w", "lesion", {"register_template": 1} | after),
        ("sub-02", "MNI152", "lesion", {"measure_lesions": 1, "collect_lesions": 1,
                                        "collect_alps": 1}),
        ("sub-03", "MNI152", "lesion", after),
    ):  # fmt: skip
        mask = work / "masks" / MASK.format(subject, space, label)
        os.utime(mask, (PAST + 99, PAST + 99))
        assert jobs() == expected, mask.name
        os.utime(mask, (PAST, PAST))
