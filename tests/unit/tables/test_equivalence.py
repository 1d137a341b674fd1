"""Footnotes of equivalence under tables of groups and of pairs."""

from printed_tables import make, notes


def test_groups(table, tmp_path):
    groups = {"column": "side", "order": ["left", "right"]}
    made, results = make(
        table, tmp_path, "compare_groups", variables=["alps", "nihss"], groups=groups,
        equivalence={"alps": [-0.1, 0.1]},
    )  # fmt: skip
    row = results[results["row"] == "equivalence"].iloc[0]
    assert "ALPS index, equivalence within −0.1 to 0.1 (two one-sided t tests): p" in notes(made)
    assert f"90% CI {row['estimate_low']:.4f} to".replace("-", "−") in notes(made)


def test_three_groups_are_told(table, tmp_path):
    groups = {"column": "site", "order": ["deep", "lobar", "infra"]}
    known = {"variables": ["alps"], "groups": groups, "equivalence": {"alps": [-0.1, 0.1]}}
    made, _ = make(table, tmp_path, "compare_groups", **known)
    assert "ALPS index: no test of equivalence: it is for two groups." in notes(made)
