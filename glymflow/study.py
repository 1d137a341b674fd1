"""Study plans: read a plan, check it, and say which results it will give.

A plan is a plain dict, as the YAML has it. It is read when the workflow is planned, so this module
stays light; `glymflow.selection` takes the plan's rows from the cohort table, `glymflow.stats`
makes its analyses.
"""

import difflib
import fnmatch
import re
from pathlib import Path

import yaml

from glymflow.io import MISSING, InputFault

SCHEMA = Path(__file__).resolve().parents[1] / "config" / "schemas" / "study.schema.yaml"

# The measures that cohort.tsv may have, beside the columns of participants.tsv (shell patterns)
MEASURE_COLUMNS = [
    *("session_id", "source", "roi_set", "frame", "qc_status", "qc_reasons"),
    *(f"alps_{part}" for part in ("left", "right", "mean", "ipsilateral", "contralateral")),
    *(
        f"{part}_{side}"
        for part in ("dxx_projection", "dyy_projection", "dxx_association", "dzz_association")
        for side in ("left", "right")
    ),
    *("fa_*", "md_*", "alignment_*", "pitch", "roll", "yaw"),
    *("volume_lesion_ml", "volume_haematoma_ml", "volume_oedema_ml", "relative_oedema_ratio"),
    *("side", "location", "brain_volume_ml"),
    *("epvs_count*", "epvs_volume_mm3*", "epvs_fraction*", "epvs_permille*"),
    *("qc_status_*", "qc_reasons_*"),
]

FLOW = "flow"  # results/stats/flow.tsv: no analysis may be called so


def load_plan(path):
    """Read a study plan and check everything that can be checked without the data.

    `yes`, `no`, `on`, `off` and numbers with a leading zero are text, not booleans and octal
    numbers as in YAML 1.1, and keys are text: plans name the values that stand in
    participants.tsv. Levels, groups and criteria's values come back as `level_text` writes them.

    Parameters
    ----------
    path : path-like
        The plan, YAML.

    Returns
    -------
    dict

    Raises
    ------
    InputFault
        One line with the file and every fault found.
    """
    try:
        plan = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _PlanLoader)
    except OSError as error:
        raise InputFault(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputFault(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    faults = _schema_faults(plan)
    if not faults:
        plan = _normalise(plan)
        faults = _reference_faults(plan)
    if faults:
        raise InputFault(f"{path}: {'; '.join(faults)}")
    return plan


def study_outputs(plan):
    """Return the ids of the results: ``{"stats": [...], "tables": [...], "figures": [...]}``.

    `stats` holds one id per analysis and "flow", the counts of who was left out and why.
    """
    return {
        "stats": [FLOW] + [analysis["id"] for analysis in plan["analyses"]],
        "tables": [table["id"] for table in plan.get("tables", [])],
        "figures": [figure["id"] for figure in plan.get("figures", [])],
    }


def paths_by_id(paths):
    """Return ``{id: path}`` for one path or several; the id is the name without its ending."""
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    return {Path(path).stem: Path(path) for path in paths}


def plan_faults(plan, participants_columns):
    """Name the columns of a plan that neither participants.tsv nor the measures have.

    Parameters
    ----------
    plan : dict
        From `load_plan`.
    participants_columns : iterable of str
        Header of participants.tsv.

    Returns
    -------
    list of str
        One line per fault; empty if there is none.
    """
    known = [*participants_columns, *MEASURE_COLUMNS]
    variables = plan["variables"]
    used = [
        (f"variables.{name}", variable.get("column", name)) for name, variable in variables.items()
    ]
    places = [("", plan)] + [(f"analyses.{item['id']}.", item) for item in plan["analyses"]]
    for place, part in places:
        named = [("groups", part["groups"])] if "groups" in part else []
        named += [(key, item) for key in ("include", "exclude") for item in part.get(key, [])]
        used += [
            (place + key, item["column"]) for key, item in named if item["column"] not in variables
        ]
    return [
        f"{place}: no column '{column}' in participants.tsv or among the measures"
        + _suggestion(column, known)
        for place, column in used
        if not any(fnmatch.fnmatchcase(column, name) for name in known)
    ]


def groups_of(plan, analysis=None):
    """Return the groups of an analysis, its own or else the plan's; None without any."""
    return (analysis or {}).get("groups", plan.get("groups"))


def text_columns(plan):
    """Return the columns to be read as text: whatever holds groups or levels."""
    levels = [v for v in plan["variables"].items() if v[1]["type"] == "categorical"]
    groups = [part["groups"]["column"] for part in (plan, *plan["analyses"]) if "groups" in part]
    columns = [variable.get("column", name) for name, variable in levels] + groups
    return tuple(dict.fromkeys(["participant_id", "session_id", *columns]))


def level_text(value):
    """Write a value of a group or level the same way wherever it comes from; None if missing.

    A table that had a missing value in it has 1.0 where the plan says 1; both become "1".

    Examples
    --------
    >>> [level_text(value) for value in (1, 1.0, "1.0", "01", True, "yes ", float("nan"))]
    ['1', '1', '1', '01', 'true', 'yes', None]
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = "" if value is None else str(value).strip()
    if text in ("", MISSING, "<NA>", "nan"):
        return None
    if text in ("True", "TRUE", "False", "FALSE"):
        return text.lower()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)


# --- Reading and checking the plan ---------------------------------------------------------------


class _PlanLoader(yaml.SafeLoader):
    """YAML whose plain scalars mean what JSON's do; keys are text, and none may stand twice."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's way)

    def construct_mapping(self, node, deep=False):
        result = {}
        for key, value in node.value:
            if key.value in result:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key.value}' stands twice", problem_mark=key.start_mark
                )
            result[key.value] = self.construct_object(value, deep=deep)
        return result


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?", "-+0123456789"),
):
    _PlanLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )
