"""The record that describes a domain of the pipeline: one for each (`glymflow.domains`).

A domain is something that is measured in a cohort: ALPS, lesions, EPVS. Its record is data: the
columns of its table, their types and labels, its quality-control codes. The
record names the modules that do the work; they are imported where they are used, so that a job
whose code does not need them does not depend on them (`glymflow.workflow.sources`).
"""

import importlib
from dataclasses import dataclass
from typing import NamedTuple

PRIMARY_MODEL = "tensor"  # the only one of ``cohort.tsv`` and the statistics


class Measure(NamedTuple):
    """A column of the cohort table: what it is, in words, and its type and unit."""

    label: str
    unit: str = ""
    kind: str = "number"  # or "text"


@dataclass(frozen=True)
class Domain:
    """One domain.

    Parameters
    ----------
    name : str
        Letters only. The target rule, ``results/cohort/<name>.tsv``, ``rules/<name>.smk``.
    title : str
        In titles and messages.
    columns : tuple of str
        Of ``results/cohort/<name>.tsv``.
    measures : dict of str to Measure
        What of it goes to ``cohort.tsv``, beside the keys.
    judged_columns : tuple of str
        Columns of ``cohort.tsv`` that become n/a in a study whose `qc` does not list the row's
        status. Empty where failed quality control leaves the whole row out.
    codes : dict of str to (str, str)
        Code of quality control: status ("pass" for a remark, "warn", "fail") and a sentence.
    intake, page, methods : str
        Modules, see `part`. `intake` has ``settings(config, plan)`` and
        ``index(listing, settings, found)`` for the intake, ``check(rows, config)`` and
        ``describe(rows, config)`` for `glymflow check`, ``page_files(sheet, subject, config)``;
        `page` has ``subject_parts`` and ``cohort_part``; `methods` has
        ``sentences(table, config)``.
    to_cohort : str, optional
        ``module:function`` that takes the domain's table and returns one row per session with the
        columns of `measures`; without it the table is taken as it is.
    picture : str, optional
        A picture of the whole cohort for its page, a path with Snakemake's pathvars.
    unit : str, optional
        Column of the intake's rows that names what a job measures: ``series``. What a job fails
        for is left out by it, so that the others get their tables (the config's `crashed`).
    jobs : tuple of str, optional
        The rules that measure one such unit, or a batch of them.
    caveat : str, optional
        A sentence for the methods of each study that uses a column ``<name>_...``.
    """

    name: str
    title: str
    columns: tuple
    measures: dict
    codes: dict
    judged_columns: tuple = ()
    intake: str = ""
    page: str = ""
    methods: str = ""
    to_cohort: str = ""
    picture: str = ""
    unit: str = ""
    jobs: tuple = ()
    caveat: str = ""

    @property
    def reasons(self):
        """Code of quality control to its sentence."""
        return {code: sentence for code, (_, sentence) in self.codes.items()}

    def part(self, name):
        """Import what the record names: a module, or a function for ``module:function``."""
        module, _, function = getattr(self, name).partition(":")
        imported = importlib.import_module(module)
        return getattr(imported, function) if function else imported


def of_primary_model(table):
    """Return the rows of the diffusion tensor, of a table that may have those of other models."""
    if "model" not in table:
        return table
    return table[table["model"].isna() | (table["model"] == PRIMARY_MODEL)]


def measure_columns(domains):
    """Return what ``cohort.tsv`` may have of measures: column to `Measure`.

    A column that an earlier domain has, and the status and reasons of all but the first, get the
    name of the domain as prefix: ``lesions_qc_status``.
    """
    found = {}
    for domain in domains:
        for column, measure in domain.measures.items():
            found[f"{domain.name}_{column}" if column in found else column] = measure
    return found
