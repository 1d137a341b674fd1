"""The record of the domain EPVS: columns, labels, codes of quality control."""

from glymflow.cohort.domain import Domain, Measure

ENGINES = ("vbnet", "frangi", "external")
REGIONS = ("bg", "cso", "midbrain")
SIDES = ("left", "right")
# label in the image of regions: region and side
LABELS = {1 + number: pair for number, pair in enumerate((r, s) for r in REGIONS for s in SIDES)}
VALUES = ("epvs_count", "epvs_volume_mm3", "epvs_fraction", "epvs_permille")
SOFT = ("epvs_soft_volume_mm3", "epvs_soft_volume_se")  # in all, and of each region
# objects that are listed and not counted, for what they look like
NOT_COUNTED = ("lacunes", "lesion_like", "t2_dark")
COLUMNS = [
    *("participant_id", "session_id", "engine", "primary", "contrasts", *VALUES),
    *(f"{value}_{region}" for region in REGIONS for value in VALUES),
    *(f"{value}_{region}_{side}" for region, side in LABELS.values() for value in VALUES),
    *(f"{value}{ending}" for ending in ("", *(f"_{name}" for name in REGIONS)) for value in SOFT),
    *("brain_volume_ml", *NOT_COUNTED, "flair_bright", "blur_mm", "qc_status", "qc_reasons"),
]
COUNTS = [*(name for name in COLUMNS if name.startswith("epvs_count")), *NOT_COUNTED]
# code: (status, sentence); a code with "pass" is a remark
CODES = {
    "epvs_t1_only": ("warn", "There is no T2w: EPVS were looked for in the T1w alone."),
    "epvs_t2_only": ("warn", "There is no T1w: EPVS were looked for in the T2w alone."),
    "epvs_thick_slices": (
        "warn",
        "Slices above 2 mm or voxels above 4 mm³ hide small EPVS.",
    ),
    "epvs_t2_moved": ("warn", "The head moved much between T1w and T2w."),
    "epvs_t2_misaligned": ("fail", "The brains of T1w and T2w do not overlap."),
    "epvs_cropped": ("warn", "The brain is cut at the edge of the image."),
    "epvs_brain_incomplete": ("fail", "Much of the brain lies outside the image."),
    "epvs_t1_poor": (
        "warn",
        "Fluid is bright in the T1w, as after a spin echo: it shows few EPVS.",
    ),
    "epvs_blurred": ("warn", "The images are blurred: small EPVS are not seen in them."),
    "epvs_contrast_enhanced": ("warn", "The T1w seems to be contrast-enhanced."),
    "epvs_brain_implausible": ("fail", "The volume of the brain is implausible."),
    "epvs_registration_poor": ("fail", "The registration to the template is poor."),
    "epvs_region_missing": ("fail", "A region was not found in the brain."),
    "epvs_region_implausible": ("warn", "A region is implausibly small or large."),
    "epvs_mask_resampled": ("pass", "The mask was brought to the grid of 1 mm."),
    "epvs_mask_values": ("warn", "The mask has values other than 0 and 1: half was the limit."),
    "epvs_empty": ("warn", "No EPVS was found."),
    "epvs_many": ("warn", "Implausibly many EPVS were found."),
    "epvs_bright_on_flair": ("warn", "Many EPVS are bright in the FLAIR, as lesions are."),
    "epvs_engines_disagree": ("pass", "The two engines found very different volumes."),
}
# names in epvs.tsv that do not say EPVS, and get it in cohort.tsv
PLAIN = ("engine", "contrasts", *NOT_COUNTED, "flair_bright", "blur_mm")
REGION_LABELS = {
    "": "all regions",
    "bg": "basal ganglia",
    "cso": "centrum semiovale",
    "midbrain": "midbrain",
}

_OF_EPVS = {
    "epvs_count": Measure("EPVS, number"),
    "epvs_volume_mm3": Measure("EPVS, volume", "mm^3"),
    "epvs_fraction": Measure("EPVS volume / brain volume"),
    "epvs_permille": Measure("EPVS volume / brain volume", "per mille"),
}


def _measures():
    places = {"": ""} | {f"_{name}": f": {REGION_LABELS[name]}" for name in REGIONS}
    for region, side in LABELS.values():
        places[f"_{region}_{side}"] = f": {REGION_LABELS[region]}, {side}"
    found = {
        "epvs_engine": Measure("Method that found the EPVS", kind="text"),
        "epvs_contrasts": Measure("Images in which EPVS were looked for", kind="text"),
    }
    for ending, words in places.items():
        for value, measure in _OF_EPVS.items():
            found[value + ending] = Measure(measure.label + words, measure.unit)
        if ending.count("_") < 2:
            found |= {
                f"epvs_soft_volume_mm3{ending}": Measure(f"EPVS, soft volume{words}", "mm^3"),
                f"epvs_soft_volume_se{ending}": Measure(
                    f"EPVS, standard error of the soft volume{words}", "mm^3"
                ),
            }
    found["brain_volume_ml"] = Measure("Volume of the brain", "mL")
    return found | {
        "epvs_lacunes": Measure("Round objects that may be lacunes, not counted"),
        "epvs_lesion_like": Measure("Objects that look like lesions, not counted"),
        "epvs_t2_dark": Measure("Objects that are dark in the T2w (poor T1w), not counted"),
        "epvs_flair_bright": Measure("Share of the EPVS that is bright in the FLAIR"),
        "epvs_blur_mm": Measure("Blur of the images in which EPVS were looked for", "mm"),
        "qc_status": Measure("Quality control of the EPVS", kind="text"),
        "qc_reasons": Measure("Codes of quality control of the EPVS", kind="text"),
    }


EPVS = Domain(
    name="epvs",
    title="EPVS",
    columns=tuple(COLUMNS),
    measures=_measures(),
    judged_columns=(
        *(name for name in COLUMNS if name.startswith("epvs_")),
        *("brain_volume_ml", *(f"epvs_{name}" for name in NOT_COUNTED)),
        *("epvs_flair_bright", "epvs_blur_mm"),
    ),
    codes=CODES,
    intake="glymflow.epvs.intake",
    page="glymflow.epvs.page",
    methods="glymflow.epvs.methods",
    unit="session",
    jobs=("preprocess_anat", "register_anat", "segment_epvs"),
    to_cohort="glymflow.epvs.objects:cohort_columns",
    caveat="The network that segments perivascular spaces (engine vbnet of glymflow) was trained on"
    " synthetic data: its accuracy on these scans is not known until it is compared with raters.",
)
