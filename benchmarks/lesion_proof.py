"""Are lesions measured right, and does a haematoma beside the ROIs spoil ALPS?

    python benchmarks/lesion_proof.py masks [HEADS]
    python benchmarks/lesion_proof.py pipeline [HEADS]
    python benchmarks/lesion_proof.py alps [HEADS]

masks     draws the masks of `glymflow simulate --lesions` (60 heads, all places in turn), measures
          their volumes, and takes them to the template by the transform that the head truly has
          without its lesion: side and location (4 s per head).
pipeline  the same, 8 heads, by the workflow and its own registration (a minute per head).
alps      30 mL beside the ROIs, the haematoma's edge 10 mm from the nearest one, in front, behind,
          below, through the workflow: error of ipsilateral and contralateral ALPS against the
          truth, and the same heads without a lesion (two minutes per head; 8 heads).

Needs nothing but glymflow; results are printed, files go to a temporary folder.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from glymflow.alps.rois import sphere_points  # noqa: E402
from glymflow.commands import simulate  # noqa: E402
from glymflow.image import masks as image_masks  # noqa: E402
from glymflow.image import region_map  # noqa: E402
from glymflow.io import read_tsv  # noqa: E402
from glymflow.lesions import measure as lesions  # noqa: E402
from glymflow.phantoms import head as phantom  # noqa: E402
from glymflow.phantoms import lesion as phantom_lesion  # noqa: E402
from glymflow.phantoms import scan as phantom_scan  # noqa: E402

BILATERAL = 0.2  # the config's `lesions.bilateral_share`
VOLUME_ML, GAP_MM = 30.0, 10.0
# from the middle of the two ROIs of a side: x outwards, y to the front, z up
DIRECTIONS = {"below": (-0.1, 0.1, -1.0), "behind": (0, -1.0, 0.1), "in front": (-0.1, 1.0, -0.1)}
HEADS = {"groups": ("control", "patient"), "alps_mean": 1.5, "group_difference": 0.15,
         "between_sd": 0.1, "side_sd": 0.03, "score_correlation": 0.6, "max_rotation": 25.0,
         "orientation": "mixed"}  # fmt: skip


def draw_heads(n, seed):
    """Return the heads of `glymflow simulate --subjects n --seed seed`, without a lesion."""
    heads = []
    for pose in simulate.draw_cohort(n_subjects=n, seed=seed, **HEADS)[1]:
        streams = [
            np.random.default_rng(child) for child in np.random.SeedSequence(pose["seed"]).spawn(4)
        ]
        angles = tuple(pose[name] for name in ("pitch", "roll", "yaw"))
        sides = (pose["alps_left"], pose["alps_right"])
        heads.append((pose, phantom_scan._draw_head(streams[:2], *sides, angles, 3.0)))
    return heads


# ---------------------------------------------------------------- volumes, side, location


def measure_masks(n, seed=1):
    """Return one row per head: measured and true volumes, side and location."""
    territories, affine = region_map.territory_map()
    rows = []
    drawn = zip(draw_heads(n, seed), phantom_lesion.draw_lesions(n, seed), strict=True)
    for (pose, healthy), lesion in drawn:
        model = ("centre", "volume_ml", "oedema_ratio", "shape", "mass_effect")
        head = phantom.place_lesion(healthy, **{name: lesion[name] for name in model})
        tilt = phantom.head_rotation(*pose["oblique"])
        rng = np.random.default_rng([pose["seed"], 6])
        scan = phantom_scan.scan_lesion(head, lesion, tilt, phantom.S0_WHITE / 30, rng)
        masks = {
            "haematoma": (scan["haematoma"], scan["swi_affine"]),
            "lesion": (scan["lesion"], scan["t2w_affine"]),
        }
        row, _ = lesions.measure_volumes(masks, max_outside=0.2)
        points, _ = image_masks.mask_points(*masks["haematoma"])
        row |= lesions.locate(
            phantom.to_template(points, replace(head, lesion=None)), territories, affine,
            region_map.territory_codes(), bilateral_share=BILATERAL,
        )  # fmt: skip
        row |= {"side": row["side_measured"], "location": row["location_measured"]}
        rows.append({"number": len(rows)} | compared(row, phantom_scan.true_lesion(head, lesion)))
    return pd.DataFrame(rows)


def compared(found, true):
    """Return relative errors of volumes, and whether side and location are right."""
    row = {name: true[name] for name in ("place", "volume_haematoma_ml")}
    for part in ("haematoma", "lesion", "oedema"):
        name = f"volume_{part}_ml"
        row[f"error_{part}"] = found[name] / true[name] - 1
    row["side"], row["true_side"] = found["side"], true["side"]
    row["location"], row["true_location"] = found["location"], lesions.LOCATIONS[true["location"]]
    row["side_right"] = row["side"] == row["true_side"]
    row["location_right"] = row["location"] == row["true_location"]
    return row


def pipeline(folder, n=8, seed=1):
    """Simulate and run the workflow; return rows like `measure_masks`."""
    from workflow_runs import snakemake

    simulate.simulate_cohort(folder / "bids", n_subjects=n, seed=seed, lesions=True)
    snakemake(folder, "--cores", 1, "lesions", config=config())
    found = read_tsv(folder / "results/cohort/lesions.tsv").to_dict("records")
    truth = read_tsv(folder / "bids/derivatives/truth/lesions.tsv").to_dict("records")
    return pd.DataFrame([compared(*pair) for pair in zip(found, truth, strict=True)])


def config():
    return {"bids_dir": "bids", "derivatives_dir": "bids/derivatives/lesions"}


# ---------------------------------------------------------------- ALPS beside a haematoma


def beside_rois(head, side, direction, *, volume_ml=VOLUME_ML, gap_mm=GAP_MM):
    """Return a round haematoma whose edge is `gap_mm` from the nearest ROI, all in the scan."""
    centres = phantom_scan.ROI_SETS["barisano2025"]
    rois = [centres[f"{part}_{side}"] for part in ("projection", "association")]
    sign = -1 if side == "left" else 1
    unit = np.array(direction, dtype=float) * (sign, 1, 1) / np.linalg.norm(direction)
    clouds = np.concatenate([sphere_points(np.array(centre), 2.5) for centre in rois])
    lesion = {
        "volume_ml": volume_ml, "oedema_ratio": 1.0, "mass_effect": phantom_lesion.MASS_EFFECT,
        "shape": np.zeros((3, 3)), "side": side, "location": "deep", "place": "beside the ROIs",
    }  # fmt: skip
    low, high = 15.0, 60.0
    while high - low > 0.02:
        middle = (low + high) / 2
        centre = np.mean(rois, axis=0) + middle * unit
        low, high = (low, middle) if _gap(head, clouds, centre, lesion) > gap_mm else (middle, high)
    return lesion | {"centre": tuple(centre.tolist())}


def _gap(head, clouds, centre, lesion):
    """Return the distance (mm) of the haematoma's edge from the nearest point of the ROIs."""
    world = phantom_lesion.Lesion(
        centre=phantom.to_world(np.array([centre]), head)[0],
        radius=phantom_lesion.sphere_radius(lesion["volume_ml"]),
        shape=lesion["shape"],
        mass_effect=lesion["mass_effect"],
        skull_centre=head.rotation @ (phantom_lesion.BRAIN_CENTRE * head.scale) + head.translation,
        skull=(head.rotation / (phantom_lesion.BRAIN_RADII * head.scale)).T,
    )
    pushed = phantom.to_world(clouds, replace(head, lesion=world))
    return np.linalg.norm(pushed - world.centre, axis=1).min() - world.radius


