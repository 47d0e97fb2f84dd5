"""The wheel, built and installed as somebody would without a checkout."""

import subprocess
import sys
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(directory.glob("forklore-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the programs of a fresh environment with the locked packages and the wheel."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory, with_pip=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "--quiet"]
    locked = ["--require-hashes", "--no-deps", "--requirement", str(CHECKOUT / "requirements" / "base.txt")]
    subprocess.run([*pip, "install", *locked], check=True)
    subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)  # that the lock has what the wheel asks for
    return directory / "bin"


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[Server]:
    command = [str(installed / "forklore"), "up", "--port=0", "--no-browser"]
    with Server(command, tmp_path, user_environment(FORKLORE_DATA=str(tmp_path))) as server:
        yield server


def test_carries_templates_static_files_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    for folder in ("templates", "static"):
        for path in (CHECKOUT / folder).rglob("*"):
            assert path.is_dir() or f"sessions_site/{path.relative_to(CHECKOUT)}" in names
    assert {"sessions_app/py.typed", "sessions_site/py.typed", "sessions_app/migrations/0001_initial.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_starts_by_forklore_up_and_answers(server):
    for path, content in (("/enter/", "text/html"), ("/static/icon.svg", "image/svg+xml")):
        with urllib.request.urlopen(server.url + path) as answer:
            assert answer.headers.get_content_type() == content
