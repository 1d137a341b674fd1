"""A process that ends with its parent."""

import os
import subprocess
import sys
import time

import pytest

from glymflow.workflow import processes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
CHILD = "from glymflow.workflow.processes import *; end_with_parent(); print('there', flush=True);"
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1] + "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""


def runs(pid):
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_process_is_killed_with_its_parent():
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == b"there\n"
        assert runs(child)
        parent.kill()
    end = time.monotonic() + 10
    while runs(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(child)


@pytest.mark.parametrize(("namespace", "status"), [("", -9), ("another", 0)])
def test_a_parent_that_is_gone_already(namespace, status):
    environment = dict(os.environ)
    processes.name_parent(environment)
    mine, _, own = environment[processes.PARENT].partition(" ")
    assert int(mine) == os.getpid()
    with subprocess.Popen(["true"]) as ended:
        pass
    environment[processes.PARENT] = f"{ended.pid} {namespace or own}"
    done = subprocess.run([sys.executable, "-c", CHILD], env=environment, check=False)
    assert done.returncode == status
