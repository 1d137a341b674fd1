"""The region map is whole, symmetric and nested, and the script that makes it keeps its rules."""

import importlib.util
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from glymflow.image import region_map
from glymflow.image.template import load_template
from glymflow.io import InputFault, save_image, write_tsv

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def loaded():
    return region_map.load_regions()


@pytest.fixture(scope="module")
def make_regions():
    """The script that made the map, as a module."""
    spec = importlib.util.spec_from_file_location("make_regions", ROOT / "maps/make_regions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def volume_ml(mask):
    return mask.sum() / 1000  # voxels of 1 mm


def reason(call, *args, **options):
    """Return the message of the fault, which must be one line."""
    with pytest.raises(InputFault) as fault:
        call(*args, **options)
    assert "\n" not in str(fault.value)
    return str(fault.value)


# ---------------------------------------------------------------- the map


def test_the_grid_is_that_of_the_template(loaded):
    labels, affine, _ = loaded
    brain, template_affine = load_template("mask")
    assert labels.shape == brain.shape
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(affine, template_affine)


def test_the_map_is_a_small_file():
    assert (region_map.FOLDER / "regions.nii.gz").stat().st_size < 400_000


def test_the_notice_of_the_template_comes_with_the_map():
    notice = " ".join((region_map.FOLDER / "NOTICE").read_text().split())
    assert "Louis Collins, McConnell Brain Imaging Centre" in notice
    assert "provided that the above copyright notice appear in all copies" in notice


def test_each_cell_is_on_its_side(loaded):
    labels, affine, table = loaded
    x = np.arange(len(labels)) + affine[0, 3]
    for row in table.itertuples():
        planes = x[(labels == row.index).any(axis=(1, 2))]
        sign = {"left": -1, "right": 1, "midline": 0}[row.side]
        assert np.all(np.sign(planes) == sign), row.name


@pytest.mark.slow
def test_left_and_right_are_mirror_images(loaded):
    for name in loaded[2]["name"].unique():
        left, right = region_map.region_mask(name, "left"), region_map.region_mask(name, "right")
        assert left.any()
        np.testing.assert_array_equal(left, right[::-1], err_msg=name)
        middle = region_map.region_mask(name, "midline")
        np.testing.assert_array_equal(middle, middle[::-1])


def test_names_and_sides_are_those_that_are_promised(loaded):
    _, _, table = loaded
    assert tuple(table) == region_map.COLUMNS
    assert set(table["territory"]) == set(region_map.TERRITORIES)
    assert set(table["epvs_region"].dropna()) == set(region_map.EPVS_REGIONS)
    assert set(table["side"]) == set(region_map.SIDES)
    assert not table.duplicated(["name", "side"]).any()


@pytest.mark.parametrize(
    ("region", "territories"),
    [
        ("basal_ganglia", {"deep"}),
        ("midbrain", {"infratentorial"}),
        ("centrum_semiovale", {"lobar", "deep"}),
    ],
)
def test_regions_lie_in_their_territories(loaded, region, territories):
    mask = region_map.region_mask(region)
    assert mask.any()
    inside = np.zeros_like(mask)
    for territory in territories:
        part = region_map.region_mask(territory)
        assert (mask & part).any()
        inside |= part
    assert not (mask & ~inside).any()


def test_the_centrum_semiovale_is_mostly_lobar(loaded):
    mask = region_map.region_mask("centrum_semiovale")
    assert (mask & region_map.region_mask("lobar")).sum() > 0.8 * mask.sum()


@pytest.mark.slow
def test_territories_cover_the_brain_and_a_margin_and_do_not_overlap():
    codes, _ = region_map.territory_map()
    brain, _ = load_template("mask")
    assert np.all(codes[brain > 0] > 0)
    assert set(np.unique(codes)) == {0, *region_map.territory_codes().values()}
    for name, code in region_map.territory_codes().items():
        np.testing.assert_array_equal(codes == code, region_map.region_mask(name))
    # a haematoma at the surface that is drawn a few mm too wide has a territory
    assert np.all(codes[ndimage.binary_dilation(brain > 0, iterations=15)] > 0)


def test_codes_are_fixed():
    assert region_map.territory_codes() == {"lobar": 1, "deep": 2, "infratentorial": 3}


@pytest.mark.parametrize(
    ("name", "left_ml", "midline_ml"),
    [
        ("lobar", 730.128, 10.496),
        ("deep", 80.120, 1.798),
        ("infratentorial", 123.194, 3.811),
        ("basal_ganglia", 38.097, 0.025),
        ("centrum_semiovale", 38.028, 0),
        ("midbrain", 4.581, 0.194),
        ("ventricles", 13.695, 0.794),
    ],
)
def test_volumes_inside_the_brain(name, left_ml, midline_ml):
    brain = load_template("mask")[0] > 0
    assert volume_ml(region_map.region_mask(name, "left") & brain) == left_ml
    assert volume_ml(region_map.region_mask(name, "right") & brain) == left_ml
    assert volume_ml(region_map.region_mask(name, "midline") & brain) == midline_ml


def test_the_documented_volumes_are_those_of_the_map(loaded):
    brain = load_template("mask")[0] > 0
    rows = re.findall(
        r"^\| `(\w+)` \| \w+ \| \w* ?\| ([\d.]+) \| ([\d.]*) ?\|$",
        (ROOT / "docs/notes/regions.md").read_text(),
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == list(loaded[2]["name"].unique())
    for name, side_ml, midline_ml in rows:
        assert volume_ml(region_map.region_mask(name, "right") & brain) == float(side_ml)
        assert volume_ml(region_map.region_mask(name, "midline") & brain) == float(midline_ml or 0)


def test_the_package_takes_the_map_along():
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = metadata["tool"]["setuptools"]["package-data"]["glymflow"]
    taken = {path for pattern in patterns for path in (ROOT / "glymflow").glob(pattern)}
    assert ROOT / "glymflow" / "image" / "data" / "regions.nii.gz" in taken


@pytest.mark.parametrize(
    ("world", "name", "side"),
    [
        ((-26, 4, 2), "basal_ganglia", "left"),  # putamen
        ((12, -18, 8), "basal_ganglia", "right"),  # thalamus
        ((13, 14, 8), "basal_ganglia", "right"),  # caudate
        ((-24, -10, 40), "centrum_semiovale", "left"),
        ((10, -20, -12), "midbrain", "right"),  # cerebral peduncle
        ((-5, -33, -8), "midbrain", "left"),  # tectum
        ((0, -28, -30), "infratentorial", "midline"),  # pons
        ((30, -60, -35), "infratentorial", "right"),  # cerebellum
        ((-45, 30, 10), "lobar", "left"),  # frontal cortex
        ((26, -15, -20), "lobar", "right"),  # hippocampus
        ((-12, -90, 2), "lobar", "left"),  # occipital pole
        ((10, 8, 18), "ventricles", "right"),
        ((-4, -2, -10), "deep", "left"),  # hypothalamus: not midbrain
    ],
)
def test_landmarks_lie_in_their_region(loaded, world, name, side):
    _, affine, _ = loaded
    voxel = tuple(np.rint(np.array(world) - affine[:3, 3]).astype(int))
    assert region_map.region_mask(name, side)[voxel]


def test_hypothalamus_and_ventricles_are_no_region_for_epvs(loaded):
    labels, affine, table = loaded
    cells = labels[tuple(np.rint(np.array((-4, -2, -10)) - affine[:3, 3]).astype(int))]
    assert table.set_index("index")["epvs_region"].isna()[cells]
    assert table.loc[table["name"] == "ventricles", "epvs_region"].isna().all()


def test_the_map_cannot_be_changed_by_mistake(loaded):
    with pytest.raises(ValueError, match="read-only"):
        loaded[0][0, 0, 0] = 1


# ---------------------------------------------------------------- faults


def test_unknown_names_and_sides_are_refused():
    message = reason(region_map.region_mask, "thalamus")
    assert "'thalamus'" in message
    assert "basal_ganglia" in message
    assert "'port'" in reason(region_map.region_mask, "deep", "port")


def test_a_missing_map_is_named(tmp_path):
    assert "regions.nii.gz" in reason(region_map.load_regions, tmp_path)


@pytest.mark.parametrize("change", ["fewer rows", "more rows", "no territory column"])
def test_a_table_that_is_not_of_the_image_is_refused(tmp_path, loaded, change):
    labels, affine, table = loaded
    save_image(labels[::8, ::8, ::8], affine, tmp_path / "regions.nii.gz")
    table = table[table["index"].isin(np.unique(labels[::8, ::8, ::8]))]
    write_tsv(table, tmp_path / "regions.tsv")
    region_map.load_regions(tmp_path)
    region_map.load_regions.cache_clear()
    if change == "fewer rows":
        changed = table.iloc[1:]
    elif change == "more rows":
        changed = table.replace({"index": {table["index"].iloc[0]: 99}})
    else:
        changed = table.drop(columns="territory")
    write_tsv(changed, tmp_path / "regions.tsv")
    assert "regions.tsv" in reason(region_map.load_regions, tmp_path)


# ---------------------------------------------------------------- the script


def posteriors(folder, make_regions, winner, shape):
    """Write a posterior for each structure: 1 where it is the winner."""
    sided = ("Cerebral", "Cerebellum", "Lateral", "Inf-Lat", "Thalamus", "Caudate", "Putamen")
    sided += ("Pallidum", "Hippocampus", "Amygdala", "Accumbens", "VentralDC", "vessel", "choroid")
    import nibabel as nib

    (folder / "posteriors").mkdir()
    for structure in (name for names in make_regions.TISSUES.values() for name in names):
        sides = ("Left-", "Right-") if structure.startswith(sided) else ("",)
        for side in sides:
            name = side + structure
            data = winner.get(name, np.zeros(shape)).astype(np.float32)
            nib.save(nib.MGHImage(data, np.eye(4)), folder / "posteriors" / f"{name}.mgz")


def test_tissues_are_those_of_the_mean_of_both_sides(tmp_path, make_regions):
    shape = (7, 4, 5)
    left, right, unknown = np.zeros(shape), np.zeros(shape), np.full(shape, 0.3)
    left[2, 1, 1] = 0.9  # on one side only: mean 0.45, wins over 0.3
    left[1, 2, 2] = 0.5  # mean 0.25, does not win
    right[4, 3, 3], left[2, 3, 3] = 0.3, 0.4  # sides of one structure together
    winner = {"Left-Putamen": left, "Right-Putamen": right, "Unknown": unknown}
    posteriors(tmp_path, make_regions, winner, shape)
    tissues = make_regions.read_tissues(tmp_path)
    assert {tuple(voxel) for voxel in np.argwhere(tissues["nuclei"])} == {(2, 1, 1), (2, 3, 3)}
    assert tissues["outside"].shape == (4, 4, 5)


def test_another_list_of_structures_is_refused(tmp_path, make_regions):
    posteriors(tmp_path, make_regions, {}, (3, 3, 3))
    (tmp_path / "posteriors" / "Brain-Stem.mgz").unlink()
    with pytest.raises(SystemExit, match="Brain-Stem"):
        make_regions.read_tissues(tmp_path)


def test_mirror_has_the_middle_plane_once(make_regions):
    half = np.arange(4)[:, None, None] * np.ones((4, 2, 2))
    np.testing.assert_array_equal(make_regions.mirror(half)[:, 0, 0], [0, 1, 2, 3, 2, 1, 0])


def test_hull_fills_each_slice_and_no_more(make_regions):
    mask = np.zeros((9, 9, 3), dtype=bool)
    mask[[2, 6, 2, 6], [2, 2, 6, 6], 1] = True  # four corners
    mask[4, 4, 2] = True
    hull = make_regions.hull_by_slice(mask)
    expected = np.zeros_like(mask)
    expected[2:7, 2:7, 1] = True
    expected[4, 4, 2] = True
    np.testing.assert_array_equal(hull, expected)


def test_fill_gives_the_nearest_territory_and_no_epvs_region(make_regions):
    number = make_regions.NUMBER
    cells = np.zeros((10, 3, 3), dtype=np.uint8)
    cells[0], cells[9] = number["midbrain"], number["centrum_semiovale_lobar"]
    wanted = np.ones(cells.shape, dtype=bool)
    wanted[3] = False
    filled = make_regions.fill(cells, wanted)
    expected = ["midbrain", *["infratentorial_other"] * 4, *["lobar_other"] * 4]
    expected = [number[name] for name in [*expected, "centrum_semiovale_lobar"]]
    expected[3] = 0
    np.testing.assert_array_equal(filled[:, 1, 1], expected)


def test_the_table_of_the_package_is_that_of_the_script(loaded, make_regions):
    _, _, table = loaded
    rows = table[["name", "territory", "epvs_region"]].drop_duplicates()
    rows = rows.astype(object).where(rows.notna(), None)
    assert [tuple(row) for row in rows.to_numpy()] == list(make_regions.CELLS)
