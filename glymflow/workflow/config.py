"""The config: defaults and the user's file merged, checked, each fault in one clear line."""

from __future__ import annotations

import difflib
import math
import os
import re
from functools import cache
from pathlib import Path

import yaml

from glymflow.alps.domain import ROLES
from glymflow.io import ConfigFault, FilePath, InputFault, check_entries
from glymflow.schemas import ROOT, SCHEMAS

DEFAULTS = ROOT / "config" / "config.yaml"
SCHEMA = SCHEMAS / "config.schema.yaml"

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
UNSET = (
    "bids_dir: not set; it is the folder of your BIDS data set (a study of a table alone:"
    " cohort and study)"
)
# fields that may stand in the path of a native mask
_MASK_FIELDS = ("participant_id", "session_id", "series")


def load_config(path: FilePath) -> dict:
    """Read a config file on top of the defaults, as Snakemake does with ``--configfile``.

    Raises
    ------
    ConfigFault
        If the file cannot be read or is no YAML mapping.
    """
    return with_defaults(read_config(path))


def with_defaults(keys: dict) -> dict:
    """Merge a config's keys into the defaults, level by level, as Snakemake does."""
    return _merged(read_config(DEFAULTS), keys)


def config_faults(config: dict) -> list[str]:
    """Say what is wrong with a config, before any job starts.

    Parameters
    ----------
    config : dict
        Defaults and the user's keys merged: `load_config`, or Snakemake's ``config``.

    Returns
    -------
    list of str
        One line per fault that names the key, its value and what is allowed; empty if the config
        can be used. Paths are relative to the working directory.
    """
    try:
        check_entries(config, "config")
    except ConfigFault as fault:
        return [str(fault)]
    if config.get("bids_dir") is None:
        checked = _schema_faults({**config, "bids_dir": "."})
        if config.get("cohort") is None and config.get("participants") is None:
            return [UNSET, *checked]
    else:
        checked = _schema_faults(config)
    if checked:  # the other checks rely on keys and types being right
        return checked
    if ready_table(config) is not None:
        return _table_faults(config)
    checks = (_path_faults, _qc_faults, _epvs_faults, _roi_faults)
    return [fault for check in checks for fault in check(config)]


def ready_table(config: dict) -> str | None:
    """Return the path of the ready table of a config; None where images are measured.

    It is `cohort`, or, in a config without `bids_dir`, `participants`.
    """
    if config.get("cohort") is not None or config["bids_dir"] is not None:
        return config.get("cohort")
    return config["participants"]


