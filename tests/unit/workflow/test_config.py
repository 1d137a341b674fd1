"""The config: the shipped defaults, and one clear line for each thing a user may get wrong."""

import copy
import os

import pytest
import yaml

from glymflow.alps.domain import ROLES
from glymflow.io import InputFault
from glymflow.workflow.config import DEFAULTS, SCHEMA, config_faults, load_config, ready_table


@pytest.fixture
def bids(tmp_path):
    (tmp_path / "bids" / "sub-01").mkdir(parents=True)
    return tmp_path / "bids"


@pytest.fixture
def config(bids):
    """The defaults with the one key that has to be set."""
    return {**load_config(os.devnull), "bids_dir": str(bids)}


def changed(config, path, value):
    """Return a copy of the config with one value set; `path` is dotted."""
    config = copy.deepcopy(config)
    section = config
    *sections, key = path.split(".")
    for name in sections:
        section = section[name]
    section[key] = value
    return config


SPHERES = {"shape": "sphere", "radius_mm": 3} | {n: [-26, -16, 27] for n in ROLES}
SPHERES |= {"projection_right": [26, -16, 27], "association_right": [38, -16, 27]}
SHEETS = {n: SPHERES[n] for n in ROLES} | {"shape": "ellipsoid", "radii_mm": [2, 6, 4]}
MASKS = {"shape": "mask", "space": "native"} | {n: f"m/{{series}}_{n}.nii.gz" for n in ROLES}


class TestShipped:
    def test_defaults_are_valid(self, config):
        assert config_faults(config) == []

    def test_only_the_bids_folder_must_be_set(self):
        (fault,) = config_faults(load_config(os.devnull))
        assert fault.startswith("bids_dir: not set; it is the folder of your BIDS data set")

    def test_every_default_is_in_the_schema_and_the_other_way_round(self):
        def compare(values, rules, path):
            assert set(values) == set(rules["properties"]), path
            for key, value in values.items():
                if isinstance(value, dict) and key != "roi_sets":
                    compare(value, rules["properties"][key], f"{path}.{key}")

        compare(yaml.safe_load(DEFAULTS.read_text()), yaml.safe_load(SCHEMA.read_text()), "")

    def test_every_key_is_described_and_nothing_else_is_let_through(self):
        def walk(rules, path):
            if "properties" in rules and "allOf" not in rules:
                assert rules["additionalProperties"] is False, path
            for key, value in rules.get("properties", {}).items():
                assert value.get("description") or key == "shape", f"{path}.{key}"
                walk(value, f"{path}.{key}")
            for name, value in rules.get("$defs", {}).items():
                walk(value, name)

        walk(yaml.safe_load(SCHEMA.read_text()), "")

    def test_every_key_is_in_the_manual(self):
        manual = (DEFAULTS.parent / "README.md").read_text()
        for key, value in yaml.safe_load(DEFAULTS.read_text()).items():
            section = isinstance(value, dict) and key != "roi_sets"
            for name in [f"{key}.{name}" for name in value] if section else [key]:
                assert f"`{name}`" in manual

    def test_schema_is_a_schema(self):
        from jsonschema import Draft202012Validator

        Draft202012Validator.check_schema(yaml.safe_load(SCHEMA.read_text()))


