#!/usr/bin/env python3
"""Sets Forklore up, once, and runs it: needs Python 3.11 or newer and nothing else.

python3 run.py [--port N]          start Forklore at http://127.0.0.1:8000
python3 run.py open                let this machine's browser in to the Forklore that runs
python3 run.py search_sessions X   search from the terminal, as grep does
python3 run.py cleanup [POLICY]   run the policies of clean-up; --dry-run tells what they would do
python3 run.py token create NAME   make a token for an agent or a script; also list, revoke
python3 run.py create_admin NAME   make the first admin of a team (FORKLORE_MODE=team)
python3 run.py test [ARGUMENTS]    run all tests; the arguments are pytest's
python3 run.py lint [--fix]        check style, templates, types, imports and migrations
python3 run.py benchmark NAME      measure: store, search, access, agents, pages, live, lineage, soak
python3 run.py screenshots [PATH]  take the pictures of docs/screenshots anew
python3 run.py lock                write requirements/*.txt anew from pyproject.toml (needs uv)
python3 run.py NAME [ARGUMENTS]    run a management command; `help` lists them

Packages go to .venv/ in this directory, locked by hash, installed by uv where it is on PATH and else by pip.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent
ENVIRONMENTS = CHECKOUT / ".venv"
REQUIREMENTS = CHECKOUT / "requirements"
STAMP = "complete"  # written last, so that an interrupted set-up is told from a whole one
PEERS = ["--group=test", "--group=peers"]
PIP_SETTINGS_THAT_MISLEAD = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PIP_NO_DEPS")


def main(arguments):
    if sys.version_info < (3, 11):
        raise SystemExit(f"Forklore needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return
    command, *rest = arguments if arguments and not arguments[0].startswith("-") else ["up", *arguments]
    if command == "test":
        test(rest)
    elif command == "lint":
        raise SystemExit(lint(rest))
    elif command == "benchmark":
        needs = "peers" if rest[:1] == ["agents"] else "test"
        module(f"benchmarks.{rest[0]}" if rest else "benchmarks", rest[1:], needs)
    elif command == "screenshots":
        module("tests.browser.screenshots", rest)
    elif command == "lock":
        lock()
    elif command == "mcp":
        replace_by(python_with("mcp"), CHECKOUT / "manage.py", command, *rest)
    else:
        replace_by(
            python_with("oidc" if os.environ.get("FORKLORE_OIDC_ISSUER") else "base"),
            CHECKOUT / "manage.py",
            command,
            *rest,
        )


# ---- The commands


def test(arguments):
    python = python_with("test")
    get_what_tests_need()
    os.chdir(CHECKOUT)
    # Each start of Forklore would compile it anew: 0.2 s of the processor.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    replace_by(python, "-m", "pytest", *workers(arguments), *arguments)


def module(name, arguments, needs="test"):
    """Run a module of the checkout, with what tests need."""
    python = python_with(needs)
    get_what_tests_need()
    os.chdir(CHECKOUT)
    replace_by(python, "-m", name, *arguments)


def workers(arguments):
    """Two processes, unless the arguments choose a number or a debugger, which needs this one."""
    chosen = any(argument.startswith(("-n", "--numprocesses", "--pdb", "--trace")) for argument in arguments)
    return [] if chosen else ["-n", "2"]


def lint(arguments):
    """The number of checks that failed; all are run. With --fix, what a program can mend by itself is mended first."""
    python = python_with("test")
    templates = [str(path.relative_to(CHECKOUT)) for path in sorted(CHECKOUT.glob("templates/**/*.html"))]
    if arguments == ["--fix"]:
        for mending in (["ruff", "check", "--fix", "--quiet"], ["ruff", "format", "--quiet"], ["djade", *templates]):
            subprocess.run([str(python.parent / mending[0]), *mending[1:]], cwd=CHECKOUT)
    checks = {
        "style": ["ruff", "check"],
        "format": ["ruff", "format", "--check"],
        "templates": ["djlint", "--lint", "--quiet", "templates"],
        "template format": ["djade", "--check", *templates],
        "types": ["mypy"],
        "imports": ["lint-imports"],
        "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    }
    return sum(not _passes(name, [python.parent / words[0], *words[1:]]) for name, words in checks.items())


def _passes(name, command):
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"lint: {name} {'failed' if done.returncode else 'passed'}", flush=True)
    if done.returncode:
        print(done.stdout.decode(errors="replace"), flush=True)
    return done.returncode == 0


def lock():
    uv = shutil.which("uv")
    if not uv:
        raise SystemExit("uv is not on PATH; get it by: pip install uv")
    # --universal: one file for every supported Python and platform, told apart by markers.
    fixed = [
        "--universal",
        "--python-version=3.11",
        "--generate-hashes",
        "--no-emit-index-url",
        "--no-header",
        "--quiet",
    ]
    sets = {
        "base": [],
        "mcp": ["--extra=mcp"],
        "oidc": ["--extra=oidc"],
        "test": ["--group=test", "--extra=oidc"],
        "peers": PEERS,
    }
    for name, chosen in sets.items():
        command = [uv, "pip", "compile", "pyproject.toml", *chosen, *fixed, *sys.argv[2:]]
        subprocess.run([*command, f"--output-file=requirements/{name}.txt"], cwd=CHECKOUT, check=True)


# ---- Setting up


def python_with(name):
    """The interpreter of an environment that holds exactly requirements/NAME.txt; made where it is missing."""
    requirements = REQUIREMENTS / f"{name}.txt"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    directory = ENVIRONMENTS / f"{name}-{sys.implementation.cache_tag}-{key}"
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not is_complete(directory, python):
        with only_one_at_a_time():
            if not is_complete(directory, python):
                set_up(directory, python, requirements)
    return python


def is_complete(directory, python):
    return (directory / STAMP).exists() and python.exists()  # a link to a Python that was removed does not exist


def set_up(directory, python, requirements):
    began = time.monotonic()
    uv = shutil.which("uv")
    print(f"Setting up Forklore in {shortened(directory)}, once, by {'uv' if uv else 'pip'} …", flush=True)
    if directory.exists():
        shutil.rmtree(directory)
    if uv:
        install_by_uv(uv, directory, python, requirements)
    else:
        install_by_pip(directory, python, requirements)
    (directory / STAMP).touch()
    print(f"Set up in {time.monotonic() - began:.0f} s.", flush=True)


def install_by_uv(uv, directory, python, requirements):
    run_quietly(uv, "venv", "--quiet", "--no-project", "--python", sys.executable, directory)
    # fmt: off
    run_quietly(
        uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--no-deps", "--compile-bytecode",
        "--requirements", requirements,
    )
    # fmt: on


def install_by_pip(directory, python, requirements):
    if not importlib.util.find_spec("ensurepip"):
        get_ensurepip()
    run_quietly(sys.executable, "-m", "venv", directory)
    # fmt: off
    run_quietly(
        python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--progress-bar=off",
        "--require-hashes", "--no-deps", "--requirement", requirements,
    )
    # fmt: on


def run_quietly(*command):
    """Say nothing unless it fails; then all that the command said."""
    settings = {name: value for name, value in os.environ.items() if name not in PIP_SETTINGS_THAT_MISLEAD}
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.stdout.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"The set-up failed at: {' '.join(words)}")


@contextlib.contextmanager
def only_one_at_a_time():
    """Two first starts at once must not build the same environment."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(ENVIRONMENTS / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- What a Debian machine lacks


