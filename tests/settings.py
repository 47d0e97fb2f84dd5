"""The site's settings on two test databases, with data and home in the directory of the test run."""

import os

from tests import rundirectory

RUN = rundirectory.path()
_own = RUN / os.environ.get("PYTEST_XDIST_WORKER", "main")
for _name, _folder in (("FORKLORE_DATA", "data"), ("HOME", "home")):
    os.environ[_name] = str(_own / _folder)
    (_own / _folder).mkdir(parents=True, exist_ok=True)
for _name in (
    "DATABASE_URL",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "CODEX_HOME",
    "CLAUDE_CONFIG_DIR",
    "FORKLORE_MODE",
    "FORKLORE_PROXY",
    "FORKLORE_OIDC_ISSUER",
):
    os.environ.pop(_name, None)  # what is set on a developer's machine must not reach a test

from sessions_site.configuration import database_from_url  # noqa: E402
from sessions_site.settings import *  # noqa: E402, F403

DATABASES = {
    "default": database_from_url(f"sqlite:///{_own}/unused.sqlite3"),
    "postgresql": database_from_url(os.environ.get("TEST_DATABASE_URL") or rundirectory.cluster().url),
}
# A file, because a database in memory knows neither WAL nor a second connection.
DATABASES["default"]["TEST"] = {"NAME": f"{_own}/test.sqlite3"}
DATABASES["postgresql"]["TEST"] = {"DEPENDENCIES": []}  # else a run of its tests alone would wait for the other one

# As where people sign in by OpenID; tests/web/test_openid.py says by whom.
INSTALLED_APPS = [*OPENID_APPS, *INSTALLED_APPS]  # noqa: F405
MIDDLEWARE = [*MIDDLEWARE, *OPENID_MIDDLEWARE]  # noqa: F405

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
