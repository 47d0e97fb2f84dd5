"""How folded text is written for pg_trgm."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sessions_app.folding import fold, storable
from sessions_app.one_word import as_one_word


class OneWord:
    @given(st.text(), st.text(), st.text())
    def test_of_a_text_contains_that_of_each_of_its_parts(self, before, part, after):
        assert as_one_word(storable(part)) in as_one_word(storable(before + part + after))

    @given(st.text(max_size=200))
    def test_is_made_of_letters_and_digits_alone(self, text):
        assert re.fullmatch("[0-9a-z]*", as_one_word(storable(fold(text))))

    def test_tells_all_that_is_in_ascii_apart(self):
        folded = [chr(code) for code in range(128) if not chr(code).isupper()]
        assert len({as_one_word(character) for character in folded}) == len(folded)

    def test_is_short_for_letters_digits_and_spaces(self):
        text = "the brown fo_0123456789"
        assert len(as_one_word(text)) == len(text)
