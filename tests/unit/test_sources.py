"""The fingerprint changes for the scripts that depend on an edited module, and only those."""

import pandas as pd
import pytest

from glymflow import sources

TREE = {
    "glymflow/__init__.py": "",
    "glymflow/base.py": "import os\nimport numpy as np\n",
    "glymflow/middle.py": "def work():\n    from glymflow.base import thing\n",
    "glymflow/ring.py": "import glymflow.top\n",
    "glymflow/top.py": "from glymflow import middle, ring\n",
    "glymflow/alone.py": "",
    "glymflow/report.py": "",
    "glymflow/templates/page.html": "<html>",
    "glymflow/vbnet.py": "",
    "glymflow/weights/head.onnx": "weights",
    "glymflow/sub/__init__.py": "from glymflow.sub import part\n",
    "glymflow/sub/part.py": "import glymflow.alone as other\n",
    "glymflowother/base.py": "",
    "scripts/direct.py": "from glymflow.base import thing\n",
    "scripts/nested.py": "def main():\n    if True:\n        from glymflow import middle as m\n",
    "scripts/circle.py": "import glymflow.top\n",
    "scripts/folder.py": "from glymflow import sub\n",
    "scripts/pages.py": "from glymflow import report\n",
    "scripts/network.py": "from glymflow import vbnet\n",
    "scripts/outside.py": "import json\nimport glymflowother.base\nfrom . import x\n",
}
DEPENDANTS = {
    "base": {"direct", "nested", "circle"},
    "middle": {"nested", "circle"},
    "ring": {"circle"},
    "top": {"circle"},
    "alone": {"folder"},
    "sub/part": {"folder"},
    "report": {"pages"},
}
SCRIPTS = ("direct", "nested", "circle", "folder", "pages", "network", "outside")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, content in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    """A new process starts with nothing remembered."""
    sources.code_hash.cache_clear()
    sources._imports.cache_clear()


def hashes():
    forget()
    return {name: sources.code_hash(name) for name in SCRIPTS}


def names(tree, script):
    found = sources.modules_of(tree / "scripts" / f"{script}.py")
    assert found == sorted(found)
    return [path.relative_to(tree / "glymflow").as_posix() for path in found]


@pytest.mark.parametrize(
    ("script", "modules"),
    [
        ("direct", ["base.py"]),
        ("nested", ["__init__.py", "base.py", "middle.py"]),
        ("circle", ["__init__.py", "base.py", "middle.py", "ring.py", "top.py"]),
        ("folder", ["__init__.py", "alone.py", "sub/__init__.py", "sub/part.py"]),
        ("pages", ["__init__.py", "report.py", "templates/page.html"]),
        ("outside", []),
    ],
)
def test_nested_transitive_and_circular_imports_are_followed(tree, script, modules):
    assert names(tree, script) == modules


@pytest.mark.parametrize("module", DEPENDANTS)
def test_editing_a_module_changes_exactly_its_dependants(tree, module):
    before = hashes()
    with (tree / "glymflow" / f"{module}.py").open("a") as file:
        file.write("# edited\n")
    after = hashes()
    assert {name for name in SCRIPTS if before[name] != after[name]} == DEPENDANTS[module]


def test_editing_a_page_template_changes_the_reports(tree):
    before = hashes()
    (tree / "glymflow" / "templates" / "page.html").write_text("<html><body>")
    after = hashes()
    assert {name for name in SCRIPTS if before[name] != after[name]} == {"pages"}


def test_other_weights_change_what_uses_the_network(tree):
    before = hashes()
    (tree / "glymflow" / "weights" / "head.onnx").write_text("other weights")
    after = hashes()
    assert {name for name in SCRIPTS if before[name] != after[name]} == {"network"}


def test_a_module_that_exists_only_since_an_import_was_added_counts(tree):
    before = hashes()
    (tree / "glymflow" / "middle.py").write_text("from glymflow import base, alone\n")
    after = hashes()
    assert {name for name in SCRIPTS if before[name] != after[name]} == {"nested", "circle"}
    assert "alone.py" in names(tree, "nested")


def test_hash_is_the_same_in_another_checkout(tree, tmp_path_factory, monkeypatch):
    before = hashes()
    other = tmp_path_factory.mktemp("other") / "checkout"
    tree.rename(other)
    monkeypatch.setattr(sources, "ROOT", other)
    assert hashes() == before


def test_of_the_project_itself():
    """fit_tensor depends on the tensor and not on the statistics."""
    found = {path.name for path in sources.modules_of(sources.ROOT / "scripts" / "fit_tensor.py")}
    assert {"tensor.py", "dwi.py", "gradient_check.py", "io.py", "jobs.py"} <= found
    assert not {"stats.py", "report.py", "pose.py", "alps.py", "tables.py"} & found


def test_fingerprint_of_tables_changes_with_any_cell():
    table = pd.DataFrame({"a": ["x", None], "b": [1.0, 2.0]})
    other = table.copy()
    first = sources.fingerprint(table, other)
    assert first == sources.fingerprint(table.copy(), other)
    other.loc[1, "b"] = 2.0000001
    assert sources.fingerprint(table, other) != first
    assert sources.fingerprint(other, table) != sources.fingerprint(table, other)
    assert sources.fingerprint(table.rename(columns={"a": "c"}), table) != first


def test_script_hashes_see_the_script_and_what_is_behind_it(tree):
    before = sources.script_hashes()
    assert set(before) == set(SCRIPTS)
    (tree / "scripts" / "direct.py").write_text("from glymflow.base import thing\n# edited\n")
    after = sources.script_hashes()
    assert {name for name in SCRIPTS if after[name] != before[name]} == {"direct"}
