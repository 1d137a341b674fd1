"""The audit finds what cannot be, and accuses nothing that can."""

from pathlib import Path

import pytest
import yaml

from glymflow.cli import main
from glymflow.commands.audit import audit, load_audit
from glymflow.io import InputFault, read_tsv

AUDITS = Path(__file__).resolve().parents[3] / "config" / "audits"


def flags(name):
    results = audit(load_audit(AUDITS / f"{name}.yaml"))
    rows = results[results["status"] == "impossible"]
    return {(row["table"], row["row"]): row for _, row in rows.iterrows()}


# --- The faults that are in the papers, and no other ---------------------------------------------


def test_sich_paper():
    found = flags("sich")
    assert set(found) == {("Table 4", "Haemorrhage location"), ("Table 2", "Ipsilateral: smoking")}
    location = found["Table 4", "Haemorrhage location"]
    assert location["fault"] == "p"
    assert "0.739 to 0.779" in location["finding"]  # chi-square 0.742
    # 1.32 ± 0.19 and 1.34 ± 0.26 cannot differ by more than 0.03: t is at most 0.45
    assert found["Table 2", "Ipsilateral: smoking"]["possible"] == "p 0.656 to 0.936"


def test_ad_paper():
    found = flags("ad")
    assert set(found) == {
        ("Table 1", "Sex"),
        ("Table 4", "ALPS index, left"),
        ("Table 4", "ALPS index, right"),
        ("Table 4", "ALPS index, mean"),
        ("Table 4", "ALPS index, right: aMCI vs NC"),  # 0.227 in the table, 0.0227 in the text
    }
    assert found["Table 4", "ALPS index, left"]["fault"] == "SE printed as SD"
    assert found["Table 4", "ALPS index, mean"]["fault"] == "SE printed as SD"
    assert found["Table 4", "ALPS index, right"]["fault"] == "statistic"
    assert found["Table 4", "ALPS index, right"]["finding"].startswith("F 3.595 cannot be")
    assert found["Table 1", "Sex"]["finding"].startswith("chi2 3.781 cannot be: chi2 0.9298")


def test_migraine_paper():
    found = flags("migraine")
    assert list(found) == [("Abstract", "ALPS and DHI")]
    assert "it would take n = " in found["Abstract", "ALPS and DHI"]["finding"]


def test_a_fault_put_into_a_right_row_is_found():
    document = load_audit(AUDITS / "sich.yaml")
    for table in document["tables"]:
        for i, row in enumerate(table["rows"]):
            before = audit({**document, "tables": [{**table, "rows": [row]}]})
            if row["kind"] == "same" or before["status"].iloc[0] != "consistent":
                continue
            if table["id"] == "Table 2":  # unknown sizes: nearly everything can be
                continue
            small = float(row["p"].strip("< ")) < 0.1
            rows = [{**row, "p": "0.900" if small else "0.0004"}]
            after = audit({**document, "tables": [{**table, "rows": rows}]})
            assert after["status"].iloc[0] == "impossible", (table["id"], i, row)


# --- The command ---------------------------------------------------------------------------------


