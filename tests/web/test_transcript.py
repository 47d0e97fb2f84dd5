"""The page of a session: windows, cards across their edges, forks, anchors, raw views, pictures, shortened ids."""

import base64
import json
import time
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User

from sessions_app import piece_table
from sessions_app.access import tokens
from sessions_app.demo.pictures import bar_chart
from sessions_app.models import Session
from sessions_app.web import transcript
from tests.builders import a_message, a_session
from tests.web.reading import page

PICTURE = base64.b64encode(bar_chart([1, 2, 3], (20, 90, 200))).decode()


def a_call(id, name="Bash", **arguments):
    return {"role": "assistant", "content": "", "tool_calls": [{"id": id, "name": name, "args": arguments}]}


def a_result(id, text="done"):
    return {"role": "tool", "tool_call_id": id, "content": text}


def numbered(count):
    return [a_message(f"message {n}", ("user", "assistant")[n % 2]) for n in range(count)]


def shown(answer):
    """The positions on a page, those of results in a card included."""
    ids = [each["id"] for each in page(answer).all() if each.attributes.get("id", "").startswith("m")]
    return sorted(int(id[1:]) for id in ids if id[1:].isdigit())


def message(answer, position):
    return page(answer).one("article", id=f"m{position}")


@pytest.fixture
def long(the_store):
    return the_store.create("/code/shop", numbered(200))


class APage:
    def test_opens_at_the_start_with_sixty_messages(self, visitor, long):
        answer = visitor.get(f"/sessions/{long.id}/")

        assert shown(answer) == list(range(60))
        assert page(answer).one("a", data_edge="later")["href"] == f"/sessions/{long.id}/?from=60"
        assert not page(answer).all("a", data_edge="earlier")

    def test_opens_around_a_message_and_marks_it(self, visitor, long):
        answer = visitor.get(f"/sessions/{long.id}/m/141/?q=MESSAGE+141")

        assert shown(answer) == list(range(121, 181))
        assert "data-target" in message(answer, 141).attributes
        assert [mark.text for mark in page(answer).all("mark")] == ["message 141"]

    def test_opens_at_the_end_when_asked(self, visitor, long):
        assert shown(visitor.get(f"/sessions/{long.id}/?from=end")) == list(range(140, 200))

    @pytest.mark.parametrize(("query", "first"), [("from=100", 100), ("from=999", 199), ("from=-3", 0), ("from=x", 0)])
    def test_begins_where_the_address_says(self, visitor, long, query, first):
        assert shown(visitor.get(f"/sessions/{long.id}/?{query}"))[0] == first

    def test_leads_to_every_message_without_javascript(self, visitor, long):
        seen, address = [], f"/sessions/{long.id}/"
        while address:
            answer = visitor.get(address)
            seen += shown(answer)
            address = next((link["href"] for link in page(answer).all("a", data_edge="later")), None)
        assert seen == list(range(200))

    def test_gives_htmx_what_comes_before_or_after_without_the_rest_of_the_page(self, visitor, long):
        link = page(visitor.get(f"/sessions/{long.id}/m/141/")).one("a", data_edge="earlier")
        answer = visitor.fragment(link["hx-get"])

        assert shown(answer) == list(range(61, 121))
        assert not page(answer).all("header", class_="session-head")
        assert not page(answer).all("a", data_edge="later")

    def test_reads_no_more_bodies_than_it_shows(self, visitor, long, monkeypatch):
        read = []
        bodies = piece_table.read_bodies
        monkeypatch.setattr(piece_table, "read_bodies", lambda *of: (read.append(body) or body for body in bodies(*of)))

        visitor.get(f"/sessions/{long.id}/m/141/")

        assert len(read) <= 61

    def test_of_an_empty_session_says_so(self, visitor, the_store):
        session = the_store.create("demo", [])
        assert "This session has no messages yet." in page(visitor.get(f"/sessions/{session.id}/")).text

    def test_shows_any_json_object(self, visitor, the_store):
        odd = [
            {},
            {"role": "user"},
            {"role": 7, "content": None},
            {"a": [{"b": "deep value"}]},
            {"content": [1, None, "x"]},
        ]
        odd += [{"role": "user", "content": "\x00 \ud800 \x1b[31m"}, {"type": "assistant", "message": "no"}]
        odd += [
            a_call("\ud800", "\ud800", path="\ud800"),
            a_result("\ud800", "\ud800"),
            {"\ud800": {"\ud800": "\ud800"}},
        ]
        odd += [{"role": "assistant", "content": "x", "model": "\ud800"}, {"type": "\ud800", "sessionId": "\ud800"}]
        session = the_store.create("demo", odd)

        answer = visitor.get(f"/sessions/{session.id}/")

        assert answer.status_code == 200
        assert shown(answer) == list(range(12))
        assert "deep value" in page(answer).text


