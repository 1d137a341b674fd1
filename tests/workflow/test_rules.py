"""Every rule keeps the house rules: what is there to read, to log, to measure and to rerun."""

import json
import re
import subprocess
import sys

import pytest
from workflow_runs import CHECKOUT, TARGETS

from glymflow.domains import DOMAINS


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rules as Snakemake understands them, by name: of a cohort of images, of a table."""
    out, found = tmp_path_factory.mktemp("rules") / "rules.json", {}
    for config in ("lint.yaml", "lint_table.yaml"):
        command = [sys.executable, "tests/workflow/list_rules.py", out, f"tests/workflow/{config}"]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        found |= {rule["name"]: rule for rule in json.loads(out.read_text())}
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def working(rules):
    """The rules that do something."""
    found = {name: rule for name, rule in rules.items() if name not in TARGETS}
    assert len(found) > 15
    return found


@pytest.fixture(scope="module")
def files():
    """The text of each file of rules, by name."""
    found = {path.name: path.read_text() for path in (CHECKOUT / "rules").glob("*.smk")}
    assert len(found) > 5
    return found


def source_of(rule):
    """The rule as it is written."""
    text = (CHECKOUT / "rules" / rule["file"]).read_text()
    return re.search(rf"^rule {rule['name']}:.*?(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)[0]


def test_all_rules_are_here(rules, working):
    assert set(TARGETS) <= set(rules)
    scripts = {path.stem for path in (CHECKOUT / "scripts").glob("*.py")}
    assert set(working) == scripts


def test_a_rule_of_one_series_or_session_is_a_job_of_its_domain(working):
    """Else a crash of it would take the tables of the cohort away."""
    jobs = {job for domain in DOMAINS for job in domain.jobs}
    unit = re.compile(r"\{(series|session|batch),")
    assert jobs == {name for name, rule in working.items() if unit.search(rule["log"][0])}


def test_names_of_rules_are_verb_noun(working):
    for name in working:
        assert re.fullmatch(r"[a-z]+_[a-z_]+", name), name


def test_docstring_and_message(rules, working):
    for name, rule in rules.items():
        if name != "all":
            assert rule["docstring"], name
    for name, rule in working.items():
        assert rule["message"], name


def test_script_log_and_benchmark_carry_the_name(working):
    for name, rule in working.items():
        assert rule["script"] == f"../scripts/{name}.py", name
        assert len(rule["log"]) == 1, name
        assert re.match(rf"results/logs/{name}[./]", rule["log"][0]), name
        assert re.match(rf"results/benchmarks/{name}[./]", rule["benchmark"]), name


def test_memory_grows_with_attempts_and_time_is_limited(working):
    for name, rule in working.items():
        assert {"runtime", "mem_mb"} <= set(rule["resources"]), name
        assert re.search(r"mem_mb=grow\(\d+(, per_mb=\d+)?\)", source_of(rule)), name


def test_every_rule_reruns_when_its_code_changes(working):
    for name, rule in working.items():
        assert "code" in rule["params"], name
        assert f'code=code_hash("{name}")' in source_of(rule), name


def test_inputs_and_outputs_are_named(working):
    for name, rule in working.items():
        assert rule["unnamed"] == 0, name


def test_snakefile_fits_a_screen():
    assert len((CHECKOUT / "Snakefile").read_text().splitlines()) < 50


def test_rules_files_hold_rules_and_common_holds_none(files):
    assert "common.smk" in files
    for name, text in files.items():
        defines = re.search(r"^\s*(def|class) ", text, flags=re.MULTILINE)
        rules = re.search(r"^(rule|checkpoint) ", text, flags=re.MULTILINE)
        if name == "common.smk":
            assert not rules
        else:
            assert rules, name
            assert not defines, name
            assert re.search(r"^\s*(import|from) ", text, flags=re.MULTILINE) is None, name


def test_every_rules_file_is_included(files):
    text = (CHECKOUT / "Snakefile").read_text()
    found = re.findall(r'include: "rules/(.+?)"(?: if TABLE else "rules/(.+?)")?', text)
    included = {name for names in found for name in names if name}
    assert re.search(
        r'^for domain in DOMAINS:\n+    include: f"rules/\{domain.name\}.smk"$', text, re.M
    )
    included |= {f"{domain.name}.smk" for domain in DOMAINS}
    assert included == set(files)


def test_no_path_is_outside_the_run_directory(files):
    for name, text in files.items():
        assert not re.search(r'"(/|~|results/)', text), name
