"""How results name files: by their data set, not by where they lie on this machine.

Results are shared, moved and read elsewhere. A file of the input is therefore named by a BIDS URI,
``bids:raw:sub-01/dwi/...``, one of the run directory relative to it, and any other one without its
folder. `make_portable` does this for the text files that a job writes, before they take their
place; `locate` finds the file again by the links in ``dataset_description.json``.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from glymflow.io import FilePath, InputFault, is_placeholder, read_json
from glymflow.schemas import ROOT

RESULTS = Path("results")
DERIVATIVES = RESULTS / "derivatives"
DESCRIPTION = DERIVATIVES / "dataset_description.json"
# key of the config: the name in URIs
DATASETS = {"bids_dir": "raw", "derivatives_dir": "derivatives"}
# within the sidecars of derivatives
_OWN = [(str(DERIVATIVES), "bids::"), (str(RESULTS / "resources"), "bids:resources:")]
_TEXTS = {".json", ".tsv", ".html", ".txt", ".tex", ".svg", ".log"}
_HOMES = {"/", "/home", "/Users"}  # what lies below them is named after persons
_AFTER = r"(?:/+|(?![\w+-]|\.\w))"  # a folder's name ends here
_BEFORE = r"(?<![\w./+-])"


def places_of(config: dict, run: FilePath = ".") -> list[tuple[str, str]]:
    """Return the folders that a run's texts may name, each with what stands for it.

    Parameters
    ----------
    config : dict
    run : path-like
        The run directory.

    Returns
    -------
    list of (str, str)
        Folder as it may be written, and its name in results; longer ones first.
    """
    found: dict[str, str] = {}
    for key, name in DATASETS.items():
        for path in _spellings(config.get(key)):
            found.setdefault(path, f"bids:{name}:")
    for path in {os.path.abspath(run), os.path.realpath(run), str(ROOT), os.path.realpath(ROOT)}:
        found.setdefault(path, "")
    for text in _texts(config):
        if text.startswith(("/", "..")):  # up to what a pattern fills in
            folder = os.path.dirname(text.partition("{")[0])
            found.setdefault(folder, "")
    found.setdefault(os.path.expanduser("~"), "~/")
    known = [(path, name) for path, name in found.items() if path.strip("./")]
    return sorted(known, key=lambda place: (-len(place[0]), place))


def _spellings(path):
    """Return how a folder of the config may be written in texts."""
    if not path:
        return []
    plain = os.path.normpath(path)
    return {path.rstrip("/"), plain, os.path.abspath(path), os.path.realpath(path)}


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def portable_text(text: str, places: Iterable[tuple[str, str]]) -> str:
    """Return a text in which files are named by their data set.

    Parameters
    ----------
    text : str
        Plain text, JSON or HTML.
    places : iterable of (str, str)
        From `places_of`.
    """
    for folder, name in places:
        for written in {folder, json.dumps(folder, ensure_ascii=False)[1:-1], _in_html(folder)}:
            # a relative folder counts where a path goes on: its name may be a word of the text
            after = _AFTER if folder.startswith("/") else r"/+(?=\w)"
            if written in text:
                text = re.sub(_BEFORE + re.escape(written) + after, _name(name), text)
    return text


def _name(name):
    return lambda found: name or ("" if found[0].endswith("/") else ".")


def _in_html(text):
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def make_portable(path: FilePath, places: Iterable[tuple[str, str]]) -> None:
    """Name files by their data set in a text file, or placeholder; it is changed in place.

    Parameters
    ----------
    path : path-like
        Files of other kinds, and those that are not there, are left alone.
    places : iterable of (str, str)
        From `places_of`.
    """
    path = Path(path)
    if not path.is_file() or not (path.suffix in _TEXTS or is_placeholder(path)):
        return
    before = path.read_bytes().decode("utf-8", errors="surrogateescape")
    places = list(places)
    if path.suffix == ".json" and DERIVATIVES in path.parents:
        places += _OWN
    after = portable_text(before, places)
    if after != before:
        path.write_bytes(after.encode("utf-8", errors="surrogateescape"))


def link_datasets(config: dict, run: FilePath = ".") -> dict[str, str | None]:
    """Return the way from the derivatives to each data set that a run reads, by its name in URIs.

    None where the way would lead through the root or a home: it would tell of the machine.

    Parameters
    ----------
    config : dict
    run : path-like
        The run directory.
    """
    start = os.path.abspath(Path(run) / DERIVATIVES)
    links: dict[str, str] = {}
    for key, name in DATASETS.items():
        folder = config.get(key) and os.path.abspath(config[key])
        if folder and folder not in links.values():
            links[name] = folder
    return {
        name: None
        if os.path.commonpath([start, folder]) in _HOMES
        else os.path.relpath(folder, start)
        for name, folder in links.items()
    }


def locate(name: str, run: FilePath, config: dict, moved: dict[str, str]) -> Path | None:
    """Return where a file lies that results name; None if it is not found.

    Parameters
    ----------
    name : str
        A BIDS URI, a path relative to the run directory, or a name without its folder.
    run : path-like
        The run directory.
    config : dict
        Of the run, as far as it is known.
    moved : dict of str to str
        Where data sets lie now, by their names in URIs. They win over the links in
        ``dataset_description.json``, and these over the config.
    """
    run = Path(run)
    found = re.fullmatch(r"bids:(\w*):(.*)", name)
    if found is None:
        folders = [run, *(Path(path) for path, word in places_of(config, run) if not word)]
        return _first_file(run / folder / name for folder in folders)
    dataset, path = found.groups()
    if dataset in moved:
        return _first_file([Path(moved[dataset], path)])
    link = {"": "."} | _links(run)
    own = [config.get(key) for key, known in DATASETS.items() if known == dataset]
    folders = [run / DERIVATIVES / link[dataset]] if dataset in link else []
    return _first_file(run / folder / path for folder in (*folders, *filter(None, own)))


def _first_file(paths):
    return next((path for path in paths if path.is_file()), None)


def _links(run):
    try:
        return read_json(run / DESCRIPTION).get("DatasetLinks", {})
    except InputFault:
        return {}
