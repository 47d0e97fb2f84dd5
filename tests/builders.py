"""Sessions for tests, with a value for everything that does not matter, and what subprocesses need to reach them."""

import os
from typing import Any
from urllib.parse import quote, urlencode

from django.db import connections

from sessions_app.records import SessionRecord


def a_message(text: str = "hello", role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def a_session(store: Any, *texts: str, project: str = "demo") -> SessionRecord:
    """A session of one message a text, a person's and an assistant's in turn."""
    messages = [a_message(text, ("user", "assistant")[index % 2]) for index, text in enumerate(texts)]
    return store.create(project, messages)


def texts(record: SessionRecord) -> list[str]:
    return [message["content"] for message in record.messages]


def database_url(alias: str) -> str:
    """The address of a test database, for a process of its own."""
    settings = connections[alias].settings_dict
    if connections[alias].vendor == "sqlite":
        return f"sqlite:///{quote(str(settings['NAME']))}"
    account = ":".join(quote(settings[name], safe="") for name in ("USER", "PASSWORD") if settings[name])
    options = {"host": settings["HOST"], **settings["OPTIONS"]}
    options.pop("prepare_threshold", None)  # of the driver, not of an address
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgresql://{account}@{port}/{quote(settings['NAME'])}?{urlencode(options)}"


def environment(alias: str, **more: str) -> dict[str, str]:
    """The environment of a process that works on a test database."""
    return user_environment(DATABASE_URL=database_url(alias), **more)


def user_environment(**more: str) -> dict[str, str]:
    """The environment of a process that a person starts: the site's own settings, not those of the tests."""
    own = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**own, **more}
