"""A real browser without a screen: what a page is after its scripts have run."""

import shutil
import subprocess

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="session")
def dom(tmp_path_factory):
    """Return a function that gives the elements of a page, as its scripts left them."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    profile = tmp_path_factory.mktemp("chromium")

    def load(path, address=""):
        words = [
            browser,
            *QUIET,
            f"--user-data-dir={profile}",
            "--dump-dom",
            f"file://{path}{address}",
        ]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout

    return load
