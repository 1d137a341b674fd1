"""Every module of the package has a test file of its name, and every test file a module."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
# tests of the whole package, and not of one module
ACROSS = {"test_against_r", "test_docs", "test_faces", "test_layout"}
# modules without a test file of their name, and where they are tested
ELSEWHERE = {
    "domains": "a list of three records: cohort/test_domain.py looks at each",
    "alps/page": "tests/scripts/test_report_subject.py and test_report_cohort.py read its pages",
    "lesions/session": "tests/scripts/test_measure_lesions.py runs it on small masks",
}


def modules():
    """The modules of the package as paths without suffix; faces hold a docstring only."""
    package = ROOT / "glymflow"
    paths = [path.relative_to(package).with_suffix("") for path in package.rglob("*.py")]
    return sorted(str(path) for path in paths if path.name not in ("__init__", "__main__"))


def named():
    """The test files as the module that each is named after."""
    paths = [path.relative_to(UNIT).with_suffix("") for path in UNIT.rglob("test_*.py")]
    return sorted(
        str(path.with_name(path.name.removeprefix("test_")))
        for path in paths
        if path.name not in ACROSS
    )


def test_there_is_something_to_look_at():
    assert len(modules()) > 80
    assert len(named()) > 80


@pytest.mark.parametrize("module", modules())
def test_every_module_has_its_test_file(module):
    if module in ELSEWHERE:
        pytest.skip(ELSEWHERE[module])
    assert module in named()


def test_every_test_file_has_its_module():
    assert set(named()) - set(modules()) == set()


def test_no_exception_is_left_over():
    assert set(ELSEWHERE) - set(modules()) == set()
    assert set(ELSEWHERE) & set(named()) == set()


def test_every_test_file_has_tests():
    for path in UNIT.rglob("test_*.py"):
        assert "def test_" in path.read_text(encoding="utf-8"), path
