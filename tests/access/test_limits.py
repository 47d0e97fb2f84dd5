"""What one session, one project and one person of a team may take, and how they are told."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from sessions_app import quotas, store
from sessions_app.access import rates, roles, tokens
from sessions_app.actors import Role
from sessions_app.errors import QuotaExceeded, SessionTooLarge
from tests.builders import a_message, a_session
from tests.web.conftest import Visitor


@pytest.fixture(autouse=True)
def _nothing_counted():
    for each in (rates.requests, rates.sent, quotas):
        each.forget()
    yield
    for each in (rates.requests, rates.sent, quotas):
        each.forget()


def a_token(name):
    user = User.objects.create_user(name)
    roles.set_default(Role.WRITER)
    token = tokens.create("script", user_id=user.pk)
    return Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {token}")


def post(visitor, path, value):
    return visitor.post(f"/api/v1/{path}", json.dumps(value), content_type="application/json")


class ASession:
    @override_settings(FORKLORE_SESSION_BYTES=2000)
    def test_holds_no_more_bytes_than_it_may(self, the_store):
        session = a_session(the_store, "x" * 1000)
        before = the_store.get(session.id)
        for write in (
            lambda: the_store.append(session.id, [a_message("y" * 1200)]),
            lambda: the_store.update(session.id, [a_message("y" * 2200)], 1),
            lambda: the_store.create("p", [a_message("y" * 2200)]),
            lambda: the_store.fork("p", session.id, [a_message("y" * 2200)], 1),
        ):
            with pytest.raises(SessionTooLarge):
                write()
        assert the_store.get(session.id) == before
        the_store.append(session.id, [a_message("y" * 600)])

    @override_settings(FORKLORE_SESSION_MESSAGES=3)
    def test_holds_no_more_messages_than_it_may(self, the_store):
        session = a_session(the_store, "one", "two", "three")
        with pytest.raises(SessionTooLarge):
            the_store.append(session.id, [a_message("four")])


class AProject:
    @override_settings(FORKLORE_PROJECT_BYTES=3000)
    def test_takes_no_more_once_it_holds_what_it_may(self, the_store):
        session = a_session(the_store, "x" * 4000, project="full")
        quotas.forget()
        with pytest.raises(QuotaExceeded):
            the_store.append(session.id, [a_message("more")])
        with pytest.raises(QuotaExceeded):
            a_session(the_store, "more", project="full")
        a_session(the_store, "fine", project="other")
        the_store.rename(session.id, "can be cleaned up")
        the_store.delete(session.id)
        quotas.forget()
        a_session(the_store, "again", project="full")

    @override_settings(FORKLORE_PROJECT_SESSIONS=2)
    def test_holds_no_more_sessions_than_it_may(self, the_store):
        first = a_session(the_store, "one", project="p")
        a_session(the_store, "two", project="p")
        quotas.forget()
        with pytest.raises(QuotaExceeded):
            a_session(the_store, "three", project="p")
        the_store.append(first.id, [a_message("goes on")])


class OverHttp:
    @override_settings(FORKLORE_PROJECT_BYTES=3000)
    def test_a_full_project_is_told_in_a_sentence(self, the_store):
        visitor = a_token("anna")
        assert post(visitor, "sessions", {"project": "p", "messages": [a_message("x" * 4000)]}).status_code == 201
        quotas.forget()
        answer = post(visitor, "sessions", {"project": "p", "messages": [a_message("y")]})
        assert answer.status_code == 413
        assert answer.json()["error"] == "QuotaExceeded"
        assert "“p” holds" in answer.json()["detail"]

    @override_settings(FORKLORE_PROJECT_SESSIONS=1)
    def test_a_full_project_is_told_on_pages_too(self, the_store):
        session, visitor = a_session(the_store, "one", project="p"), a_token("anna")
        quotas.forget()
        for address, count in ((f"/sessions/{session.id}/fork/", {}), (f"/sessions/{session.id}/forks/", {"count": 2})):
            answer = visitor.post(address, {"position": 1, **count})
            assert (answer.status_code, "all that it may" in answer.content.decode()) == (413, True)

    @override_settings(FORKLORE_REQUESTS=5)
    def test_who_asks_too_often_is_told_when_to_go_on_and_others_are_not_kept(self, the_store):
        anna, ben = a_token("anna"), a_token("ben")
        statuses = [anna.get("/api/v1/sessions").status_code for _ in range(8)]
        assert statuses == [200] * 5 + [429] * 3
        answer = anna.get("/api/v1/sessions")
        assert 1 <= int(answer["Retry-After"]) <= 12
        assert ben.get("/api/v1/sessions").status_code == 200

    @override_settings(FORKLORE_SENT=5000)
    def test_who_sends_too_much_is_told_when_to_go_on(self, the_store):
        anna = a_token("anna")
        value = {"project": "p", "messages": [a_message("x" * 3000)]}
        assert post(anna, "sessions", value).status_code == 201
        answer = post(anna, "sessions", value)
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) > 1
        assert anna.get("/api/v1/sessions").status_code == 200
        assert len(store.list_sessions(9)) == 1

    @override_settings(FORKLORE_REQUESTS=3)
    def test_the_owner_of_the_machine_is_not_counted(self, the_store):
        owner = Visitor(HTTP_HOST="127.0.0.1").enter()
        assert {owner.get("/api/v1/sessions").status_code for _ in range(9)} == {200}


class AnAllowance:
    def test_fills_up_again(self, monkeypatch):
        clock = [100.0]
        monkeypatch.setattr(rates.time, "monotonic", lambda: clock[0])
        allowance = rates.Allowance()
        assert [allowance.take("a", 1, 60) for _ in range(60)] == [0.0] * 60
        assert allowance.take("a", 1, 60) == pytest.approx(1)
        assert allowance.take("b", 1, 60) == 0
        clock[0] += 1
        assert allowance.take("a", 1, 60) == 0
        assert allowance.take("a", 1, 60) > 0
        clock[0] += 600
        assert allowance.take("a", 999, 60) == 0  # no more than a minute's is ever wanted

    def test_remembers_no_more_than_it_must(self):
        allowance = rates.Allowance()
        for number in range(rates.MOST_ACTORS + 50):
            allowance.take(str(number), 1, 9)
        assert len(allowance._left) == rates.MOST_ACTORS
