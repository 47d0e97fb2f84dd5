"""rename: an explicit title that stays."""

import unicodedata
from dataclasses import replace
from uuid import uuid4

import pytest

from sessions_app.errors import InvalidTitle, SessionNotFound
from tests.builders import a_session

CONTROLS = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)]]
BIDI_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class Renaming:
    def test_gives_a_title_and_changes_nothing_else(self, the_store, clock):
        session = a_session(the_store, "one", "two")
        assert the_store.rename(session.id, "Holiday photos") is None
        assert the_store.get(session.id) == replace(session, title="Holiday photos", title_source="user")

    def test_does_not_move_a_session_in_the_list(self, the_store, clock):
        first, second = a_session(the_store, "one"), a_session(the_store, "two")
        the_store.rename(first.id, "Mine")
        assert [session.id for session in the_store.list_by_project("demo", 9)] == [second.id, first.id]

    def test_to_the_derived_title_keeps_it_from_then_on(self, the_store):
        session = a_session(the_store, "one")
        the_store.rename(session.id, "one")
        the_store.update(session.id, [{"role": "user", "content": "two"}], 1)
        assert the_store.get(session.id).title == "one"

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("  a  b \t\n", "a  b"),
            ("\u3000標題\u00a0", "標題"),
            ("a\0b\x1b\x7f\x9f", "ab"),
            ("gnp\u202etxt.exe", "gnptxt.exe"),
            ("\u202e \u2066 safe \u2069", "safe"),
            ("👩‍👩‍👧", "👩‍👩‍👧"),
            ("100%_\\'\"<b>", "100%_\\'\"<b>"),
            ("x", "x"),
            ("x" * 200, "x" * 200),
            ("🦀" * 200, "🦀" * 200),
            (" " * 50 + "x" * 200 + "\0" * 50, "x" * 200),
        ],
    )
    def test_drops_outer_white_space_and_characters_that_deceive(self, the_store, given, kept):
        session = a_session(the_store, "one")
        the_store.rename(session.id, given)
        assert the_store.get(session.id).title == kept

    def test_leaves_no_control_or_bidi_override_character(self, the_store):
        session = a_session(the_store, "one")
        the_store.rename(session.id, "a" + "b".join([*CONTROLS, *BIDI_OVERRIDES]) + "c")
        title = the_store.get(session.id).title
        assert not set(title) & {*CONTROLS, *BIDI_OVERRIDES}
        assert (title[0], title[-1], title.count("b")) == ("a", "c", len(CONTROLS) + len(BIDI_OVERRIDES) - 1)

    @pytest.mark.parametrize("title", ["", " \n\t", "\0\x1b", "\u202e", "\u2066 \u2069", "x" * 201, "🦀" * 201])
    def test_refuses_a_title_of_which_too_little_or_too_much_is_left(self, the_store, title):
        session = a_session(the_store, "one")
        with pytest.raises(InvalidTitle):
            the_store.rename(session.id, title)
        assert the_store.get(session.id) == session

    def test_takes_a_title_with_a_lone_surrogate_in_some_form_or_refuses_it(self, the_store):
        session = a_session(the_store, "one")
        try:
            the_store.rename(session.id, "a\ud800b")
        except InvalidTitle:
            return
        title = the_store.get(session.id).title
        assert not any(unicodedata.category(character) == "Cs" for character in title)

    @pytest.mark.parametrize("where", ["nowhere", "trash"])
    def test_refuses_a_missing_session(self, the_store, where):
        id = uuid4() if where == "nowhere" else a_session(the_store, "one").id
        if where == "trash":
            the_store.delete(id)
        with pytest.raises(SessionNotFound, match=str(id)):
            the_store.rename(id, "Mine")
