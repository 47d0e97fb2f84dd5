"""Secrets are found in what people and programs write, and little else is taken for one."""

import json
import time

import pytest

from sessions_app import secret_rules
from tests.secret_samples import KINDS, harmless_lines, secrets


class Finding:
    def test_finds_nearly_all_of_three_hundred_secrets_of_more_than_forty_kinds(self):
        samples = secrets(300)
        missed = [(kind, text) for kind, _, text in samples if not secret_rules.find(text)]
        assert len(KINDS) >= 40
        assert len({text for _, _, text in samples}) == 300
        assert len(missed) <= 6, missed

    @pytest.mark.parametrize("kind", KINDS)
    def test_knows_each_kind_wherever_it_stands(self, kind):
        found = [bool(secret_rules.find(text)) for name, _, text in secrets(20 * len(KINDS), seed=7) if name == kind]
        assert sum(found) >= 18, kind

    def test_leaves_harmless_lines_alone(self):
        lines = harmless_lines(10_000)
        marked = [line for line in lines if secret_rules.find(line)]
        assert len(lines) == 10_000
        assert len(marked) <= 50, marked

    def test_says_where_a_secret_stands(self):
        token = "ghp_" + "a1B2c3D4e5F6" * 3
        (found,) = secret_rules.find(f"ключ {token}!")
        assert (found.start, found.stop, found.kind) == (5, 5 + len(token), "GitHub token")

    @pytest.mark.parametrize("text", ["", "hello", "\ud800", "\0" * 50, "é" * 3000, "password", "://:@", "eyJ.eyJ."])
    def test_takes_any_text(self, text):
        assert secret_rules.find(text) == []
        assert secret_rules.redacted(text) == text

    @pytest.mark.parametrize(
        "part",
        [
            "password=",
            "://a:",
            "-----BEGIN PRIVATE KEY-----",
            "eyJa.",
            "aws key ",
            "a_",
            "cookie: session=",
            "sk-",
            "sig=",
            "Q~a",
        ],
    )
    def test_takes_time_in_proportion_to_the_text(self, part):
        def seconds(count):
            start = time.process_time()
            secret_rules.find(part * count)
            return time.process_time() - start

        seconds(10)
        short, long = seconds(4000), seconds(16_000)
        assert long <= max(6 * short, 0.2)


class Redacting:
    def test_leaves_nothing_of_what_was_found(self):
        for kind, drawn, text in secrets(300):
            if secret_rules.find(text):
                assert drawn not in secret_rules.redacted(text), (kind, text)

    def test_leaves_what_stands_around_it(self):
        assert (
            secret_rules.redacted("db: postgres://ann:hunter2x@db/shop, done")
            == "db: postgres://ann:[redacted password]@db/shop, done"
        )

    def test_finds_nothing_in_what_it_wrote(self):
        for _, _, text in secrets(300):
            once = secret_rules.redacted(text)
            assert secret_rules.redacted(once) == once

    def test_takes_away_a_text_that_is_named(self):
        assert secret_rules.redacted("the word is plover, yes", ("plover",)) == "the word is [redacted text], yes"

    def test_goes_through_a_message(self):
        token = "npm_" + "a1B2c3D4e5F6" * 3
        message = {
            "role": "user",
            "content": [{"type": "text", "text": f"use {token}"}, {"n": 1, "f": 1.5, "none": None, token: True}],
            "api_key": "Zx81Lq02mN7b",
            "max_tokens": 1024,
        }
        redacted = secret_rules.redacted_value(message)
        assert "npm_" not in json.dumps(redacted)
        assert redacted["api_key"] == "[redacted value]"
        assert redacted["max_tokens"] == 1024
        assert redacted["content"][1]["f"] == 1.5
        assert sorted(secret_rules.kinds(message)) == sorted({token, "Zx81Lq02mN7b"})

    def test_gives_a_message_without_secrets_back_as_it_is(self):
        message = {"role": "user", "content": ["\ud800", {"deep": [[[[1]]]]}], "big": 2**70}
        assert secret_rules.redacted_value(message) == message
        assert not secret_rules.holds_any(message)