def get_ensurepip():
    """Debian keeps a part of Python's venv in a package of its own."""
    package = f"python3.{sys.version_info.minor}-venv"
    if is_root_on_debian():
        print(f"Installing {package} …", flush=True)
        apt_install(package)
    else:
        raise SystemExit(f"This Python cannot make environments yet; mend it by: sudo apt-get install {package}")


def get_what_tests_need():
    from tests import postgres
    from tests.browser import chromium

    missing = {}
    if not postgres.binaries() and not os.environ.get("TEST_DATABASE_URL"):
        missing["postgresql"] = postgres.HOW_TO_GET
    if chromium.missing():
        missing["chromium"] = chromium.HOW_TO_GET
    if missing and is_root_on_debian():
        print(f"Installing {' and '.join(missing)} for the tests …", flush=True)
        keep_postgresql_from_starting()
        apt_install(*missing)
    else:
        for why in missing.values():
            print(f"Skipping tests: {why}", flush=True)


def keep_postgresql_from_starting():
    """The tests start a server of their own; one that nobody asked for would stay on."""
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if not settings.exists():
        settings.parent.mkdir(exist_ok=True)
        settings.write_text("create_main_cluster = false\n")


def is_root_on_debian():
    return hasattr(os, "geteuid") and os.geteuid() == 0 and os.path.exists("/etc/debian_version")


def apt_install(*packages):
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    options = ["--yes", "--quiet", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold"]
    run_quietly("apt-get", "update", "--quiet")
    run_quietly("apt-get", "install", *options, *packages)


# ---- Helpers


def replace_by(*command):
    """Become that program, so that signals and the exit code are its own."""
    words = [str(word) for word in command]
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(words[0], words)
    raise SystemExit(subprocess.call(words))


def shortened(path):
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    main(sys.argv[1:])