def simulate_beside(folder, n, seed=1, *, ill=True, first=0):
    """Write the BIDS folder of heads with a haematoma beside their ROIs (or without)."""
    placed = []
    for number, (_, head) in enumerate(draw_heads(n, seed)):
        side = "left" if (number + first) % 2 else "right"
        name = list(DIRECTIONS)[(number + first) % len(DIRECTIONS)]
        placed.append(beside_rois(head, side, DIRECTIONS[name]) | {"place": name})
    ordinary = simulate.draw_lesions
    simulate.draw_lesions = lambda n, seed: placed
    try:
        simulate.simulate_cohort(folder / "bids", n_subjects=n, seed=seed, lesions=ill)
    finally:
        simulate.draw_lesions = ordinary
    return placed


def errors_of_alps(folder, sides):
    """Return the errors of the primary ROI set: one row per head and frame."""
    keys = ["participant_id", "roi_set", "frame"]
    found = read_tsv(folder / "results/cohort/alps.tsv")
    truth = read_tsv(folder / "bids/derivatives/truth/alps.tsv")
    both = found.merge(truth, on=keys, suffixes=("", "_true"), validate="1:1")
    both = both[both.roi_set == "barisano2025"]
    rows = []
    for row in both.to_dict("records"):
        side, other = sides[row["participant_id"]]
        rows.append({
            "participant_id": row["participant_id"], "frame": row["frame"], "side": side,
            "ipsilateral": row[f"alps_{side}"] / row[f"alps_{side}_true"] - 1,
            "contralateral": row[f"alps_{other}"] / row[f"alps_{other}_true"] - 1,
            "se": row[f"alps_{side}_se"], "filled": row["alps_ipsilateral"],
            "lesion_share": row["lesion_share"], "qc": row["qc_reasons"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def beside(folder, n, seed=1):
    """Run heads with and without the haematoma; return the errors of both."""
    from workflow_runs import snakemake

    results = []
    for ill in (True, False):
        work = folder / ("ill" if ill else "healthy")
        placed = simulate_beside(work, n, seed, ill=ill)
        people = [f"sub-{number + 1:02}" for number in range(n)]
        sides = {
            name: (lesion["side"], "right" if lesion["side"] == "left" else "left")
            for name, lesion in zip(people, placed, strict=True)
        }
        settings = config() if ill else {"bids_dir": "bids"}
        snakemake(work, "--cores", 1, "alps", config=settings)
        places = dict(zip(people, [lesion["place"] for lesion in placed], strict=True))
        errors = errors_of_alps(work, sides)
        results.append(errors.assign(place=errors.participant_id.map(places), ill=ill))
    return pd.concat(results, ignore_index=True)


def main(what, heads=None):
    pd.set_option("display.width", 200, "display.max_columns", 30, "display.max_rows", 200)
    folder = Path(tempfile.mkdtemp(prefix="lesion-proof-"))
    print(folder)
    if what == "alps":
        table = beside(folder, int(heads or 8))
        print(table.round(4).to_string())
        size = table.assign(**{c: table[c].abs() for c in ("ipsilateral", "contralateral")})
        size = size.groupby(["ill", "frame"])[["ipsilateral", "contralateral"]]
        print(size.agg(["median", "max"]).round(4).to_string())
        return
    table = (
        measure_masks(int(heads or 60)) if what == "masks" else pipeline(folder, int(heads or 8))
    )
    print(table.round(4).to_string())
    for part in ("haematoma", "lesion", "oedema"):
        error = table[f"error_{part}"].abs()
        print(f"{part}: volume off by {error.median():.2%} (median), {error.max():.2%} (worst)")
    print(f"side right {table.side_right.mean():.1%}, location {table.location_right.mean():.1%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
