"""The guard: what a hostile page, name or program sends is refused, and the same request without its mark goes through."""

import asyncio

import pytest

from sessions_site.guard import HEADERS, Guard, Rules

OURS = "127.0.0.1:8000"
COOKIE = ("cookie", "forklore=secret")
BEARER = ("authorization", "Bearer forklore_x")
FROM_HERE = ("origin", f"http://{OURS}")
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


class Site:
    """An application that remembers what reached it, and answers 200."""

    def __init__(self, *headers: tuple[bytes, bytes]):
        self.reached: list[bytes] = []
        self.headers = headers

    async def __call__(self, scope, receive, send):
        body, more = b"", scope["type"] == "http"
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        self.reached.append(body)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
            await send({"type": "http.response.body", "body": b"ok"})


class Answer:
    def __init__(self, events):
        start = events[0]
        self.status = start.get("status", {"websocket.accept": 101, "websocket.close": 403}.get(start["type"]))
        self.headers = {name.decode(): value.decode() for name, value in start.get("headers", ())}
        self.text = events[1]["body"].decode() if len(events) > 1 else start.get("reason", "")


def ask(method="GET", *headers, site=None, rules=None, kind="http", parts=(), server=("127.0.0.1", 8000), **named):
    """What comes back; `headers` are pairs, `named` ones have underscores, and the host is ours unless named."""
    pairs = [*headers, *((name.replace("_", "-"), value) for name, value in {"host": OURS, **named}.items())]
    scope = {
        "type": kind,
        "scheme": "ws" if kind == "websocket" else "http",
        "path": "/",
        "server": server,
        "headers": [(name.encode(), value.encode()) for name, value in pairs if value is not None],
        **({"method": method} if kind == "http" else {}),
    }
    events = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    events.append({"type": "http.request", "body": b""})
    sent = []

    async def receive():
        return events.pop(0)

    async def send(event):
        sent.append(event)

    asyncio.run(Guard(site or Site(), rules or Rules())(scope, receive, send))
    return Answer(sent)


class TheHost:
    @pytest.mark.parametrize("host", [OURS, "localhost:8000", "[::1]:8000", "LocalHost:8000"])
    def test_is_this_machine_at_the_port_that_is_bound(self, host):
        assert ask(host=host).status == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.test:8000",
            "127.0.0.1",
            "127.0.0.1:8001",
            "127.0.0.1:80000",
            "127.0.0.1.evil.test:8000",
            "evil.test@127.0.0.1:8000",
            "127.0.0.1:8000@evil.test",
            "127.0.0.1:8000.",
            "localhost.:8000",
            "127.1:8000",
            "2130706433:8000",
            "0.0.0.0:8000",
            " 127.0.0.1:8000",
            "",
        ],
    )
    @pytest.mark.parametrize("kind", ["http", "websocket"])
    def test_of_any_other_name_is_refused(self, host, kind):
        site = Site()
        answer = ask(host=host, site=site, kind=kind, origin=f"http://{host}")

        assert answer.status in (403, 421)
        assert site.reached == []

    def test_must_be_one(self):
        assert ask("GET", ("host", OURS), host="evil.test").status == 400
        assert ask(host=None).status == 400

    def test_that_is_refused_is_told_how_to_be_allowed(self):
        answer = ask(host="box.example.org:8000")

        assert answer.text == (
            "This server does not answer to the host box.example.org:8000. "
            "To allow it on purpose: FORKLORE_HOSTS=box.example.org python3 run.py\n"
        )
        assert answer.headers["content-type"].startswith("text/plain")

    def test_of_a_forwarded_port_is_told_with_its_port(self):
        assert "FORKLORE_HOSTS=localhost:9000 " in ask(host="localhost:9000").text
        assert ask(host="localhost:9000", rules=Rules(("localhost:9000",))).status == 200

    @pytest.mark.parametrize("host", ["$(touch x)", "a;rm -rf ~", "a\u2028b"])
    def test_that_no_shell_may_read_is_not_suggested(self, host):
        assert "FORKLORE_HOSTS" not in ask(host=host).text

    def test_that_was_allowed_on_purpose_is_let_in_with_the_bound_port_or_none(self):
        rules = Rules(("box.example.org",))

        assert ask(host="box.example.org", rules=rules).status == 200
        assert ask(host="box.example.org:8000", rules=rules).status == 200
        assert ask(host="box.example.org:8001", rules=rules).status == 421
        assert ask(host="sub.box.example.org", rules=rules).status == 421

    @pytest.mark.parametrize("host", ["*", "*.example.org", ".example.org", "http://a", "a/b", "a b"])
    def test_is_never_allowed_by_a_pattern(self, host):
        with pytest.raises(ValueError, match="exactly"):
            Rules((host,))

    def test_does_not_help_a_connection_from_another_machine(self):
        assert ask(server=("192.168.1.5", 8000)).status == 421
        assert ask(server=("192.168.1.5", 8000), rules=Rules(loopback_only=False)).status == 200


