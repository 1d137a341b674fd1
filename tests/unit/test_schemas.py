"""Errors of a schema in plain words."""

import pytest
from jsonschema import Draft202012Validator

from glymflow.schemas import SCHEMAS, error_text, suggestion

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "method": {"enum": ["WLS", "OLS"]},
        "size": {"type": "integer", "minimum": 1},
        "names": {"type": "array", "items": {"type": "string"}},
        "test": {"anyOf": [{"required": ["p"]}, {"required": ["q"]}]},
    },
}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"metod": 1}, "plan: unknown key 'metod' (did you mean 'method'?)"),
        ({"x": 1}, "plan: unknown key 'x' (allowed: method, size, names, test)"),
        ({"method": "WSL"}, "method: 'WSL' is not allowed (did you mean 'WLS'?)"),
        ({"size": "big"}, "size: 'big' is not of the type integer"),
        ({"size": 0}, "size: 0 is less than the minimum of 1"),
        ({"names": ["a", 2]}, "names[1]: 2 is not of the type text"),
        ({"names": {}}, "names: {} is not of the type list"),
        ({"test": {}}, "test: give at least one of p, q"),
    ],
)
def test_one_line_per_fault(value, line):
    (error,) = Draft202012Validator(SCHEMA).iter_errors(value)
    assert error_text(error) == line


def test_the_place_within_a_part():
    (error,) = Draft202012Validator(SCHEMA).iter_errors({"size": 0})
    assert error_text(error, ".analyses[2]").startswith("analyses[2].size: ")


def test_suggestion():
    assert suggestion("colour", ["color", "size"]) == " (did you mean 'color'?)"
    assert suggestion("x", ["color", "size"]) == ""


def test_every_schema_is_a_schema():
    import yaml

    paths = sorted(SCHEMAS.glob("*.yaml"))
    assert len(paths) >= 2
    for path in paths:
        Draft202012Validator.check_schema(yaml.safe_load(path.read_text("utf-8")))
