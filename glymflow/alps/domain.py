"""The record of the domain ALPS: columns, labels, codes of quality control."""

from glymflow.cohort.domain import Domain, Measure
from glymflow.text import ROLES

SIDES = ("left", "right")
COMPONENTS = ("dxx_projection", "dyy_projection", "dxx_association", "dzz_association")
# only where there is a lesion (`glymflow.alps.lesion_overlap`)
OVERLAP_COLUMNS = [
    "lesion_share",
    *(
        f"{part}_{value}_{role}"
        for part in ("haematoma", "oedema")
        for value in ("share", "mm3")
        for role in ROLES
    ),
]
COLUMNS = [
    *("participant_id", "session_id", "source", "roi_set", "roi_radius_mm", "frame"),
    *("alps_left", "alps_right", "alps_mean", "alps_ipsilateral", "alps_contralateral"),
    *(
        f"alps_{value}_{what}"
        for what in ("se", "ci_low", "ci_high")
        for value in ("left", "right", "mean")
    ),
    *("alps_ipsilateral_se", "alps_contralateral_se", "steps", "model"),
    *(f"{component}_{side}" for side in SIDES for component in COMPONENTS),
    *(
        f"{value}_{role}"
        for value in ("fa", "alignment", "coverage", "voxels")
        for role in ROLES
    ),
    *("pitch", "roll", "yaw", "registration_similarity", "registration_moved"),
    *("fibre_pitch", "fibre_roll", "fibre_yaw", "pose_difference", "fibre_similarity"),
    *("border_left_mm", "border_right_mm", "level_left_mm", "level_right_mm"),
    *("shift_left_mm", "shift_right_mm"),
    *(f"shift_{side}_{axis}_mm" for side in SIDES for axis in "xyz"),
    *("gm_xx", "gm_yy", "gm_zz", "gm_points", "calibration_change"),
    *("motion_mm", "motion_worst_mm", "outlier_slices", "snr_b0", "gradient_margin"),
    *("mask_volume_ml", "mask_concavity", "mask_holes_ml"),
    *("mask_missing", "mask_outside", "brain_in_image"),
    *("gradient_turn", "gradient_turn_se"),
    *("gradient_turn_x", "gradient_turn_y", "gradient_turn_z"),
    *("resolution_x_mm", "resolution_y_mm", "resolution_z_mm", "b_value", "directions"),
    *("shells", "voxel_x_mm", "voxel_y_mm", "voxel_z_mm"),
    *("manufacturer", "scanner_model", "field_strength_t"),
    *("preprocessed", "space"),
    *OVERLAP_COLUMNS,
    *("qc_status", "qc_reasons"),
]  # fmt: skip
# what a subject's page shows of the raw data of a series, by name: what the file name ends in
RAW_FILES = {
    "raw_b0": "_desc-raw_dwiref.nii.gz",
    "b0": "_desc-preproc_dwiref.nii.gz",
    "weighted": "_desc-weighted_dwiref.nii.gz",
    "residual": "_model-tensor_param-residual_dwimap.nii.gz",
    "mask": "_desc-brain_mask.nii.gz",
    "quality": "_desc-quality_dwi.tsv",
    "volumes": "_desc-confounds_timeseries.tsv",
    "slices": "_desc-slices_timeseries.tsv",
    "bval": "_desc-preproc_dwi.bval",
    "bvec": "_desc-preproc_dwi.bvec",
}
# code: (status, sentence)
CODES = {
    "roi_outside_image": ("fail", "Part of a ROI lies outside the image."),
    "roi_outside_brain": ("warn", "Part of a ROI lies outside the brain mask."),
    "roi_few_voxels": ("warn", "A ROI holds very few voxels: the value is mostly noise."),
    "roi_low_fa": ("warn", "FA in a ROI is too low for a fibre bundle."),
    "roi_off_axis": ("warn", "The fibres in a ROI do not run the way the index assumes."),
    "roi_misplaced": ("fail", "The fibres in a ROI run across the expected direction."),
    "lesion_unknown": ("warn", "The lesion mask lies in another space: its overlap is not known."),
    "roi_lesion": ("warn", "Part of a ROI lies in a lesion."),
    "roi_in_lesion": ("fail", "Too much of a ROI lies in a lesion."),
    "roi_displaced": (
        "warn",
        "The surroundings of the ROIs are far from where the template has them.",
    ),
    "head_pose_unclear": ("warn", "Registration and fibres disagree about the head's pose."),
    "gradient_calibration": (
        "warn",
        "Grey matter is too anisotropic, or too little of it is seen.",
    ),
    "registration_poor": ("fail", "The registration to the template is poor."),
    "gradients_wrong": (
        "fail",
        "The gradient table is flipped, swapped or turned: tensors are wrong.",
    ),
    "gradient_table_suspect": ("warn", "Another gradient table fits the fibres better."),
    "table_decoded": ("pass", "The gradient table was written in other units and was decoded."),
    "volume_derived": ("warn", "A trace, ADC or FA map among the b0 volumes was left out."),
    "volume_unweighted": ("warn", "A weighted volume as bright as a lower b-value was left out."),
    "volume_odd": ("warn", "A volume that shows no image of this head was left out."),
    "slices_lost": ("warn", "Slices lost their signal and were not replaced, or too many were."),
    "gradients_turned": ("warn", "The gradient table is turned against the image."),
    "steps_differ": ("warn", "The series was prepared with other steps than the cohort."),
    "motion_high": ("warn", "The head moved much between volumes."),
    "shell_low": ("warn", "A b-value of the fit is so low that noise and free water rule it."),
    "snr_low": ("warn", "The signal is so low that noise shifts ALPS."),
    "mask_concave": ("warn", "The brain mask has deep folds: brain is cut out, or it leaks."),
    "mask_incomplete": ("warn", "The brain mask has holes, or leaves out brain."),
    "mask_leaks": ("warn", "The brain mask reaches far out of the brain."),
    "mask_volume": ("warn", "The brain mask has not the volume of a brain."),
    "head_turned": ("warn", "The head is turned too far for the scanner's axes."),
    "scanner_unknown": ("fail", "The scanner's axes are not known: the series was resampled."),
    "alps_uncertain": ("warn", "The standard error of a side is large: too much noise."),
    "alps_implausible": ("warn", "ALPS is outside the plausible range."),
    "roi_unavailable": ("fail", "The ROI masks of this set cannot be read (the log says why)."),
    "rated_out": ("fail", "A reader excluded the scan."),
    "alps_undefined": ("fail", "ALPS cannot be computed: a ROI holds no data."),
}

