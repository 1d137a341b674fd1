"""The study: its plan, the cohort table, and the rows and values that the plan asks for.

A *plan* is a YAML file that says who is compared, on what, how, and what is printed. The *cohort
table* has one row per subject and session: participants.tsv joined with all measures at the
primary ROI set, frame and engine. This package says which rows and values of the table an analysis
gets; `glymflow.stats` computes, `glymflow.tables` and `glymflow.figures` print.

Modules
-------
- `plan`: reads a plan (YAML in which ``yes``, ``no`` and ``01`` are text), checks it against the
  schemas of config/schemas and the known columns, and lists the results that it will give.
- `cohort_table`: joins participants and measures; several series of a session become one row
  (``mean``, ``best`` or ``first``).
- `ready_table`: a table that takes the place of images, read and checked.
- `sessions`: orders the sessions of a subject, by acquisition time or by label.
- `table_check`: says which values of participants.tsv the plan cannot use, before a run.
- `selection`: sessions, groups, quality control, ``include`` and ``exclude``; each step is counted
  for ``flow.tsv``. Values of a variable after recoding, with what could not be used.
- `transforms`: logarithm, root, square, z score and the like of a variable, and their labels.

In and out
----------
In come a plan, participants.tsv and the tables of the measures, in the units of their columns
(ALPS without a unit, mL, mm^3). Out come data frames in the order of the table, missing values
NaN, and one line per fault of the plan. Nothing is dropped without being counted.
"""
