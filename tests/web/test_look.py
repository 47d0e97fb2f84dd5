"""How lists look is remembered in a cookie, with scripts and without."""

import pytest
from django.conf import settings

from tests.builders import a_session

ALL = ["of", "by", "turns", "messages", "size", "age"]


@pytest.fixture
def page(visitor, the_store):
    a_session(the_store, "one")
    return lambda: visitor.get("/").content.decode()


class TheLookOfLists:
    def test_is_comfortable_and_whole_at_first(self, page):
        assert '<html lang="en">' in page()

    def test_is_what_was_chosen_on_every_page(self, visitor, page):
        answer = visitor.post(
            "/look/", {"density": "compact", "column": ["of", "by", "size", "age"], "back": "/projects/"}
        )

        assert (answer.status_code, answer["Location"]) == (302, "/projects/")
        assert '<html lang="en" data-density="compact" data-without="turns messages">' in page()
        assert 'data-density="compact"' in visitor.get("/projects/").content.decode()

    def test_can_be_chosen_back(self, visitor, page):
        visitor.post("/look/", {"density": "compact"})
        visitor.send("/look/", {"density": "comfortable", "column": ALL})
        assert '<html lang="en">' in page()

    def test_answers_a_script_with_nothing(self, visitor):
        assert visitor.send("/look/", {"density": "compact"}).status_code == 204

    @pytest.mark.parametrize("back", ["https://evil.test/", "//evil.test/", "evil", ""])
    def test_leads_to_no_other_site(self, visitor, back):
        assert visitor.post("/look/", {"density": "compact", "back": back})["Location"] == "/"

    @pytest.mark.parametrize("kept", ["", "zebra", 'compact"><script>', "..", "of.of"])
    def test_takes_nothing_else_from_the_cookie(self, visitor, page, kept):
        visitor.cookies[f"{settings.FORKLORE_COOKIE}-look"] = kept
        assert "zebra" not in page()
        assert "<script>" not in page()

    def test_passes_over_a_wish_that_is_none(self, visitor, page):
        visitor.post("/look/", {"density": "huge", "column": ["title"]})
        assert '<html lang="en">' in page()
