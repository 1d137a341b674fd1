"""Study plans: read a plan, check it, and say which results it will give.

A plan is a plain dict, as the YAML has it. It is read when the workflow is planned, so this module
stays light; `glymflow.study.selection` takes the plan's rows from the cohort table,
`glymflow.stats` makes its analyses.
"""

import re
from functools import cache
from pathlib import Path

import yaml

from glymflow.cohort.domain import measure_columns
from glymflow.cohort.participants import KEYS
from glymflow.domains import DOMAINS
from glymflow.io import ConfigFault, check_entries
from glymflow.schemas import SCHEMAS, error_text, suggestion
from glymflow.study.transforms import named
from glymflow.text import level_text

KINDS = ("analyses", "tables", "figures")  # the parts of a plan that are of several kinds

# columns of results that hold groups and levels: text, also where all of them look like numbers
LEVELS = ("group", "level", "event", "against", "reference", "contrast", "note")
FLOW = "flow"  # results/stats/flow.tsv: no analysis may be called so
HARMONISED = "harmonisation"  # results/stats/harmonisation.tsv, of a plan with `harmonise`


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
    ConfigFault
        One line with the file and every fault found.
    """
    try:
        plan = yaml.load(Path(path).read_text(encoding="utf-8-sig"), _PlanLoader)
    except OSError as error:
        raise ConfigFault(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigFault(
            f"{path}: not readable as YAML ({' '.join(str(error).split())})"
        ) from None
    check_entries(plan, path)
    faults = _schema_faults(plan)
    if not faults:
        plan = _normalise(plan)
        faults = _reference_faults(plan)
    if faults:
        raise ConfigFault(f"{path}: {'; '.join(faults)}")
    return plan


def study_outputs(plan):
    """Return the ids of the results: ``{"stats": [...], "tables": [...], "figures": [...]}``.

    `stats` holds one id per analysis, "flow", the counts of who was left out and why, and
    "harmonisation" where the plan has `harmonise`. An empty plan has no results.
    """
    if not plan:
        return {"stats": [], "tables": [], "figures": []}
    return {
        "stats": [FLOW]
        + [HARMONISED] * ("harmonise" in plan)
        + [analysis["id"] for analysis in plan["analyses"]],
        "tables": [table["id"] for table in plan.get("tables", [])],
        "figures": [figure["id"] for figure in plan.get("figures", [])],
    }


def plan_caveats(plan):
    """Return what has to be said of the measures that a plan uses, one sentence per domain."""
    columns = [variable.get("column", name) for name, variable in plan["variables"].items()]
    caveats = [
        domain.caveat
        for domain in DOMAINS
        if domain.caveat and any(column.startswith(f"{domain.name}_") for column in columns)
    ]
    return caveats + ([_harmonised_text(plan)] if "harmonise" in plan else [])


def _harmonised_text(plan):
    """Say how the measures were harmonised."""

    def called(names):
        texts = [plan["variables"].get(name, {}).get("label", name) for name in names]
        return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else "".join(texts)

    options = plan["harmonise"]
    groups = [plan["groups"]["column"]] if "groups" in plan else []
    kept = [*groups, *(name for name in options.get("protect", []) if name not in groups)]
    verb = "was" if len(options["measures"]) == 1 else "were"
    text = f"Before the tests, {called(options['measures'])} {verb} harmonised over"
    text += f" {called([options['site']])} with ComBat"
    text += " (parametric empirical Bayes)" if options.get("pooled", True) else " (without pooling)"
    return text + (f"; effects of {called(kept)} were protected." if kept else ".")


def paths_by_id(paths):
    """Return ``{id: path}`` for one path or several; the id is the name without its ending."""
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    return {Path(path).stem: Path(path) for path in paths}


def plan_faults(plan, participants_columns, ready=None):
    """Name the columns of a plan that neither participants.tsv nor the measures have.

    Parameters
    ----------
    plan : dict
        From `load_plan`.
    participants_columns : iterable of str
        Header of participants.tsv, or of the ready table.
    ready : path-like, optional
        The ready table that takes the place of measures.

    Returns
    -------
    list of str
        One line per fault; empty if there is none.
    """
    known = [*participants_columns, *KEYS, *([] if ready else measure_columns(DOMAINS))]
    variables = plan["variables"]
    used = [
        (f"variables.{name}", variable.get("column", name)) for name, variable in variables.items()
    ]
    used += [
        (f"variables.{name}.instead", variable["instead"][key])
        for name, variable in variables.items()
        if "instead" in variable
        for key in ("column", "where")
    ]
    site = plan.get("harmonise", {}).get("site")
    used += [("harmonise.site", site)] if site and site not in variables else []
    places = [("", plan)] + [(f"analyses.{item['id']}.", item) for item in plan["analyses"]]
    for place, part in places:
        named = [("groups", part["groups"])] if "groups" in part else []
        named += [(key, item) for key in ("include", "exclude") for item in part.get(key, [])]
        named += [(key, {"column": part[key]}) for key in ("outcome_se", "site") if key in part]
        used += [
            (place + key, item["column"]) for key, item in named if item["column"] not in variables
        ]
    if ready and "qc" in plan:
        used.append(("qc", "qc_status"))
    where = f"in {ready}" if ready else "in participants.tsv or among the measures"
    return [
        f"{place}: no column '{column}' {where}" + suggestion(column, known)
        for place, column in used
        if column not in known
    ]


def variable_names(item, part="analyses"):
    """Return the plan's variables that an analysis or a figure names, each once.

    They stand where its kind's schema refers to ``#/$defs/variable_name`` or ``variable_names``, as
    values or as `propertyNames`.

    Examples
    --------
    >>> variable_names({"id": "one", "kind": "compare_groups", "variables": ["age", "sex"]})
    ['age', 'sex']
    """
    return list(dict.fromkeys(_names_in(item, plan_schema()["$defs"][part][item["kind"]])))


def _names_in(value, schema):
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    if reference == "variable_name":
        yield value
    elif reference:
        yield from _names_in(value, plan_schema()["$defs"][reference])
    elif isinstance(value, list):
        for item in value:
            yield from _names_in(item, schema.get("items", {}))
    elif isinstance(value, dict):
        if "propertyNames" in schema:
            yield from _names_in(list(value), {"items": schema["propertyNames"]})
        for key, inner in schema.get("properties", {}).items():
            if key in value and isinstance(inner, dict):
                yield from _names_in(value[key], inner)


def groups_of(plan, analysis=None):
    """Return the groups of an analysis, its own or else the plan's; None without any."""
    return (analysis or {}).get("groups", plan.get("groups"))


