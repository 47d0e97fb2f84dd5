"""Django's settings, all from environment variables so that nothing has to be configured.

FORKLORE_DATA   the data directory (default: forklore in XDG_DATA_HOME or ~/.local/share)
DATABASE_URL    sqlite:///path or postgresql://user:password@host:port/name (default: forklore.sqlite3 in the data directory)
FORKLORE_HOSTS  host names to answer to besides the loopback ones, separated by commas
FORKLORE_DEBUG  1 shows tracebacks in the browser
"""

import os
from pathlib import Path

from sessions_site.configuration import data_directory, database_from_url, secret_key
from sessions_site.sqlite import prefer_newer_sqlite

prefer_newer_sqlite()

BASE_DIR = Path(__file__).resolve().parent.parent
# templates/ and static/ stand in this package in a wheel, and beside it in a checkout.
ASSETS_DIR = next(path for path in (BASE_DIR / "sessions_site", BASE_DIR) if (path / "templates").is_dir())
DATA_DIR = data_directory()
DEBUG = os.environ.get("FORKLORE_DEBUG") == "1"
SECRET_KEY = secret_key(DATA_DIR)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *filter(None, os.environ.get("FORKLORE_HOSTS", "").split(","))]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "channels",
    "sessions_app.apps.SessionsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sessions_app.web.middleware.content_security_policy",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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

SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SAMESITE = "Strict"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # bytes

FORKLORE_MESSAGE_LIMIT = 64 * 1024 * 1024  # bytes of one message as JSON
FORKLORE_TRASH_DAYS = 30
