"""The headers of every answer, graded as Mozilla's HTTP Observatory would.

Its rules are written down here, for what we send; test_observatory.py runs its own program, where that is at hand.
https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring
"""

import pytest

from sessions_site.guard import HEADERS, POLICY

GRADES = [(100, "A+"), (90, "A"), (85, "A-"), (80, "B+"), (70, "B"), (65, "B-"), (0, "below B-")]


def directives(policy):
    parts = (part.split() for part in policy.split(";") if part.strip())
    return {name: set(values) for name, *values in parts}


def of_policy(headers):
    policy = directives(headers.get("content-security-policy", ""))
    if not policy:
        return -25
    scripts = policy.get("script-src", policy.get("default-src", {"*"}))
    if scripts & {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:", "data:"}:
        return -20
    styles = policy.get("style-src", policy.get("default-src", {"*"}))
    if "'unsafe-inline'" in styles:
        return 0
    return 10 if policy.get("default-src") == {"'none'"} else 5


def of_framing(headers):
    if directives(headers.get("content-security-policy", "")).get("frame-ancestors") == {"'none'"}:
        return 5
    return 0 if headers.get("x-frame-options") in ("DENY", "SAMEORIGIN") else -20


def of_referrer(headers):
    private = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    return 5 if headers.get("referrer-policy") in private else 0


def of_resources(headers):
    return 10 if headers.get("cross-origin-resource-policy") in ("same-origin", "same-site") else 0


def of_sniffing(headers):
    return 0 if headers.get("x-content-type-options") == "nosniff" else -5


def of_transport(headers):
    age = headers.get("strict-transport-security", "").removeprefix("max-age=")
    return 0 if age.isdecimal() and int(age) >= 15768000 else -20


def of_sharing(headers):
    return -50 if headers.get("access-control-allow-origin") else 0


RULES = [of_policy, of_framing, of_referrer, of_resources, of_sniffing, of_transport, of_sharing]


def grade(headers):
    """Its extra points count only for who has lost fewer than ten."""
    points = [rule(headers) for rule in RULES]
    score = 100 + sum(point for point in points if point < 0)
    if score >= 90:
        score += sum(point for point in points if point > 0)
    return next(name for least, name in GRADES if score >= least)


# What a team sends behind its proxy, which tests/test_team.py reads from a running server.
OURS = HEADERS | {"content-security-policy": POLICY, "strict-transport-security": "max-age=31536000"}


class TheHeaders:
    def test_earn_the_best_grade(self):
        assert grade(OURS) == "A+"

    def test_earn_all_points_there_are_for_them(self):
        assert sum(rule(OURS) for rule in RULES) == 30

    @pytest.mark.parametrize(
        "changed",
        [
            {"content-security-policy": ""},
            {"content-security-policy": POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")},
            {"strict-transport-security": ""},
            {"access-control-allow-origin": "*"},
        ],
    )
    def test_earn_less_when_one_is_missing(self, changed):
        assert grade(OURS | changed) != "A+"
