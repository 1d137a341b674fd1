"""Tables as the workflow makes them: an analysis is run, written, read again and printed."""

from glymflow.io import read_tsv, write_tsv
from glymflow.stats.analyses import run_analysis
from glymflow.tables.planned import RENDERERS, planned_table

VARIABLES = {
    "age": {"type": "continuous", "label": "Age", "unit": "years"},
    "alps": {"type": "continuous", "label": "ALPS index", "column": "alps_mean"},
    "nihss": {"type": "continuous", "label": "NIHSS"},
    "side": {"type": "categorical", "label": "Side", "levels": ["left", "right"]},
    "site": {
        "type": "categorical",
        "label": "Location",
        "levels": ["deep", "lobar", "infra"],
        "labels": {"infra": "Infratentorial"},
    },
    "good": {
        "type": "categorical",
        "label": "Outcome",
        "levels": ["0", "1"],
        "labels": {"1": "mRS 0-2"},
        "event": "1",
    },
    "flat": {"type": "continuous", "label": "Flat <&_%>"},
}


def make(table, tmp_path, kind, specifications=None, printed=(), **analysis):
    """Run, write, read and print, as the workflow does."""
    analysis = {"id": "one", "kind": kind, **analysis}
    plan = {"variables": VARIABLES, "seed": 1, "session": "all", "analyses": [analysis]}
    if specifications:
        plan["analyses"].insert(0, specifications[1])
    results, _ = run_analysis(table, plan, analysis, specifications and specifications[0])
    write_tsv(results, tmp_path / "one.tsv")
    results = read_tsv(tmp_path / "one.tsv", text=("group", "level"))
    made = planned_table(results, plan, {"id": "t", "analysis": "one", **dict(printed)})
    for render in RENDERERS.values():
        assert render(made)
    assert all(len(cells) == len(made.columns) - 1 for _, _, _, cells in made.rows)
    return made, results


def labels(made):
    return [label for _, label, _, _ in made.rows]


def cells_of(made, label):
    return next(cells for _, text, _, cells in made.rows if text == label)


def notes(made):
    return " ".join(text for _, text in made.footnotes)
