"""A process that appends to a session, renames it and forks it, some times; test_changes.py starts several."""

import sys
from uuid import UUID

import django

django.setup()

from sessions_app import store  # noqa: E402
from tests.builders import a_message  # noqa: E402

if __name__ == "__main__":
    id = UUID(sys.argv[1])
    for number in range(int(sys.argv[2])):
        store.append(id, [a_message(f"message {number}")])
        store.fork_at(id, 1)
        store.rename(id, f"title {number}")
