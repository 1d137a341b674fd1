"""The made-up cohort that the tests of printed tables share."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(12)
    n = 80
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n)],
            "session_id": None,
            "age": rng.normal(60, 10, n),
            "nihss": rng.poisson(6, n).astype(float),
            "side": rng.choice(["left", "right"], n),
            "site": rng.choice(["deep", "lobar", "infra"], n),
            "flat": 1.0,
            "qc_status": "pass",
            "roi_set": "one",
            "frame": "scanner",
            "source": "x",
        }
    )
    table["alps_mean"] = 1.5 - table["age"] / 200 + rng.normal(0, 0.1, n)
    score = 4 * (table["alps_mean"] - 1.2) - table["nihss"] / 4 + 1.5 + rng.logistic(size=n)
    table["good"] = (score > 0).astype(int)
    table.loc[3, "age"] = np.nan
    return table