def read_config(path: FilePath) -> dict:
    """Read the keys of one config file, without the defaults.

    Raises
    ------
    InputFault
        If the file cannot be read or is no YAML mapping.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigFault(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigFault(f"{path}: not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise ConfigFault(f"{path}: not valid YAML{place}: {problem}") from None
    check_entries(content, path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigFault(f"{path}: a config has lines of the form `key: value`")
    return content


def _merged(base, update):
    """Merge mappings level by level; any other value of `update` replaces that of `base`."""
    merged = dict(base)
    for key, value in update.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            value = _merged(base[key], value)
        merged[key] = value
    return merged


@cache
def _schema():
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def _schema_faults(config):
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(_schema()).iter_errors(config)
    lines = [line for error in errors for line in _explain(error)]
    sets = config.get("roi_sets")
    # YAML reads an unquoted 2025 as a number
    unquoted = [n for n in sets if not isinstance(n, str)] if isinstance(sets, dict) else []
    lines += [f"roi_sets.{name}: write the name in quotes" for name in unquoted]
    return list(dict.fromkeys([*lines, *_not_finite(config)]))


def _explain(error):
    """Turn one error of the schema into lines that a user understands."""
    key, value, allowed = _dotted(error.absolute_path), error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        return [
            _unknown_key(error.absolute_path, name, known) for name in value if name not in known
        ]
    if error.validator == "required":
        missing = [name for name in allowed if name not in value]
        prefix = f"{key}." if key else ""
        # jsonschema reports each missing key on its own
        return [f"{prefix}{name}: missing" for name in missing if f"'{name}'" in error.message]
    if error.validator in ("enum", "const"):
        options = allowed if error.validator == "enum" else [allowed]
        return [
            f"{key}: {_show(value)} is not allowed; {_options(options)}{_meant(value, options)}"
        ]
    if error.validator == "type":
        wanted = [allowed] if isinstance(allowed, str) else allowed
        words = " or ".join(_TYPES[name] for name in wanted)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        quotes = "; put it in quotes" if number and "string" in wanted else ""  # YAML: 01 is 1
        return [f"{key or 'config'}: {_show(value)} is not {words}{quotes}"]
    if error.validator in ("minimum", "maximum"):
        return [f"{key}: {_show(value)} is out of bounds; {_bounds(error.schema)}"]
    if error.validator in ("minItems", "maxItems"):
        count = error.schema.get("maxItems")
        words = f"{count} values" if count else "at least one value"
        return [f"{key}: {_show(value)} is not a list of {words}"]
    if error.validator == "minLength":
        return [f"{key}: empty; leave the key out or set it to null"]
    if error.validator == "pattern":
        return [f"{key}.{value}: a name is made of letters and digits only"]
    if error.validator == "minProperties":
        return [f"{key}: at least one is needed"]
    return [f"{key}: {' '.join(error.message.split())}"]


def _unknown_key(path, name, known):
    """Name an unknown key, and what was probably meant."""
    key = _dotted([*path, name])
    hint = _meant(name, known)
    if not hint:
        sections = [
            f"{section}.{name}"
            for section, rules in _schema()["properties"].items()
            if name in rules.get("properties", {})
        ]
        if not path and sections:
            hint = f"; did you mean {sections[0]}?"
        elif path and name in _schema()["properties"]:
            hint = f"; did you mean {name}, not indented?"
    return f"{key}: unknown key{hint or '; ' + _options(known)}"


def _meant(value, options):
    names = {str(option).lower(): str(option) for option in options}
    close = difflib.get_close_matches(str(value).lower(), names, n=1, cutoff=0.6)
    return f"; did you mean {names[close[0]]}?" if close else ""


def _options(options):
    return "allowed: " + ", ".join(map(str, options))


def _bounds(schema):
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is None:
        return f"allowed: {low} or more"
    return f"allowed: {low} to {high}"


def _dotted(path):
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _show(value):
    """Write a value as the user's YAML has it, in one line."""
    try:
        text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    except yaml.YAMLError:
        text = str(value)  # not from a file: a path object of a test or a notebook
    text = text.removesuffix("...\n").strip()
    return text if len(text) <= 80 else text[:77] + "..."


