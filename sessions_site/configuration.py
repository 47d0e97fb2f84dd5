"""Reads what the environment says: where data lives, which database, which secret."""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def data_directory() -> Path:
    """The directory of everything that Forklore keeps; made when missing, readable by its owner only."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    path = Path(os.environ.get("FORKLORE_DATA") or Path(home) / "forklore").absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def secret_key(directory: Path) -> str:
    """Django's secret, made at the first start and kept in a file that only its owner can read."""
    path = directory / "secret-key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()


def known_only_here(secret: str, purpose: str) -> str:
    """Twelve hex digits that another installation, or a page that guesses, does not know."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:12]


def host_names(text: str) -> tuple[str, ...]:
    """The hosts of FORKLORE_HOSTS; whether each is one, the guard says."""
    return tuple(filter(None, (host.strip().lower() for host in text.split(","))))


@dataclass(frozen=True, slots=True)
class OpenID:
    """The issuer by whose word people of a team may sign in."""

    issuer: str
    client: str
    secret: str = field(repr=False)
    name: str  # as the sign-in page calls it
    domains: tuple[str, ...] = ()  # of e-mail addresses; none means any
    admit: str = "invited"  # or everybody whom the issuer knows

    def wrong(self) -> str:
        """What is wrong with the settings, as a sentence; "" where nothing is."""
        if not is_safe_issuer(self.issuer):
            return "FORKLORE_OIDC_ISSUER is an address that begins with https://, without a query."
        if not self.client or not self.secret:
            return (
                "OpenID needs FORKLORE_OIDC_CLIENT, and FORKLORE_OIDC_SECRET or a readable FORKLORE_OIDC_SECRET_FILE."
            )
        if self.admit not in ("invited", "everybody"):
            return f"FORKLORE_OIDC_ADMIT is invited or everybody, not {self.admit}."
        unlikely = [domain for domain in self.domains if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain)]
        return f"FORKLORE_OIDC_DOMAINS names domains as example.org, not {unlikely[0]}." if unlikely else ""


def open_id(environment: Mapping[str, str]) -> OpenID | None:
    """None where no issuer is named."""
    issuer = environment.get("FORKLORE_OIDC_ISSUER", "").strip().rstrip("/")
    if not issuer:
        return None
    return OpenID(
        issuer=issuer,
        client=environment.get("FORKLORE_OIDC_CLIENT", "").strip(),
        secret=environment.get("FORKLORE_OIDC_SECRET") or _content(environment.get("FORKLORE_OIDC_SECRET_FILE", "")),
        name=environment.get("FORKLORE_OIDC_NAME", "").strip() or issuer.partition("://")[2].partition("/")[0],
        domains=host_names(environment.get("FORKLORE_OIDC_DOMAINS", "")),
        admit=environment.get("FORKLORE_OIDC_ADMIT") or "invited",
    )


def is_safe_issuer(address: str) -> bool:
    """https, or this machine, which needs none."""
    try:
        parts = urlsplit(address)
        plain = not (parts.query or parts.fragment or parts.username)
        return bool(parts.hostname) and plain and (parts.scheme == "https" or is_loopback(address))
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    parts = urlsplit(address)
    try:
        here = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and here


def _content(path: str) -> str:
    try:
        return Path(path).read_text().strip() if path else ""
    except (OSError, UnicodeDecodeError):
        return ""


PREPARED_FROM = 2  # times that a statement was run
PATIENCE = 20  # seconds that one who writes waits for another who has not finished (decision 0034)


def database_from_url(url: str) -> dict[str, Any]:
    """Django's settings for a database named by sqlite:///path or postgresql://user:password@host:port/name.

    Query parameters of a PostgreSQL address become libpq options. Raises ValueError for any other address.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return _sqlite(url)
    if scheme in ("postgresql", "postgres"):
        return _postgresql(url)
    raise ValueError(f"DATABASE_URL must start with sqlite:/// or postgresql://, not with {scheme!r}.")


def _sqlite(url: str) -> dict[str, Any]:
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise ValueError("A SQLite address is sqlite:///relative/path or sqlite:////absolute/path.")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.abspath(unquote(path)),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # The default, DEFERRED, fails with "database is locked" as soon as two processes write (DESIGN.md).
            "transaction_mode": "IMMEDIATE",
            "timeout": PATIENCE,
            # FULL: a write that was answered survives a power cut; with NORMAL it may not.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32768;",
        },
    }


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    # The server plans a statement once a connection, where it comes again. 0 in the address keeps from that, for a
    # pooler that hands a connection from one to another between transactions and does not know prepared statements.
    options["prepare_threshold"] = int(options.get("prepare_threshold", PREPARED_FROM)) or None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")) or unquote(parts.username or ""),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        # A pooler would hand what is set for a connection to others; there the server's own settings say it.
        "PATIENCE": PATIENCE if options["prepare_threshold"] else None,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
