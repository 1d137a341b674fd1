"""``glymflow check CONFIG``: validate a config and its inputs, say what will run and what not."""

import os

from glymflow.cohort.participants import read_participants
from glymflow.domains import DOMAINS
from glymflow.io import InputFault
from glymflow.study.plan import load_plan, plan_faults, text_columns
from glymflow.workflow.config import config_faults, load_config
from glymflow.workflow.intake import index_cohort, intake_settings


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
    rows, excluded = index_cohort(**intake_settings(config, plan_of(config)))
    facts, broken, can_run = {"BIDS folder": config["bids_dir"]}, [], False
    for domain in DOMAINS:
        intake, table = domain.part("intake"), rows[domain.name]
        usable, faults = intake.check(table, config)
        facts |= intake.describe(usable, config)
        broken += faults
        can_run |= is_measured(usable)
    print_plan(facts | {"study plan": config["study"] or "none: measures only, no statistics"})
    print_excluded(excluded, broken)
    if config["study"] is not None:
        print_warnings(study_warnings(config))
    if not can_run:
        print("\nNothing can run: there is no series that can be measured, and no lesion mask.")
        return 1
    print(f"\nTo run it: snakemake --cores N --configfile {args.config}")
    return 0


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
    try:
        table, _ = read_participants(_participants(config))
        return plan_faults(load_plan(config["study"]), list(table.columns))
    except InputFault as fault:
        return [str(fault)]


def study_warnings(config):
    """Return what participants.tsv lets expect of the study plan, as lines; see `plan_warnings`."""
    from glymflow.stats.plan_check import plan_warnings

    plan = load_plan(config["study"])
    return plan_warnings(plan, read_participants(_participants(config), text=text_columns(plan))[0])


def _participants(config):
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
    rows = list(broken)
    for row in excluded.itertuples():
        what = "not measured" if row.stage == "intake" else "no statistics"
        name = row.series or "_".join(filter(None, (row.participant_id, row.session_id))) or "?"
        rows.append((what, name, row.reason))
    if not rows:
        print("\nNothing is missing or excluded.")
        return
    print(f"\nMissing or excluded ({len(rows)})")
    width = max(len(name) for _, name, _ in rows)
    for what, name, reason in sorted(rows):
        print(f"  {what:<13}  {name:<{width}}  {reason}")


def print_list(lines):
    """Print lines as a list."""
    for line in lines:
        print(f"  - {line}")
