"""Rows of the list that are remembered: each is what it would be if it were drawn anew."""

import random
from datetime import timedelta

import pytest
from django.template.loader import get_template

from sessions_app.actors import NOBODY, acting
from sessions_app.models import Session
from sessions_app.templatetags import rows
from sessions_app.web.context import Allowed
from tests.builders import a_message, a_session


def listed():
    found = Session.objects.visible().live().with_fork_count().select_related("project", "parent")
    return list(found.prefetch_related("tags").newest_first())


def remembered(session) -> str:
    context = {"allowed": Allowed(), "csrf_token": "the token"}
    return str(rows.session_row(context, session))


def anew(session) -> str:
    return get_template("sessions/_row.html").render(
        {"session": session, "allowed": Allowed(), "csrf_token": "the token"}
    )


CHANGES = {
    "rename": lambda store, key, choose: store.rename(key, f"<token> {choose.random()} <age> & <b>"),
    "pin": lambda store, key, choose: store.pin(key),
    "unpin": lambda store, key, choose: store.unpin(key),
    "archive": lambda store, key, choose: store.archive(key),
    "unarchive": lambda store, key, choose: store.unarchive(key),
    "tag": lambda store, key, choose: store.tag(key, choose.choice(["keep", "a&b", "<i>"])),
    "untag": lambda store, key, choose: store.untag(key, choose.choice(["keep", "a&b", "<i>"])),
    "fork": lambda store, key, choose: store.fork_at(key, 1),
    "append": lambda store, key, choose: store.append(key, [a_message("more")], choose.randrange(3)),
    "truncate": lambda store, key, choose: store.truncate(key, 1),
    "delete": lambda store, key, choose: store.delete(key),
}


@pytest.mark.parametrize("seed", range(4))
def test_are_those_of_now_whatever_changed(the_store, clock, seed):
    choose = random.Random(seed)
    for number in range(4):
        clock(timedelta(minutes=choose.choice([0, 5, 90])))
        a_session(the_store, f"session {number}", "answer", project=choose.choice(["shop", "/code/blog"]))
    for _ in range(40):
        for session in listed():
            assert remembered(session) == anew(session)
        session = choose.choice(listed())
        CHANGES[choose.choice([*CHANGES])](the_store, session.id, choose)
        if len(listed()) < 2:
            a_session(the_store, "another", "answer")
    for session in listed():
        assert remembered(session) == anew(session)


def test_are_drawn_once(the_store, monkeypatch):
    session = a_session(the_store, "one")
    drawn, draw = [], rows._draw
    monkeypatch.setattr(rows, "_draw", lambda *of: drawn.append(of) or draw(*of))
    for _ in range(3):
        remembered(listed()[0])
    assert len(drawn) == 1
    the_store.rename(session.id, "two")
    assert "two" in remembered(listed()[0])
    assert len(drawn) == 2


def test_are_forgotten_when_there_are_too_many(the_store, monkeypatch):
    monkeypatch.setattr(rows, "REMEMBERED", len(rows._drawn) + 1)
    for number in range(5):
        a_session(the_store, f"session {number}")
    for session in listed():
        remembered(session)
    assert len(rows._drawn) == rows.REMEMBERED


def test_hold_no_control_of_another_person(the_store):
    a_session(the_store, "one")
    (session,) = listed()
    assert "data-renamable" in remembered(session)
    with acting(NOBODY):
        assert "data-renamable" not in remembered(session)
