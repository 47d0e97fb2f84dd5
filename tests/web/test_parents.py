"""The pages that fork into another project, and that say whose child a session is."""

import re

from sessions_app.actors import Role
from sessions_app.models import Session
from tests.builders import a_session
from tests.web import reading
from tests.web.test_controls import somebody


def parent_of(session):
    return Session.objects.get(pk=session.id).parent_id


class TheParentPage:
    def test_puts_a_session_under_another_until_undone(self, the_store, visitor):
        parent, child = a_session(the_store, "one", "two"), a_session(the_store, "one", "other")
        page = reading.page(visitor.get(f"/sessions/{child.id}/parent/"))
        assert "A root: it has no parent." in page.text

        for named in (str(parent.id), str(parent.id)[:8], f"http://127.0.0.1/sessions/{parent.id}/m/1/"):
            answer = visitor.post(f"/sessions/{child.id}/parent/", {"parent": named}, follow=True)
            assert parent_of(child) == parent.id
            (undo,) = re.findall('action="([^"]*entry=[^"]*)"', answer.content.decode())
            visitor.post(undo, {"undo": "1"})
            assert parent_of(child) is None

    def test_corrects_what_was_inferred(self, the_store, visitor):
        parent = a_session(the_store, "one", "two")
        child = the_store.fork_at(parent.id, 1)
        Session.objects.filter(pk=child.id).update(relation_inferred=True)
        assert "Wrong parent?" in visitor.get(f"/sessions/{child.id}/").content.decode()
        assert "inferred from what" in visitor.get(f"/sessions/{child.id}/parent/").content.decode()

        visitor.post(f"/sessions/{child.id}/parent/", {"root": "1"})

        assert parent_of(child) is None

    def test_says_what_is_wrong(self, the_store, visitor):
        root = a_session(the_store, "one")
        child = the_store.fork_at(root.id, 1)
        for named, sentence in (
            (str(child.id), "cannot descend from"),
            ("nothing", "No session has the id “nothing”."),
            ("00000000", "No session has"),
        ):
            answer = visitor.post(f"/sessions/{root.id}/parent/", {"parent": named})
            assert answer.status_code == 422
            assert sentence in reading.page(answer).text
        assert visitor.post(f"/sessions/{root.id}/parent/", {"undo": "1"}).status_code == 400
        assert visitor.post(f"/sessions/{root.id}/parent/?entry=77", {"undo": "1"}).status_code == 404
        assert (
            visitor.post(f"/sessions/{root.id}/parent/", {"parent": str(child.id), "relation": "x"}).status_code == 422
        )

    def test_is_offered_to_admins_alone(self, the_store, visitor):
        root = a_session(the_store, "one")
        session = the_store.fork_at(root.id, 1)
        assert f'href="/sessions/{session.id}/parent/"' in visitor.get(f"/sessions/{session.id}/").content.decode()
        assert f'href="/sessions/{root.id}/parent/"' in visitor.get(f"/sessions/{root.id}/ledger/").content.decode()
        anna = somebody(Role.MAINTAINER)
        assert f'href="/sessions/{session.id}/parent/"' not in anna.get(f"/sessions/{session.id}/").content.decode()
        assert anna.get(f"/sessions/{session.id}/parent/").status_code == 403


class TheForkPage:
    def test_forks_into_another_project(self, the_store, visitor):
        session = a_session(the_store, "one", "two")
        form = reading.page(visitor.get(f"/sessions/{session.id}/fork/?position=1"))
        assert form.one("input", id="position")["value"] == "1"

        answer = visitor.post(f"/sessions/{session.id}/fork/", {"position": "1", "project": "elsewhere"})

        fork = Session.objects.select_related("project").get(parent=session.id)
        assert answer["Location"] == f"/sessions/{fork.pk}/"
        assert (fork.project.name, fork.message_count) == ("elsewhere", 1)

    def test_says_what_is_no_project_and_forks_nowhere_else(self, the_store, visitor):
        session = a_session(the_store, "one", "two")
        answer = visitor.post(f"/sessions/{session.id}/fork/", {"position": "1", "project": "a\x01b"})
        assert answer.status_code == 422
        assert Session.objects.count() == 1
        a_session(the_store, "quince", project="zzsecret")
        anna = somebody(Role.WRITER)
        answer = anna.post(f"/sessions/{session.id}/fork/", {"position": "1", "project": "zzsecret"})
        assert answer.status_code == 403
        assert "zzsecret" not in anna.get(f"/sessions/{session.id}/fork/").content.decode()
