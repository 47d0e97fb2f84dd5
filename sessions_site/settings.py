"""Django's settings, all from environment variables so that nothing has to be configured.

FORKLORE_DATA   the data directory (default: forklore in XDG_DATA_HOME or ~/.local/share)
DATABASE_URL    sqlite:///path or postgresql://user:password@host:port/name (default: forklore.sqlite3 in the data directory)
FORKLORE_MODE   local (default): for the owner of this machine's data directory; team: for people who sign in
FORKLORE_PROXY  1: a proxy that speaks https is in front, sets X-Forwarded-Proto and -For, and lets nobody else set them
FORKLORE_HOSTS  hosts to answer to besides the loopback ones, with a port or without, separated by commas
FORKLORE_OIDC_ISSUER  the address of an OpenID issuer by which people of a team may sign in (docs/security.md)
FORKLORE_OIDC_CLIENT  as whom it knows this server; with FORKLORE_OIDC_SECRET, or FORKLORE_OIDC_SECRET_FILE that holds it
FORKLORE_OIDC_NAME    what the sign-in page calls it (default: its host)
FORKLORE_OIDC_DOMAINS  only who has an e-mail address of these domains, separated by commas
FORKLORE_OIDC_ADMIT   invited (default): whom an admin invited by e-mail address; everybody: all whom it knows
FORKLORE_BODY_LIMIT  bytes that one request may send (default: 64 MiB)
FORKLORE_BUNDLE_LIMIT  bytes of an uploaded bundle, which may be compressed to that of a request (default: 2 GiB)
FORKLORE_SESSION_BYTES, FORKLORE_SESSION_MESSAGES    what one session may hold (default: 8 GiB, 5,000,000)
FORKLORE_PROJECT_BYTES, FORKLORE_PROJECT_SESSIONS    what one project may hold (default: 0, any number)
FORKLORE_REQUESTS, FORKLORE_SENT    requests and bytes of them that one person or token of a team may send in a minute
                                    (default: 3,000 and 1 GiB; 0: any number)
FORKLORE_DEBUG  1 shows tracebacks in the browser
"""

import os
import re
from importlib.util import find_spec
from pathlib import Path

from sessions_site import logs
from sessions_site.configuration import (
    data_directory,
    database_from_url,
    host_names,
    known_only_here,
    open_id,
    secret_key,
)
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
    "sessions_site.workers.static_files",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "sessions_app.web.middleware.CsrfOfCookies",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "sessions_app.web.middleware.PageOrFragment",
]
# django-allauth speaks with the issuer; it comes with forklore[oidc], and without it nobody signs in by OpenID.
FORKLORE_OIDC = open_id(os.environ) if FORKLORE_MODE == "team" else None
OPENID_APPS = [
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
OPENID_MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
SOCIALACCOUNT_ADAPTER = "sessions_app.web.openid_flow.Adapter"
if FORKLORE_OIDC and find_spec("allauth"):
    INSTALLED_APPS = [*OPENID_APPS, *INSTALLED_APPS]
    MIDDLEWARE += OPENID_MIDDLEWARE
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
                "sessions_app.web.context.allowed",
                "sessions_app.web.look.look",
            ],
            "builtins": ["sessions_app.templatetags.quick"],
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
SESSION_ENGINE = "sessions_app.access.user_sessions"
SESSION_COOKIE_AGE = 7 * 24 * 60 * 60  # seconds; the session itself ends earlier when nobody uses it
CSRF_COOKIE_HTTPONLY = True  # the page carries the token; scripts need not read the cookie
# The guard gives every answer its headers, those of static files and of errors too.
SECURE_CONTENT_TYPE_NOSNIFF = False
SECURE_REFERRER_POLICY = None
SECURE_CROSS_ORIGIN_OPENER_POLICY = None

# Argon2 first; a password that an older Django hashed is still known, and hashed anew when its owner signs in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
FORKLORE_PROXY = os.environ.get("FORKLORE_PROXY") == "1"
if FORKLORE_MODE == "team":
    # Browsers keep them also on http://127.0.0.1; elsewhere signing in takes https, which a proxy gives.
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
if FORKLORE_MODE == "team" and FORKLORE_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SILENCED_SYSTEM_CHECKS = [
    # The guard sends these headers itself, on static files and errors too: X-Frame-Options, nosniff, Referrer-Policy,
    # Cross-Origin-Opener-Policy.
    *("security.W002", "security.W006", "security.W022", "security.W024"),
    "security.W003",  # CsrfOfCookies is Django's own, by another name
    *("security.W005", "security.W021"),  # HSTS is not for this server to promise for other hosts of the domain
]

LOGGING = logs.settings(debug=DEBUG)

FORKLORE_BODY_LIMIT = int(os.environ.get("FORKLORE_BODY_LIMIT") or 64 * 1024 * 1024)  # bytes
FORKLORE_BUNDLE_LIMIT = int(os.environ.get("FORKLORE_BUNDLE_LIMIT") or 2 * 1024**3)  # bytes, on disk
DATA_UPLOAD_MAX_MEMORY_SIZE = FORKLORE_BODY_LIMIT

FORKLORE_MESSAGE_LIMIT = 64 * 1024 * 1024  # bytes of one message as JSON
FORKLORE_SESSION_BYTES = int(os.environ.get("FORKLORE_SESSION_BYTES") or 8 * 1024**3)
FORKLORE_SESSION_MESSAGES = int(os.environ.get("FORKLORE_SESSION_MESSAGES") or 5_000_000)
FORKLORE_PROJECT_BYTES = int(os.environ.get("FORKLORE_PROJECT_BYTES") or 0)
FORKLORE_PROJECT_SESSIONS = int(os.environ.get("FORKLORE_PROJECT_SESSIONS") or 0)
FORKLORE_REQUESTS = int(os.environ.get("FORKLORE_REQUESTS") or 3000)
FORKLORE_SENT = int(os.environ.get("FORKLORE_SENT") or 1024**3)  # bytes
FORKLORE_TRASH_DAYS = 30
