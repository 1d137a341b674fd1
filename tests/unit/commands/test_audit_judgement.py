"""The words and statuses of an audit's findings."""

import pytest

from glymflow.commands.audit_judgement import Scenario, joined, judge, with_p_checked
from glymflow.commands.audit_tests import p_of_z


def test_a_scenario_decides():
    z = Scenario("z", (1.9, 2.0), p_of_z)
    assert judge({"p": "0.05"}, [z], "z", "z")["status"] == "consistent"
    found = judge({"p": "0.20"}, [z], "z", "z")
    assert (found["status"], found["fault"]) == ("impossible", "p")
    assert judge({"p": "0.20"}, [], "z", "Dunn")["finding"] == "Dunn: needs the raw data"


@pytest.mark.parametrize(
    ("p", "fault", "text"),
    [
        ("0.000", "p is 0", "print <0.001"),
        ("0", "p is 0", "print <0.001"),
        ("0.00", "p is 0", "print <0.01"),
        ("1.3", "p", "not between 0 and 1"),
        ("<0.001", "", ""),
        ("1.000", "", ""),
        ("0.001***", "", ""),
    ],
)
def test_p_is_never_zero(p, fault, text):
    found = with_p_checked({"p": p}, {"status": "consistent", "fault": "", "finding": ""})
    assert found["fault"] == fault
    assert text in found["finding"]
    assert (found["status"] == "impossible") == bool(fault)


def test_the_first_fault_names_the_row():
    found = joined({"status": "impossible", "fault": "p", "finding": "a"}, "percent", "b")
    assert found == {"status": "impossible", "fault": "p", "finding": "a; b"}
