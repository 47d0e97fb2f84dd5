"""A throwaway PostgreSQL cluster in a directory of its own, reached by a Unix socket in it and by nothing else."""

import fcntl
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

HOW_TO_GET = "no PostgreSQL server on this machine; get it by: apt-get install postgresql (or brew install postgresql)"
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
FAST = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


def binaries() -> Path | None:
    """Where the newest server's initdb and pg_ctl are, or None; Debian keeps them out of PATH."""
    found = [path for place in PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))])
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


class Cluster:
    def __init__(self, directory: Path, settings: str = FAST):
        self.directory = directory
        self.data = directory / "data"
        self.settings = settings  # as options of the server

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/forklore?host={quote(str(self.directory), safe='')}"

    def start(self) -> None:
        """Does nothing where it runs already; several processes may call it at once.

        Raises RuntimeError with the server's own words when it does not start.
        """
        with self._lock():
            if not (self.data / "postmaster.pid").exists():
                self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
                log = self.directory / "log"
                self._run(
                    "pg_ctl", "start", "--wait", f"--log={log}", f"--options={self.settings} -k '{self.directory}'"
                )

    def stop(self) -> None:
        """Ends the server whose pid stands in this data directory, and no other."""
        if self.directory.exists():
            with self._lock():
                if (self.data / "postmaster.pid").exists():
                    self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def restart(self) -> None:
        """At once, as after a crash."""
        self._run("pg_ctl", "restart", "--mode=immediate", "--wait", f"--log={self.directory / 'log'}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.directory / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _run(self, program: str, *arguments: str) -> None:
        account = _unprivileged()
        if account:
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        done = subprocess.run(
            [_program(program), "--pgdata", str(self.data), *arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}")


def _program(name: str) -> str:
    directory = binaries()
    if directory is None:
        raise RuntimeError(HOW_TO_GET)
    return str(directory / name)


def _unprivileged() -> pwd.struct_passwd | None:
    """The account to run the server as, which refuses root; None keeps the one we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody here.")
