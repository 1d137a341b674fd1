"""Small parts of report pages: numbers and pictures as text, QC in words, the templates."""

import base64
import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from glymflow.io import MISSING
from glymflow.text import number

DATA_FILES = ("templates",)
STATUSES = ("fail", "warn", "pass", "none")  # worst first; "none": not measured
INK = (
    "#1f2937"  # glymflow.figures.charts draws text in it; a page's own text colour takes its place
)


def with_interval(row, name):
    """Return a value with its 95 % confidence interval, or alone where there is none.

    Parameters
    ----------
    row : dict
        With the columns `name`, and `name` with ``_ci_low`` and ``_ci_high``.
    name : str

    Returns
    -------
    tuple of str
        The value, and the interval as "(1.30 to 1.52)" or "".

    Examples
    --------
    >>> with_interval({"alps": 1.41, "alps_ci_low": 1.3, "alps_ci_high": 1.52}, "alps")
    ('1.41', '(1.30 to 1.52)')
    """
    low, high = row.get(f"{name}_ci_low"), row.get(f"{name}_ci_high")
    there = is_known(low) and is_known(high) and is_known(row.get(name))
    return number(row.get(name)), f"({number(low)} to {number(high)})" if there else ""


def is_known(value):
    """Say whether a value is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def percent(value, full=1.0):
    """Return the length of a bar in percent, 0 to 100."""
    return f"{min(max(float(value) / full, 0), 1) * 100:.1f}" if is_known(value) else "0"


def words(value):
    """Return the text of a cell, ``n/a`` if it is missing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def embed_picture(png):
    """Return a PNG or WebP (lossy) as {"source": data URI, "width", "height" in pixels}."""
    if png.startswith(b"RIFF"):
        kind, (width, height) = "webp", (int.from_bytes(png[i : i + 2], "little") for i in (26, 28))
    else:
        kind, (width, height) = "png", (int.from_bytes(png[i : i + 4]) for i in (16, 20))
    source = f"data:image/{kind};base64," + base64.b64encode(png).decode()
    return {"source": source, "width": width, "height": height}


def embed_svg(svg, prefix):
    """Return an SVG drawing for the inside of a page; its text takes the colour of the page's.

    Parameters
    ----------
    svg : bytes
    prefix : str
        Put before every id, so that several drawings on a page do not meet.
    """
    from markupsafe import Markup

    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", text)
    return Markup(text.replace(INK, "currentColor"))


def explain(codes, reasons, found=None):
    """Return [{"code", "words", "found"}] for a cell of QC reason codes joined by ``;``.

    Parameters
    ----------
    codes : str
        Of a cell `qc_reasons`; anything else is a cell without codes.
    reasons : dict
        Code to sentence.
    found : callable, optional
        Gives for a code what was found and what is allowed; empty where nothing is to be said.
    """
    if not isinstance(codes, str):
        return []
    listed = [code.strip() for code in codes.split(";") if code.strip()]
    return [
        {
            "code": code,
            "words": reasons.get(code, code.replace("_", " ")),
            "found": found(code) if found else "",
        }
        for code in listed
    ]


def sentences(reasons):
    """Return reasons from `explain` as sentences, each with what was found.

    Examples
    --------
    >>> sentences([{"words": "FA is low.", "found": "left 0.1 < 0.2"}])
    ('FA is low: left 0.1 < 0.2.',)
    """
    return tuple(
        f"{one['words'].rstrip('.')}: {one['found']}." if one["found"] else one["words"]
        for one in reasons
    )


def worst_status(statuses):
    """Return the worst of some QC statuses; a series that was not measured counts least."""
    present = {status if status in STATUSES else "none" for status in statuses}
    return next((status for status in STATUSES if status in present), "none")


@dataclass(frozen=True)
class Part:
    """A section of a subject's page, made by a domain.

    Parameters
    ----------
    title, anchor : str
        In the list of sections, and the id to jump to.
    status : str
        Of quality control; "none" if nothing was measured.
    html : markupsafe.Markup
    scan : str
        What `compared` is of.
    compared : tuple of (str, int, float)
        Name, decimals and value of what is compared between the scans of a subject.
    reasons : tuple of str
        What the status is for, in words (`sentences`): the head of the page has them.
    """

    title: str
    anchor: str
    status: str
    html: Any
    scan: str = ""
    compared: tuple = ()
    reasons: tuple = ()


def part_title(name, session):
    """Return the title of a part, with the session in words if there is one."""
    return name if session == MISSING else f"{name}, {session}"


@dataclass(frozen=True)
class CohortPart:
    """What a domain beside ALPS adds to the cohort's page.

    Parameters
    ----------
    name, counted : str
        What was measured ("lesions"), and what its number is called ("lesions measured").
    rows : list of dict
        One per session, with `participant`, `session`, `status` and `reasons` in words.
    html : markupsafe.Markup
    charts : list of dict
        From `glymflow.pages.report.embed_chart`.
    """

    name: str
    counted: str
    rows: list
    html: Any
    charts: list = field(default_factory=list)


def render(folder, name, **values):
    """Return a template of a domain's folder, filled in, as HTML that is not escaped again."""
    from markupsafe import Markup

    return Markup(template(name, folder).render(**values))


@cache
def template(name, folder=None):
    """Return a template of `folder`, else of ``glymflow/pages/templates``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    own = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader([folder, own] if folder else own),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