FOREIGN = [
    "http://evil.test",
    "http://evil.test:8000",
    "https://127.0.0.1:8000",
    "http://127.0.0.1:3000",
    "http://127.0.0.1",
    "http://localhost:8000",
    "http://127.0.0.1:8000.evil.test",
    "http://127.0.0.1:80000",
    "http://127.0.0.1:8000/",
    "chrome-extension://abcdef",
    "null",
    "",
]


class TheOrigin:
    @pytest.mark.parametrize("origin", FOREIGN)
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET", "OPTIONS"])
    def test_of_another_page_is_refused(self, method, origin):
        site = Site()

        assert ask(method, COOKIE, origin=origin, site=site).status == 403
        assert site.reached == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET", "OPTIONS"])
    def test_of_this_site_is_let_through(self, method):
        assert ask(method, COOKIE, FROM_HERE).status == 200

    @pytest.mark.parametrize("origin", FOREIGN)
    def test_of_another_page_opens_no_socket(self, origin):
        site = Site()

        assert ask("GET", COOKIE, origin=origin, site=site, kind="websocket").status == 403
        assert site.reached == []

    def test_of_this_site_opens_a_socket(self):
        assert ask("GET", COOKIE, FROM_HERE, kind="websocket").status == 101

    def test_may_be_missing_on_a_socket_with_a_token_only(self):
        assert ask("GET", COOKIE, kind="websocket").status == 403
        assert ask("GET", BEARER, kind="websocket").status == 101

    def test_may_not_be_missing_when_a_cookie_is_to_change_something(self):
        assert ask("POST", COOKIE).status == 403
        assert ask("POST", COOKIE, sec_fetch_site="same-origin").status == 200
        assert ask("POST", BEARER).status == 200
        assert ask("POST").status == 200  # a script that hands in a code

    def test_is_not_asked_for_when_a_tab_is_opened(self):
        assert ask("GET", COOKIE, origin="null", **NAVIGATION).status == 200

    def test_of_two_is_refused(self):
        assert ask("POST", FROM_HERE, COOKIE, origin="http://evil.test").status == 403

    def test_behind_a_proxy_is_https(self):
        rules = Rules(("box.example.org",))
        asked = {"host": "box.example.org", "rules": rules}

        assert ask("POST", COOKIE, origin="https://box.example.org", **asked).status == 200
        assert ask("POST", COOKIE, origin="https://evil.test", **asked).status == 403


class WhereARequestComesFrom:
    @pytest.mark.parametrize("site", ["same-origin", "none"])
    @pytest.mark.parametrize("kind", ["script", "image", "iframe", "empty", "document"])
    def test_is_this_site_or_the_person(self, site, kind):
        assert ask(sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest=kind).status == 200

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of", "", "none, cross-site"])
    @pytest.mark.parametrize("kind", ["script", "image", "style", "iframe", "object", "embed", "empty", "video"])
    @pytest.mark.parametrize("mode", ["no-cors", "cors", "navigate"])
    def test_is_no_other_page(self, site, kind, mode):
        reached = Site()

        assert (
            ask("GET", COOKIE, site=reached, sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=kind).status
            == 403
        )
        assert reached.reached == []

    def test_may_be_a_link_on_another_page(self):
        assert ask("GET", sec_fetch_site="cross-site", **NAVIGATION).status == 200
        assert ask("GET", sec_fetch_site="same-site", **NAVIGATION).status == 200

    def test_may_not_be_a_form_on_another_page(self):
        assert ask("POST", COOKIE, FROM_HERE, sec_fetch_site="cross-site", **NAVIGATION).status == 403
        assert ask("POST", COOKIE, FROM_HERE, sec_fetch_site="same-origin", **NAVIGATION).status == 200