_PARTS = {
    "left": "left",
    "right": "right",
    "mean": "mean of left and right",
    "ipsilateral": "side of the lesion",
    "contralateral": "side opposite to the lesion",
}
_WHAT = {
    "": "",
    "_se": ", standard error",
    "_ci_low": ", lower limit of the 95 % interval",
    "_ci_high": ", upper limit of the 95 % interval",
}
_OF_A_ROI = {
    "fa": Measure("FA"),
    "alignment": Measure("Alignment of the fibres with the axis that the index assumes"),
    "coverage": Measure("Share inside image and brain"),
    "voxels": Measure("Voxels, by weight"),
}


_OF_A_SERIES = {
    "n_series": Measure("DWI series of the session"),
    "source": Measure("DWI series that the value is made of", kind="text"),
    "roi_set": Measure("ROI set", kind="text"),
    "roi_radius_mm": Measure("Radius of the ROIs", "mm"),
    "frame": Measure("Frame of the axes", kind="text"),
    "model": Measure("Model of the signal", kind="text"),
    "pitch": Measure("Pitch of the head", "degrees"),
    "roll": Measure("Roll of the head", "degrees"),
    "yaw": Measure("Yaw of the head", "degrees"),
    "registration_similarity": Measure("Correlation with the template after registration"),
    "registration_moved": Measure("The same with the template moved by 6 mm, as a share of it"),
    "steps": Measure("Steps that were applied before ALPS was read", kind="text"),
    "fibre_pitch": Measure("Pitch of the head by its fibres", "degrees"),
    "fibre_roll": Measure("Roll of the head by its fibres", "degrees"),
    "fibre_yaw": Measure("Yaw of the head by its fibres", "degrees"),
    "pose_difference": Measure("Angle between the two poses", "degrees"),
    "fibre_similarity": Measure("Correlation of the fibres' shapes with the template's"),
    "gm_xx": Measure("Mean tensor of grey matter, right-left, over a third of its trace"),
    "gm_yy": Measure("Mean tensor of grey matter, front-back, over a third of its trace"),
    "gm_zz": Measure("Mean tensor of grey matter, up-down, over a third of its trace"),
    "gm_points": Measure("Points of grey matter"),
    "calibration_change": Measure("Change of alps_mean by the calibration"),
    "resolution_x_mm": Measure("Effective resolution, right-left", "mm"),
    "resolution_y_mm": Measure("Effective resolution, front-back", "mm"),
    "resolution_z_mm": Measure("Effective resolution, up-down", "mm"),
    "b_value": Measure("b-value of the tensor fit", "s/mm^2"),
    "directions": Measure("Directions of the tensor fit"),
    "shells": Measure("Shells of the tensor fit", kind="text"),
    "manufacturer": Measure("Manufacturer of the scanner", kind="text"),
    "scanner_model": Measure("Model of the scanner", kind="text"),
    "field_strength_t": Measure("Field strength of the scanner", "T"),
    **{f"voxel_{a}_mm": Measure(f"Voxel size along the image's {a}", "mm") for a in "xyz"},
    "preprocessed": Measure("Preprocessing of the series before this pipeline", kind="text"),
    "space": Measure("Space of the series if not the scanner's", kind="text"),
    "motion_mm": Measure("Displacement of the head, mean over volumes", "mm"),
    "motion_worst_mm": Measure("Displacement of the head in the worst volumes", "mm"),
    "outlier_slices": Measure("Slices that lost their signal"),
    "snr_b0": Measure("Signal to noise of b0"),
    "mask_volume_ml": Measure("Volume of the brain mask", "mL"),
    "mask_concavity": Measure("Folds of the brain mask over its volume"),
    "mask_holes_ml": Measure("Holes of the brain mask", "mL"),
    "mask_missing": Measure("Share of the template's brain, by depth, that the mask leaves out"),
    "mask_outside": Measure("Share of the mask far outside the template's brain"),
    "brain_in_image": Measure("Share of the template's brain inside the image"),
    "gradient_margin": Measure("Margin of the gradient table over the best other one"),
    "gradient_turn": Measure("Turn of the gradient table that fits the fibres best", "degrees"),
    "gradient_turn_se": Measure("Standard error of this turn", "degrees"),
    "gradient_turn_x": Measure("Axis of this turn, along x of the scanner"),
    "gradient_turn_y": Measure("Axis of this turn, along y of the scanner"),
    "gradient_turn_z": Measure("Axis of this turn, along z of the scanner"),
    "lesion_share": Measure("Largest share of a ROI in a lesion"),
    "qc_status": Measure("Quality control", kind="text"),
    "qc_reasons": Measure("Codes of quality control", kind="text"),
}


