"""Report pages: values, charts and pictures in, self-contained HTML out.

`report.subject_page` is the page of a subject, `report.cohort_page` the first page of the report.
Each domain makes its own sections (`glymflow.alps.page` and the like); this package joins them. No
statistics are computed here.

Modules
-------
- `distributions`: each measure of each scan, split by group, site or scanner, for a script to draw.
- `files`: reads the pictures of a page; one that cannot be read costs only its own place.
- `heat_map`: scans and checks of quality control, each cell with its number.
- `inclusion`: who came in, was left out, measured, and is in the statistics.
- `references`: the works that the text of the methods cites, as BibTeX.
- `report`: the two pages; rows of ``alps.tsv`` as texts, QC statuses, links.
- `values`: the cohort's values for the pages of its subjects, as a small script beside them.
- `parts`: numbers and intervals as text, pictures as base64, QC codes in words, the jinja2
  templates of ``templates/``.

In and out
----------
In come rows of the tables (missing as NaN), PNG and SVG as bytes, and the sentences of the QC
codes. Out comes one HTML text per page. A page refers to no outside resource and carries no date:
the same inputs give the same bytes.
"""
