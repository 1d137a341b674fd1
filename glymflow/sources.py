"""Which code a script runs: a fingerprint of the package modules that it imports.

Snakemake reruns a job when its script changes, but not when a module that the script imports
does. Each rule has this fingerprint as a parameter, so editing ``glymflow/tensor.py`` reruns
exactly the rules whose scripts import it, directly or through another module.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# module: the folder of files that it reads and that decide what it does
DATA = {
    "glymflow/regions.py": "glymflow/data",
    "glymflow/report.py": "glymflow/templates",
    "glymflow/study.py": "config/schemas",
    "glymflow/vbnet.py": "glymflow/weights",
}


def modules_of(path):
    """Return the package's files that a Python file depends on.

    Parameters
    ----------
    path : path-like
        A script or module; imports inside functions count, since they run too.

    Returns
    -------
    list of pathlib.Path
        Sorted; with the `DATA` files of the modules among them.
    """
    found, waiting = set(), [Path(path).resolve()]
    while waiting:
        for module in _imports(waiting.pop()):
            if module not in found:
                found.add(module)
                waiting.append(module)
    for module, folder in DATA.items():
        if ROOT / module in found:
            found |= {file for file in (ROOT / folder).rglob("*") if file.is_file()}
    return sorted(found)


@cache
def code_hash(script):
    """Return the fingerprint of the package modules behind ``scripts/<script>.py``."""
    digest = hashlib.sha256()
    for module in modules_of(ROOT / "scripts" / f"{script}.py"):
        digest.update(module.name.encode() + b"\0" + module.read_bytes())
    return digest.hexdigest()[:16]


def script_hashes():
    """Return the fingerprint of each script with the modules behind it, by the script's name."""
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    code = {path.stem: path.read_bytes() + code_hash(path.stem).encode() for path in scripts}
    return {name: hashlib.sha256(text).hexdigest()[:16] for name, text in code.items()}


def fingerprint(*tables):
    """Return the fingerprint of data frames: another one when any cell changes."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.to_csv(sep="\t", index=False, na_rep="n/a").encode())
    return digest.hexdigest()[:16]


@cache
def _imports(path):
    """The package's files that one file imports itself."""
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    files = [ROOT / Path(*name.split(".")) for name in names if name.split(".")[0] == "glymflow"]
    files = [path.with_suffix(".py") for path in files] + [path / "__init__.py" for path in files]
    return [path for path in files if path.is_file()]