class TestLoad:
    def test_merged_with_the_defaults(self, tmp_path):
        path = tmp_path / "my config.yaml"
        path.write_text("bids_dir: données\nroi_sets:\n  barisano2025: {radius_mm: 5}\n", "utf-8")
        config = load_config(path)
        assert config["bids_dir"] == "données"
        assert config["roi_sets"]["barisano2025"]["radius_mm"] == 5
        assert config["roi_sets"]["barisano2025"]["projection_left"] == [-26, -16, 27]
        assert config["tensor"] == {"fit": "WLS", "free_water": False}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("bids_dir: a\n  frame: b\n", r"my\.yaml: not valid YAML in line 2, column 8: .+"),
            ("- a\n", r"my\.yaml: a config has lines of the form `key: value`"),
            ("bids_dir: [a\n", r"my\.yaml: not valid YAML in line 2"),
        ],
    )
    def test_not_yaml(self, tmp_path, text, words):
        path = tmp_path / "my.yaml"
        path.write_text(text)
        with pytest.raises(InputFault, match=words) as fault:
            load_config(path)
        assert "\n" not in str(fault.value)

    def test_missing_or_binary(self, tmp_path):
        with pytest.raises(InputFault, match=r"none\.yaml: No such file"):
            load_config(tmp_path / "none.yaml")
        (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InputFault, match="UTF-8"):
            load_config(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("frmae", "fibre", "frmae: unknown key; did you mean frame?"),
        ("Frame", "fibre", "Frame: unknown key; did you mean frame?"),
        ("fit", "OLS", "fit: unknown key; did you mean tensor.fit?"),
        ("dwi.b0_treshold", 9, "dwi.b0_treshold: unknown key; did you mean b0_threshold?"),
        ("dwi.study", "a", "dwi.study: unknown key; did you mean study, not indented?"),
        ("tensor.zzz", 1, "tensor.zzz: unknown key; allowed: free_water, fit"),
        (
            "frame",
            "Fiber",
            "frame: Fiber is not allowed; allowed: scanner, template, fibre; did you mean fibre?",
        ),
        ("frame", None, "frame: null is not allowed; allowed: scanner, template, fibre"),
        ("dwi.denoise", True, "dwi.denoise: true is not allowed; allowed: none, mppca"),
        ("dwi.shell_max", "1500 s", "dwi.shell_max: 1500 s is not a number"),
        ("dwi.shell_max", 100, "dwi.shell_max: 100 is out of bounds; allowed: 300 to 20000"),
        ("dwi", None, "dwi: null is not a mapping (key: value)"),
        ("dwi", {}, "dwi.shell_max: missing"),
        ("registration.seed", 1.5, "registration.seed: 1.5 is not a whole number"),
        (
            "registration.resolution_mm",
            0.5,
            "registration.resolution_mm: 0.5 is out of bounds; allowed: 1 to 4",
        ),
        ("qc.max_motion_mm", -1, "qc.max_motion_mm: -1 is out of bounds; allowed: 0 or more"),
        ("qc.min_fa", float("nan"), "qc.min_fa: .nan is not a number that can be used"),
        ("qc.alps_range_warn", [1], "qc.alps_range_warn: [1] is not a list of 2 values"),
        ("qc.alps_range_warn", [2, 1], "qc.alps_range_warn: [2, 1] is not [lowest, highest]"),
        ("qc.min_alignment_fail", 0.95, "qc.min_alignment_fail: 0.95 is above"),
        ("bids_dir", 7, "bids_dir: 7 is not a text"),
        ("participants", "", "participants: empty; leave the key out or set it to null"),
        ("derivatives_dir", "/no/where", "derivatives_dir: there is no folder /no/where"),
        ("bids_dir", "/no/where", "bids_dir: there is no folder /no/where"),
        ("participants", "p.tsv", f"participants: there is no file p.tsv in {os.getcwd()}"),
        ("study", "/plan.yaml", "study: there is no file /plan.yaml"),
        ("study", os.devnull, "study: needs a participants table, but there is no file "),
        (
            "roi_set",
            "ad2052",
            "roi_set: no set ad2052 in roi_sets; allowed: barisano2025, ad2025, sheet, "
            "longsheet; "
            "did you mean ad2025?",
        ),
        ("roi_sets", None, "roi_sets: null is not a mapping (key: value)"),
        ("roi_sets", {}, "roi_sets: at least one is needed"),
        ("roi_sets.my_set", SPHERES, "roi_sets.my_set: a name is made of letters and digits only"),
        ("roi_sets.a", {}, "roi_sets.a.shape: missing"),
        ("roi_sets.a", None, "roi_sets.a: null is not a mapping (key: value)"),
        (
            "roi_sets.a",
            {**SPHERES, "shape": "spere"},
            "roi_sets.a.shape: spere is not allowed; allowed: sphere, ellipsoid, mask, atlas; "
            "did you mean sphere?",
        ),
        (
            "roi_sets.a",
            {**SPHERES, "radius": 3},
            "roi_sets.a.radius: unknown key; did you mean radius_mm?",
        ),
        (
            "roi_sets.a",
            {**SPHERES, "radius_mm": 50},
            "roi_sets.a.radius_mm: 50 is out of bounds; allowed: 0.5 to 15",
        ),
        (
            "roi_sets.a",
            {**SPHERES, "projection_left": [-1, 2]},
            "roi_sets.a.projection_left: [-1, 2] is not a list of 3 values",
        ),
        (
            "roi_sets.a",
            {**SPHERES, "projection_left": [24, -12, 24]},
            "roi_sets.a.projection_left: x = 24; in MNI152 x < 0 is left and x > 0 is right",
        ),
        (
            "roi_sets.a",
            {**SHEETS, "radii_mm": [2.5, 7.5]},
            "roi_sets.a.radii_mm: [2.5, 7.5] is not a list of 3 values",
        ),
        (
            "roi_sets.a",
            {**SHEETS, "radii_mm": [2.5, 20, 5]},
            "roi_sets.a.radii_mm[1]: 20 is out of bounds; allowed: 0.5 to 15",
        ),
        (
            "roi_sets.a",
            {**SHEETS, "radius_mm": 3},
            "roi_sets.a.radius_mm: unknown key; did you mean radii_mm?",
        ),
        (
            "roi_sets.a",
            {**SHEETS, "association_right": [-38, -16, 27]},
            "roi_sets.a.association_right: x = -38; in MNI152 x < 0 is left and x > 0 is right",
        ),
        ("roi_sets.a", {**SPHERES, "plain": True}, "roi_sets.a.plain: unknown key"),
        ("roi_sets.a", {**MASKS, "plain": "yes"}, "roi_sets.a.plain: 'yes' is not true or false"),
        ("qc.max_turn_deg", 100, "qc.max_turn_deg: 100 is out of bounds; allowed: 0 to 90"),
        ("qc.max_shift_mm", -1, "qc.max_shift_mm: -1 is out of bounds; allowed: 0 or more"),
        ("qc.max_standard_error", "x", "qc.max_standard_error: x is not a number"),
        (
            "roi_sets.a",
            {**MASKS, "association_left": "{subject}.nii"},
            "roi_sets.a.association_left: {subject} is not known; "
            "allowed: {participant_id}, {session_id}, {series}",
        ),
        (
            "roi_sets.a",
            {**MASKS, "space": "template"},
            "roi_sets.a.projection_left: {series} is for masks in native space only",
        ),
        (
            "roi_sets.a",
            {**MASKS, "association_left": "/no.nii"},
            "roi_sets.a.association_left: there is no file /no.nii",
        ),
    ],
)
def test_one_clear_line(config, path, value, fault):
    faults = config_faults(changed(config, path, value))
    assert any(line.startswith(fault) for line in faults), faults
    assert not any("\n" in line for line in faults)


