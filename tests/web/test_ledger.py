"""What sessions, lineages and projects come to: on pages, over HTTP and in a terminal."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.builders import a_message
from tests.web import reading


def answer(tokens):
    return {"role": "assistant", "content": "done", "usage": {"output_tokens": tokens}}


@pytest.fixture
def family(the_store):
    """A of 100 and its fork B of 150."""
    a = the_store.create("demo/shop", [a_message("word")] * 99 + [answer(7)])
    b = the_store.fork_at(a.id, 100)
    the_store.append(b.id, [a_message("more")] * 49 + [answer(5)])
    return a, b


def rows(response):
    assert response.status_code == 200
    found = reading.page(response).all("tr")[1:]
    return {row.one("th").text: [cell.text for cell in row.all("td")] for row in found}


class TheFigures:
    def test_of_a_fork_are_its_own_and_what_it_inherits(self, visitor, family):
        shown = rows(visitor.get(f"/sessions/{family[1].id}/ledger/"))

        assert shown["Inherited from its parent"][0] == "100 messages"
        assert shown["Its own"] == ["50 messages", shown["Its own"][1], "5 tokens"]
        assert shown["The whole lineage"][0] == "150 messages"
        assert shown["The whole lineage"][2] == "12 tokens"

    def test_are_linked_from_the_session_which_tells_the_first(self, visitor, family):
        text = reading.page(visitor.get(f"/sessions/{family[1].id}/")).one("a", class_="figures-link")
        assert (text.text, text["href"]) == ("50 own, 100 shared", f"/sessions/{family[1].id}/ledger/")
        assert reading.page(visitor.get(f"/sessions/{family[0].id}/")).one("a", class_="figures-link").text == "Figures"

    def test_of_a_project_count_what_is_shared_once(self, visitor, family):
        response = visitor.get("/ledger/?project=demo/shop")
        assert "show 250 messages" in reading.page(response).one("main").text
        assert rows(response)["Counted once"][0] == "150 messages"
        assert 'href="/ledger/?project=demo%2Fshop"' in visitor.get("/projects/demo/shop/").content.decode()

    def test_are_told_over_http(self, visitor, family):
        told = json.loads(visitor.get(f"/api/v1/sessions/{family[0].id}/ledger").content)
        assert told["own"]["messages"] == 100
        assert told["inherited"] == {"messages": 0, "size_bytes": 0, "tokens": 0}
        assert (told["family"]["messages"], told["family"]["tokens"]) == (150, 12)

    def test_are_told_in_a_terminal(self, family):
        out = StringIO()
        call_command("ledger", str(family[1].id)[:8], stdout=out)
        assert [line.split(" messages")[0].split() for line in out.getvalue().splitlines()] == [
            ["inherited", "100"],
            ["own", "50"],
            ["with", "forks", "150"],
            ["lineage", "150"],
        ]
        out = StringIO()
        call_command("ledger", project="demo/shop", stdout=out)
        assert out.getvalue().startswith("project      150 messages, ")
        with pytest.raises(CommandError):
            call_command("ledger", "ffffffff")