class ACallAndItsResult:
    def test_are_one_card(self, visitor, the_store):
        session = the_store.create("demo", [a_message(), a_call("c1", command="ls"), a_result("c1", "a.py")])
        card = message(visitor.get(f"/sessions/{session.id}/"), 1)

        assert "Shell" in card.one("summary").text
        assert card.one("code", class_="what").text == "ls"
        assert card.one("pre", class_="terminal").text == "a.py"
        assert card.one("span", class_="anchor")["id"] == "m2"

    def test_are_one_card_when_the_result_is_asked_for(self, visitor, the_store):
        session = the_store.create("demo", [a_message(), a_call("c1", command="ls"), a_result("c1")])
        card = message(visitor.get(f"/sessions/{session.id}/m/2/"), 1)
        assert "data-target" in card.attributes
        assert "open" in card.one("details").attributes

    def test_are_one_card_at_the_edge_of_a_window(self, visitor, the_store):
        messages = [*numbered(59), a_call("c1", command="ls"), a_result("c1", "over the edge"), *numbered(9)]
        session = the_store.create("demo", messages)

        first, second = (visitor.get(f"/sessions/{session.id}/?from={start}") for start in (0, 60))

        assert "over the edge" in message(first, 59).text
        assert shown(second)[0] == 61
        assert "over the edge" not in page(second).text

    def test_stay_apart_where_they_are_far_from_each_other(self, visitor, the_store):
        messages = [a_call("c1", command="sleep"), *numbered(120), a_result("c1", "late")]
        session = the_store.create("demo", messages)

        assert "no result" not in page(visitor.get(f"/sessions/{session.id}/")).text
        assert "late" in message(visitor.get(f"/sessions/{session.id}/m/121/"), 121).text

    def test_stand_together_where_a_fork_begins_between_them(self, visitor, the_store):
        parent = the_store.create("demo", [a_message(), a_call("c1", command="ls")])
        fork = the_store.fork_at(parent.id, 2)
        the_store.append(fork.id, [a_result("c1", "in the fork")])

        card = message(visitor.get(f"/sessions/{fork.id}/"), 2)

        assert card.one("code", class_="what").text == "ls"
        assert "in the fork" in card.text

    def test_say_when_there_is_no_result(self, visitor, the_store):
        session = the_store.create("demo", [a_call("c1", command="ls")])
        assert "no result" in message(visitor.get(f"/sessions/{session.id}/"), 0).text


class ALongOutput:
    @pytest.fixture
    def session(self, the_store):
        return the_store.create("demo", [a_call("c1", command="ls"), a_result("c1", "\n".join(map(str, range(214))))])

    def test_is_cut_and_comes_whole_when_asked_for(self, visitor, session):
        more = page(visitor.get(f"/sessions/{session.id}/")).one("div", class_="output").one("a")
        assert more.text.startswith("Show all 214 lines")

        whole = visitor.fragment(more["hx-get"])

        assert page(whole).one("pre").text.endswith("212 213")
        assert not page(whole).all("a")

    def test_is_plain_text_without_javascript(self, visitor, session):
        more = page(visitor.get(f"/sessions/{session.id}/")).one("div", class_="output").one("a")
        answer = visitor.get(more["href"])
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.content.decode().splitlines() == [str(number) for number in range(214)]


