"""No acknowledged write is lost to a power cut; FORKLORE_LONG=1 cuts five thousand times instead of four hundred."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import user_environment

pytestmark = pytest.mark.once
CHECKOUT = Path(__file__).parents[2]
CUTS = 5_000 if os.environ.get("FORKLORE_LONG") == "1" else 400


def cut(directory, cuts, synchronous):
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.power", str(directory), str(cuts), synchronous],
        cwd=CHECKOUT,
        env=user_environment(DJANGO_SETTINGS_MODULE="sessions_site.settings", FORKLORE_DATA=str(directory / "data")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout.splitlines()[-1])


class APowerCut:
    def test_loses_nothing_that_was_acknowledged(self, tmp_path):
        found = cut(tmp_path, CUTS, "FULL")
        assert (found["cuts"], found["lost"], found["harmed"], found["wrong"]) == (CUTS, 0, 0, [])
        assert found["ack"] > 100
        assert found["sync"] > found["ack"]

    def test_loses_much_where_sqlite_waits_less_for_the_disk(self, tmp_path):
        """The control: the same recorder and the same cuts. NORMAL loses what was acknowledged, OFF harms the file."""
        (tmp_path / "normal").mkdir()
        (tmp_path / "off").mkdir()
        normal, off = cut(tmp_path / "normal", 150, "NORMAL"), cut(tmp_path / "off", 60, "OFF")
        assert (normal["lost"] > 10, normal["harmed"]) == (True, 0)
        assert off["harmed"] > 10