def test_each_fault_is_named(config):
    config["frmae"] = 1
    config["dwi"] = {**config["dwi"], "denoise": "x", "b0_threshold": -1}
    assert len(config_faults(config)) == 3


def test_a_config_that_is_unset_and_wrong(config):
    config |= {"bids_dir": None, "frmae": 1}
    assert len(config_faults(config)) == 2


def test_a_number_as_name_of_a_set(config):
    config["roi_sets"][2025] = SPHERES
    assert config_faults(config) == ["roi_sets.2025: write the name in quotes"]


def test_own_sets(config, tmp_path):
    config["roi_sets"] |= {"mine": SPHERES, "masks": MASKS, "thin": SHEETS}
    config["roi_sets"]["script"] = {**MASKS, "plain": True}
    config["roi_set"] = "mine"
    assert config_faults(config) == []


class TestAtlas:
    @pytest.fixture
    def atlas(self, tmp_path):
        (tmp_path / "atlas.nii.gz").touch()
        (tmp_path / "labels.tsv").write_text("index\tname\n26\tSCR L\n42\tSLF L\n")
        return {
            "shape": "atlas",
            "image": str(tmp_path / "atlas.nii.gz"),
            "labels": str(tmp_path / "labels.tsv"),
            "projection": "SCR L",
            "association": ["SLF L"],
            "within": "ad2025",
        }

    def test_valid(self, config, atlas):
        config["roi_sets"]["jhu"] = atlas
        assert config_faults(config) == []

    @pytest.mark.parametrize(
        ("key", "value", "words"),
        [
            ("projection", "SCR  L", "roi_sets.jhu.projection: no label 'SCR  L' in "),
            ("projection", "SCR  L", "did you mean SCR L?"),
            ("association", [], "roi_sets.jhu.association: [] is not a list of at least one value"),
            (
                "within",
                "jhu",
                "roi_sets.jhu.within: jhu is not a set of spheres; allowed: barisano2025",
            ),
            ("within", "sheet", "sheet is not a set of spheres; allowed: barisano2025, ad2025"),
            ("image", "/none.nii", "roi_sets.jhu.image: there is no file /none.nii"),
            ("labels", "/none.tsv", "roi_sets.jhu.labels: there is no file /none.tsv"),
            ("labels", os.devnull, "the file is empty"),
        ],
    )
    def test_faults(self, config, atlas, key, value, words):
        config["roi_sets"]["jhu"] = {**atlas, key: value}
        faults = config_faults(config)
        assert len(faults) == 1
        assert words in faults[0]

    def test_labels_without_names(self, config, atlas, tmp_path):
        (tmp_path / "labels.tsv").write_text("index\tlabel\n26\tSCR L\n")
        config["roi_sets"]["jhu"] = atlas
        assert config_faults(config)[0].endswith("labels.tsv has no column name")


