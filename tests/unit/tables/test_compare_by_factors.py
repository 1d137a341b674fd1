"""The table of comparisons by factors: yes, no, p; a factor of three levels has a row for each."""

from printed_tables import labels, make, notes


def test_blocks_and_rows(table, tmp_path):
    made, _ = make(
        table, tmp_path, "compare_by_factors", variables=["age", "alps"],
        factors=["good", "side", "site"], choice="parametric", normality="none",
    )  # fmt: skip
    assert made.columns == ["Characteristic", "Value", "p"]
    block = ["Outcome", "0", "mRS 0-2", "Side", "left", "right"]
    block += ["Location", "deep", "lobar", "Infratentorial"]
    assert labels(made) == ["Age, years", *block, "ALPS index", *block]
    assert [indent for indent, *_ in made.rows[:11]] == [0, 1, 2, 2, 1, 2, 2, 1, 2, 2, 2]
    good = table.dropna(subset="age").groupby("good")["age"].agg(["mean", "std"])
    yes, no = (f"{good['mean'][k]:.1f} ± {good['std'][k]:.1f}" for k in (1, 0))
    assert [made.rows[place][3][0] for place in (1, 2, 3)] == ["", no, yes]
    assert made.rows[1][3][1] not in ("", "n/a")
    assert made.rows[3][3][1:] == [""]  # a level: its value and no test
    site = table.dropna(subset="age").groupby("site")["age"].mean()
    for row, level in zip(made.rows[8:11], ("deep", "lobar", "infra"), strict=True):
        assert row[3][0].startswith(f"{site[level]:.1f} ± ")
    assert "Values are mean ± SD." in notes(made)


def test_yes_and_no_of_factors_of_two_levels(table, tmp_path):
    made, _ = make(
        table, tmp_path, "compare_by_factors", variables=["age"], factors=["good", "side"],
        choice="parametric", normality="none",
    )  # fmt: skip
    assert made.columns == ["Characteristic", "Yes", "No", "p"]
    assert labels(made) == ["Age, years", "mRS 0-2", "Side: right"]
    good = table.dropna(subset="age").groupby("good")["age"].agg(["mean", "std"])
    yes, no = (f"{good['mean'][k]:.1f} ± {good['std'][k]:.1f}" for k in (1, 0))
    assert made.rows[1][3][:2] == [yes, no]


def test_ranks_are_medians(table, tmp_path):
    made, _ = make(
        table, tmp_path, "compare_by_factors", variables=["nihss"], factors=["side"], choice="rank",
        normality="none",
    )  # fmt: skip
    assert "[" in made.rows[1][3][0]
    assert "median [Q1, Q3]" in notes(made)


def test_nothing_is_printed_of_what_could_not_be_computed(table, tmp_path):
    made, _ = make(
        table.assign(age="x"), tmp_path, "compare_by_factors", variables=["age"], factors=["side"]
    )
    assert set(made.rows[1][3]) == {"n/a"}
    assert "Age by Side" in notes(made)