class AFork:
    @pytest.fixture
    def fork(self, the_store, long):
        fork = the_store.fork_at(long.id, 41)
        the_store.append(fork.id, [a_message("another way"), a_message("yes", "assistant")])
        return fork

    def test_opens_at_its_own_messages_with_the_shared_ones_folded(self, visitor, fork):
        answer = visitor.get(f"/sessions/{fork.id}/")

        assert shown(answer) == [41, 42]
        fold = page(answer).one("a", data_edge="earlier")
        assert "41 messages shared with message 0" in fold.text
        assert shown(visitor.fragment(fold["hx-get"])) == list(range(41))
        assert shown(visitor.get(fold["href"].partition("#")[0])) == [*range(43)]

    def test_names_its_parent_and_where_it_left(self, visitor, long, fork):
        crumb = page(visitor.get(f"/sessions/{fork.id}/")).one("div", class_="crumb")
        assert crumb.text == "shop fork of message 0at #41"
        assert crumb.all("a")[1]["href"] == f"/sessions/{long.id}/m/40/"

    def test_is_named_where_it_leaves_its_parent(self, visitor, long, fork):
        answer = visitor.get(f"/sessions/{long.id}/")

        assert page(answer).one("div", class_="leave").text.startswith("1 fork leaves here:")
        assert page(answer).one("div", class_="leave").one("a")["href"] == f"/sessions/{fork.id}/"
        assert page(answer).one("details", class_="children").one("summary").text == "1 fork"

    def test_is_counted_with_all_that_leave_at_its_message(self, visitor, the_store, long):
        for position, count in ((3, 30), (5, 2)):
            for _ in range(count):
                the_store.fork_at(long.id, position)
        few, many = sorted(
            page(visitor.get(f"/sessions/{long.id}/")).all("div", class_="leave"), key=lambda one: len(one.text)
        )
        assert many.text.startswith("30 forks leave here:")
        assert (len(many.all("a")), many.all("a")[-1].text) == (21, "all forks")
        assert few.text.startswith("2 forks leave here:")

    def test_says_that_it_is_one_until_it_is_renamed(self, visitor, the_store, long, fork):
        head = page(visitor.get(f"/sessions/{fork.id}/")).one("h1")
        assert head.one(class_="unnamed").text == "(fork)"
        assert head.text == "message 0(fork)"
        the_store.rename(fork.id, "another way")
        assert page(visitor.get(f"/sessions/{fork.id}/")).one("h1").text == "another way"

    def test_leads_to_its_root(self, visitor, the_store, long, fork):
        deep = the_store.fork_at(fork.id, 42)
        deeper = the_store.fork_at(deep.id, 42)
        crumbs = [
            page(visitor.get(f"/sessions/{each.id}/")).one("div", class_="crumb") for each in (fork, deep, deeper)
        ]
        assert [len(crumb.all("a")) for crumb in crumbs] == [2, 3, 4]
        assert crumbs[1].all("a")[1]["href"] == crumbs[2].all("a")[1]["href"] == f"/sessions/{long.id}/"
        assert crumbs[2].all("a")[2]["href"] == f"/sessions/{deeper.id}/lineage/"
        the_store.delete(long.id)
        assert len(page(visitor.get(f"/sessions/{deeper.id}/")).one("div", class_="crumb").all("a")) == 3

    def test_is_made_from_a_message_and_opened(self, visitor, the_store, long):
        form = next(
            form
            for form in message(visitor.get(f"/sessions/{long.id}/"), 7).all("form")
            if form["action"].endswith("fork/")
        )
        answer = visitor.post(form["action"], {"position": form.one("input", name="position")["value"]}, follow=True)

        made = the_store.get(UUID(answer.redirect_chain[0][0].split("/")[2]))
        assert (made.parent_id, made.fork_point, len(made.messages)) == (long.id, 8, 8)

    def test_of_everything_is_a_button_in_the_head(self, visitor, long):
        head = page(visitor.get(f"/sessions/{long.id}/")).one("div", class_="actions")
        assert head.all("input", name="position")[0]["value"] == "200"

    @pytest.mark.parametrize("position", ["", "x", "-1", "201", "9" * 30])
    def test_needs_a_place_in_the_session(self, visitor, long, position):
        assert visitor.post(f"/sessions/{long.id}/fork/", {"position": position}).status_code == 400

    def test_is_not_made_by_a_get(self, visitor, long):
        assert visitor.get(f"/sessions/{long.id}/fork/").status_code == 200
        assert not Session.objects.filter(parent=long.id).exists()


