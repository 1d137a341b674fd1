"""The two steps that pyproject.toml has no word for.

An editable install puts the folder of the checkout on Python's path: Snakemake looks through the
folders of the path for its plugins, and does not see packages that are found in another way.

A wheel takes the workflow along. It holds packages only, so the build copies Snakefile, rules,
scripts, profiles, config and envs to ``glymflow/bundle`` (`glymflow.schemas.ROOT`). The checkout
and an editable install use the files where they are and have no such folder.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
WORKFLOW = ("Snakefile", "rules", "scripts", "profiles", "config", "envs")


class BuildWithWorkflow(build_py):
    """Build the package, with the workflow in it."""

    def run(self):
        """Build; what an earlier build left is no part of it."""
        package = Path(self.build_lib) / "glymflow"
        if not self.editable_mode:
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        for name in WORKFLOW:
            source, copy = HERE / name, package / "bundle" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(source, copy)


setup(
    cmdclass={"build_py": BuildWithWorkflow},
    options={"editable_wheel": {"mode": "compat"}},
)
