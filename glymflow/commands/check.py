"""``glymflow check CONFIG``: validate a config and its inputs, say what will run and what not."""

import os

from glymflow.cohort.participants import ABSENT, KEYS, read_participants
from glymflow.domains import DOMAINS
from glymflow.io import InputFault
from glymflow.study.plan import load_plan, plan_faults, study_outputs
from glymflow.study.ready_table import read_ready_table
from glymflow.text import counted
from glymflow.workflow.config import config_faults, load_config, ready_table
from glymflow.workflow.intake import index_cohort, intake_settings, unused_derivatives


def add_arguments(parser):
    """Declare the arguments of the command."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file given as --configfile")


def run(args):
    """Print what a run of the config would do; return the exit status.

    Returns
    -------
    int
        0 if something can run; 1 if the config is refused or nothing can be measured.
    """
    config = load_config(args.config)
    faults = refusals(config)
    if faults:
        print(f"{args.config}: refused, nothing would run")
        print_list(faults)
        return 1
    rows, excluded = {}, None
    if ready_table(config) is None:
        rows, excluded = index_cohort(**intake_settings(config, plan_of(config)))
    plain = {name: found.to_dict("records") for name, found in rows.items()}
    if (table := table_of_study(config, plain)) is not None:
        check_table(config, table)
        print(f"\nTo run it: snakemake --cores N --configfile {args.config}")
        return 0
    facts, broken, can_run, series = {"BIDS folder": config["bids_dir"]}, [], False, None
    for domain in DOMAINS:
        intake, table = domain.part("intake"), rows[domain.name]
        usable, faults = intake.check(table, config)
        facts |= intake.describe(usable, config)
        broken += faults
        can_run |= is_measured(usable)
        series = usable if domain.name == "alps" else series
    plan = plan_of(config)
    cohort = cohort_of(config, rows) if plan else None
    facts |= session_facts(plan, cohort)
    unused = unused_derivatives(config, rows)
    broken += [("not used", "derivatives_dir", unused)] if unused else []
    print_plan(facts | {"study plan": config["study"] or "none: measures only, no statistics"})
    print_excluded(excluded, broken)
    print_protocols(protocol_warnings(series, plan, cohort))
    if plan:
        print_warnings(study_warnings(config, plan, cohort))
    if not can_run:
        print("\nNothing can run: there is no series that can be measured, and no lesion mask.")
        if plan:
            print("A study of values that are there already: name their table as cohort.")
        return 1
    print(f"\nTo run it: snakemake --cores N --configfile {args.config}")
    return 0


def table_of_study(config, rows):
    """Return the table that a study is made of where no image is measured; None where one is.

    It is the ready table or, of a folder in which nothing can be measured, the participants table,
    if it has all columns of the plan.

    Parameters
    ----------
    config : dict
    rows : dict of str to list of dict
        What each domain found.
    """
    ready = ready_table(config)
    measured = any(row.get("measured", True) for found in rows.values() for row in found)
    if ready is not None or config["study"] is None or measured:
        return ready
    path = participants_of(config)
    table, faults = read_ready_table(path)
    faults += plan_faults(load_plan(config["study"]), list(table.columns), path)
    return None if faults else path


def check_table(config, path):
    """Print what a study of a table will give, and what of the table it cannot use."""
    from glymflow.stats.plan_check import plan_warnings
    from glymflow.study.table_check import table_lines

    plan = plan_of(config)
    table, _ = read_ready_table(path)
    outputs = study_outputs(plan)
    facts = {
        "cohort table": f"{path}: {counted(len(table), 'row')}, "
        + counted(table.participant_id.nunique(), "participant"),
        "images": f"none in {config['bids_dir']}"
        if ready_table(config) is None
        else "none are looked for",
        **session_facts(plan, table),
        "study plan": config["study"],
        "results": ", ".join(
            counted(len(outputs[kind]) - (kind == "stats"), word)
            for kind, word in (("stats", "analysis"), ("tables", "table"), ("figures", "figure"))
        ),
    }
    print_plan(facts)
    print_warnings(table_lines(plan, table, ready=True) + plan_warnings(plan, table))


def is_measured(table):
    """Whether a run of all measures anything of what a domain found."""
    return bool(len(table) and table.get("measured", table.index.notna()).any())


def refusals(config):
    """Return why a config or its study plan is refused, one line per fault; empty if it is not."""
    faults = config_faults(config)
    if not faults and config["study"] is not None:
        faults = study_faults(config)
    return faults


def plan_of(config):
    """Return the study plan of a config, empty without one."""
    return load_plan(config["study"]) if config["study"] is not None else {}


def study_faults(config):
    """Compare the study plan with the columns of the participants table.

    Returns
    -------
    list of str
        One line per fault.
    """
    ready = ready_table(config)
    try:
        if ready is not None:
            table, faults = read_ready_table(ready)
            return faults + plan_faults(load_plan(config["study"]), list(table.columns), ready)
        table, _ = read_participants(participants_of(config))
        return plan_faults(load_plan(config["study"]), list(table.columns))
    except InputFault as fault:
        return [str(fault)]


def study_warnings(config, plan, cohort):
    """Return what participants.tsv lets expect of the study plan, as lines.

    Only subjects of whom something is measured are members of a group.

    Parameters
    ----------
    config, plan : dict
    cohort : DataFrame
        From `cohort_of`.

    Returns
    -------
    list of str
        From `glymflow.study.table_check.table_lines` and `glymflow.stats.plan_check.plan_warnings`.
    """
    from glymflow.stats.plan_check import plan_warnings
    from glymflow.study.table_check import table_lines

    people, _ = read_participants(participants_of(config), set(cohort.participant_id))
    return table_lines(plan, people) + plan_warnings(plan, cohort)


def session_facts(plan, cohort):
    """Return which session `first` of the study plan takes, as facts; none without several."""
    from glymflow.study.selection import first_taken

    if plan.get("session") != "first":
        return {}
    taken = first_taken(cohort)
    return {"first session": taken} if taken else {}


def protocol_warnings(series, plan, cohort):
    """Return what has to be said of the protocols of the series and their groups, as lines."""
    from glymflow.dwi.acquisitions import split_lines
    from glymflow.dwi.protocol import protocol_lines
    from glymflow.study.plan import groups_of
    from glymflow.study.selection import column_levels

    groups, grouped = {}, groups_of(plan)
    if grouped:
        try:
            levels = column_levels(cohort, plan, grouped["column"])
        except InputFault:
            levels = None  # a measured column
        if levels is not None:
            found = dict(zip(cohort.participant_id, levels, strict=True))
            groups = {who: level for who, level in found.items() if level in grouped["order"]}
    return protocol_lines(series, groups) + split_lines(series)


def print_protocols(lines):
    """Print the warnings on protocols."""
    if lines:
        print(f"\nProtocols ({len(lines)} {'warning' if len(lines) == 1 else 'warnings'})")
        print_list(lines)


def cohort_of(config, rows):
    """Return the cohort table that a run will make, with its sessions in order, no measures."""
    from glymflow.study.cohort_table import expected_cohort
    from glymflow.study.sessions import order_sessions, read_times, several_sessions

    people, _ = read_participants(participants_of(config), required=False)
    cohort = expected_cohort(rows, people)
    several = several_sessions(cohort[KEYS].to_dict("records"))
    return order_sessions(cohort, read_times(config["bids_dir"], several))


def participants_of(config):
    """Return the path of the participants table of a config with `bids_dir`."""
    return config["participants"] or os.path.join(config["bids_dir"], "participants.tsv")


def print_warnings(lines):
    """Print the warnings on the study plan."""
    if lines:
        print(f"\nStudy plan ({len(lines)} {'warning' if len(lines) == 1 else 'warnings'})")
        print_list(lines)
    else:
        print("\nStudy plan: no group too small, no logistic model with too few events.")


def print_plan(facts):
    """Print what will be measured, and where from."""
    print("Will run")
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"  {name:<{width}}  {value}")


def print_excluded(excluded, broken):
    """Print who is left out of what and why, one aligned line each.

    `broken` are (what is lost, of whom, fault) of files that the intake did not open.
    """
    rows, words = list(broken), {"intake": "not measured", ABSENT: ABSENT}
    for row in excluded.itertuples():
        what = words.get(row.stage, "no statistics")
        name = row.series or "_".join(filter(None, (row.participant_id, row.session_id))) or "?"
        rows.append((what, name, row.reason))
    absent = [row[1:] for row in rows if row[0] == ABSENT]
    rows = [row for row in rows if row[0] != ABSENT]
    if not rows:
        print("\nNothing is missing or excluded.")
    else:
        print(f"\nMissing or excluded ({len(rows)})")
        width = max(len(name) for _, name, _ in rows)
        for what, name, reason in sorted(rows):
            print(f"  {what:<13}  {name:<{width}}  {reason}")
    if absent:
        print(f"\nNothing to measure of one kind, no fault ({len(absent)})")
        width = max(len(name) for name, _ in absent)
        for name, reason in sorted(absent):
            print(f"  {name:<{width}}  {reason}")


def print_list(lines):
    """Print lines as a list."""
    for line in lines:
        print(f"  - {line}")