def _measures():
    found = dict(_OF_A_SERIES)
    for part, words in _PARTS.items():
        for what, more in _WHAT.items():
            if f"alps_{part}{what}" in COLUMNS:
                found[f"alps_{part}{what}"] = Measure(f"ALPS index, {words}{more}")
    for side in SIDES:
        for component in COMPONENTS:
            axes, fibres = component.split("_")
            label = f"{axes.capitalize()} in {fibres} fibres, {side}"
            found[f"{component}_{side}"] = Measure(label, "mm^2/s")
        found[f"border_{side}_mm"] = Measure(f"Border of the fibres from the midline, {side}", "mm")
        found[f"level_{side}_mm"] = Measure(f"Level at which ALPS peaks, {side}", "mm")
        found[f"shift_{side}_mm"] = Measure(f"Local shift of the registration, {side}", "mm")
        for axis in "xyz":
            label = f"Local shift of the registration along {axis}, {side}"
            found[f"shift_{side}_{axis}_mm"] = Measure(label, "mm")
    for role in ROLES:
        place = "{}, {}".format(*role.split("_"))
        for value, measure in _OF_A_ROI.items():
            found[f"{value}_{role}"] = Measure(f"{measure.label}: {place}")
        for part in ("haematoma", "oedema"):
            found[f"{part}_share_{role}"] = Measure(f"Share of the ROI in {part}: {place}")
            found[f"{part}_mm3_{role}"] = Measure(f"ROI in {part}: {place}", "mm^3")
    return found


ALPS = Domain(
    name="alps",
    title="ALPS",
    columns=tuple(COLUMNS),
    measures=_measures(),
    codes=CODES,
    intake="glymflow.alps.intake",
    page="glymflow.alps.page",
    methods="glymflow.alps.methods",
    unit="series",
    jobs=("fit_tensor", "register_template", "measure_alps"),
)
