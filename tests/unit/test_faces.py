"""Package faces: a page that explains the domain and names its modules; nothing is imported."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "glymflow"
FACES = sorted(PACKAGE.glob("*/__init__.py"))
IDS = [path.parent.name for path in FACES]


def test_there_are_packages():
    assert len(FACES) >= 15


@pytest.mark.parametrize("face", FACES, ids=IDS)
def test_a_face_is_a_docstring_and_nothing_else(face):
    tree = ast.parse(face.read_text())
    assert len(ast.get_docstring(tree).splitlines()) >= 15
    assert len(tree.body) == 1


@pytest.mark.parametrize("face", FACES, ids=IDS)
def test_a_face_names_each_module(face):
    modules = {path.stem for path in face.parent.glob("*.py")} - {"__init__"}
    named = set(re.findall(r"`([a-z_0-9]+)", ast.get_docstring(ast.parse(face.read_text()))))
    assert modules
    assert modules - named == set(), f"describe them in {face.parent.name}/__init__.py"
