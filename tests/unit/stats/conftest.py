"""Published data that several tests of statistics use."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

# Heinze and Schemper's endometrial cancer data (brglm2::endometrial): NV, PI, EH, HG
ENDOMETRIAL = """
0 13 1.64 0   0 16 2.26 0   0 8 3.14 0   0 34 2.68 0   0 20 1.28 0   0 5 2.31 0   0 17 1.8 0
0 10 1.68 0   0 26 1.56 0   0 17 2.31 0   0 8 2.01 0   0 7 1.89 0   0 20 3.15 0   0 10 1.23 0
0 18 1.27 0   0 16 1.76 0   0 18 2 0   0 8 2.64 1   0 29 0.88 1   0 12 1.27 1   0 20 1.37 1
1 38 0.97 1   1 22 1.14 1   1 7 0.88 1   1 25 0.91 1   1 15 0.58 1   0 7 0.97 1   0 28 1.5 0
0 11 1.33 0   0 19 2.37 0   0 10 1.82 0   0 10 3.13 0   0 18 1.31 0   0 14 1.92 0   0 21 1.64 0
0 11 2.01 0   0 17 1.88 0   0 25 1.93 0   0 16 2.11 0   0 19 1.29 0   0 15 1.72 0   0 33 0.75 0
0 24 1.92 0   0 48 1.84 1   0 12 1.11 1   0 19 1.61 1   0 2 1.18 1   1 22 1.44 1   1 40 1.18 1
1 5 0.93 1   1 0 1.17 1   0 21 1.19 1   0 15 1.06 1   0 29 2.02 0   0 15 2.29 0   0 12 2.33 0
0 3 2.9 0   0 20 1.7 0   0 23 1.41 0   0 12 2.25 0   0 22 1.54 0   0 42 1.97 0   0 15 1.75 0
0 13 2.16 0   0 14 2.57 0   0 19 1.37 0   0 12 3.61 0   0 13 2.04 0   0 10 2.17 0   0 12 1.69 1
1 49 0.27 1   0 6 1.84 1   0 5 1.3 1   0 17 0.96 1   1 11 1.01 1   1 21 0.98 1   0 5 0.35 1
1 19 1.02 1   0 33 0.85 1
"""


@pytest.fixture(scope="session")
def endometrial():
    numbers = np.array(ENDOMETRIAL.split(), float).reshape(-1, 4)
    return numbers[:, :3], numbers[:, 3]


@pytest.fixture(scope="session")
def spector():
    import statsmodels.api as sm

    return sm.datasets.spector.load_pandas().data


@pytest.fixture(scope="session")
def cohort():
    """The data frame `d` of r/kinds.R: the same numbers by the same formulas."""
    i = np.arange(1, 121)
    u, v, w = (((i * a) % b + 0.5) / b for a, b in ((7919, 1009), (104729, 2003), (1299709, 4001)))
    table = pd.DataFrame({"participant_id": [f"sub-{number:03d}" for number in i]})
    table["age"] = 50.0 + (7 * i) % 31
    table["group"] = np.array(["HC", "aMCI", "AD"])[i % 3]
    table["sex"] = np.where((5 * i) % 7 < 3, "F", "M")
    table["volume"] = 1000.0 + (37 * i) % 401
    table["alps"] = 1.7 - table["age"] / 200 - 0.08 * (table["group"] == "AD")
    table["alps"] += 0.12 * stats.norm.ppf(u)
    shift = -4 * table["alps"] + 0.03 * table["age"] + stats.logistic.ppf(v)
    table["mrs"] = np.digitize(shift, [-5, -4, -3, -2], right=True)
    rate = np.exp(0.2 + 0.03 * table["age"] - 0.4 * (table["sex"] == "F"))
    table["count"] = stats.poisson.ppf(w, rate * np.exp(0.5 * stats.norm.ppf(v)))
    return table


@pytest.fixture(scope="session")
def cohort_variables():
    return {
        **{name: {"type": "continuous"} for name in ("age", "alps", "volume", "count")},
        "group": {"type": "categorical", "levels": ["HC", "aMCI", "AD"]},
        "sex": {"type": "categorical", "levels": ["M", "F"]},
        "mrs": {"type": "categorical", "levels": ["0", "1", "2", "3", "4"]},
    }


@pytest.fixture(scope="session")
def longitudinal():
    """The data frame `l` of r/kinds.R: three sessions of 48 participants at 6 sites."""
    j, s = np.repeat(np.arange(1, 49), 3), np.tile([0, 1, 2], 48)
    u, v = ((j * 7919) % 1009 + 0.5) / 1009, (((3 * j + s) * 104729) % 2003 + 0.5) / 2003
    table = pd.DataFrame({"participant_id": [f"sub-{number:02d}" for number in j]})
    table["session_id"] = [f"ses-{number + 1}" for number in s]
    table["time"], table["age"] = s + 0.1 * ((j * 3 + s) % 5), 50.0 + (7 * j) % 31
    site, case = (j - 1) // 8, j % 2 == 0
    table["site"], table["group"] = np.array(list("abcdef"))[site], np.where(case, "AD", "HC")
    table["grade"] = np.array(["none", "mild", "many"])[j // 2 % 3]
    table["alps"] = 1.6 - table["age"] / 300 - 0.05 * case - 0.02 * (1 + case) * table["time"]
    table["alps"] += 0.1 * stats.norm.ppf(u) + 0.05 * stats.norm.ppf(v)
    table["alps"] += 0.03 * (((site + 1) * 5) % 6 - 2.5)
    lost = ((j % 7 == 0) & (s == 2)) | ((j % 11 == 0) & (s >= 1))
    return table[~lost].reset_index(drop=True)


@pytest.fixture(scope="session")
def longitudinal_variables():
    return {
        **{name: {"type": "continuous"} for name in ("age", "alps", "time")},
        "group": {"type": "categorical", "levels": ["HC", "AD"]},
        "grade": {"type": "categorical", "levels": ["none", "mild", "many"]},
    }
