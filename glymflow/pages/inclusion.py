"""Flow of inclusion on the cohort's page: who came in, was left out, measured, and is analysed."""

MOST_NAMES = 10
MEASURED = ("pass", "warn", "fail")


def inclusion_steps(rows, excluded, flow=None):
    """Return the steps from the cohort to the statistics.

    Parameters
    ----------
    rows : list of dict
        Of the table of subjects: `participant` and `status`.
    excluded : DataFrame
        ``excluded.tsv`` without what is merely absent: `participant_id`, `reason`.
    flow : DataFrame, optional
        ``stats/flow.tsv`` of a study plan (`glymflow.study.selection.FLOW_COLUMNS`).

    Returns
    -------
    list of dict
        `name`, `count`, `lost`: list of dict (`count`, `reason`, `names`: of up to ten, else "").
    """
    ranks = {}
    for row in rows:
        ranks.setdefault(row["participant"], set()).add(row["status"])
    measured = {who for who, statuses in ranks.items() if statuses & set(MEASURED)}
    passed = {who for who in measured if ranks[who] & {"pass", "warn"}}
    steps = [
        _step("subjects", len(ranks), _by_reason(excluded)),
        _step("measured", len(measured), _named("quality control: fail", measured - passed)),
        _step("with a scan that passed or warns", len(passed), []),
    ]
    return steps + ([] if flow is None else _of_plan(flow))


def _step(name, count, lost):
    return {"name": name, "count": count, "lost": lost}


def _by_reason(excluded):
    known = excluded.dropna(subset=["participant_id", "reason"])
    groups = known.groupby("reason", sort=True)["participant_id"].unique()
    lost = [line for reason, names in groups.items() for line in _named(reason, names)]
    return sorted(lost, key=lambda line: -line["count"])


def _named(reason, names):
    names = sorted(names)
    listed = ", ".join(names) if len(names) <= MOST_NAMES else ""
    return [{"count": len(names), "reason": reason, "names": listed}] if names else []


def _of_plan(flow):
    """Return the plan's own steps: rows that it leaves out, and who is in the statistics."""
    plan = flow[flow["analysis"] == "plan"]
    together = plan[plan["group"].astype(str) == "all"]
    if together.empty:
        return []
    lost = [
        {"count": int(row["excluded"]), "reason": _criterion(row), "names": ""}
        for row in together.to_dict("records")
        if row["excluded"] > 0
    ]
    last = together.iloc[-1]
    of_groups = plan[(plan["step"] == last["step"]) & (plan["criterion"] == last["criterion"])]
    groups = [f"{r.group} {int(r.left)}" for r in of_groups.itertuples() if str(r.group) != "all"]
    name = "rows in the statistics" + (f" ({', '.join(groups)})" if groups else "")
    first = together.iloc[0]
    return [_step(str(first["criterion"]), int(first["left"]), lost),
            _step(name, int(last["left"]), [])]  # fmt: skip


def _criterion(row):
    return row["criterion"] if row["step"] == "exclude" else f"not: {row['criterion']}"
