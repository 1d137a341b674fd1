"""What the rules and scripts need of Python: config, intake, jobs, code fingerprints, provenance.

This package stands between Snakemake and the domains. It does not import Snakemake: the rules call
it while they are planned, the scripts while they run, and tests call it without either.

Modules
-------
- `config`: defaults and the user's file merged; each fault is one line that names the key.
- `intake`: what can be measured in a cohort, from one listing of its folders; calls the intake of
  each domain.
- `sheet`: the sheet of a run: what was found, and which jobs need which of it. `sheet_file` keeps
  it in the run directory, so that jobs on a cluster list no folder.
- `planning`: makes Snakemake's planning of large cohorts cheaper.
- `checksums`: what each job wrote, beside its log; damaged files are told from a subject's faults.
- `faults`: what is left of a series that cannot be measured; `places`: how results name files, so
  that they can be shared and moved.
- `cluster`: runs on Slurm: jobs end with their run, a group loses only the step that failed.
- `processes`: a job ends with the Snakemake that started it.
- `kernels`: which kernels of the numerical libraries a run uses, the same on every node.
- `jobs`: `subject_job` and `cohort_job` round the work of a script: log file, faults, tracebacks.
- `progress`: what a run prints while it runs (`snakemake_logger_plugin_glymflow` hands it the
  records of Snakemake's log).
- `sources`: `code_hash`, the fingerprint of the modules that a script imports; an edited module
  reruns the rules that use it.
- `provenance`: commit, versions, config, plan, checksums of the inputs; cost per rule.

Faults
------
An `glymflow.io.InputFault` in a job of one subject makes its outputs *placeholders* (text files
with the reason), which the next jobs pass on, and the subject is listed in ``excluded.tsv``. When
the run has ended, a ``*_fault.json`` is left in place of images and sidecars (`faults`). In a job
of the cohort it ends the run with one line. A `glymflow.io.MachineFault`, and what the system
refuses (OSError, MemoryError), fails the job: it is tried again and leaves nobody out. Any other
exception is a bug: the job fails and its log has the traceback.

In and out
----------
In come the merged config (a dict), folders and scripts. Out come data frames of what is measured
and who is left out, texts, and JSON files without dates: the same run gives the same bytes.
"""
