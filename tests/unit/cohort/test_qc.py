"""Codes of quality control: the order, the status, and codes that do not exist."""

import itertools

import pytest

from glymflow.alps import qc
from glymflow.cohort.qc import STATUSES, codes_in, judge_codes
from glymflow.epvs import objects
from glymflow.lesions import measure

TABLE = {
    "cut": ("fail", "The brain is cut."),
    "moved": ("warn", "The head moved."),
    "parts": ("pass", "There are several parts."),
    "thick": ("warn", "Slices are thick."),
}


@pytest.mark.parametrize(
    ("codes", "status", "reasons"),
    [
        ([], "pass", ""),
        (["parts"], "pass", "parts"),
        (["thick", "parts"], "warn", "parts;thick"),
        ({"thick", "cut", "moved"}, "fail", "cut;moved;thick"),
        (iter(["moved", "moved"]), "warn", "moved"),
    ],
)
def test_status_and_reasons(codes, status, reasons):
    assert judge_codes(codes, TABLE) == (status, reasons)


def test_the_order_of_the_codes_does_not_matter():
    found = {judge_codes(order, TABLE) for order in itertools.permutations(TABLE)}
    assert found == {("fail", "cut;moved;parts;thick")}


@pytest.mark.parametrize("codes", [{"cut", "typo"}, {""}, {"nan"}, {None}])
def test_an_unknown_code_is_an_error(codes):
    with pytest.raises(ValueError, match="no such code"):
        judge_codes(codes, TABLE)


@pytest.mark.parametrize("judge", [measure.judge, objects.judge])
def test_domains_refuse_codes_of_others(judge):
    with pytest.raises(ValueError, match="no such code: roi_low_fa"):
        judge({"roi_low_fa"})


@pytest.mark.parametrize("table", [qc.CODES, measure.CODES, objects.CODES])
def test_tables_of_the_domains(table):
    assert {status for status, _ in table.values()} <= set(STATUSES)
    assert all(judge_codes([code], table) == (table[code][0], code) for code in table)


def test_codes_of_a_cell():
    assert codes_in("cut;thick") == {"cut", "thick"}
    for empty in ("", None, float("nan")):
        assert codes_in(empty) == set()
