"""The fingerprint changes for the scripts that depend on an edited module, and only those."""

import ast
import functools

import grimp
import pandas as pd
import pytest

from glymflow.domains import DOMAINS
from glymflow.workflow import sources

TREE = {
    "glymflow/__init__.py": "",
    "glymflow/base.py": "import os\nimport numpy as np\n",
    "glymflow/middle.py": "def work():\n    from glymflow.base import thing\n",
    "glymflow/ring.py": "import glymflow.top\n",
    "glymflow/top.py": "from glymflow import middle, ring\n",
    "glymflow/alone.py": "",
    "glymflow/report.py": 'DATA_FILES = ("templates",)\n',
    "glymflow/templates/page.html": "<html>",
    "glymflow/vbnet.py": 'DATA_FILES = ("weights/head.onnx", "config/schemas")\n',
    "glymflow/weights/head.onnx": "weights",
    "config/schemas/one.yaml": "type: object",
    "glymflow/sub/__init__.py": "from glymflow.sub import part\n",
    "glymflow/sub/part.py": "import glymflow.alone as other\n",
    "glymflowother/base.py": "",
    "scripts/direct.py": "from glymflow.base import thing\n",
    "scripts/nested.py": "def main():\n    if True:\n        from glymflow import middle as m\n",
    "scripts/circle.py": "import glymflow.top\n",
    "scripts/folder.py": "from glymflow import sub\n",
    "scripts/pages.py": "from glymflow import report\n",
    "scripts/network.py": "from glymflow import vbnet\n",
    "glymflow/blood/__init__.py": "",
    "glymflow/blood/domain.py": 'BLOOD = Domain(name="blood", page="glymflow.blood.page",'
    ' to_cohort="glymflow.blood.table:reduce")\n',
    "glymflow/blood/page.py": "from glymflow import alone\n",
    "glymflow/blood/table.py": "",
    "scripts/show.py": 'def main(domain):\n    return domain.part("page")\n',
    "scripts/join.py": 'def main(domain):\n    return domain.part("to_cohort")\n',
    "scripts/outside.py": "import json\nimport glymflowother.base\nfrom . import x\n",
}
DEPENDANTS = {
    "base": {"direct", "nested", "circle"},
    "middle": {"nested", "circle"},
    "ring": {"circle"},
    "top": {"circle"},
    "alone": {"folder", "show"},
    "blood/page": {"show"},
    "blood/table": {"join"},
    "blood/domain": set(),
    "sub/part": {"folder"},
    "report": {"pages"},
}
SCRIPTS = ("direct", "nested", "circle", "folder", "pages", "network", "outside", "show", "join")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, content in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "PACKAGE", tmp_path / "glymflow")
    forget()
    yield tmp_path
    forget()


def forget():
    """A new process starts with nothing remembered."""
    for remembered in (sources.code_hash, sources._imports, sources._tree, sources._content):
        remembered.cache_clear()


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
        ("direct", ["__init__.py", "base.py"]),
        ("nested", ["__init__.py", "base.py", "middle.py"]),
        ("circle", ["__init__.py", "base.py", "middle.py", "ring.py", "top.py"]),
        ("folder", ["__init__.py", "alone.py", "sub/__init__.py", "sub/part.py"]),
        ("pages", ["__init__.py", "report.py", "templates/page.html"]),
        ("outside", []),
        ("show", ["__init__.py", "alone.py", "blood/__init__.py", "blood/page.py"]),
        ("join", ["__init__.py", "blood/__init__.py", "blood/table.py"]),
    ],
)
def test_nested_transitive_and_circular_imports_are_followed(tree, script, modules):
    assert names(tree, script) == modules


@pytest.mark.parametrize("module", DEPENDANTS)
def test_editing_a_module_changes_exactly_its_dependants(tree, module):
    before = hashes()
    with (tree / "glymflow" / f"{module}.py").open("a") as file:
        file.write("edited = True\n")
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
    monkeypatch.setattr(sources, "PACKAGE", other / "glymflow")
    assert hashes() == before


def test_docstrings_and_comments_do_not_count(tree):
    (tree / "glymflow" / "base.py").write_text(
        '"""One."""\ndef f():\n    """Two."""\n    return 1\n'
    )
    before = hashes()
    text = '"""Other."""\n# why\ndef f():\n    """Another."""\n    return 1  # one\n'
    (tree / "glymflow" / "base.py").write_text(text)
    assert hashes() == before
    (tree / "glymflow" / "base.py").write_text(text.replace("return 1", "return 2"))
    assert hashes() != before


def test_a_declared_file_that_is_missing_is_an_error(tree):
    (tree / "glymflow" / "weights" / "head.onnx").unlink()
    forget()
    with pytest.raises(FileNotFoundError, match=r"vbnet.py: DATA_FILES names weights/head.onnx"):
        sources.code_hash("network")


def test_schemas_of_the_checkout_count(tree):
    before = hashes()
    (tree / "config" / "schemas" / "one.yaml").write_text("type: array")
    after = hashes()
    assert {name for name in SCRIPTS if before[name] != after[name]} == {"network"}


@pytest.mark.parametrize("script", sorted(p.stem for p in (sources.ROOT / "scripts").glob("*.py")))
def test_modules_are_those_that_grimp_finds(script):
    """Another tool reads the imports of the whole package: from what a script names, all else."""
    graph, parts = import_graph(), parts_by_module()
    found = sources.modules_of(sources.ROOT / "scripts" / f"{script}.py")
    modules = {_dotted(path) for path in found if path.suffix == ".py"}
    direct = {_dotted(path) for path in sources._imports(sources.ROOT / f"scripts/{script}.py")}
    expected, waiting = set(), direct
    while waiting:
        expected |= waiting | {up for name in waiting for up in graph.find_upstream_modules(name)}
        waiting = {named for name in expected for named in parts.get(name, ())} - expected
    faces = {name.rsplit(".", n)[0] for name in expected for n in range(1, name.count(".") + 1)}
    assert modules == expected | faces


@functools.cache
def import_graph():
    return grimp.build_graph("glymflow")


@functools.cache
def parts_by_module():
    """Return {module: what its calls of ``domain.part(...)`` import}, which grimp cannot see."""
    found = {}
    for path in sources.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "part":
                (name,) = (argument.value for argument in node.args)
                named = {getattr(domain, name).partition(":")[0] for domain in DOMAINS}
                found.setdefault(_dotted(path), set()).update(named - {""})
    assert len(found) >= 4
    return found


def _dotted(path):
    parts = path.relative_to(sources.PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def test_every_shipped_file_is_declared_by_a_module():
    """What lies beside the code and decides what it does belongs to some module's fingerprint."""
    shipped = {
        path
        for path in sources.PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != "NOTICE"
    }
    declared = {
        file for path in sources.PACKAGE.rglob("*.py") for file in sources._data_files(path)
    }
    # read by the training only, which no job runs
    shipped -= {sources.PACKAGE / "phantoms/data/head_template.nii.gz"}
    assert shipped
    assert shipped <= declared


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