class TestReadyTable:
    """A ready table in place of images needs a study plan, and no folder."""

    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("table.csv", "plan.yaml"):
            (tmp_path / name).touch()

    def faults(self, **keys):
        return config_faults({**load_config(os.devnull), **keys})

    @pytest.mark.parametrize("key", ["cohort", "participants"])
    def test_a_table_and_a_plan_are_enough(self, files, key):
        assert self.faults(**{key: "table.csv"}, study="plan.yaml") == []

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"cohort": "table.csv"}, "study: not set"),
            ({"participants": "table.csv"}, "study: not set"),
            ({"cohort": "none.csv", "study": "plan.yaml"}, "cohort: there is no file none.csv"),
            ({"cohort": "table.csv", "study": "no.yaml"}, "study: there is no file no.yaml"),
            (
                {"cohort": "table.csv", "study": "plan.yaml", "participants": "table.csv"},
                "participants: cohort is read in its place",
            ),
            (
                {"cohort": "table.csv", "study": "plan.yaml", "participant_label": ["01"]},
                "participant_label: is for images",
            ),
        ],
    )
    def test_one_line_for_each_fault(self, files, keys, words):
        (fault,) = self.faults(**keys)
        assert fault.startswith(words)

    @pytest.mark.parametrize(
        ("keys", "path"),
        [
            ({"bids_dir": "bids"}, None),
            ({"bids_dir": "bids", "participants": "people.tsv"}, None),
            ({"bids_dir": None, "participants": "people.tsv"}, "people.tsv"),
            ({"bids_dir": None, "cohort": "all.xlsx"}, "all.xlsx"),
            ({"bids_dir": "bids", "cohort": "all.xlsx"}, "all.xlsx"),
        ],
    )
    def test_which_file(self, keys, path):
        assert ready_table({"cohort": None, "participants": None} | keys) == path

    def test_the_folder_may_be_named_beside_it(self, files):
        """`glymflow run` always names one."""
        assert self.faults(bids_dir="none", cohort="table.csv", study="plan.yaml") == []

    def test_the_example_lacks_only_its_files(self, files):
        faults = config_faults(load_config(DEFAULTS.parent / "table.yaml"))
        assert [fault.split(":")[0] for fault in faults] == ["cohort", "study"]
