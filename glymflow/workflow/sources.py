"""Which code a script runs: a fingerprint of the package modules that it imports.

Snakemake reruns a job when its script changes, but not when a module that the script imports
does. Each rule has this fingerprint as a parameter, so editing ``glymflow/dwi/tensor.py`` reruns
exactly the rules whose scripts import it, directly or through another module. Docstrings and
comments do not count. ``domain.part("page")`` counts as an import of the pages of all domains. A
module that reads files of the package names them in `DATA_FILES`, a tuple
of paths relative to its folder or to the folder of the Snakefile; they count as its code.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from glymflow.io import FilePath
from glymflow.schemas import PACKAGE, ROOT

if TYPE_CHECKING:
    import pandas as pd


def modules_of(path: FilePath) -> list[Path]:
    """Return the package's files that a Python file depends on.

    Parameters
    ----------
    path : path-like
        A script or module; imports inside functions count, since they run too.

    Returns
    -------
    list of pathlib.Path
        Sorted; with the files that the modules declare as `DATA_FILES`.

    Raises
    ------
    FileNotFoundError
        If a module declares a file or folder that is not there.
    """
    found: set[Path] = set()
    waiting = [Path(path).resolve()]
    while waiting:
        for module in _imports(waiting.pop()):
            if module not in found:
                found.add(module)
                waiting.append(module)
    data = {file for module in found for file in _data_files(module)}
    return sorted(found | data)


@cache
def code_hash(script: str) -> str:
    """Return the fingerprint of the package modules behind ``scripts/<script>.py``."""
    digest = hashlib.sha256()
    for module in modules_of(ROOT / "scripts" / f"{script}.py"):
        digest.update(module.name.encode() + b"\0" + _content(module))
    return digest.hexdigest()[:16]


def script_hashes() -> dict[str, str]:
    """Return the fingerprint of each script with the modules behind it, by the script's name."""
    scripts = sorted((ROOT / "scripts").glob("*.py"))
    code = {path.stem: path.read_bytes() + code_hash(path.stem).encode() for path in scripts}
    return {name: hashlib.sha256(text).hexdigest()[:16] for name, text in code.items()}


def fingerprint(*tables: pd.DataFrame) -> str:
    """Return the fingerprint of data frames: another one when any cell changes."""
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.to_csv(sep="\t", index=False, na_rep="n/a").encode())
    return digest.hexdigest()[:16]


@cache
def _tree(path):
    return ast.parse(path.read_bytes())


@cache
def _content(path):
    """Return what of a file counts: of Python its code, without docstrings and comments."""
    if path.suffix != ".py":
        return path.read_bytes()
    tree = _tree(path)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()


@cache
def _imports(path):
    """The package's files that one file imports itself."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".part"):
            names |= _domain_parts(ast.literal_eval(node.args[0]))
    # importing a.b.c runs the faces of a and a.b too
    names = {name for name in names if name.split(".")[0] == PACKAGE.name}
    names |= {name.rsplit(".", n)[0] for name in names for n in range(1, name.count(".") + 1)}
    places = [PACKAGE.joinpath(*name.split(".")[1:]) for name in names]
    files = [path.with_suffix(".py") for path in places if path != PACKAGE]
    files += [path / "__init__.py" for path in places]
    return [path for path in files if path.is_file()]


def _domain_parts(part):
    """Return the modules that ``domain.part(<part>)`` imports: what each domain's record names."""
    names = set()
    for path in PACKAGE.glob("*/domain.py"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.keyword) and node.arg == part:
                names.add(ast.literal_eval(node.value).partition(":")[0])
    return names


def _data_files(module):
    """Return the files that a module declares in `DATA_FILES`."""
    found = set()
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATA_FILES":
            for name in ast.literal_eval(node.value):
                places = [path for path in (module.parent / name, ROOT / name) if path.exists()]
                if not places:
                    raise FileNotFoundError(f"{module}: DATA_FILES names {name}, which is missing")
                place = places[0]
                files = place.rglob("*") if place.is_dir() else [place]
                found |= {file for file in files if file.is_file()}
    return found
