"""Snakemake's limit of job starts: lifted where it is known, left alone elsewhere."""

import gc
from types import SimpleNamespace

import pytest

from glymflow.workflow import planning


@pytest.fixture(autouse=True)
def no_switch(monkeypatch):
    monkeypatch.delenv(planning.SWITCH, raising=False)


def scheduler(max_jobs=100, timespan=1):
    return SimpleNamespace(job_rate_limiter=SimpleNamespace(max_jobs=max_jobs, timespan=timespan))


@pytest.mark.parametrize("version", ["9.20.0", "9.27.1", "9.99.0+dirty"])
def test_the_default_limit_is_lifted(version, capsys):
    one = scheduler()
    assert planning.lift_start_limit(one, version)
    assert one.job_rate_limiter is None
    assert not planning.lift_start_limit(one, version)  # nothing is left to take away
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("version", ["8.30.0", "9.2.0", "9.19.9", "10.0.0", "11.1"])
def test_another_version_is_left_alone_and_one_line_says_so(version, capsys):
    one = scheduler()
    assert not planning.lift_start_limit(one, version)
    assert one.job_rate_limiter.max_jobs == 100
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(f"Snakemake {version}: its limit of job starts stays")


@pytest.mark.parametrize("limit", [{"max_jobs": 5}, {"timespan": 60}])
def test_a_limit_of_the_user_stays(limit, capsys):
    one = scheduler(**limit)
    assert not planning.lift_start_limit(one, "9.20.0")
    assert one.job_rate_limiter is not None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("version", ["9.20.0", "10.0.0"])
def test_it_can_be_switched_off(version, monkeypatch, capsys):
    monkeypatch.setenv("GLYMFLOW_KEEP_START_LIMIT", "1")
    one = scheduler()
    assert not planning.lift_start_limit(one, version)
    assert one.job_rate_limiter.max_jobs == 100
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("one", [SimpleNamespace(), SimpleNamespace(job_rate_limiter=None)])
def test_without_a_limit_there_is_nothing_to_lift(one, capsys):
    assert not planning.lift_start_limit(one, "11.0.0")
    assert capsys.readouterr().err == ""


def test_garbage_is_collected_less_often():
    before = gc.get_threshold()
    try:
        planning.collect_less_often()
        assert all(now > then for now, then in zip(gc.get_threshold(), (700, 10, 10), strict=True))
    finally:
        gc.set_threshold(*before)


def test_this_snakemake_has_the_default_that_is_lifted():
    """A default that changed upstream would not be lifted any more, and nobody would see it."""
    from snakemake.cli import get_argument_parser
    from snakemake.settings.types import MaxJobsPerTimespan

    default = get_argument_parser().get_default("max_jobs_per_timespan")
    limit = MaxJobsPerTimespan.parse_choice(default)
    assert (limit.max_jobs, limit.timespan) == planning.DEFAULT_LIMIT
