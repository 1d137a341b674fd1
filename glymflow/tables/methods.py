"""The statistical methods of a study as a paragraph: what was done, by the results themselves.

Each sentence comes from the plan or from the results (the tests that were actually used), so that
a change of either changes the paragraph.
"""

import importlib.metadata
import platform

from glymflow.tables import change, count_regression, mixed_model, ordinal_regression

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib")
KINDS = {
    "compare_groups": "Groups were compared",
    "compare_by_factors": "Values were compared between the levels of each factor",
    "compare_paired": "Pairs of measurements were compared",
    "correlate": "Correlations were computed",
    "describe": "Values were described",
    "linear_regression": "Linear regressions were fitted",
    "logistic_regression": "Logistic regressions were fitted",
    "change": "Sessions were compared",
    "mixed_model": "Linear mixed models were fitted",
    "ordinal_regression": "Ordinal logistic regressions were fitted",
    "count_regression": "Counts were modelled",
    "mediation": "Mediation was analysed",
    "roc": "Discrimination was described by receiver operating characteristic curves",
    "agreement": "Agreement was assessed",
    "sensitivity": "The analysis was repeated under other choices",
    "power": "Power and sample size were computed",
}

# kind of analysis: what is said of it beside its tests
NOTES = {
    "change": change.methods_note,
    "mixed_model": mixed_model.methods_note,
    "ordinal_regression": ordinal_regression.methods_note,
    "count_regression": count_regression.methods_note,
}


def methods_text(plan, results, flow, caveats=()):
    """Write the paragraph.

    Parameters
    ----------
    plan : dict
        From `glymflow.study.plan.load_plan`.
    results : dict of str to DataFrame
        The results by id of the analysis.
    flow : DataFrame
        Who was left out and why (flow.tsv).
    caveats : iterable of str
        What has to be said of the measures in the plan (`glymflow.study.plan.plan_caveats`).

    Returns
    -------
    str
        Paragraphs: participants, analyses, software.
    """
    parts = [_participants(flow)]
    parts += [_analysis(plan, item, results[item["id"]]) for item in plan["analyses"]]
    parts += [_family(family) for family in plan.get("families", [])]
    parts.append(_transforms(plan))
    parts.append(_software(plan))
    parts[1:1] = caveats
    return "\n\n".join(part for part in parts if part) + "\n"


def _participants(flow):
    rows = flow[(flow["analysis"] == "plan") & (flow["group"] == "all")]
    steps = [
        f"{int(row['excluded'])} were left out ({row['criterion']})"
        for _, row in rows.iterrows()
        if row["step"] != "cohort" and row["excluded"] > 0
    ]
    emptied = rows[
        rows["criterion"].astype(str).str.startswith("values of ") & (rows["missing"] > 0)
    ]
    first, last = int(rows["left"].iloc[0]), int(rows["left"].iloc[-1])
    text = (
        f"Of {first} rows of the cohort table, {'; '.join(steps) or 'none was left out at first'};"
    )
    text += f" {last} went on to the analyses, some of which leave out more (flow.tsv counts them)."
    for row in emptied.itertuples():
        what, _, rule = row.criterion.partition(": ")
        text += f" At quality control {int(row.missing)} had no usable {what} ({rule})."
    start = str(rows["criterion"].iloc[0])
    return text + (f" {start.partition(': ')[2]}" if ": " in start else "")


def _analysis(plan, analysis, table):
    """Name the tests that an analysis used, its covariates, correction and normality tests."""
    wanted = ["test", "alternative", "post_hoc", "within"]
    if "test" not in table and (table["row"] == "summary").all():
        return f"{KINDS.get(analysis['kind'], analysis['kind'])} ({analysis['id']}) without a test."
    used = _used(table, "test", table["row"].isin(wanted)) if "test" in table else []
    if not used:
        return f"{analysis['id']}: no test could be made."
    text = f"{KINDS.get(analysis['kind'], analysis['kind'])} ({analysis['id']}): {listed(used)}"
    labels = plan["variables"]
    if analysis.get("covariates"):
        names = [labels[name].get("label", name) for name in analysis["covariates"]]
        text += f", with {listed(names)} as covariates"
    text += "."
    if analysis.get("outcome_se"):
        text += f" Values were weighted by 1 / (tau² + SE²), with {analysis['outcome_se']} as SE"
        text += " and tau² as the residual variance beyond measurement error (method of moments,"
        text += " DerSimonian and Laird); intervals and tests are those of Knapp and Hartung."
    note = NOTES.get(analysis["kind"])
    text += f" {note(table, analysis, labels)}" if note else ""
    normality = _used(table, "normality_test", slice(None)) if "normality_test" in table else []
    if normality and analysis.get("choice", analysis.get("method", "auto")) == "auto":
        text += f" Normality was judged by {listed(normality)}"
        text += f" at the level {analysis.get('normality_alpha', 0.05):g}."
    if analysis.get("correction", "none") != "none":
        text += f" The p values were adjusted by {analysis['correction']}."
    draws = table["n_bootstrap"].dropna() if "n_bootstrap" in table else []
    return text + (f" {int(max(draws))} bootstrap resamples were drawn." if len(draws) else "")


def _used(table, column, rows):
    return [str(text) for text in dict.fromkeys(table.loc[rows, column].dropna())]


def _family(family):
    names = listed(family["analyses"])
    return f"The p values of {names} were adjusted together by {family['method']}."


def _transforms(plan):
    """Name the variables that are transformed; their labels say how."""
    names = [entry["label"] for entry in plan["variables"].values() if entry.get("transform")]
    return f"Transformed variables: {listed(names)}." if names else ""


def _software(plan):
    from glymflow import __version__

    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return (
        "All tests were two-sided; intervals are 95% confidence intervals unless stated otherwise."
        f" Random numbers started from the seed {plan['seed']}. Analyses were made with glymflow"
        f" {__version__} on Python {platform.python_version()} ({', '.join(versions)})."
    )


def listed(texts):
    """Return texts as a list in a sentence: a, b and c."""
    texts = list(texts)
    if any("," in text or ";" in text for text in texts):
        return "; ".join(texts)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
