"""Which module formats which kind of analysis, and what a family of analyses changes."""

import inspect
from pathlib import Path

import pytest
from printed_tables import VARIABLES

from glymflow.schemas import SCHEMAS
from glymflow.stats.analyses import adjust_families, run_analysis
from glymflow.tables.planned import KINDS, planned_table


def test_every_kind_of_analysis_has_a_table():
    kinds = {path.name.partition(".")[0] for path in (SCHEMAS / "analyses").glob("*.yaml")}
    assert len(kinds) == 18
    assert set(KINDS) == kinds


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_carries_the_kinds_name(kind):
    assert Path(KINDS[kind].__file__).stem == kind
    assert list(inspect.signature(KINDS[kind].planned).parameters) == [
        *("results", "plan", "analysis", "table")
    ]


def test_a_family_counts_the_tests_of_all_its_analyses(table):
    analyses = [
        {"id": "one", "kind": "correlate", "x": ["alps", "nihss"], "y": ["age"]},
        {"id": "two", "kind": "correlate", "x": ["alps"], "y": ["nihss"]},
    ]
    family = {"analyses": ["one", "two"], "method": "bonferroni"}
    plan = {"variables": VARIABLES, "seed": 1, "session": "all", "analyses": analyses}
    plan["families"] = [family]
    results = {a["id"]: run_analysis(table, plan, a)[0] for a in analyses}
    adjust_families(results, plan)
    printed = {"id": "t", "analysis": "one", "columns": ["p", "p_adjusted"]}
    made = planned_table(results["one"], plan, printed)
    assert ("", "Adjusted p: Bonferroni, all tests of the analyses one, two.") in made.footnotes
    assert not any("comparisons" in text for _, text in made.footnotes)
