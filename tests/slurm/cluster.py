"""A Slurm cluster on this machine, for as long as a test: its own key, ports and folders.

munged, slurmctld and two slurmd ("nodes" with two cores each) run as the current user in one
folder. Jobs are asked after with squeue, or with sacct where the cluster has accounting (slurmdbd
on a private MariaDB). Whatever was started is ended, also the jobs' own processes.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scontrol")
ACCOUNTING = ("sacct", "slurmdbd", "mariadbd", "mariadb-install-db")
NODES = ("n1", "n2")

CONFIG = """\
ClusterName=glymflow-test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
{accounting}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=30
MinJobAge=300
KillWait=2
{nodes}
PartitionName=test Nodes=ALL Default=YES LLN=YES MaxTime=INFINITE State=UP
"""

DATABASE_CONFIG = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm_acct_db
"""


def missing_programs(programs=PROGRAMS):
    """Name the programs that are not installed; they may be in /usr/sbin."""
    if "/usr/sbin" not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    return [program for program in programs if shutil.which(program) is None]


def free_ports(number):
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def descendants(pid):
    """Return the ids of all processes that a process started, and theirs."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        waiting += (more := children.get(waiting.pop(), []))
        found += more
    return found


class Cluster:
    """The daemons: `start`, `stop`, and `kill_node` for one that dies with all its jobs."""

    def __init__(self, folder, *, accounting=False):
        self.folder = Path(folder)
        self.accounting = accounting
        self.processes = {}

    @property
    def environment(self):
        """What the programs of Slurm need to find this cluster and no other."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def start(self):
        """Write the configuration, start the daemons, wait until both nodes take jobs."""
        for name in ("bin", "state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        ports = free_ports(2 + len(NODES))
        accounting = "AccountingStorageType=accounting_storage/none"
        if self.accounting:
            accounting = (
                "AccountingStorageType=accounting_storage/slurmdbd\n"
                f"AccountingStorageHost=127.0.0.1\nAccountingStoragePort={ports[-1]}\n"
                f"AccountingStoragePass={self.folder}/munge.socket"
            )
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        nodes = "\n".join(
            f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=2 "
            f"RealMemory={memory * 9 // 10} State=UNKNOWN"
            for node, port in zip(NODES, ports[1:-1], strict=True)
        )
        (self.folder / "slurm.conf").write_text(
            CONFIG.format(
                user=getpass.getuser(), folder=self.folder, ports=ports, nodes=nodes,
                accounting=accounting,
            )
        )  # fmt: skip
        # the plugin takes SLURM_CONF away from the srun inside a job: this one has it again
        srun = self.folder / "bin" / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        srun.chmod(0o755)
        self._run(
            "munged", "--foreground", "--force", f"--key-file={key}",
            *(f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed")),
            f"--socket={self.folder}/munge.socket",
        )  # fmt: skip
        self._wait((self.folder / "munge.socket").exists, "munged does not start")
        if self.accounting:
            self._start_accounting(ports[-1])
        self._run("slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        self._wait(lambda: self.idle() == set(NODES), "the nodes do not come up")

    def _start_accounting(self, port):
        """Start a database that listens on a socket in the folder only, and slurmdbd on it."""
        data, socket_file = self.folder / "database", self.folder / "database.socket"
        user = getpass.getuser()
        options = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
        subprocess.run(
            ["mariadb-install-db", *options, "--auth-root-authentication-method=socket",
             f"--auth-root-socket-user={user}", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        self._run("mariadbd", *options, f"--socket={socket_file}", "--skip-networking")
        self._wait(socket_file.exists, "mariadbd does not start")
        config = self.folder / "slurmdbd.conf"
        config.write_text(DATABASE_CONFIG.format(user=user, folder=self.folder, port=port))
        config.chmod(0o600)
        self._run("slurmdbd", "-D", environment={"MYSQL_UNIX_PORT": str(socket_file)})
        self._wait(lambda: "Cluster" in self.ask("sacctmgr", "show", "cluster"), "no slurmdbd")

    def start_node(self, node):
        """Start the slurmd of a node."""
        # in its own folder, by which the processes of its jobs can be told (`_steps`)
        self._run("slurmd", "-D", "-N", node, name=node, cwd=self.folder / f"spool-{node}")

    def kill_node(self, node):
        """End a node at once, with the jobs on it, as when its power fails."""
        daemon = self.processes.pop(node)
        # job steps have left the daemon's process tree: they are known by their name and node
        steps = [pid for pid in self._steps(node) for pid in (pid, *descendants(pid))]
        for pid in (daemon.pid, *steps):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        daemon.wait()

    def ask(self, *command):
        """Return what a program of Slurm says."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout

    def idle(self):
        """Return the nodes that take jobs."""
        lines = self.ask("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        return {line.split()[0] for line in lines if line.split()[1] == "idle"}

    def jobs(self, node=None):
        """Return the ids of the running jobs, of one node or of all."""
        where = ["--nodelist", node] if node else []
        return self.ask("squeue", "--noheader", "--states=R", "--format=%i", *where).split()

    def hurry(self):
        """Let jobs that were sent again run at once, not in two minutes; say if there were any."""
        waiting = self.ask("squeue", "--noheader", "--states=PD", "--format=%i").split()
        for job in waiting:
            self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
        return bool(waiting)

    def stop(self):
        """End all jobs and daemons, and all that they started."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.ask("scancel", "--user", getpass.getuser())
            self._wait(lambda: not self.ask("squeue", "--noheader"), "jobs do not end", 15)
        started = [pid for node in NODES for pid in self._steps(node)]
        started += [pid for pid in started for pid in descendants(pid)]
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _run(self, program, *options, name=None, cwd=None, environment=None):
        """Start a daemon in the foreground."""
        name = name or program
        with open(self.folder / f"{name}.said", "a") as said:
            self.processes[name] = subprocess.Popen(
                [program, *options],
                env=self.environment | (environment or {}),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def _steps(self, node):
        """Return the processes that run the jobs of a node; they have left its slurmd's tree."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                name = (entry / "comm").read_text() if entry.name.isdigit() else ""
                home = self.folder / f"spool-{node}"
                if name.startswith("slurmstepd") and (entry / "cwd").readlink() == home:
                    found.append(int(entry.name))
        return found

    def _wait(self, ready, fault, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                logs = [path for path in self.folder.iterdir() if path.suffix in (".said", ".log")]
                tails = "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in logs)
                raise RuntimeError(f"{fault} ({', '.join(dead) or 'time is up'})\n{tails}")
            time.sleep(0.2)