# --- Reading and checking the plan ---------------------------------------------------------------


# keys whose values are compared with cells of tables: they stay as they are written
_CELLS = ("levels", "event", "order", "values", "within", "sessions", "recode")


class _PlanLoader(yaml.SafeLoader):
    """YAML whose plain scalars mean what JSON's do; keys are text, and none may be used twice.

    Values that are compared with cells of tables stay text: `1.10` is not 1.1, `1E1` not 10.
    """

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's way)

    def construct_mapping(self, node, deep=False):
        result = {}
        for key, value in node.value:
            if key.value in result:
                raise yaml.MarkedYAMLError(
                    problem=f"key '{key.value}' is used twice", problem_mark=key.start_mark
                )
            if key.value in _CELLS:
                self._keep_text(value)
            result[key.value] = self.construct_object(value, deep=deep)
        return result

    def _keep_text(self, node):
        """Make text of the numbers with a point of a node, one level deep; 1 is always 1."""
        inner = node.value if isinstance(node.value, list) else [node]
        for item in inner:
            item = item[1] if isinstance(item, tuple) else item
            if item.tag == "tag:yaml.org,2002:float":
                item.tag = "tag:yaml.org,2002:str"


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


@cache
def plan_schema():
    """Return the JSON Schema of a plan: the frame, and the definitions of all kinds put into it.

    ``analyses/<kind>.schema.yaml`` becomes ``$defs: {analyses: {<kind>: ...}}``; the tables' kinds
    are those of the analyses that they print.
    """
    schema = yaml.safe_load((SCHEMAS / "study.schema.yaml").read_text(encoding="utf-8"))
    for part in KINDS:
        schema["$defs"][part] = {
            path.name.removesuffix(".schema.yaml"): yaml.safe_load(path.read_text(encoding="utf-8"))
            for path in sorted((SCHEMAS / part).glob("*.schema.yaml"))
        }
    for part, frame in (("analyses", "analysis"), ("figures", "figure")):
        schema["$defs"][frame]["properties"]["kind"]["enum"] = list(schema["$defs"][part])
        schema["$defs"][frame]["allOf"] = [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{part}/{kind}"},
            }
            for kind in schema["$defs"][part]
        ]
    return schema