class ModeFocused:
    def test_shows_prompts_and_final_answers_only(self, visitor, the_store):
        turn = [a_message("do it"), a_message("on my way", "assistant"), a_call("c1", command="ls"), a_result("c1")]
        session = the_store.create("demo", [*turn, a_message("it is done", "assistant"), a_message("thanks")])

        answer = visitor.get(f"/sessions/{session.id}/?mode=focused")

        assert shown(answer) == [0, 4, 5]

    def test_pages_by_prompts(self, visitor, long):
        answer = visitor.get(f"/sessions/{long.id}/?mode=focused")
        assert shown(answer) == list(range(50))
        assert shown(visitor.get(f"/sessions/{long.id}/" + page(answer).one("a", data_edge="later")["href"]))[0] == 50


class QuietLines:
    def test_are_one_folded_line(self, visitor, the_store):
        notices = [{"type": "summary", "summary": "earlier"}, {"type": "file-history-snapshot", "messageId": "1"}]
        session = the_store.create("demo", [*notices, a_message("hello")])

        answer = visitor.get(f"/sessions/{session.id}/")

        quiet = page(answer).one("details", class_="quiet")
        assert quiet.all("summary")[0].text.startswith("#0–1summary, file history snapshot")
        assert "open" not in quiet.attributes
        assert shown(answer) == [0, 1, 2]

    def test_are_opened_when_one_of_them_is_asked_for(self, visitor, the_store):
        session = the_store.create("demo", [{"type": "summary", "summary": "earlier"}, a_message("hello")])
        answer = visitor.get(f"/sessions/{session.id}/m/0/")
        assert "open" in page(answer).one("details", class_="quiet").attributes

    def test_that_could_not_be_read_say_which_line_and_why(self, visitor, the_store):
        broken = {"forklore:unreadable": {"line": 12, "why": "it is no JSON", "text": '{"type": "us'}}
        session = the_store.create("demo", [a_message(), broken])

        text = message(visitor.get(f"/sessions/{session.id}/"), 1).text

        assert "Line 12 could not be read" in text
        assert "it is no JSON" in text
        assert '{"type": "us' in text


class TheOutline:
    def test_lists_the_prompts_and_marks_the_one_that_is_read(self, visitor, long):
        outline = page(visitor.get(f"/sessions/{long.id}/m/141/")).one("nav", class_="outline")

        assert len(outline.all("a", class_="")) == 0
        links = [link for link in outline.all("a") if "data-position" in link.attributes]
        assert len(links) == 100
        assert [link["data-position"] for link in links if "aria-current" in link.attributes] == ["140"]

    def test_is_bounded_and_says_how_many_are_left_out(self, visitor, the_store):
        session = the_store.create("demo", [a_message(f"prompt {n}") for n in range(900)])

        outline = page(visitor.get(f"/sessions/{session.id}/m/500/")).one("nav", class_="outline")

        assert len([link for link in outline.all("a") if "data-position" in link.attributes]) == 200
        assert "400 before" in outline.text
        assert "300 after" in outline.text