def _not_finite(value, path=()):
    """Refuse .nan and .inf, which YAML reads as numbers and which pass every bound."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        bad = isinstance(value, float) and not math.isfinite(value)
        return [f"{_dotted(path)}: {_show(value)} is not a number that can be used"] if bad else []
    return [line for key, item in items for line in _not_finite(item, (*path, key))]


def _table_faults(config):
    """Check the keys of a study of a ready table."""
    key = "participants" if config.get("cohort") is None else "cohort"
    faults = _unreadable(key, ready_table(config))
    if config.get("study") is None:
        faults.append(f"study: not set; of a ready table ({key}) only a study plan can be made")
    else:
        faults += _unreadable("study", config["study"])
    if key == "cohort" and config.get("participants") is not None:
        faults.append("participants: cohort is read in its place; leave one of them out")
    return faults + [
        f"{label}: is for images; choose rows of a ready table by `include` in the study plan"
        for label in ("participant_label", "session_label")
        if config.get(label) is not None
    ]


def _path_faults(config):
    """Check that folders and files are there and can be read."""
    faults = []
    for key in ("bids_dir", "derivatives_dir"):
        path = config.get(key)
        if path is not None:
            faults += _unreadable(key, path, folder=True)
    files = [(key, config.get(key)) for key in ("participants", "study")]
    files += [("qc.ratings", path) for path in config["qc"]["ratings"]]
    for key, path in files:
        if path is not None:
            faults += _unreadable(key, path)
    if config.get("study") is not None and config.get("participants") is None and not faults:
        path = os.path.join(config["bids_dir"], "participants.tsv")
        if not os.path.isfile(path):
            faults.append(f"study: needs a participants table, but there is no file {path}")
    return faults


def _unreadable(key, path, *, folder=False):
    try:
        if folder:
            os.scandir(path).close()
        else:
            open(path, "rb").close()
    except FileNotFoundError:
        kind = "folder" if folder else "file"
        return [f"{key}: there is no {kind} {path}{_from_where(path)}"]
    except NotADirectoryError:
        return [f"{key}: {path} is not a folder"]
    except OSError as error:
        return [f"{key}: {path}: {error.strerror or error}"]
    return []


def _from_where(path):
    return "" if os.path.isabs(path) else f" in {os.getcwd()}"


def _qc_faults(config):
    faults = []
    low, high = config["qc"]["alps_range_warn"]
    if low >= high:
        faults.append(f"qc.alps_range_warn: [{low}, {high}] is not [lowest, highest]")
    warn, fail = config["qc"]["min_alignment_warn"], config["qc"]["min_alignment_fail"]
    if fail > warn:
        faults.append(
            f"qc.min_alignment_fail: {fail} is above qc.min_alignment_warn ({warn}); set it to that"
            " value or lower"
        )
    return faults


def _epvs_faults(config):
    faults, epvs = [], config["epvs"]
    if epvs["engine"] == "external" and not (epvs["mask"] or config.get("derivatives_dir")):
        faults.append("epvs.engine: external needs masks; name epvs.mask or derivatives_dir")
    low, high = epvs["frangi"]["low"], epvs["frangi"]["high"]
    if low > high:
        faults.append(f"epvs.frangi.low: {low} is above epvs.frangi.high ({high})")
    return faults


def _roi_faults(config):
    sets = config["roi_sets"]
    faults = []
    if config["roi_set"] not in sets:
        name = config["roi_set"]
        faults.append(f"roi_set: no set {name} in roi_sets; {_options(sets)}{_meant(name, sets)}")
    centred = dict.fromkeys(("sphere", "ellipsoid"), _centre_faults)
    check = {**centred, "mask": _mask_faults, "atlas": _atlas_faults}
    for name, roi_set in sets.items():
        faults += check[roi_set["shape"]](f"roi_sets.{name}", roi_set, sets)
    return faults


def _centre_faults(key, roi_set, sets):
    """The side of a point is that of its x; some papers print left and right the other way."""
    faults = []
    for name in ROLES:
        x = roi_set[name][0]
        if (x < 0) != name.endswith("_left") or x == 0:
            faults.append(f"{key}.{name}: x = {x}; in MNI152 x < 0 is left and x > 0 is right")
    return faults


def _mask_faults(key, roi_set, sets):
    faults = []
    for name in ROLES:
        fields = re.findall(r"\{(.*?)\}", roi_set[name])
        unknown = [field for field in fields if field not in _MASK_FIELDS]
        if fields and roi_set["space"] == "template":
            faults.append(f"{key}.{name}: {{{fields[0]}}} is for masks in native space only")
        elif unknown:
            allowed = _options(f"{{{field}}}" for field in _MASK_FIELDS)
            faults.append(f"{key}.{name}: {{{unknown[0]}}} is not known; {allowed}")
        elif not fields:
            faults += _unreadable(f"{key}.{name}", roi_set[name])
    return faults


def _atlas_faults(key, roi_set, sets):
    """Check the files, the label names and the set that `within` names."""
    faults = _unreadable(f"{key}.image", roi_set["image"])
    within = roi_set.get("within")
    if within is not None and sets.get(within, {}).get("shape") != "sphere":
        spheres = [name for name, other in sets.items() if other["shape"] == "sphere"]
        faults.append(f"{key}.within: {within} is not a set of spheres; {_options(spheres)}")
    unreadable = _unreadable(f"{key}.labels", roi_set["labels"])
    return faults + (unreadable or _label_faults(key, roi_set))


def _label_faults(key, roi_set):
    from glymflow.io import read_tsv

    path = roi_set["labels"]
    try:
        table = read_tsv(path, text=("name",))
    except InputFault as fault:
        return [f"{key}.labels: {fault}"]
    missing = [column for column in ("index", "name") if column not in table]
    if missing:
        return [f"{key}.labels: {path} has no column {missing[0]}"]
    known = table.name.dropna().str.strip().tolist()
    faults = []
    for role in ("projection", "association"):
        names = [roi_set[role]] if isinstance(roi_set[role], str) else roi_set[role]
        faults += [
            f"{key}.{role}: no label {name!r} in {path}{_meant(name, known)}"
            for name in names
            if name not in known
        ]
    return faults