def test_command_writes_the_findings(tmp_path, capsys):
    out = tmp_path / "new" / "ad.tsv"
    assert main(["audit", str(AUDITS / "ad.yaml"), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "SE printed as SD" in text
    assert "FLAG  Sex" in text
    table = read_tsv(out)
    assert (table["status"] == "impossible").sum() == 5


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file"),
        ("title: [", "not readable as YAML"),
        ("title: a\ntitle: b\ntables: []", "is used twice"),
        ("title: a\ntables: [{id: T, rows: [{label: x, kind: meens}]}]", "'meens' is not allowed"),
        ("title: a\ntables: [{id: T, rows: [{label: x, kind: same, valus: [1]}]}]", "values"),
    ],
)
def test_command_refuses_in_one_line(tmp_path, capsys, content, text):
    path = tmp_path / "audit.yaml"
    if content is not None:
        path.write_text(content)
    assert main(["audit", str(path)]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


MEANS = {"label": "x", "kind": "means", "values": ["1 ± 2", "3 ± 4"]}
COUNTS = {"label": "x", "kind": "counts"}


@pytest.mark.parametrize(
    ("table", "row", "status", "text"),
    [
        ({}, MEANS, "unreadable", "no 'n'"),
        ({"n": ["3", "5"]}, {**MEANS, "values": ["1 ± 2", "a"]}, "unreadable", "'a' is not 'mean"),
        ({"n": ["3"]}, MEANS, "impossible", "2 groups but 1 sizes"),
        ({"n": ["14-12", "5"]}, MEANS, "unreadable", "'14-12' is no whole number"),
        ({"n": ["14", "5*"]}, MEANS, "unreadable", "n: cannot read"),
        ({"n": ["9", "9"]}, {**MEANS, "p": "n.s."}, "unreadable", "p: cannot read 'n.s.'"),
        ({"n": ["9", "9"]}, {**MEANS, "values": "1 ± 2"}, "unreadable", "values: cannot read"),
        (
            {"n": ["9", "9", "9"]},
            {**MEANS, "values": ["1 ± 2", "3 ± 4", "5 ± 6"], "tests": ["student"]},
            "unreadable",
            "a t test compares two groups, not 3",
        ),
        (
            {"n": ["2", "2"]},
            {**MEANS, "tests": ["ancova"], "covariates": "3"},
            "unreadable",
            "4 people are too few for 3 covariates",
        ),
        (
            {"n": ["3", "1"]},
            {**COUNTS, "values": ["9", "1"]},
            "impossible",
            "larger than its group",
        ),
        ({"n": ["0", "9"]}, {**COUNTS, "values": ["0", "1"]}, "impossible", "has nobody in it"),
        ({"n": ["9", "9"]}, {**COUNTS, "values": ["1", "2", "3"]}, "impossible", "3 groups but 2"),
        ({"n": ["3-9", "9"]}, {**COUNTS, "values": ["0", "1"]}, "unreadable", "needs sizes, not a"),
        (
            {"n": ["44", "50"]},
            {**COUNTS, "values": ["15/46", "9/50"]},
            "impossible",
            "of 46 people",
        ),
        ({}, {**COUNTS, "values": ["47/46", "9/50"]}, "impossible", "more than there are"),
        (
            {},
            {**COUNTS, "levels": {"a": ["1", "2"], "b": ["1", "2", "3"]}},
            "impossible",
            "the levels have different numbers of cells",
        ),
        (
            {"n": ["9", "9"]},
            {**MEANS, "values": ["12 [15, 9]", "11 [8, 14]"]},
            "impossible",
            "in 12 [15, 9] the lower limit is above the upper",
        ),
        (
            {},
            {
                **{"label": "x", "kind": "statistic", "p": "0.05", "df": "96"},
                "statistic": {"name": "F", "value": "3.1"},
            },
            "unreadable",
            "F does not have 1 degrees of freedom",
        ),
        ({}, {"label": "x", "kind": "correlation", "r": "0.3"}, "unreadable", "needs p"),
        (
            {},
            {"label": "x", "kind": "correlation", "r": "1.3", "n": "20", "p": "0.1"},
            "impossible",
            "between -1 and 1",
        ),
        (
            {},
            {"label": "x", "kind": "ratio", "estimate": "3.1", "interval": ["1.1", "2.9"]},
            "impossible",
            "the estimate is outside its interval",
        ),
    ],
)
def test_a_bad_row_is_a_finding_and_the_others_are_judged(
    tmp_path, capsys, table, row, status, text
):
    good = {"label": "good", "kind": "statistic", "statistic": {"name": "t", "value": "2.00"}}
    rows = [row, {**good, "df": "96", "p": "0.048"}]
    path = tmp_path / "audit.yaml"
    path.write_text(yaml.safe_dump({"title": "a", "tables": [{"id": "T", **table, "rows": rows}]}))
    assert main(["audit", str(path), "--out", str(tmp_path / "found.tsv")]) == 0
    capsys.readouterr()
    found = read_tsv(tmp_path / "found.tsv")
    assert text in found["finding"].iloc[0]
    assert found["status"].tolist() == [status, "consistent"]


def test_a_bad_contrast_leaves_its_row():
    row = {**MEANS, "values": ["1 ± 2", "3 ± 4", "5 ± 6"], "n": ["9", "9", "9"]}
    row |= {"groups": ["a", "b", "c"], "contrasts": [{"pair": ["a", "d"], "p": "0.1"}]}
    found = audit({"tables": [{"id": "T", "rows": [row]}]})
    assert found["status"].tolist() == ["consistent", "unreadable"]
    assert "'d' is none of the groups" in found["finding"].iloc[1]


def test_every_number_of_the_shipped_files_is_text():
    for path in AUDITS.glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["title"]
        assert load_audit(path)["tables"]
    with pytest.raises(InputFault):
        load_audit(AUDITS / "nothing.yaml")
