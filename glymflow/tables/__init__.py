"""Printed tables: results of the statistics in, text cells in the layout of papers out.

Nothing is computed here. Each printed number is a rounding of one in the results of
`glymflow.stats`, which are written to ``results/stats`` at full precision.

Modules
-------
- `planned`: `planned_table` makes a table of a plan.
- One module per kind of analysis, each with a function ``planned``: `agreement`, `change`,
  `compare_by_factors`, `compare_groups`, `compare_paired`, `compare_repeated`, `correlate`,
  `count_regression`, `describe`, `factorial_anova`, `linear_regression`, `logistic_regression`,
  `mediation`, `mixed_model`, `ordinal_regression`, `power`, `roc`, `sensitivity`.
- `more_columns`: everybody, n, missing values and SMD beside the groups; `apa`: APA style.
- `several`: one table of several analyses, below or beside each other.
- `render`: a `render.Table` (title, columns, rows of text, footnotes) as TSV, HTML and LaTeX;
  `docx` as Word. The same table gives the same bytes.
- `cells`: numbers, p values, signs of effect sizes, names of tests and corrections, footnote
  marks.
- `regression`: what the tables of models share; `ratio_models`: those of ordinal and count models;
  `products`: interactions; `paired_levels`, `kappa`, `equivalence`: parts of the tables of pairs,
  agreement and groups.
- `methods`: the statistical methods as a paragraph, from the plan and from the tests that were
  used.

In and out
----------
In come a frame of results, the plan, the analysis and the table's options (``columns``,
``summary``, ``values``). Out come text cells: mean ± SD or median [Q1, Q3], p as "0.032" or
"<0.001", and one footnote per note. Units stand in the row labels, as the plan names them.
"""
