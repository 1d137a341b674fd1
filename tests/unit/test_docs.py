"""What the documents say is there: commands, files, config keys, codes, columns, dependencies."""

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from glymflow.alps import index, qc
from glymflow.cli import COMMANDS
from glymflow.cohort import participants
from glymflow.dwi import intake
from glymflow.epvs import objects as epvs_objects

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")]
DOCS += sorted((ROOT / "docs").rglob("*.md"))
IDS = [str(path.relative_to(ROOT)) for path in DOCS]


def rule_names(text):
    return re.findall(r"^rule (\w+):", text, re.MULTILINE)


RULES = [
    name
    for path in (ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk")))
    for name in rule_names(path.read_text())
]
SCRIPTS = {path.stem for path in (ROOT / "scripts").glob("*.py")}
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked_files():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout: the tracked files are not known")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def heading_anchors(text):
    """The anchors that a rendered page has: of its headings, and of <a id>."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
    return {*slugs, *re.findall(r'<a id="([^"]+)">', text)}


def links_of(path):
    """The targets of a page's links to files of this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    return [target for target in targets if not target.startswith("https://")]


FOLDERS = "config|docs|envs|glymflow|rules|scripts|tests|benchmarks|profiles|.ci"


def named_files(path):
    """The paths that a page names; `<kind>` and the lesions of a user are examples."""
    found = re.findall(rf"(?<![\w./<])(?:{FOLDERS})/[\w./-]*(?![\w./<-])", path.read_text())
    return {name.rstrip(".") for name in found if "lesions" not in name}


def commands_of(path, program):
    """The words that follow a program in code: in backticks, or at the start of a fenced line."""
    text = path.read_text()
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    return {
        *re.findall(rf"`{program} ([a-z-]+)", text),
        *re.findall(rf"^{program} ([a-z-]+)", fenced, re.MULTILINE),
    }


def imports_of(path):
    """The modules of glymflow and their names that the page's Python imports."""
    blocks = re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    nodes = [node for block in blocks for node in ast.walk(ast.parse(block))]
    return {
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module.startswith("glymflow")
        for alias in node.names
    }


# ------------------------------------------------------------------ links, paths and commands


def test_there_is_something_to_check():
    """Every search below finds what it looks for: none of them passes because it saw nothing."""
    assert len(DOCS) >= 25
    assert sum(len(links_of(path)) for path in DOCS) >= 100
    assert sum(len(named_files(path)) for path in DOCS) >= 50
    assert len(set().union(*(commands_of(path, "glymflow") for path in DOCS))) >= 6
    assert len(set().union(*(commands_of(path, "make") for path in DOCS))) >= 4
    assert sum(len(imports_of(path)) for path in DOCS) >= 4
    assert len(RULES) >= 20
    assert len(SCRIPTS) >= 20


@pytest.mark.parametrize("path", DOCS, ids=IDS)
def test_links_lead_somewhere(path):
    for target in links_of(path):
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.is_file(), f"{path.name}: {target}"
        if anchor:
            assert anchor in heading_anchors(linked.read_text()), f"{path.name}: {target}"


@pytest.mark.parametrize("path", DOCS, ids=IDS)
def test_named_files_exist(path):
    assert {name for name in named_files(path) if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("path", DOCS, ids=IDS)
def test_make_targets_and_subcommands_exist(path):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands_of(path, "make") - set(targets) == set()
    assert commands_of(path, "glymflow") - set(COMMANDS) == set()


@pytest.mark.parametrize("path", DOCS, ids=IDS)
def test_python_examples_import_what_is_there(path):
    for module, name in imports_of(path):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_the_readme_graph_names_every_rule_with_a_script():
    graph = re.search(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    named = set(re.findall(r"\b([a-z]+_[a-z]+)\b", graph))
    assert named == SCRIPTS
    assert set(RULES) >= SCRIPTS


def test_every_output_table_of_the_readme_is_in_a_rule():
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    names = re.findall(r"`results/(\w+/[\w.]+)`", (ROOT / "README.md").read_text())
    assert len(names) >= 5
    for name in names:
        folder, file = name.split("/")
        assert f"<{folder}>/{file}" in text or f"<results>/{name}" in text, name


# ------------------------------------------------------------------ config, codes, columns


def dotted_keys(section, prefix=""):
    for key, value in section.items():
        if isinstance(value, dict) and key != "roi_sets":
            yield from dotted_keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_every_config_key_is_documented():
    defaults = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    text = (ROOT / "config" / "README.md").read_text()
    missing = [key for key in dotted_keys(defaults) if f"`{key}`" not in text]
    assert missing == []


def test_every_roi_set_is_documented():
    defaults = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert len(defaults["roi_sets"]) >= 3
    for path in ("config/README.md", "docs/alps.md"):
        text = (ROOT / path).read_text()
        assert [name for name in defaults["roi_sets"] if f"| `{name}`" not in text] == []


def test_every_reason_code_is_documented_with_its_status():
    text = (ROOT / "docs" / "alps.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (pass|warn|fail) \|", text, re.MULTILINE))
    assert rows == {code: status for code, (status, _) in qc.CODES.items()}


def test_every_code_of_epvs_is_documented_with_its_status():
    text = (ROOT / "docs" / "epvs.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (pass|warn|fail) \|", text, re.MULTILINE))
    assert rows == {code: status for code, (status, _) in epvs_objects.CODES.items()}


def spelled_out(text):
    """Names in backticks, with `<roi>` and a following `_right` written out."""
    names = set()
    for name in re.findall(r"`([\w<>]+)`", text):
        roles = index.ROLES if "<roi>" in name else [""]
        names |= {name.replace("<roi>", role) for role in roles}
    return names | {name.removesuffix("_left") + "_right" for name in names}


def test_every_column_of_the_cohort_tables_is_documented():
    named = spelled_out((ROOT / "docs" / "outputs.md").read_text())
    columns = [*index.COLUMNS, *participants.EXCLUDED_COLUMNS, *intake.SERIES_COLUMNS, "n_series"]
    assert [column for column in columns if column not in named] == []


def test_every_derivative_is_documented():
    text = (ROOT / "docs" / "outputs.md").read_text()
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    names = set(re.findall(r'"<derivatives>/\{folder\}/dwi/\{series\}_([^"]+)"', rules))
    assert len(names) >= 15
    for name in names:
        stem, _, ending = name.partition(".")
        assert f"`{name}`" in text or (stem in text and f"`.{ending}`" in text), name


# ------------------------------------------------------------------ dependencies


def requirement_name(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower()


LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked_versions(lock="requirements.lock"):
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def test_every_dependency_is_explained():
    project = METADATA["project"]
    extras, groups = project["optional-dependencies"], METADATA["dependency-groups"]
    wanted = {*project["dependencies"], *extras["training"], *groups["dev"], *groups["install"]}
    text = (ROOT / "docs" / "dependencies.md").read_text()
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)
    assert sorted(explained) == sorted(map(requirement_name, wanted))


def test_the_conda_environment_has_the_locked_versions():
    environment = yaml.safe_load((ROOT / "envs" / "glymflow.yaml").read_text())
    pinned = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    locked = locked_versions()
    names = map(requirement_name, METADATA["project"]["dependencies"])
    assert sorted(pinned) == sorted(f"{name}=={locked.get(name, 'not locked')}" for name in names)


def test_a_run_needs_one_lock_and_development_the_other_besides():
    run, development = map(locked_versions, LOCKS)
    groups = METADATA["dependency-groups"]
    needed = map(requirement_name, [*METADATA["project"]["dependencies"], *groups["install"]])
    assert set(needed) <= set(run)
    assert set(map(requirement_name, groups["dev"])) <= set(development)
    assert "pytest" not in run
    both = set(run) & set(development)
    assert both
    assert {name: run[name] for name in both} == {name: development[name] for name in both}


def test_make_installs_both_locks_and_makes_both():
    text = (ROOT / "Makefile").read_text()
    [install] = re.findall(r"pip install .*--require-hashes (.*)", text)
    assert install.split() == ["-r", LOCKS[0], "-r", LOCKS[1]]
    assert re.findall(r"^\.venv/\.done: (.*)", text, re.MULTILINE) == [
        f"{LOCKS[0]} {LOCKS[1]} pyproject.toml setup.py"
    ]
    assert set(re.findall(r" -o (\S+)", text)) == set(LOCKS)
    assert re.search(r"^step env$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_the_versions_of_python_and_snakemake_agree():
    project = METADATA["project"]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    works = [f"3.{minor}" for minor in range(int(low), int(high))]
    named = f"Python {', '.join(works[:-1])} or {works[-1]}"
    for page in ("README.md", "docs/first-study.md"):
        assert named in (ROOT / page).read_text(), page
    assert f"(3, {low}) <= sys.version_info < (3, {high})" in (ROOT / "Makefile").read_text()
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    matrix = ci["jobs"]["run"]["strategy"]["matrix"]["python"]
    assert (matrix[0], matrix[-1]) == (works[0], works[-1])
    asked = re.search(r'min_version\("([\d.]+)"\)', (ROOT / "Snakefile").read_text())[1]
    assert any(one.startswith(f"snakemake>={asked},") for one in project["dependencies"])


def test_the_citation_has_the_version_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = METADATA["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


# ------------------------------------------------------------------ nothing of this machine


def test_no_tracked_file_names_a_registry_or_a_place_on_a_machine():
    hosts = r"(?:pypi|pythonhosted|anaconda|npmjs)\.(?:org|com)"
    places = r"(?<![\w.<>\-}~])/(?:root|work|home/\w+|Users/\w+|opt/\w+)/"
    forbidden = re.compile(f"{hosts}|{places}")
    found, files = [], tracked_files()
    assert len(files) >= 300
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in forbidden.finditer(text)]
    assert found == []


def test_pictures_are_light():
    pictures = list((ROOT / "docs" / "images").glob("*"))
    assert pictures
    assert max(path.stat().st_size for path in pictures) < 250_000
