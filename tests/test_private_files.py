"""What Forklore keeps is its own user's alone."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from sessions_site import private_files
from sessions_site.private_files import NotPrivate
from tests import rundirectory

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's directories private by itself")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def data(tmp_path):
    """A data directory as a careless backup left it: readable by everybody."""
    directory = tmp_path / "data"
    directory.mkdir()
    for name in ("forklore.sqlite3", "forklore.sqlite3-wal", "token", "server.log"):
        (directory / name).touch()
        (directory / name).chmod(0o644)
    directory.chmod(0o755)
    return directory


class Checking:
    def test_takes_everybody_elses_permissions_away_and_says_so(self, data):
        said = list(private_files.check(data))

        assert mode(data) == 0o700
        assert {mode(path) for path in data.iterdir()} == {0o600}
        assert said[0] == f"Other users could read {data} (0755); now only you can (0700)."
        assert len(said) == 5

    def test_says_nothing_the_second_time(self, data):
        list(private_files.check(data))
        assert list(private_files.check(data)) == []

    def test_takes_in_a_database_that_stands_elsewhere_but_not_its_directory(self, data, tmp_path):
        elsewhere = tmp_path / "shared"
        elsewhere.mkdir(mode=0o755)
        for path in private_files.database_files(str(elsewhere / "x.sqlite3"))[:2]:
            path.touch(mode=0o644)

        list(private_files.check(data, private_files.database_files(str(elsewhere / "x.sqlite3"))))

        assert {path.name: mode(path) for path in elsewhere.iterdir()} == {"x.sqlite3": 0o600, "x.sqlite3-wal": 0o600}
        assert mode(elsewhere) == 0o755

    def test_leaves_a_place_alone_that_all_users_share(self, data):
        data.chmod(0o1777)
        with pytest.raises(NotPrivate, match="all users share"):
            list(private_files.check(data))
        assert data.stat().st_mode & 0o7777 == 0o1777

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    @pytest.mark.parametrize("name", ["", "forklore.sqlite3"])
    def test_refuses_what_belongs_to_somebody_else(self, data, name):
        os.chown(data / name, 65534, 65534)
        with pytest.raises(NotPrivate, match=r"belongs to another user \(id 65534\)"):
            list(private_files.check(data))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
class AnotherUser:
    @pytest.fixture
    def tmp_path(self):
        """Where every user gets to; pytest's own directories stop them on the way."""
        with tempfile.TemporaryDirectory(dir=rundirectory.path()) as directory:
            Path(directory).chmod(0o755)
            yield Path(directory)

    def readable(self, *paths: Path) -> list[str]:
        """Which of them the user nobody can read."""
        command = [
            "/bin/sh",
            "-c",
            'for path do cat "$path" 2>/dev/null && echo "$path"; done; true',
            "sh",
            *map(str, paths),
        ]
        done = subprocess.run(
            command, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    def test_reads_all_of_it_where_nothing_was_checked(self, data):
        files = sorted(data.iterdir())
        assert self.readable(*files) == [str(path) for path in files]

    def test_reads_nothing_although_the_way_there_is_open(self, data):
        files = sorted(data.iterdir())
        assert self.readable(*files) == [str(path) for path in files]

        list(private_files.check(data))

        assert self.readable(*files) == []
        data.chmod(0o755)
        assert self.readable(*files) == []  # each file is private by itself too