class TheBody:
    SMALL = Rules(body_bytes=100)

    @pytest.mark.parametrize("length", [100, 101])
    def test_is_measured_before_it_is_read(self, length):
        site = Site()
        answer = ask("POST", COOKIE, FROM_HERE, site=site, rules=self.SMALL, content_length=str(length))

        assert answer.status == (200 if length == 100 else 413)
        assert len(site.reached) == (length == 100)

    @pytest.mark.parametrize("parts", [[b"x" * 50] * 2, [b"x" * 50] * 3])
    def test_is_measured_while_it_arrives_without_a_length(self, parts):
        answer = ask("POST", COOKIE, FROM_HERE, rules=self.SMALL, parts=parts)
        assert answer.status == (200 if len(parts) == 2 else 413)

    def test_that_is_longer_than_it_says_is_cut(self):
        answer = ask("POST", COOKIE, FROM_HERE, rules=self.SMALL, parts=[b"x" * 200], content_length="50")
        assert answer.status == 413

    def test_of_nobody_is_a_form_at_most(self):
        big = str(1_000_000)

        assert ask("POST", content_length=big).status == 413
        assert ask("POST", BEARER, content_length=big).status == 200

    @pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "1_0", "x", "", "9" * 5000])
    def test_says_its_length_as_a_number(self, length):
        assert ask("POST", content_length=length).status == 400

    def test_has_a_length_or_comes_in_chunks(self):
        assert ask("POST", content_length="3", transfer_encoding="chunked").status == 400
        assert ask("POST", content_length="3").status == ask("POST", transfer_encoding="chunked").status == 200

    def test_that_stops_arriving_is_given_up(self, monkeypatch):
        monkeypatch.setattr("sessions_site.guard.BODY_PAUSE", 0.05)

        async def never():
            await asyncio.sleep(10)

        sent = []

        async def send(event):
            sent.append(event)

        scope = {"type": "http", "method": "POST", "server": ("127.0.0.1", 8000), "headers": [(b"host", OURS.encode())]}
        asyncio.run(Guard(Site(), Rules())(scope, never, send))
        assert Answer(sent).status == 408


class TheHeaders:
    def test_are_at_most_a_hundred(self):
        assert ask("GET", *[("x", "y")] * 99).status == 200
        assert ask("GET", *[("x", "y")] * 100).status == 431

    def test_are_at_most_32_kilobytes_so_that_no_page_can_bury_the_server_in_cookies(self):
        assert ask(cookie="a=" + "x" * 30_000).status == 200
        answer = ask(cookie="a=" + "x" * 40_000)
        assert answer.status == 431
        assert "delete this site's cookies" in answer.text


class EveryAnswer:
    @pytest.mark.parametrize(
        "asked",
        [{}, {"host": "evil.test"}, {"origin": "http://evil.test"}, {"content_length": "9" * 12}],
        ids=["200", "421", "403", "413"],
    )
    def test_carries_the_headers(self, asked):
        headers = ask("POST", **asked).headers

        assert {name: headers.get(name) for name in HEADERS} == HEADERS
        assert "frame-ancestors 'none'" in headers["content-security-policy"]

    def test_keeps_a_stricter_policy_of_its_own(self):
        policy = b"default-src 'none'; sandbox"
        assert (
            ask(site=Site((b"Content-Security-Policy", policy))).headers["Content-Security-Policy"] == policy.decode()
        )

    def test_lets_no_other_origin_read_whatever_the_site_says(self):
        loose = Site((b"Access-Control-Allow-Origin", b"*"), (b"X-Frame-Options", b"ALLOWALL"), (b"Etag", b"kept"))
        headers = ask(site=loose).headers

        assert not [name for name in headers if name.lower().startswith("access-control-")]
        assert "X-Frame-Options" not in headers
        assert headers["Etag"] == "kept"
