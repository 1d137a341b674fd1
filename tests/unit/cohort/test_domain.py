"""Records of domains: parts are imported where they are named, columns of the cohort are unique."""

import pytest

from glymflow.cohort.domain import Domain, Measure, measure_columns
from glymflow.domains import DOMAINS


def domain(name, *columns, **more):
    measures = {column: Measure(column.upper()) for column in columns}
    return Domain(name, name.title(), columns, measures, {"odd": ("warn", "It is odd.")}, **more)


def test_reasons_are_the_sentences_of_the_codes():
    assert domain("toy", "x").reasons == {"odd": "It is odd."}


def test_a_part_is_a_module_or_a_function_of_it():
    toy = domain("toy", intake="glymflow.text", to_cohort="glymflow.text:level_text")
    assert toy.part("intake").natural_key("a2")
    assert toy.part("to_cohort")(1.0) == "1"


def test_a_column_that_is_taken_gets_the_name_of_its_domain():
    found = measure_columns([domain("one", "value", "qc_status"), domain("two", "qc_status", "y")])
    assert list(found) == ["value", "qc_status", "two_qc_status", "y"]


@pytest.mark.parametrize("record", DOMAINS, ids=lambda record: record.name)
class TestRecords:
    def test_columns_and_measures(self, record):
        assert len(set(record.columns)) == len(record.columns) > 10
        assert len(record.measures) > 10
        for column, measure in record.measures.items():
            assert measure.label, column
            assert measure.kind in ("number", "text"), column

    def test_codes(self, record):
        assert len(record.codes) > 3
        for code, (status, sentence) in record.codes.items():
            assert status in ("pass", "warn", "fail"), code
            assert sentence.endswith("."), code

    def test_judged_columns_come_from_the_measures(self, record):
        assert set(record.judged_columns) <= {*record.columns, *record.measures}

    def test_parts_have_their_functions(self, record):
        for part, names in {
            "intake": ("settings", "index", "check", "describe", "page_files"),
            "page": ("subject_parts",),
            "methods": ("sentences",),
        }.items():
            module = record.part(part)
            assert all(callable(getattr(module, name)) for name in names), part