def _schema_faults(plan):
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(plan_schema()).iter_errors(plan)
    return [error_text(error) for error in sorted(errors, key=lambda e: str(list(e.path)))]


def _table_faults(plan):
    """Check the keys of each table, which are those that its analysis' kind of table has."""
    from jsonschema import Draft202012Validator

    kinds = {analysis["id"]: analysis["kind"] for analysis in plan["analyses"]}
    faults = []
    for table in plan.get("tables", []):
        kind = kinds.get(table["analysis"])
        if kind is None:
            near = suggestion(table["analysis"], list(kinds))
            faults.append(f"tables.{table['id']}: no analysis '{table['analysis']}'{near}")
        elif kind not in plan_schema()["$defs"]["tables"]:
            faults.append(f"tables.{table['id']}: the kind {kind} has no table")
        else:
            schema = {**plan_schema(), "$ref": f"#/$defs/tables/{kind}"}
            schema = {key: schema[key] for key in ("$schema", "$ref", "$defs")}
            errors = Draft202012Validator(schema).iter_errors(table)
            faults += [error_text(error, f"tables.{table['id']}") for error in errors]
            faults += [
                f"tables.{table['id']}.with: '{name}' is no other analysis of the kind {kind}"
                for name in table.get("with", [])
                if kinds.get(name) != kind or name == table["analysis"]
            ]
    return faults


def _normalise(plan):
    """Fill in the plan's own defaults; write levels, groups and criteria's values as text."""
    plan = {"seed": 1, "session": "first", **plan}
    plan["variables"] = {name: named(name, entry) for name, entry in plan["variables"].items()}
    for variable in plan["variables"].values():
        for key in ("levels", "event"):
            if key in variable:
                variable[key] = _texts(variable[key])
        if "instead" in variable:
            variable["instead"]["values"] = _texts(variable["instead"]["values"])
    for part in (plan, *plan["analyses"]):
        if "groups" in part:
            part["groups"]["order"] = _texts(part["groups"]["order"])
        for key in ("within", "sessions"):
            if key in part:
                part[key] = _texts(part[key])
        for criterion in part.get("include", []) + part.get("exclude", []):
            if "values" in criterion:
                criterion["values"] = _texts(criterion["values"])
    return plan


def _texts(value):
    return [level_text(item) for item in value] if isinstance(value, list) else level_text(value)


