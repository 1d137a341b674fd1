"""The record of the domain lesions: columns, labels, codes of quality control."""

from glymflow.cohort.domain import Domain, Measure

LABELS = ("haematoma", "lesion", "oedema")
SAME, UNKNOWN = "same", "unknown"  # ways to the world of the DWI, beside the path of a transform
LOCATIONS = {
    "lobar": "supratentorial_lobar",
    "deep": "supratentorial_deep",
    "infratentorial": "infratentorial",
}  # territory: location
COLUMNS = [
    *("participant_id", "session_id"),
    *("volume_lesion_ml", "volume_haematoma_ml", "volume_oedema_ml", "relative_oedema_ratio"),
    *("side", "location", "side_measured", "location_measured", "located_by"),
    *("share_left", "share_right", *(f"share_{name}" for name in LOCATIONS), "share_in_brain"),
    *("oedema_from", "volume_oedema_difference_ml", "volume_haematoma_outside_ml"),
    *(f"{value}_{label}" for label in LABELS for value in ("components", "raters", "dice")),
    *(f"volume_rater{i}_{label}_ml" for label in LABELS for i in (1, 2)),
    *("masks", "qc_status", "qc_reasons"),
]  # fmt: skip
# code: (status, sentence); a code with "pass" is a remark
CODES = {
    "mask_values": ("warn", "A mask has values other than 0 and 1: half was the limit."),
    "mask_empty": ("warn", "One of the masks is empty."),
    "mask_no_geometry": ("fail", "A mask has lost its voxel size and its place in the head."),
    "mask_off_grid": ("warn", "A mask does not lie on the grid of its image."),
    "slice_gap": ("warn", "There is a gap between the slices; the volume includes it."),
    "several_components": ("pass", "A mask has several separate parts."),
    "raters_disagree": ("warn", "The masks of the two raters agree poorly."),
    "oedema_negative": ("fail", "The total lesion is smaller than the haematoma."),
    "ratio_undefined": ("warn", "The relative oedema ratio is undefined."),
    "haematoma_outside_lesion": ("warn", "Much of the haematoma lies outside the total lesion."),
    "volume_in_template": ("pass", "The volume is that of a mask in template space."),
    "lesion_not_coregistered": ("warn", "The mask cannot be brought to the template."),
    "lesion_outside_brain": ("warn", "Much of the mask lies outside the template's brain."),
    "lesion_space_unknown": ("warn", "The DWI lies in another space; there is no way to it."),
    "lesion_not_in_brain": (
        "fail",
        "Most of the mask is outside the brain, as in another space.",
    ),
    "side_disagrees": ("warn", "The side in participants.tsv is not the measured one."),
    "location_disagrees": ("warn", "The location in participants.tsv is not the measured one."),
}


def _measures():
    text = {
        "side": "Side of the lesion",
        "location": "Location of the lesion",
        "side_measured": "Side of the lesion, measured",
        "location_measured": "Location of the lesion, measured",
        "located_by": "Mask that side and location are of",
        "oedema_from": "How the oedema was found",
        "masks": "Masks",
        "qc_status": "Quality control of the lesion",
        "qc_reasons": "Codes of quality control of the lesion",
    }
    found = {
        "volume_lesion_ml": Measure("Volume of the total lesion", "mL"),
        "volume_haematoma_ml": Measure("Volume of the haematoma", "mL"),
        "volume_oedema_ml": Measure("Volume of the oedema", "mL"),
        "relative_oedema_ratio": Measure("Oedema / haematoma, by volume"),
        "volume_oedema_difference_ml": Measure("Total lesion outside the haematoma", "mL"),
        "volume_haematoma_outside_ml": Measure("Haematoma outside the total lesion", "mL"),
        "share_in_brain": Measure("Share of the mask in the template's brain"),
    }
    for place in ("left", "right", *LOCATIONS):
        found[f"share_{place}"] = Measure(f"Share of the lesion, {place}")
    for label in LABELS:
        found[f"components_{label}"] = Measure(f"Separate parts of the mask: {label}")
        found[f"raters_{label}"] = Measure(f"Raters of the mask: {label}")
        found[f"dice_{label}"] = Measure(f"Dice of the two raters: {label}")
        for i in (1, 2):
            found[f"volume_rater{i}_{label}_ml"] = Measure(f"Volume by rater {i}: {label}", "mL")
    found |= {column: Measure(label, kind="text") for column, label in text.items()}
    return {column: found[column] for column in COLUMNS[2:]}


_VALUES = ("volume_", "relative_", "share_", "components_", "dice_")

LESIONS = Domain(
    name="lesions",
    title="Lesions",
    columns=tuple(COLUMNS),
    measures=_measures(),
    judged_columns=tuple(name for name in COLUMNS if name.startswith(_VALUES)),
    codes=CODES,
    intake="glymflow.lesions.intake",
    page="glymflow.lesions.page",
    methods="glymflow.lesions.methods",
    unit="folder",
    jobs=("measure_lesions",),
    picture="<results>/figures/lesion_frequency.png",
)
