"""Each reason code from the least change of a good row, and the status that it gives."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from glymflow.alps import qc
from glymflow.alps.domain import ALPS
from glymflow.alps.rois import ROLES
from glymflow.cohort.qc import STATUSES

CONFIG = Path(__file__).resolve().parents[3] / "config" / "config.yaml"
THRESHOLDS = yaml.safe_load(CONFIG.read_text())["qc"]
SIDES = ("left", "right")
INSIDE = dict.fromkeys(ROLES, 1.0)
GOOD = {
    **{f"fa_{role}": 0.5 for role in ROLES},
    **{f"alignment_{role}": 0.97 for role in ROLES},
    **{f"coverage_{role}": 1.0 for role in ROLES},
    **{f"voxels_{role}": 9 for role in ROLES},
    "frame": "template",
    "alps_left": 1.5,
    "alps_right": 1.4,
    "alps_left_se": 0.05,
    "alps_right_se": 0.06,
    "steps": "calibrate;border_1;direction_pose",
    "shift_left_mm": 0.8,
    "shift_right_mm": 1.1,
    "pose_difference": 2.0,
    "gm_xx": 1.02,
    "gm_yy": 1.0,
    "gm_zz": 0.98,
    "gm_points": 5000,
    "pitch": -4.0,
    "roll": 3.0,
    "yaw": 2.0,
    "registration_similarity": 0.7,
    "registration_moved": 0.8,
    "brain_in_image": 1.0,
    "motion_worst_mm": 0.3,
    "gradient_margin": 0.02,
}


def judged(change, inside=None):
    return qc.judge(GOOD | change, INSIDE | (inside or {}), THRESHOLDS)


def test_good_row_passes():
    assert judged({}) == ("pass", "")


def test_values_at_the_thresholds_pass():
    """Least and largest allowed values are allowed."""
    limits = {
        **{f"fa_{role}": THRESHOLDS["min_fa"] for role in ROLES},
        **{f"alignment_{role}": THRESHOLDS["min_alignment_warn"] for role in ROLES},
        **{f"coverage_{role}": THRESHOLDS["min_coverage"] for role in ROLES},
        **{f"voxels_{role}": THRESHOLDS["min_voxels"] for role in ROLES},
        "alps_left": THRESHOLDS["alps_range_warn"][0],
        "alps_right": THRESHOLDS["alps_range_warn"][1],
        "registration_similarity": THRESHOLDS["min_registration_similarity"],
        "registration_moved": THRESHOLDS["max_registration_moved"],
        "motion_worst_mm": THRESHOLDS["max_motion_mm"],
        "snr_b0": THRESHOLDS["min_snr_b0"],
        "gradient_margin": -qc.GRADIENT_MARGIN,
        "mask_concavity": THRESHOLDS["max_mask_concavity"],
        "mask_holes_ml": THRESHOLDS["max_mask_holes_ml"],
        "mask_missing": THRESHOLDS["max_mask_missing"],
        "mask_outside": THRESHOLDS["max_mask_outside"],
        "mask_volume_ml": THRESHOLDS["mask_volume_ml"][0],
        "brain_in_image": 1.0,
        **{f"shift_{side}_mm": THRESHOLDS["max_shift_mm"] for side in SIDES},
        **{f"alps_{side}_se": THRESHOLDS["max_standard_error"] for side in SIDES},
        "frame": "scanner",
        "pitch": -THRESHOLDS["max_turn_deg"],
        "yaw": THRESHOLDS["max_turn_deg"],
    }
    assert judged(limits) == ("pass", "")


SMALL = 1e-6
CASES = [
    ("roi_outside_brain", "warn", "coverage", THRESHOLDS["min_coverage"] - SMALL),
    ("roi_few_voxels", "warn", "voxels", THRESHOLDS["min_voxels"] - 1),
    ("roi_low_fa", "warn", "fa", THRESHOLDS["min_fa"] - SMALL),
    ("roi_off_axis", "warn", "alignment", THRESHOLDS["min_alignment_warn"] - SMALL),
    ("roi_off_axis", "warn", "alignment", THRESHOLDS["min_alignment_fail"]),
    ("roi_misplaced", "fail", "alignment", THRESHOLDS["min_alignment_fail"] - SMALL),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("code", "status", "name", "value"), CASES)
def test_one_bad_region_is_enough(code, status, name, value, role):
    assert judged({f"{name}_{role}": value}) == (status, code)


@pytest.mark.parametrize("role", ROLES)
def test_region_partly_outside_the_image_fails(role):
    assert judged({}, {role: 1 - SMALL}) == ("fail", "roi_outside_image")


@pytest.mark.parametrize(
    ("code", "status", "name", "value"),
    [
        (
            "registration_poor", "fail", "registration_similarity",
            THRESHOLDS["min_registration_similarity"] - SMALL,
        ),
        (
            "registration_poor", "fail", "registration_moved",
            THRESHOLDS["max_registration_moved"] + SMALL,
        ),
        ("gradient_table_suspect", "warn", "gradient_margin", -qc.GRADIENT_MARGIN - SMALL),
        ("motion_high", "warn", "motion_worst_mm", THRESHOLDS["max_motion_mm"] + SMALL),
        ("shell_low", "warn", "lowest_b", 200),
        ("snr_low", "warn", "snr_b0", THRESHOLDS["min_snr_b0"] - SMALL),
        ("mask_concave", "warn", "mask_concavity", THRESHOLDS["max_mask_concavity"] + SMALL),
        ("mask_incomplete", "warn", "mask_missing", THRESHOLDS["max_mask_missing"] + SMALL),
        ("mask_incomplete", "warn", "mask_holes_ml", THRESHOLDS["max_mask_holes_ml"] + SMALL),
        ("mask_leaks", "warn", "mask_outside", THRESHOLDS["max_mask_outside"] + SMALL),
        ("mask_volume", "warn", "mask_volume_ml", THRESHOLDS["mask_volume_ml"][1] + SMALL),
        ("steps_differ", "warn", "steps_differ", "unring: False recorded, True in the config"),
        ("table_decoded", "pass", "volume_codes", "table_decoded"),
        ("volume_derived;slices_lost", "warn", "volume_codes", "slices_lost;volume_derived"),
        ("alps_implausible", "warn", "alps_left", THRESHOLDS["alps_range_warn"][0] - SMALL),
        ("alps_implausible", "warn", "alps_right", THRESHOLDS["alps_range_warn"][1] + SMALL),
        ("alps_undefined", "fail", "alps_left", np.nan),
        ("alps_undefined", "fail", "alps_right", np.nan),
    ],
)  # fmt: skip
def test_each_value_has_its_code(code, status, name, value):
    assert judged({name: value}) == (status, code)


def test_axes_of_the_scanner_are_not_known_in_another_space():
    gone = {f"alps_{side}": np.nan for side in SIDES} | {"space": "ACPC"}
    assert judged(gone | {"frame": "scanner", "yaw": 40.0}) == ("fail", "scanner_unknown")
    assert judged({"space": "ACPC", "frame": "template"}) == ("pass", "")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("code", "name", "limit"),
    [
        ("roi_displaced", "shift_{}_mm", THRESHOLDS["max_shift_mm"]),
        ("alps_uncertain", "alps_{}_se", THRESHOLDS["max_standard_error"]),
    ],
)
def test_one_bad_side_is_enough(code, name, limit, side):
    name = name.format(side)
    assert judged({name: limit + SMALL}) == ("warn", code)
    assert judged({name: limit}) == ("pass", "")
    assert judged({name: np.nan}) == ("pass", "")
    other = name.replace(side, "right" if side == "left" else "left")
    assert judged({name: np.nan, other: limit + SMALL}) == ("warn", code)


@pytest.mark.parametrize("name", ["pitch", "roll", "yaw"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_turned_head_is_a_matter_of_the_scanner_frame_only(name, sign):
    turned = {name: sign * (THRESHOLDS["max_turn_deg"] + SMALL)}
    assert judged(turned | {"frame": "scanner"}) == ("warn", "head_turned")
    for frame in ("template", "fibre"):
        assert judged(turned | {"frame": frame}) == ("pass", "")
    straight = {name: sign * THRESHOLDS["max_turn_deg"], "frame": "scanner"}
    assert judged(straight) == ("pass", "")


def test_shipped_warning_of_the_alignment_tells_sound_scans_from_a_flipped_table():
    """The lowest of 22 sound scans of 8 heads is 0.83; the highest with a flipped table is 0.77."""
    assert judged({"alignment_projection_left": 0.83}) == ("pass", "")
    assert judged({"alignment_projection_left": 0.77}) == ("warn", "roi_off_axis")


@pytest.mark.parametrize("name", ["registration_similarity", "gradient_margin", "motion_worst_mm"])
def test_check_that_could_not_be_made_gives_no_code(name):
    assert judged({name: np.nan}) == ("pass", "")


def test_region_without_data_is_undefined_uncovered_and_empty():
    empty = {
        "alps_left": np.nan, "fa_projection_left": np.nan, "alignment_projection_left": np.nan,
        "coverage_projection_left": 0.0, "voxels_projection_left": 0,
    }  # fmt: skip
    status, reasons = judged(empty)
    assert status == "fail"
    assert reasons == "roi_outside_brain;roi_few_voxels;alps_undefined"


def test_other_side_is_still_judged_when_one_is_undefined():
    status, reasons = judged({"alps_left": np.nan, "alps_right": 3.0})
    assert (status, reasons) == ("fail", "alps_implausible;alps_undefined")


def test_worst_code_decides_and_all_are_listed_once():
    bad = {"motion_worst_mm": 9, "fa_projection_left": 0.1, "fa_association_left": 0.1}
    assert judged(bad) == ("warn", "roi_low_fa;motion_high")
    assert judged(bad | {"registration_similarity": 0}) == (
        "fail",
        "roi_low_fa;registration_poor;motion_high",
    )


def test_every_code_can_be_explained():
    assert set(ALPS.reasons) == set(qc.CODES)
    for code, (status, sentence) in qc.CODES.items():
        assert status in STATUSES
        assert sentence.endswith(".")
        assert ";" not in code


@pytest.mark.parametrize("steps", ["none", "border_0.5", "calibrate;border_1"])
def test_shift_that_is_not_applied_may_be_no_larger_than_an_error_of_placement(steps):
    small, large = ({"steps": steps, "shift_right_mm": mm} for mm in (2.5, 2.6))
    assert judged(small) == ("pass", "")
    assert judged(large) == ("warn", "roi_displaced")
    assert judged(large | {"steps": "shift"}) == ("pass", "")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pose_difference": THRESHOLDS["max_pose_difference_deg"] + SMALL}, "head_pose_unclear"),
        ({"gm_points": 499}, "gradient_calibration"),
        ({"gm_xx": 1.1, "gm_yy": 0.9, "gm_zz": 1.0}, "gradient_calibration"),
        ({"gm_xx": np.nan, "gm_yy": np.nan, "gm_zz": np.nan, "gm_points": 0},
         "gradient_calibration"),
    ],
)  # fmt: skip
def test_pose_and_calibration_are_judged(change, code):
    assert judged(change) == ("warn", code)


@pytest.mark.parametrize("change", [{"pose_difference": 90.0}, {"gm_points": 0}])
def test_steps_that_were_not_asked_for_are_not_judged(change):
    assert judged(change | {"steps": "border_0.5"}) == ("pass", "")


def test_calibration_that_failed_is_judged():
    change = {"gm_points": 0, "steps": "calibrate_failed;border_1"}
    assert judged(change) == ("warn", "gradient_calibration")


def test_pose_that_the_fibres_do_not_show_is_no_fault():
    assert judged({"pose_difference": np.nan}) == ("pass", "")


@pytest.mark.parametrize(("share", "judged_"), [(0.5, True), (0.49, False), (np.nan, False)])
def test_template_judges_the_mask_only_where_half_the_brain_is_in_the_image(share, judged_):
    beyond = {"mask_missing": 0.2, "mask_outside": 0.2, "brain_in_image": share}
    assert judged(beyond)[1] == ("mask_incomplete;mask_leaks" if judged_ else "")


@pytest.mark.parametrize(
    ("share", "codes"), [(1.0, "mask_volume"), (0.9, "mask_volume"), (0.89, ""), (np.nan, "")]
)
def test_small_mask_is_a_fault_only_where_the_whole_brain_is_in_the_image(share, codes):
    small = {"mask_volume_ml": THRESHOLDS["mask_volume_ml"][0] - SMALL}
    assert judged(small | {"brain_in_image": share})[1] == codes


def test_shipped_limits_of_the_mask_tell_sound_scans_from_planted_faults():
    """Largest of 20 sound scans; smallest of 40 mL cut out, and of leaking masks."""
    sound = {"mask_concavity": 0.047, "mask_missing": 0.002, "mask_outside": 0.013,
             "mask_volume_ml": 986.0, "brain_in_image": 0.6}  # fmt: skip
    assert judged(sound) == ("pass", "")
    assert judged({"mask_missing": 0.018}) == ("warn", "mask_incomplete")
    assert judged({"mask_outside": 0.019}) == ("warn", "mask_leaks")


def turned(angle, error=1.5, **change):
    """A row whose gradient table is turned about z."""
    about_z = {"gradient_turn_x": 0.0, "gradient_turn_y": 0.0, "gradient_turn_z": 1.0}
    return {"gradient_turn": angle, "gradient_turn_se": error, **about_z, **change}


LIMIT = THRESHOLDS["max_gradient_turn_deg"]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (turned(LIMIT), ""),
        (turned(LIMIT + SMALL), "gradients_turned"),
        (turned(5 * qc.SURE, 5), ""),
        (turned(5 * qc.SURE + SMALL, 5), "gradients_turned"),
        (turned(float("nan"), float("nan")), ""),
        (turned(THRESHOLDS["gradient_turn_fail_deg"]), "gradients_turned"),
        (turned(179, 60, gradient_margin=-0.02), "gradient_table_suspect"),
    ],
)
def test_turned_table_is_named_where_it_is_sure(change, codes):
    assert judged(change) == ("warn" if codes else "pass", codes)


@pytest.mark.parametrize("margin", [0.02, -0.02])
def test_a_flipped_table_fails_where_it_is_sure(margin):
    assert judged(turned(179, gradient_margin=margin)) == ("fail", "gradients_wrong")
    above = turned(THRESHOLDS["gradient_turn_fail_deg"] + SMALL, pose_difference=20.0)
    assert judged(above) == ("fail", "gradients_wrong")


def test_the_pose_of_the_fibres_speaks_for_or_against_a_turned_table():
    # a table turned by -8 degrees about z turns the fibres' yaw by as much
    pose = {"fibre_pitch": -4.0, "fibre_roll": 3.0, "fibre_similarity": 0.8}
    seen = turned(8, fibre_yaw=2 - 8.0, pose_difference=8.0, **pose)
    assert judged(seen) == ("warn", "gradients_turned")  # and not head_pose_unclear as well
    assert judged(seen | {"fibre_yaw": 2 - 3.9, "pose_difference": 3.9}) == ("pass", "")
    # of fibres that are not a head's it says nothing
    unlike = {"fibre_yaw": 2.0, "pose_difference": 0.0, "fibre_similarity": 0.2}
    assert judged(seen | unlike) == ("warn", "gradients_turned")
