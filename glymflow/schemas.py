"""The files that YAML input is checked against, and their errors in plain words."""

import difflib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# the folder with Snakefile, rules, scripts and config: the checkout, or the wheel's copy of it
ROOT = PACKAGE / "bundle" if (PACKAGE / "bundle").is_dir() else PACKAGE.parent
SCHEMAS = ROOT / "config" / "schemas"
DATA_FILES = ("config/schemas",)


def error_text(error, part=""):
    """Return a fault that jsonschema found as one line: place, value, and what is allowed."""
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.path)
    path = part + path
    place = path.lstrip(".") or "plan"
    value = error.instance
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        wrong = [key for key in value if key not in known]
        texts = [f"unknown key '{key}'{suggestion(key, known, all_known=True)}" for key in wrong]
        return f"{place}: {', '.join(texts)}"
    if error.validator == "enum":
        options = error.validator_value
        near = suggestion(str(value), options, all_known=True)
        return f"{place}: '{value}' is not allowed{near}"
    if error.validator == "anyOf":
        options = [name for part in error.validator_value for name in part["required"]]
        return f"{place}: give at least one of {', '.join(options)}"
    if error.validator == "type":
        kind = error.validator_value
        kind = kind if isinstance(kind, str) else " or ".join(kind)
        kind = {"object": "mapping", "array": "list", "string": "text"}.get(kind, kind)
        return f"{place}: {value!r} is not of the type {kind}"
    return f"{place}: {error.message}"


def suggestion(word, known, *, all_known=False):
    """Return `` (did you mean 'x'?)``, else with `all_known` what is allowed, else nothing."""
    names = {str(item).lower(): str(item) for item in reversed(list(known))}
    near = difflib.get_close_matches(str(word).lower(), names, n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{names[near[0]]}'?)"
    return f" (allowed: {', '.join(map(str, known))})" if all_known else ""
