"""``glymflow harmonise``."""

import numpy as np
import pandas as pd
import pytest

from glymflow.cli import main
from glymflow.io import read_tsv, write_tsv


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(2)
    site = np.repeat(["01", "02"], 30)
    table = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(60)], "site": site})
    table["group"] = ["a", "b"] * 30
    table["version"] = "1.10"
    table["alps"] = 1.4 + 0.3 * (site == "02") + rng.normal(0, 0.1, 60)
    write_tsv(table, tmp_path / "table.tsv")
    return tmp_path / "table.tsv"


def command(path, *more, measures=("alps",)):
    out = str(path.with_name("out.tsv"))
    arguments = ["harmonise", str(path), "--site", "site", "--out", out]
    return main([*arguments, "--measures", *measures, *more])


def test_the_table_is_written_with_the_measures_replaced(path, capsys):
    figure, effects = path.with_name("f.png"), path.with_name("effects.tsv")
    more = ["--group", "group", "--figure", str(figure), "--effects", str(effects)]
    assert command(path, *more) == 0
    assert "alps: sites differ with p = " in capsys.readouterr().out
    found = read_tsv(path.with_name("out.tsv"), text=("site", "version"))
    means = found.groupby("site")["alps"].mean()
    assert means["01"] == pytest.approx(means["02"], abs=1e-9)
    assert set(found["version"]) == {"1.10"}
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert len(read_tsv(effects)) == 3


@pytest.mark.parametrize(
    ("more", "measures", "text"),
    [
        (["--protect", "age"], ("alps",), "no column 'age'"),
        ([], ("group",), "group: 'a' is not a number"),
        (["--group", "site"], ("alps",), "all 30 members of site '01' are in group '01'"),
    ],
)
def test_refused_in_one_line(path, capsys, more, measures, text):
    assert command(path, *more, measures=measures) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