class AMessage:
    @pytest.mark.parametrize(
        ("kind", "words"), [("json", '"content": "**b** é"'), ("text", "**b** é"), ("markdown", "**b** é")]
    )
    def test_can_be_had_raw(self, visitor, the_store, kind, words):
        session = the_store.create("demo", [a_message("**b** é")])

        answer = visitor.get(f"/sessions/{session.id}/m/0/raw/?as={kind}")

        assert words in answer.content.decode()
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_is_the_same_json_whatever_it_holds(self, visitor, the_store):
        message = {"role": "user", "content": "\x00 \ud800 é 中", "n": 2**70, "nested": [[[{}]]]}
        session = the_store.create("demo", [message])
        answer = visitor.get(f"/sessions/{session.id}/m/0/raw/")
        assert json.loads(answer.content) == message

    def test_is_missing_beyond_the_end(self, visitor, long):
        answer = visitor.get(f"/sessions/{long.id}/m/200/")
        assert answer.status_code == 404
        assert "This session has 200 messages; there is no message #200." in page(answer).text

    @pytest.mark.parametrize("tail", ["m/200/raw/", "m/0/part/9/", "m/0/image/0/", f"m/{2**80}/raw/", f"m/{2**80}/"])
    def test_has_only_the_parts_that_it_has(self, visitor, long, tail):
        assert visitor.get(f"/sessions/{long.id}/{tail}").status_code == 404


class APicture:
    def attached(self, the_store, data, media_type="image/png"):
        image = {"type": "image", "media_type": media_type, "data": data}
        return the_store.create("demo", [{"role": "user", "content": "look", "attachments": [image]}])

    def test_is_shown_from_the_data_of_its_message(self, visitor, the_store):
        session = self.attached(the_store, PICTURE)
        source = page(visitor.get(f"/sessions/{session.id}/")).one("img")["src"]

        answer = visitor.get(source)

        assert answer.content == base64.b64decode(PICTURE)
        assert answer["Content-Type"] == "image/png"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer["Content-Disposition"].startswith("inline; filename=")

    @pytest.mark.parametrize("content", [b"<svg onload=alert(1)></svg>", b"<html>", b""])
    def test_that_could_run_is_neither_shown_nor_given_out(self, visitor, the_store, content):
        session = self.attached(the_store, base64.b64encode(content).decode())

        answer = visitor.get(f"/sessions/{session.id}/")

        assert not page(answer).all("img")
        assert "A picture that is not shown" in page(answer).text or not content
        assert visitor.get(f"/sessions/{session.id}/m/0/image/1/").status_code == 404

    def test_of_another_host_is_never_loaded(self, visitor, the_store):
        part = {"type": "image_url", "image_url": {"url": "https://tracker.example/pixel.png"}}
        session = the_store.create("demo", [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}])
        answer = visitor.get(f"/sessions/{session.id}/")
        assert not page(answer).all("img")
        assert "tracker.example" in page(answer).text


