"""Measures what the gate costs: finding out who asks, and lists for a viewer of few projects beside those for the owner.

    python3 run.py benchmark access [--database sqlite|postgresql] [--sessions 100000] [--projects 500] [--seen 20]

Prints a table for each database and the bars of issue 4, and ends with 1 if one of them is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from django.conf import settings
from django.test import Client

from benchmarks.lists import a_project, bare_sessions
from benchmarks.measuring import KINDS, database, quantiles, quantiles_in_turn, verdict
from sessions_app import store
from sessions_app.access import browsers, finding, roles, tokens
from sessions_app.actors import Actor, Role, acting, the_owner

GATE_MOST = 0.3  # milliseconds a request
LISTS_MOST = 2.0  # times as long as for the owner, where that is more than the gate may cost
TURNS = 40


def main() -> int:
    options = _options()
    missed = []
    for kind in options.database or KINDS:
        print(f"\n{kind:45} {'p50':>10} {'p95':>10}", flush=True)
        with database(kind):
            missed += _measure(kind, options)
    return verdict(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", action="append", choices=KINDS)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--projects", type=int, default=500)
    parser.add_argument("--seen", type=int, default=20, help="projects that the viewer may look into")
    return parser.parse_args()


def _measure(kind: str, options: argparse.Namespace) -> list[str]:
    viewer, token = _filled(options)
    missed = _finding(token)
    for name, call in _lists(options).items():
        missed += _beside_the_owner(name, call, viewer)
    missed += _pages(options, token)
    return [f"{kind}: {name}" for name in missed]


def _filled(options: argparse.Namespace) -> tuple[Actor, str]:
    """A user with roles in some projects, all over the range."""
    from django.contrib.auth.models import User

    projects = bare_sessions(options.sessions, options.projects)
    user = User.objects.create(username="viewer")
    for project in projects[:: max(1, len(projects) // options.seen)][: options.seen]:
        roles.grant(user.pk, project.pk, Role.VIEWER)
    return finding.of_user(user), tokens.create("viewer", user_id=user.pk)


def _finding(token: str) -> list[str]:
    cookie = browsers.let_in()
    missed = []
    ways: dict[str, Callable[[], object]] = {
        "find who asks, by a token": lambda: finding.find({}, f"Bearer {token}"),
        "find who asks, by a cookie": lambda: finding.find({settings.FORKLORE_COOKIE: cookie}, None),
    }
    for name, way in ways.items():
        middle, late = quantiles(lambda turn, way=way: way(), 500)  # type: ignore[misc]
        print(f"  {name:43} {middle:10.3f} {late:10.3f} ms", flush=True)
        missed += [name] if middle > GATE_MOST else []
    return missed


def _seen(options: argparse.Namespace) -> str:
    """A project that the viewer may look into."""
    return a_project(options.projects // options.seen * (options.seen // 2))


def _lists(options: argparse.Namespace) -> dict[str, Callable[[int], object]]:
    seen = _seen(options)
    return {
        "newest 50 of all": lambda turn: store.find_by_id_prefix("", 50, with_messages=False),
        "newest 50 of a project": lambda turn: store.list_by_project(seen, 50, with_messages=False),
        "latest of a project": lambda turn: store.list_by_project(seen, 1, with_messages=False),  # these have none
    }


def _beside_the_owner(name: str, call: Callable[[int], object], viewer: Actor) -> list[str]:
    def as_one(actor: Actor) -> Callable[[int], object]:
        def ask(turn: int) -> object:
            with acting(actor):
                return call(turn)

        return ask

    return _compared(name, as_one(the_owner()), as_one(viewer))


def _pages(options: argparse.Namespace, token: str) -> list[str]:
    from sessions_app.models import Session

    known = Session.objects.filter(project__name=_seen(options)).values_list("pk", flat=True)[0]  # to both
    owner = Client(headers={"host": "127.0.0.1"})
    owner.cookies[settings.FORKLORE_COOKIE] = browsers.let_in()
    viewer = Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {token}"})
    missed = []
    for name, path in {
        "page of the newest": "/",
        "page sorted by size": "/?sort=-size",
        "page of the projects": "/projects/",
        "page of the trash": "/trash/",
        "page of a shortened id": f"/sessions/{known.hex[:8]}/",
    }.items():
        missed += _compared(name, lambda turn, path=path: owner.get(path), lambda turn, path=path: viewer.get(path))  # type: ignore[misc]
    return missed


def _compared(name: str, of_owner: Callable[[int], object], of_viewer: Callable[[int], object]) -> list[str]:
    (owner, owner_late), (viewer, viewer_late) = quantiles_in_turn([of_owner, of_viewer], TURNS)
    print(f"  {name + ', the owner':43} {owner:10.3f} {owner_late:10.3f} ms")
    print(f"  {name + ', a viewer':43} {viewer:10.3f} {viewer_late:10.3f} ms   {viewer / owner:.2f} x", flush=True)
    return [name] if viewer > LISTS_MOST * owner and viewer - owner > GATE_MOST else []


if __name__ == "__main__":
    sys.exit(main())
