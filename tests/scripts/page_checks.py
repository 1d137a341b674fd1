"""What holds for every page."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
VOID = {"meta", "img", "input", "br", "link", "hr"}


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Nesting(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def assert_good_page(html):
    """The page is self-contained, well nested, and no id stands twice."""
    assert not re.findall(r'(?:src|href)="?\s*(?:https?:)?//', html)
    assert "@import" not in html
    assert not re.findall(r"url\(\s*['\"]?(?!#)", html)
    parser = _Nesting()
    parser.feed(html)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
