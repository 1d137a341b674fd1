"""What check says of the values of participants.tsv, before anything is measured."""

import pandas as pd
import pytest

from glymflow.study.table_check import nearest, table_lines

VARIABLES = {
    "age": {"type": "continuous"},
    "sex": {"type": "categorical", "levels": ["F", "M"]},
    "alps_mean": {"type": "continuous"},
}


def lines(columns, **plan):
    count = len(next(iter(columns.values())))
    ids = [f"sub-{number:02}" for number in range(count)]
    table = pd.DataFrame({"participant_id": ids, **columns}, index=range(2, 2 + count))
    whole = {"variables": VARIABLES, "analyses": [], **plan}
    return table_lines(whole, table)


def test_nothing_to_say():
    columns = {"age": ["60.5", "71", None], "sex": ["F", "M", None], "arm": ["01", "02", "01"]}
    assert lines(columns, groups={"column": "arm", "order": ["01", "02"]}) == []


def test_groups_in_another_spelling():
    groups = {"column": "group", "order": ["HC", "AD"]}
    (line,) = lines({"group": ["HC", "hc", "Hc", "AD", "MCI", "hc", "HC"]}, groups=groups)
    assert "'hc' (2, is 'HC' meant?)" in line
    assert "'Hc' (1, is 'HC' meant?)" in line
    assert "'MCI' (1)" in line
    assert 'give variables.group recode: {"hc": "HC", "Hc": "HC"}' in line


@pytest.mark.parametrize(("cell", "level"), [("1", "01"), ('"01"', "01"), ("02.", "02")])
def test_codes_in_another_spelling(cell, level):
    groups = {"column": "arm", "order": ["01", "02"]}
    said = lines({"arm": ["01", "02", cell]}, groups=groups)
    assert f"'{cell}' (1, is '{level}' meant?)" in said[0]


def test_a_group_of_nobody():
    said = lines({"arm": ["1", "1", "2"]}, groups={"column": "arm", "order": ["01", "2"]})
    assert said[1] == "groups: no row of column 'arm' is '01'; its values: '1' (2), '2' (1)"


def test_two_spellings_of_one_value():
    said = lines({"arm": ["1", "1.0", "2"]}, groups={"column": "arm", "order": ["1", "2"]})
    assert said == ["groups: column 'arm': '1' and '1.0' are read as one value"]


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("60,5", "write a decimal point: 60.5"),
        ("#REF!", "#REF! is an error of a spreadsheet"),
        ("unknown", "missing is n/a"),
        ("45%", "write the number without %"),
        ("1_0", "cannot be used"),
        ("inf", "cannot be used"),
    ],
)
def test_what_is_no_number(cell, hint):
    (line,) = lines({"age": ["60", "61", cell]})
    assert f"'{cell}' (sub-02, line 4)" in line
    assert hint in line


def test_codes_among_ages():
    (line,) = lines({"age": ["60", "999", "61", "-9", "77", "88"]})
    assert "'999' (sub-01, line 3), '-9' (sub-03, line 5) may stand for missing" in line
    assert 'recode: {"999": null, "-9": null}' in line
    recoded = VARIABLES | {"age": {"type": "continuous", "recode": {"999": None, "-9": None}}}
    assert lines({"age": ["60", "999", "61", "-9"]}, variables=recoded) == []


def test_the_range_of_the_plan():
    variables = VARIABLES | {"age": {"type": "continuous", "range": [18, 110]}}
    (line,) = lines({"age": ["60", "12", "61", "-9"]}, variables=variables)
    assert "outside 18 to 110: '12' (sub-01, line 3), '-9' (sub-03, line 5)" in line


def test_negative_values_are_no_codes():
    assert lines({"age": ["-3.5", "-9", "2", "4"]}) == []
    assert lines({"age": ["77", "99", "88", "70"]}) == []


def test_a_column_called_like_a_measure():
    (line,) = lines({"alps_mean": ["1.2", "1.3"]})
    assert "in cohort.tsv it is participants_alps_mean" in line


def test_criteria_that_meet_nobody():
    said = lines(
        {"scanner": ["A1", "A1", "b2"]}, include=[{"column": "scanner", "values": ["B2", "A1"]}]
    )
    assert (
        "include: column 'scanner' has values like those of the plan: 'b2' (1, is 'B2'" in said[0]
    )
    assert said[1].startswith("include: no row of column 'scanner' is 'B2'")


def test_only_near_values_are_meant():
    assert nearest("stroke", ["ICH", "control"]) is None
    assert nearest("contrl", ["ICH", "control"]) == "control"
    assert nearest("B", ["A", "C"]) is None


def test_words_for_missing_are_read_as_such_and_said():
    (line,) = lines({"age": ["60", "NA", "61", ".", "na", "n/a"]})
    assert (
        line
        == "variables.age: column 'age': 'NA' (1), '.' (1), 'na' (1), 'n/a' (1) read as missing"
    )
    (line,) = lines({"sex": ["F", "M", "NaN"]})
    assert line == "variables.sex: column 'sex': 'NaN' (1) read as missing"
    assert lines({"arm": ["NA", "EU"]}, groups={"column": "arm", "order": ["NA", "EU"]}) == []


@pytest.mark.parametrize(
    ("column", "cells", "odd"),
    [
        (
            "alps_mean",
            ["1450", "1520"],
            "'1450' (sub-00, line 2), '1520' (sub-01, line 3): an ALPS",
        ),
        ("age", ["720", "60"], "'720' (sub-00, line 2): years are meant"),
        ("volume_lesion_ml", ["-3", "12"], "'-3' (sub-00, line 2): a volume is not negative"),
    ],
)
def test_units_that_cannot_be(column, cells, odd):
    variables = {"x": {"type": "continuous", "column": column}}
    table = pd.DataFrame({"participant_id": ["sub-00", "sub-01"], column: cells}, index=[2, 3])
    plan = {"variables": variables, "analyses": []}
    (line,) = table_lines(plan, table, ready=True)
    assert odd in line
    plan["variables"]["x"]["range"] = [-5, 2000]
    assert table_lines(plan, table, ready=True) == []
