"""Django's settings, all from environment variables so that nothing has to be configured.

FORKLORE_DATA   the data directory (default: forklore in XDG_DATA_HOME or ~/.local/share)
DATABASE_URL    sqlite:///path or postgresql://user:password@host:port/name (default: forklore.sqlite3 in the data directory)
FORKLORE_MODE   local (default): for the owner of this machine's data directory; team comes later
FORKLORE_HOSTS  hosts to answer to besides the loopback ones, with a port or without, separated by commas
FORKLORE_BODY_LIMIT  bytes that one request may send (default: 64 MiB)
FORKLORE_DEBUG  1 shows tracebacks in the browser
"""

import os
import re
from pathlib import Path

from sessions_site.configuration import data_directory, database_from_url, host_names, known_only_here, secret_key
from sessions_site.sqlite import prefer_newer_sqlite

prefer_newer_sqlite()

BASE_DIR = Path(__file__).resolve().parent.parent
# templates/ and static/ stand in this package in a wheel, and beside it in a checkout.
ASSETS_DIR = next(path for path in (BASE_DIR / "sessions_site", BASE_DIR) if (path / "templates").is_dir())
DATA_DIR = data_directory()
DEBUG = os.environ.get("FORKLORE_DEBUG") == "1"
SECRET_KEY = secret_key(DATA_DIR)

FORKLORE_MODE = os.environ.get("FORKLORE_MODE") or "local"
FORKLORE_PROGRAM = "python3 run.py" if (BASE_DIR / "run.py").is_file() else "forklore"
# A host that nobody guesses. Browsers find *.localhost on this machine, and show its cookie to no other server here.
FORKLORE_OWN_HOST = f"forklore-{known_only_here(SECRET_KEY, 'host')}.localhost"
FORKLORE_HOSTS = (*host_names(os.environ.get("FORKLORE_HOSTS", "")), FORKLORE_OWN_HOST)
# The guard compares whole hosts, in sessions_site/guard.py; this is Django's own look at their names.
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *(re.sub(r":\d+$", "", host) for host in FORKLORE_HOSTS)]
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in FORKLORE_HOSTS]

INSTALLED_APPS = [
    "sessions_app.apps.AdminOfSuperusers",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "channels",
    "sessions_app.apps.SessionsConfig",
    "sessions_app.access.apps.AccessConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sessions_app.web.middleware.FindActor",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "sessions_app.web.middleware.CsrfOfCookies",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "sessions_app.web.middleware.PageOrFragment",
]
ROOT_URLCONF = "sessions_site.urls"
ASGI_APPLICATION = "sessions_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ASSETS_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_from_url(os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR}/forklore.sqlite3")}
DATABASE_ROUTERS = ["sessions_app.databases.CurrentDatabase"]

# Django's default zone is Chicago; times are kept in UTC and shown in the viewer's zone.
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
USE_I18N = False

STATIC_URL = "static/"
STATICFILES_DIRS = [ASSETS_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = False
SERVESTATIC_ALLOW_ALL_ORIGINS = False  # its default answers every origin with CORS *

# Cookies know no ports, so two installations on one machine need names of their own.
_INSTALLATION = known_only_here(SECRET_KEY, "cookies")
FORKLORE_COOKIE = f"forklore-{_INSTALLATION}"
SESSION_COOKIE_NAME = f"{FORKLORE_COOKIE}-session"
CSRF_COOKIE_NAME = f"{FORKLORE_COOKIE}-csrf"
SESSION_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SAMESITE = "Strict"
# Not in a cookie: what a toast says names sessions, and other servers of this machine are sent the cookies of its host.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_COOKIE_HTTPONLY = True  # the page carries the token; scripts need not read the cookie
# The guard gives every answer its headers, those of static files and of errors too.
SECURE_CONTENT_TYPE_NOSNIFF = False
SECURE_REFERRER_POLICY = None
SECURE_CROSS_ORIGIN_OPENER_POLICY = None

FORKLORE_BODY_LIMIT = int(os.environ.get("FORKLORE_BODY_LIMIT") or 64 * 1024 * 1024)  # bytes
DATA_UPLOAD_MAX_MEMORY_SIZE = FORKLORE_BODY_LIMIT

FORKLORE_MESSAGE_LIMIT = 64 * 1024 * 1024  # bytes of one message as JSON
FORKLORE_TRASH_DAYS = 30
