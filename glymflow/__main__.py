"""``python -m glymflow``: the ``glymflow`` command where it is not on the path."""

import sys

from glymflow.cli import main

sys.exit(main())