_PlanLoader.add_constructor(
    "tag:yaml.org,2002:map", lambda loader, node: loader.construct_mapping(node, deep=True)
)


def _schema_faults(plan):
    from jsonschema import Draft202012Validator

    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema).iter_errors(plan)
    return [_error_text(error) for error in sorted(errors, key=lambda e: str(list(e.path)))]


def _error_text(error):
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.path)
    place = path.lstrip(".") or "plan"
    value = error.instance
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        wrong = [key for key in value if key not in known]
        texts = [f"unknown key '{key}'{_suggestion(key, known, all_known=True)}" for key in wrong]
        return f"{place}: {', '.join(texts)}"
    if error.validator == "enum":
        options = error.validator_value
        near = _suggestion(str(value), options, all_known=True)
        return f"{place}: '{value}' is not allowed{near}"
    if error.validator == "anyOf":
        return f"{place}: give at least one of values, min, max, above, below, missing"
    if error.validator == "type":
        kind = error.validator_value
        kind = kind if isinstance(kind, str) else " or ".join(kind)
        kind = {"object": "mapping", "array": "list", "string": "text"}.get(kind, kind)
        return f"{place}: {value!r} is not of the type {kind}"
    return f"{place}: {error.message}"


def _suggestion(word, known, *, all_known=False):
    near = difflib.get_close_matches(str(word), [str(item) for item in known], n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f" (allowed: {', '.join(map(str, known))})" if all_known else ""


def _normalise(plan):
    """Fill in the plan's own defaults; write levels, groups and criteria's values as text."""
    plan = {"seed": 1, "session": "first", **plan}
    for variable in plan["variables"].values():
        for key in ("levels", "event"):
            if key in variable:
                variable[key] = _texts(variable[key])
    for part in (plan, *plan["analyses"]):
        if "groups" in part:
            part["groups"]["order"] = _texts(part["groups"]["order"])
        for criterion in part.get("include", []) + part.get("exclude", []):
            if "values" in criterion:
                criterion["values"] = _texts(criterion["values"])
    return plan


def _texts(value):
    return [level_text(item) for item in value] if isinstance(value, list) else level_text(value)


def _reference_faults(plan):
    """Find names that refer to nothing, ids that stand twice, and settings that contradict."""
    faults, variables = [], plan["variables"]
    for part in ("analyses", "tables", "figures"):
        ids = [item["id"] for item in plan.get(part, [])]
        faults += [
            f"{part}: the id '{i}' stands twice" for i in dict.fromkeys(ids) if ids.count(i) > 1
        ]
    for name, variable in variables.items():
        if "event" in variable and variable["event"] not in variable.get("levels", []):
            faults.append(f"variables.{name}.event: '{variable['event']}' is none of the levels")
    for item in plan["analyses"] + plan.get("figures", []):
        faults += [
            f"{item['id']}: no variable '{name}'{_suggestion(name, variables)}"
            for name in item["variables"]
            if name not in variables
        ]
        if groups_of(plan, item) is None:
            faults.append(f"{item['id']}: a {item['kind']} needs groups")
    for analysis in plan["analyses"]:
        if analysis["id"] == FLOW:
            faults.append(f"analyses: the id '{FLOW}' is taken by the flow of participants")
        if analysis.get("normality") == "none" and analysis.get("choice", "auto") == "auto":
            faults.append(f"{analysis['id']}: choice auto needs a normality test; name a choice")
    corrected = {item["id"]: item.get("correction", "none") for item in plan["analyses"]}
    faults += [
        f"tables.{table['id']}: p_adjusted needs a correction in analysis '{table['analysis']}'"
        for table in plan.get("tables", [])
        if "p_adjusted" in table.get("columns", []) and corrected.get(table["analysis"]) == "none"
    ]
    ids = list(corrected)
    faults += [
        f"tables.{table['id']}: no analysis '{table['analysis']}'"
        + _suggestion(table["analysis"], ids)
        for table in plan.get("tables", [])
        if table["analysis"] not in ids
    ]
    return faults
