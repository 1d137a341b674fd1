"""The subcommands of ``glymflow``, beside the workflow.

Each command is a module with ``add_arguments(parser)`` and ``run(args)``, which returns the exit
status; `glymflow.cli` lists them and imports one only when it is asked for. A module that computes
has a second one with ``_page`` in its name that formats and renders.

Modules
-------
- `check`: validates a config and its inputs, and says what will run and what is missing.
- `run`: the workflow in the words of BIDS Apps; prints the snakemake command that it runs.
- `crashed`: which series a run lost to failed jobs; `run_end`: how a run ended, in words.
- `verify`: whether the files of a run, and its inputs, are as they were.
- `simulate`: a BIDS cohort with known ALPS, lesions and their truth (`glymflow.phantoms`).
- `repeatability`, `repeatability_page`: test-retest statistics of an ``alps.tsv``.
- `validate_epvs`, `validate_epvs_masks`, `validate_epvs_page`: EPVS masks against one or two
  raters.
- `simulate_epvs`: tubes of known size in a real scan; `epvs_yardstick`: tubes, a reader's marks
  against what an engine found.
- `harmonise`: a table with the effects of sites taken off its measures.
- `audit`, `audit_rows`, `audit_tests`: p values of a printed table recomputed from its other
  numbers; `audit_cells` reads its cells, `audit_intervals` judges ratios and coefficients,
  `audit_scales` means of whole numbers, `audit_judgement` says what was found; `audit_import`
  reads tables of Word and HTML files.
- `reconstruct`: a cohort invented from a paper's printed statistics; `reconstruct_facts` and
  `reconstruct_items`: these as functions of the subjects' values; `reconstruct_cohort` and
  `reconstruct_ranks`: the search; `reconstruct_limits`: which of them no data can have.

In and out
----------
In come command-line arguments and files. Results go to files and, in short, to stdout; a fault of
the input is one line on stderr and a non-zero exit status. Units and coordinates are those of the
packages below: mm in RAS+ (x < 0 is left), mm^2/s, mL for lesions and brains, mm^3 for EPVS.
"""
