"""The statistical methods of a study as a paragraph: what was done, by the results themselves.

Each sentence comes from the plan or from the results (the tests that were actually used), so that
a change of either changes the paragraph.
"""

import importlib.metadata
import platform

from glymflow.tables import (
    change,
    count_regression,
    factorial_anova,
    mixed_model,
    ordinal_regression,
)
from glymflow.tables.cells import TESTS, label_of
from glymflow.tables.products import terms_note
from glymflow.text import counted

PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "matplotlib")
KINDS = {
    "compare_groups": "Groups were compared",
    "compare_by_factors": "Values were compared between the levels of each factor",
    "compare_paired": "Pairs of measurements were compared",
    "correlate": "Correlations were computed",
    "describe": "Values were described",
    "linear_regression": "Linear regressions were fitted",
    "logistic_regression": "Logistic regressions were fitted",
    "compare_repeated": "Repeated measurements were compared",
    "factorial_anova": "Factors were tested by analysis of variance",
    "change": "Sessions were compared",
    "mixed_model": "Linear mixed models were fitted",
    "ordinal_regression": "Ordinal logistic regressions were fitted",
    "count_regression": "Counts were modelled",
    "mediation": "Mediation was analysed",
    "roc": "Discrimination was described by receiver operating characteristic curves",
    "agreement": "Agreement was assessed",
    "sensitivity": "An analysis was repeated under other choices",
    "power": "Power and sample size were computed",
}

# how the results call a test: how a sentence does; others as in `glymflow.tables.cells.TESTS`
NAMES = {
    "Dunn": "Dunn's test",
    "Tukey": "Tukey's test",
    "Games-Howell": "the Games-Howell test",
    "t, pooled SD": "t tests with the SD of all groups",
    "t, adjusted means": "t tests of the adjusted means",
    "Tukey, adjusted means": "Tukey's test of the adjusted means",
    "Wald test, maximum likelihood": "maximum likelihood with Wald tests",
    "likelihood ratio test, maximum likelihood, all levels": (
        "likelihood ratio tests of predictors with several levels"
    ),
    "penalised likelihood ratio test, Firth's": (
        "Firth's penalised likelihood with profile likelihood ratio tests"
    ),
    "penalised likelihood ratio test, Firth's, all levels": (
        "penalised likelihood ratio tests of predictors with several levels"
    ),
    "Mann-Whitney U test; DeLong's interval": (
        "areas under the curve with DeLong's intervals, tested by the Mann-Whitney U test"
    ),
    "likelihood ratio test of the model; DeLong's interval": (
        "areas of combined markers tested by the likelihood ratio test of their logistic model"
    ),
    "penalised likelihood ratio test of the model; DeLong's interval": (
        "areas of combined markers tested by the penalised likelihood ratio test of their logistic"
        " model (Firth's)"
    ),
    "bootstrap of participants (BCa interval)": (
        "a bootstrap of participants with bias-corrected and accelerated (BCa) intervals"
    ),
    "bootstrap of participants (percentile interval)": (
        "a bootstrap of participants with percentile intervals"
    ),
    **{
        f"ICC({form})": f"intraclass correlation, ICC({form})"
        for form in ("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")
    },
}
NORMALITY = {
    "Shapiro-Wilk": "the Shapiro-Wilk test",
    "Kolmogorov-Smirnov, Lilliefors": "the Kolmogorov-Smirnov test with Lilliefors' correction",
}
ADJUSTED = {
    "bonferroni": "Bonferroni's method",
    "holm": "Holm's method",
    "fdr_bh": "Benjamini and Hochberg's method (false discovery rate)",
}


def _terms(results, analysis, variables):
    return terms_note(analysis, variables)


