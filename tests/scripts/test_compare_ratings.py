"""scripts/compare_ratings.py: ratings side by side, kappa of two readers."""

import pandas as pd
import pytest

from glymflow.io import read_tsv, write_tsv

# R: psych::cohen.kappa(cbind(a, b))$kappa with a and b as codes of accept, unsure, exclude
KAPPA = 0.6
FIRST = ["accept"] * 6 + ["exclude"] * 4
SECOND = ["accept"] * 6 + ["exclude", "exclude", "unsure", "accept"]


@pytest.fixture
def compare(load_main, tmp_path):
    names = [f"sub-{number:02}" for number in range(10)]
    alps = pd.DataFrame(
        {"participant_id": names, "session_id": None, "source": names, "alps_mean": 1.4}
    )
    write_tsv(alps, tmp_path / "alps.tsv")

    def run(**raters):
        paths = []
        for rater, found in raters.items():
            paths.append(tmp_path / f"{rater}.tsv")
            write_tsv(pd.DataFrame({"series": names, "rater": rater, "rating": found}), paths[-1])
        outputs = {key: tmp_path / f"{key}.tsv" for key in ("table", "agreement")}
        load_main("compare_ratings")(ratings=paths, alps=tmp_path / "alps.tsv", **outputs)
        return (read_tsv(path) for path in outputs.values())

    return run


def test_two_readers(compare, capsys):
    table, agreement = compare(A=FIRST, B=SECOND)
    assert (table.agreement == "no").sum() == 2
    assert "20 ratings, 2 series to reconcile" in capsys.readouterr().out
    kappa = agreement.iloc[0]
    assert (kappa.test, kappa.n) == ("Cohen's kappa", 10)
    assert kappa.estimate == pytest.approx(KAPPA, abs=1e-7)
    assert agreement.estimate[1] == 80


def test_one_reader_has_nobody_to_agree_with(compare):
    table, agreement = compare(A=FIRST)
    assert table.agreement.isna().all()
    assert agreement.empty
