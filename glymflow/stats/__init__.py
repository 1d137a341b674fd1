"""The analyses of a study plan, one module per kind.

`analyses.run_analysis` makes one analysis. The module of a kind has the function of its name,
which needs no plan (``compare_groups.compare_groups``), ``run``, which calls it for a plan, and
``COLUMNS``. Data frames come in, one tidy data frame at full precision comes out; nothing is
formatted here.

Conventions
-----------
- Differences are the second group minus the first; the first group of the plan is the reference.
  Ratios are stored as ratios, not as logarithms.
- Each estimate has an interval at the plan's confidence level. Effect sizes: `effects`.
- Bootstraps start from the plan's seed, so that a second run gives the same numbers.
- A number that cannot be computed is missing, and ``note`` gives the reason.

Columns of the results
----------------------
``variable``; ``row`` (``test`` where p stands and families of tests count, else ``summary``,
``post_hoc`` and the like); ``n`` and ``missing`` (Int64); ``test``; ``statistic_name``,
``statistic``, ``df``, ``df_error``, ``p``; ``p_adjusted``, ``correction``; ``estimate_name``,
``estimate``, ``estimate_low``, ``estimate_high`` in the variable's unit; ``effect_name``,
``effect``, ``effect_low``, ``effect_high``; ``confidence``, ``note``. A kind may add columns.

Modules
-------
- `analyses`: the kinds, and `run_analysis`.
- Kinds: `agreement`, `change`, `compare_by_factors`, `compare_groups`, `compare_paired`,
  `compare_repeated`, `correlate`, `count_regression`, `describe`, `factorial_anova`,
  `linear_regression`, `logistic_regression`, `mediation`, `mixed_model`, `ordinal_regression`,
  `power`, `roc`, `sensitivity`.
- `regression`: one way for all regressions, from variables to rows, imputed tables too;
  `coefficients`: what a fit tells of its coefficients. `interactions`: products of variables;
  `splines`: restricted cubic splines. `imputation`: chained equations and Rubin's rules.
- `reml`: random intercepts and their degrees of freedom.
- `ancova`, `post_hoc`, `firth`, `calibration`, `contingency`, `delong`: methods that the kinds
  use, on arrays.
- `harmonise`: a plan's measures without the effects of its sites; `combat`: the method, on arrays.
- `fitted`: residuals and risks of each participant, for figures.
- `balance`: everybody together, and standardised differences of groups.
- `paired_levels`, `kappa`, `equivalence`: levels of pairs, agreement of grades, TOST.
- `effects`: effect sizes with intervals. `design`: variables as columns of a regression.
- `libraries`: pingouin, loaded late. `common`: what the kinds share. `plan_check`: what
  participants.tsv lets expect of a plan.

To add a kind
-------------
- Schema: ``type: object``, ``additionalProperties: false``, ``id: true``, ``kind: true``; a
  ``description`` and a ``default`` for each key. ``#/$defs/`` has ``groups``, ``criteria``,
  ``confidence``, ``correction``, ``variable_name``, ``variable_names`` and ``variable_pair``;
  names of variables that use the last three are checked by `glymflow.study.plan.load_plan`.
  ``x-needs-groups: true`` marks a kind that needs groups.
- ``run(table, plan, analysis)`` gets the rows that the plan and the analysis let in. Defaults
  stand in the signature of the function without a plan, equal to those of the schema (a test
  compares them). Values come from `glymflow.study.selection.variable_values`, groups from
  `column_levels`. `common.planned` hands on what the analysis says under the names of parameters.
- Rows are put together from `common.row_of_test`, `interval` and `summary_rows`.
- `glymflow.io.InputFault` is raised only if nothing at all can be computed.
- The table of the kind computes nothing: each printed number is a rounding of one of the results.

Files and dicts to touch: docs/extending.md. What each kind computes: docs/study-plans.md.
"""
