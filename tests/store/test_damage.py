"""Files of SQLite that are damaged in every way: what is read is right or refused, in a sentence, and nothing is made anew.

FORKLORE_LONG=1 damages ten thousand instead of a thousand.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import user_environment

pytestmark = pytest.mark.once
CHECKOUT = Path(__file__).parents[2]
FILES = 10_000 if os.environ.get("FORKLORE_LONG") == "1" else 1_000


@pytest.fixture
def damaging(tmp_path):
    def run(what, *numbers):
        done = subprocess.run(
            [sys.executable, "-m", "tests.store.damaging", what, str(tmp_path), *map(str, numbers)],
            cwd=CHECKOUT,
            env=user_environment(DJANGO_SETTINGS_MODULE="sessions_site.settings", FORKLORE_DATA=str(tmp_path / "data")),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return run


class ADamagedFile:
    def test_is_read_rightly_or_refused_and_never_made_anew(self, damaging):
        found = damaging("campaign", FILES)
        print(found)
        assert found["wrong"] == []
        assert all(found["told"][what] > FILES / 50 for what in ("right", "refused", "not opened")), found["told"]

    def test_in_which_a_row_has_no_body_is_searched_without_a_traceback(self, damaging):
        """Pages that changed places, and bits of a check: two of the ten thousand, found by the long form."""
        assert damaging("again", 3445, 8241)["wrong"] == []

    def test_would_be_read_wrongly_without_digests(self, damaging):
        assert damaging("control")["told"]["wrong"]

    def test_is_checked_to_the_end(self, damaging):
        told = damaging("check", FILES // 20)["told"]
        print(told)
        assert told["named"] + told["not opened"] > FILES / 40, told
