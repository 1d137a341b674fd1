"""Snakemake's limit of job starts is taken away where it is known and nobody set one."""

from types import SimpleNamespace

import pytest

from glymflow.workflow.planning import DEFAULT_LIMIT, LOOKED_AT, SWITCH, lift_start_limit


@pytest.fixture
def scheduler(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    limit = SimpleNamespace(max_jobs=DEFAULT_LIMIT[0], timespan=DEFAULT_LIMIT[1])
    return SimpleNamespace(job_rate_limiter=limit)


def test_the_default_limit_goes(scheduler):
    assert lift_start_limit(scheduler, "9.27.1")
    assert scheduler.job_rate_limiter is None
    assert not lift_start_limit(scheduler, "9.27.1")  # nothing left to take away


def test_a_limit_of_the_users_stays(scheduler):
    scheduler.job_rate_limiter.max_jobs = 5
    assert not lift_start_limit(scheduler, "9.27.1")
    assert scheduler.job_rate_limiter.max_jobs == 5


def test_the_switch(scheduler, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    assert not lift_start_limit(scheduler, "9.27.1")
    assert scheduler.job_rate_limiter is not None


@pytest.mark.parametrize("version", ["9.19.0", f"{LOOKED_AT[1][0]}.0.0", "11.2"])
def test_another_snakemake_is_left_alone_and_named(scheduler, version, capsys):
    assert not lift_start_limit(scheduler, version)
    assert scheduler.job_rate_limiter is not None
    assert capsys.readouterr().err.startswith(f"Snakemake {version}: its limit of job starts stays")