class AShortenedId:
    def test_leads_to_the_one_session_that_it_fits(self, visitor, long):
        for prefix in (long.id.hex[:8], str(long.id)[:13], long.id.hex[:6].upper()):
            assert visitor.get(f"/sessions/{prefix}/")["Location"] == f"/sessions/{long.id}/"

    def test_that_fits_several_offers_a_choice(self, visitor, the_store, monkeypatch):
        ids = iter(f"abcd{n}000-0000-4000-8000-000000000000" for n in range(2))
        monkeypatch.setattr("sessions_app.putting.uuid4", lambda: UUID(next(ids)))
        for title in ("first", "second"):
            a_session(the_store, title)

        answer = visitor.get("/sessions/abcd/")

        choice = page(answer).one("div", class_="choice")
        assert {link.text for link in choice.all("a")} == {"first", "second"}

    def test_that_fits_many_offers_ten(self, visitor, the_store, monkeypatch):
        ids = iter(f"abcd{n:02x}00-0000-4000-8000-000000000000" for n in range(12))
        monkeypatch.setattr("sessions_app.putting.uuid4", lambda: UUID(next(ids)))
        for number in range(12):
            a_session(the_store, str(number))

        assert len(page(visitor.get("/sessions/abcd/")).one("div", class_="choice").all("a")) == 10

    def test_may_be_asked_for_sixty_times_a_minute_by_who_may_not_see_all(self, stranger, visitor, long, monkeypatch):
        now = time.monotonic
        ahead = [0]
        monkeypatch.setattr(time, "monotonic", lambda: now() + ahead[0])
        transcript.shortened_ids.forget()
        users = [User.objects.create(username=name) for name in ("guesser", "other")]
        guesser, again, other = (
            {"Authorization": f"Bearer {tokens.create(name, user_id=user.pk)}"}
            for name, user in (("one", users[0]), ("two", users[0]), ("one", users[1]))
        )

        said = [stranger.get(f"/sessions/{number:04x}/", headers=guesser).status_code for number in range(61)]
        refused = stranger.get("/sessions/ffff/", headers=again)

        assert said == [404] * 60 + [429]
        assert 0 < int(refused["Retry-After"]) <= 61
        assert "try again in" in refused.content.decode()
        assert stranger.get("/sessions/ffff/", headers=other).status_code == 404
        assert {visitor.get("/sessions/ffff/").status_code for _ in range(61)} == {404}
        ahead[0] = 61
        assert stranger.get("/sessions/ffff/", headers=again).status_code == 404

    @pytest.mark.parametrize("prefix", ["abc", "zzzz", "%25%25%25%25", "ffffffff", "a" * 200])
    def test_that_fits_none_says_so_and_offers_a_search(self, visitor, long, prefix):
        answer = visitor.get(f"/sessions/{prefix}/")
        assert answer.status_code == 404
        assert page(answer).one("p", data_sentence="").text
        assert page(answer).one("input", name="q")


class ASessionThatIsGone:
    def test_is_missing(self, visitor, the_store):
        id = uuid4()
        answer = visitor.get(f"/sessions/{id}/")
        assert answer.status_code == 404
        assert f"There is no session {id}." in page(answer).text

    def test_in_the_trash_offers_to_restore_it(self, visitor, the_store, long):
        the_store.delete(long.id)
        answer = visitor.get(f"/sessions/{long.id}/")
        assert answer.status_code == 404
        assert page(answer).one("main").one("form", method="post")["action"] == f"/sessions/{long.id}/restore/"
        assert visitor.post(f"/sessions/{long.id}/fork/", {"position": "1"}).status_code == 404
        assert visitor.get(f"/sessions/{long.id}/m/0/raw/").status_code == 404


class Neighbours:
    def test_are_those_of_the_list_of_the_project(self, visitor, the_store, clock):
        made = []
        for ago in (50, 40, 30, 20):
            clock(timedelta(minutes=ago))
            made.append(a_session(the_store, str(ago), project="elsewhere" if ago == 30 else "demo"))
        clock(timedelta(minutes=10))
        hidden = a_session(the_store, "archived")
        the_store.archive(hidden.id)
        oldest, older, _, newest = made

        def beside(session, side):
            return visitor.get(f"/sessions/{session.id}/{side}/")["Location"]

        assert beside(newest, "older") == f"/sessions/{older.id}/"
        assert beside(older, "newer") == f"/sessions/{newest.id}/"
        assert beside(older, "older") == f"/sessions/{oldest.id}/"
        assert beside(newest, "newer") == beside(oldest, "older") == "/projects/demo/"
        assert visitor.get(f"/sessions/{uuid4()}/older/").status_code == 404