def _reference_faults(plan):
    """Find names that refer to nothing, ids that are used twice, and settings that contradict."""
    faults, variables = [], plan["variables"]
    for part in (*KINDS, "families"):
        ids = [item["id"] for item in plan.get(part, [])]
        faults += [
            f"{part}: id '{i}' is used twice" for i in dict.fromkeys(ids) if ids.count(i) > 1
        ]
    for name, variable in variables.items():
        if "event" in variable and variable["event"] not in variable.get("levels", []):
            faults.append(f"variables.{name}.event: '{variable['event']}' is not one of the levels")
        if "transform" in variable and variable["type"] != "continuous":
            faults.append(f"variables.{name}.transform: only a continuous variable has one")
    for part in ("analyses", "figures"):
        for item in plan.get(part, []):
            faults += [
                f"{item['id']}: no variable '{name}'{suggestion(name, variables)}"
                for name in variable_names(item, part)
                if name not in variables
            ]
            needs_groups = plan_schema()["$defs"][part][item["kind"]].get("x-needs-groups")
            if needs_groups and groups_of(plan, item) is None:
                faults.append(
                    f"{item['id']}: the kind {item['kind']} needs groups; name them in the plan"
                    " or the analysis"
                )
            faults += [
                f"{item['id']}.interactions: '{name}' is not one of the predictors"
                for pair in item.get("interactions", [])
                for name in pair
                if name not in [*item.get("predictors", []), *item.get("candidates", [])]
            ]
            order = (groups_of(plan, item) or {}).get("order", [])
            faults += [
                f"{item['id']}.within: '{member}' is not one of the groups"
                for member in item.get("within", [])
                if member not in order
            ]
    for key in ("measures", "protect"):
        faults += [
            f"harmonise.{key}: no variable '{name}'{suggestion(name, variables)}"
            for name in plan.get("harmonise", {}).get(key, [])
            if name not in variables
        ]
    for analysis in plan["analyses"]:
        if analysis["id"] in (FLOW, HARMONISED):
            name = analysis["id"]
            faults.append(f"analyses: the id '{name}' is reserved for results/stats/{name}.tsv")
        if "combat" in analysis.get("harmonise", []) and "harmonise" not in plan:
            faults.append(f"{analysis['id']}.harmonise: combat needs the plan's 'harmonise'")
        if "of" in analysis:
            kinds = {item["id"]: item["kind"] for item in plan["analyses"]}
            if kinds.get(analysis["of"]) in (None, analysis["kind"]):
                near = suggestion(analysis["of"], list(kinds))
                name = f"'{analysis['of']}'"
                faults.append(
                    f"{analysis['id']}: {name} is not an analysis that can be repeated{near}"
                )
        key = "method" if analysis["kind"] == "correlate" else "choice"
        if analysis.get("normality") == "none" and analysis.get(key, "auto") == "auto":
            faults.append(f"{analysis['id']}: {key} auto needs a normality test; name a {key}")
    return faults + _family_faults(plan) + _table_faults(plan) + _figure_faults(plan)


def _figure_faults(plan):
    """Check that the analysis that a figure draws is there, and of a kind that can be drawn so."""
    known = {item["id"]: item for item in plan["analyses"]}
    kinds, faults = {name: item["kind"] for name, item in known.items()}, []
    for figure in plan.get("figures", []):
        if figure["kind"] == "harmonisation" and "harmonise" not in plan:
            faults.append(f"figures.{figure['id']}: the plan has no 'harmonise'")
        schema = plan_schema()["$defs"]["figures"][figure["kind"]]
        allowed, needed = schema.get("x-analysis"), schema.get("x-needs")
        if not allowed or "analysis" not in figure:
            continue
        name, place = figure["analysis"], f"figures.{figure['id']}"
        if name not in kinds:
            faults.append(f"{place}: no analysis '{name}'{suggestion(name, list(kinds))}")
        elif kinds[name] not in allowed:
            faults.append(
                f"{place}: a {figure['kind']} draws a {' or '.join(allowed)}, '{name}' is a"
                f" {kinds[name]}"
            )
        elif needed and not known[name].get(needed):
            faults.append(f"{place}: a {figure['kind']} draws `{needed}`, '{name}' has none")
    return faults


def _family_faults(plan):
    """Check that each analysis is corrected once at most, and where p_adjusted is printed."""
    faults, corrected = [], {a["id"]: a.get("correction", "none") for a in plan["analyses"]}
    for family in plan.get("families", []):
        for name in family["analyses"]:
            place = f"families.{family['id']}"
            if name not in corrected:
                faults.append(f"{place}: no analysis '{name}'{suggestion(name, list(corrected))}")
            elif corrected[name] != "none":
                faults.append(f"{place}: analysis '{name}' is corrected already")
            else:
                corrected[name] = family["method"]
    return faults + [
        f"tables.{table['id']}: p_adjusted needs a correction in analysis '{table['analysis']}'"
        for table in plan.get("tables", [])
        if "p_adjusted" in table.get("columns", []) and corrected.get(table["analysis"]) == "none"
    ]