# kind of analysis: what is said of it beside its tests
NOTES = {
    "change": change.methods_note,
    "factorial_anova": factorial_anova.methods_note,
    "linear_regression": _terms,
    "logistic_regression": _terms,
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
        Paragraphs: participants, analyses, software. No sentence is written twice: analyses that
        were made alike share one, and what several have in common names them at the end.
    """
    said = {item["id"]: _analysis(plan, item, results[item["id"]]) for item in plan["analyses"]}
    parts = [_participants(flow), *caveats, *_shared(said)]
    parts += [_family(family) for family in plan.get("families", [])]
    parts += [_curves(plan), _transforms(plan), _software(plan)]
    return "\n\n".join(part for part in parts if part) + "\n"


# step of the flow: what is said of those whom it left out
STEPS = {
    "session": "{} in other sessions ({})",
    "groups": "{} in none of the groups ({})",
    "qc": "{} by quality control (kept: {})",
    "include": "{} who did not meet: {}",
    "exclude": "{} who met: {}",
}


def _participants(flow):
    rows = flow[(flow["analysis"] == "plan") & (flow["group"] == "all")]
    steps = []
    for row in rows[rows["excluded"] > 0].to_dict("records"):
        text = STEPS[row["step"]].format(int(row["excluded"]), row["criterion"])
        unknown = int(row["missing"]) if row["step"] != "exclude" else 0
        steps.append(text + (f", {unknown} of them for a missing value" if unknown else ""))
    emptied = rows[
        rows["criterion"].astype(str).str.startswith("values of ") & (rows["missing"] > 0)
    ]
    first, last = int(rows["left"].iloc[0]), int(rows["left"].iloc[-1])
    text = f"Of {counted(first, 'row')} of the cohort table, "
    text += f"these were left out: {'; '.join(steps)}." if steps else "none was left out at first."
    text += f" {last} went on to the analyses"
    text += ", some of which leave out more (flow.tsv counts them)."
    for row in emptied.itertuples():
        what, _, rule = row.criterion.partition(": ")
        text += f" At quality control {int(row.missing)} had no usable {what} ({rule})."
    start = str(rows["criterion"].iloc[0])
    return text + (f" {start.partition(': ')[2]}" if ": " in start else "")


def _shared(said):
    """Put together what was said of each analysis: (what was done, with `{}` for ids; the rest)."""
    alike = {}
    for name, (done, rest) in said.items():
        alike.setdefault((done, tuple(rest)), []).append(name)
    of = {}
    for (_, rest), names in alike.items():
        for sentence in rest:
            of.setdefault(sentence, []).extend(names)
    several = {text: names for text, names in of.items() if not set(names) <= _alone(names, alike)}
    parts = []
    for (done, rest), names in alike.items():
        own = [text for text in rest if text not in several]
        parts.append(" ".join([done.replace("{}", ", ".join(names)), *own]))
    last = [f"{text.removesuffix('.')} ({', '.join(names)})." for text, names in several.items()]
    return [*parts, " ".join(last)]


def _alone(names, alike):
    """Return the ids of the one paragraph that holds all these names; none if there are several."""
    holding = [set(found) for found in alike.values() if set(found) & set(names)]
    return holding[0] if len(holding) == 1 else set()


def _analysis(plan, analysis, table):
    """Say what an analysis did (with `{}` for its id), and the sentences on how."""
    kind, variables = analysis["kind"], plan["variables"]
    done = KINDS.get(kind, kind) + " ({})"
    if kind in OWN:
        return OWN[kind](done, analysis, table)
    if "test" not in table and (table["row"] == "summary").all():
        return f"{done} without a test.", []
    used = _used(table, "test", table["row"].isin(["test", "alternative"]))
    if not used:
        return "{}: no test could be made.", []
    rest = []
    if analysis.get("covariates"):
        names = [label_of(name, variables) for name in analysis["covariates"]]
        word = "covariate" if len(names) == 1 else "covariates"
        done += f", with {listed(names)} as {word}"
    text = f"{done}: {listed(map(_method, used))}."
    if analysis.get("outcome_se"):
        rest.append(
            f"Values were weighted by 1 / (tau² + SE²), with {analysis['outcome_se']} as SE"
            " and tau² as the residual variance beyond measurement error (method of moments,"
            " DerSimonian and Laird); intervals and tests are those of Knapp and Hartung."
        )
    note = NOTES.get(kind)
    said = note(table, analysis, variables) if note else ""
    rest += [said] if said else []
    rest += (
        _normality(analysis, table)
        + _pairs(analysis, table)
        + MORE.get(kind, _nothing)(analysis, table)
    )
    if analysis.get("correction", "none") != "none":
        rest.append(f"The p values were adjusted by {ADJUSTED[analysis['correction']]}.")
    return text, rest


def _method(test):
    """Return a test's name in a sentence."""
    return NAMES.get(test, TESTS.get(test, test))


def _normality(analysis, table):
    if "normality_test" not in table:
        return []
    used = _used(table, "normality_test", slice(None))
    if not used or analysis.get("choice", analysis.get("method", "auto")) != "auto":
        return []
    level = analysis.get("normality_alpha", 0.05)
    names = listed(NORMALITY.get(name, name) for name in used)
    return [f"Parametric or rank tests were chosen by {names} at the level {level:g}."]


def _pairs(analysis, table):
    """Name the tests of pairs of groups, and how their p values were adjusted."""
    if "correction" not in table:
        return []
    rows = table[table["row"] == "post_hoc"]
    made = rows.loc[rows["test"].notna(), ["test", "correction"]].astype(object)
    made = made.where(made.notna(), "none").drop_duplicates()
    names = [
        _method(test) + (f", adjusted by {ADJUSTED[how]}" if how in ADJUSTED else "")
        for test, how in made.itertuples(index=False)
    ]
    what = "measurements" if "sets" in analysis else "groups"
    return [f"Pairs of {what} were compared by {listed(names)}."] if names else []


def _nothing(analysis, table):
    return []


def _logistic(analysis, table):
    """Name the tests of calibration."""
    rest = []
    fits = table[(table["row"] == "fit") & table["estimate"].notna()]
    corrected = _used(fits, "test", fits["test"].astype(str).str.startswith("corrected"))
    if corrected:
        resamples = corrected[0].partition(", ")[2]
        rest.append(
            f"Discrimination and calibration were corrected for optimism by {resamples} of"
            " participants."
        )
    if (table["test"] == "Hosmer-Lemeshow test").any():
        rest.append("Calibration was tested by the Hosmer-Lemeshow test.")
    return rest


def _mediation(analysis, table):
    draws = table["n_bootstrap"].dropna()
    return [f"{int(max(draws))} bootstrap resamples were drawn."] if len(draws) else []


def _roc(analysis, table):
    """Name the intervals, the cut-off, the cross-validation and the comparison of curves."""
    rest = []
    if (table["row"] == "cutoff").any():
        rest.append(
            "Cut-offs have the largest Youden index in the same data; intervals of sensitivity and"
            " specificity are Wilson's."
        )
    crossed = _used(table, "test", table["row"] == "cross-validated")
    rest += [f"Combined markers: {text}." for text in crossed]
    if (table["row"] == "comparison").any():
        rest.append("Areas were compared by DeLong's test of paired curves.")
    return rest


def _agreement(analysis, table):
    if not (table["row"] == "bias").any():
        return []
    return [
        "Bias and limits of agreement are those of Bland and Altman; the coefficient of variation"
        " within participants is the root mean square of SD / mean."
    ]


def _linear(analysis, table):
    used = _used(table, "test", table["row"] == "diagnostic")
    return [f"Residuals: {listed(used)}."] if used else []


def _power(done, analysis, table):
    """Say for which test, level and power a size was computed."""
    rows = table[table["estimate"].notna()]
    if rows.empty:
        return "{}: no size or power could be computed.", []
    test, alpha = _method(rows["test"].iloc[0]), float(rows["alpha"].iloc[0])
    text = f"{done} for {test}, two-sided at the level {alpha:g}"
    aimed = rows.loc[rows["row"] == "sample_size", "power"]
    text += f", aiming at a power of {float(aimed.iloc[0]):g}" if len(aimed) else ""
    effect = "given in the plan" if "effect" in analysis else "observed in these data"
    return f"{text}; the effect is the one {effect}.", []


def _sensitivity(done, analysis, table):
    """Say what was repeated, and how often."""
    made = table[table["row"] == "specification"]
    if made.empty:
        return f"{done}: no specification could be made.", []
    known = {"roi_set": "ROI set", "frame": "frame", "qc": "scans let in"}
    known |= {"covariates": "covariates", "harmonised": "harmonisation"}
    used = [name for name in known if name in made and made[name].notna().any()]
    several = made[used].drop_duplicates()
    varied = [known[name] for name in used if len(several[name].unique()) > 1] or ["scans let in"]
    text = f"{done} of {listed(varied)}: {analysis['of']} under"
    return f"{text} {counted(len(several), 'specification')}.", []


# kinds that make no test: function of (what was done, analysis, results)
OWN = {"power": _power, "sensitivity": _sensitivity}
# kinds with more to say: function of (analysis, results)
MORE = {
    "agreement": _agreement,
    "linear_regression": _linear,
    "logistic_regression": _logistic,
    "mediation": _mediation,
    "roc": _roc,
}


def _used(table, column, rows):
    return [str(text) for text in dict.fromkeys(table.loc[rows, column].dropna())]


def _family(family):
    names = listed(family["analyses"])
    return f"The p values of {names} were adjusted together by {ADJUSTED[family['method']]}."


def _curves(plan):
    """Say what the curves of splines show."""
    names = [f["analysis"] for f in plan.get("figures", []) if f["kind"] == "spline"]
    if not names:
        return ""
    return (
        f"Curves of splines ({listed(names)}) show the outcome with its interval; other numbers"
        " stand at their mean, levels at their reference."
    )


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
