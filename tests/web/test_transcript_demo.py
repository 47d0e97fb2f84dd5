"""The demo set: what it holds, and that it never gets between a person's own sessions."""

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import Session
from tests.builders import a_session
from tests.web.reading import page


@pytest.fixture
def demo(the_store):
    call_command("demo", verbosity=0)


class TheDemo:
    def test_has_forks_of_forks_subagents_and_a_compaction(self, demo):
        live = Session.objects.live()
        assert live.filter(parent__parent__isnull=False, relation="fork").exists()
        assert {each.relation for each in live} == {None, "fork", "subagent", "compaction"}
        assert live.values("project").distinct().count() == 6
        assert live.filter(message_count__gt=300).exists()

    def test_is_spread_over_the_last_weeks(self, demo):
        assert Session.objects.dates("updated_at", "day").count() > 12

    def test_shows_every_session_without_a_fault(self, demo, visitor):
        for session in Session.objects.all():
            for address in ("", "?mode=focused", "?from=end"):
                answer = visitor.get(f"/sessions/{session.pk}/{address}")
                assert answer.status_code == 200
                assert page(answer).all("article") or address == "?mode=focused"

    def test_links_the_card_of_a_subagent_to_its_session(self, demo, visitor):
        parent = Session.objects.get(title="One cent between the screen and the PDF")
        child = parent.children.get(relation="subagent")
        links = page(visitor.get(f"/sessions/{parent.pk}/")).all("a", href=f"/sessions/{child.pk}/")
        assert "Open the session of the sub-agent" in [link.text for link in links]

    def test_refuses_to_mix_with_sessions_that_are_there(self, the_store):
        a_session(the_store, "mine")
        with pytest.raises(CommandError, match="There is 1 session already"):
            call_command("demo")
        assert Session.objects.count() == 1

    def test_is_added_beside_them_when_asked(self, the_store, capsys):
        a_session(the_store, "mine")
        call_command("demo", "--add")
        assert Session.objects.count() == 28
