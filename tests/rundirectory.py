"""The directory of one test run: made by its first process, inherited by all others, removed when the first has ended.

A keeper process waits for that end on a pipe, so that the PostgreSQL server is stopped even after a kill -9.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.postgres import Cluster

VARIABLE = "FORKLORE_TEST_RUN"
CLUSTER = "postgresql"


def path() -> Path:
    if VARIABLE not in os.environ:
        # The system's temporary directory, not pytest's: PostgreSQL's user must reach it, and a socket's path is short.
        directory = Path(tempfile.mkdtemp(prefix="forklore-tests-"))
        directory.chmod(0o711)
        os.environ[VARIABLE] = str(directory)
        _start_keeper(directory)
    return Path(os.environ[VARIABLE])


def cluster() -> Cluster:
    """That of this worker of the run: on PostgreSQL a transaction keeps followers of all databases of its server waiting."""
    return Cluster(path() / f"{CLUSTER}{os.environ.get('PYTEST_XDIST_WORKER', '')}")


def _start_keeper(directory: Path) -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.rundirectory", str(directory)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        start_new_session=True,  # a ctrl-C is for the tests
    )
    atexit.register(_end_keeper, keeper, os.getpid())


def _end_keeper(keeper: subprocess.Popen, owner: int) -> None:
    if os.getpid() == owner:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.wait(timeout=30)  # seconds


def _keep(directory: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    try:
        for cluster in directory.glob(f"{CLUSTER}*"):
            Cluster(cluster).stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
