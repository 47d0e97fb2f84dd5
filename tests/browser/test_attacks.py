"""Pages of other origins in the same browser: what each tries works on a site without a guard, and not on this one."""

import asyncio
import http.server
import socket
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
import uvicorn
from django.conf import settings

from sessions_app.access import codes
from sessions_app.web import enter
from sessions_site import guard
from sessions_site.guard import HEADERS, Guard, Rules
from tests.browser import chromium
from tests.web.test_enter import ELSEWHERE_BY_ANY_FORM, ODD_PATHS
from tests.web.test_matrix import ASKS, put

ATTEMPTS = """async ({target, socket}) => {
  const loaded = (name, place) => new Promise((done) => {
    const element = document.createElement(name);
    element.onload = () => done(true);
    element.onerror = () => done(false);
    element[place] = target + (name === "img" ? "/image" : "/script");
    document.body.append(element);
  });
  const read = await fetch(target + "/").then((answer) => answer.text(), () => null);
  await fetch(target + "/changed-by-fetch", {method: "POST", mode: "no-cors", body: "x=1"}).catch(() => null);
  const form = Object.assign(document.createElement("form"),
    {method: "post", action: target + "/changed-by-form", target: "frame"});
  const frame = Object.assign(document.createElement("iframe"), {name: "frame"});
  document.body.append(frame, form);
  await new Promise((done) => { frame.onload = done; form.submit(); setTimeout(done, 1000); });
  const opened = await new Promise((done) => {
    const wire = new WebSocket(socket + "/socket");
    wire.onmessage = (event) => done(event.data);
    wire.onerror = () => done(null);
  });
  return {read, script: await loaded("script", "src"), image: await loaded("img", "src"), opened};
}"""
PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")


class Careless:
    """A site as nine products of this kind were: no credential, CORS for everybody, and it trusts who asks."""

    def __init__(self):
        self.changed: set[str] = set()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "secret"})
            await receive()
            return
        if scope["method"] == "POST":
            self.changed.add(scope["path"])
        kind, body = {"/image": (b"image/gif", PIXEL), "/script": (b"text/javascript", b"window.stolen = 1")}.get(
            scope["path"], (b"text/html", b"secret")
        )
        headers = [(b"content-type", kind), (b"access-control-allow-origin", b"*")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def served(application):
    """Its port, while it is served in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="critical"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def hostile():
    """The port of a server of another origin; it answers everything with an empty page and keeps the cookies it got."""

    class Page(http.server.BaseHTTPRequestHandler):
        cookies: list[str] = []

        def do_GET(self):
            self.cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>hostile</title><body></body>")

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def deceived(browser):
    """A browser for which evil.test is this machine: a name that was rebound."""
    rebound = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    return browser.browser_type.launch(executable_path=chromium.path(), args=[*chromium.arguments(), rebound])


@pytest.fixture
def attacker(deceived):
    with deceived.new_context() as context:
        yield context.new_page()


def attack(page, hostile, host, port):
    page.goto(f"http://{host}:{hostile.server_address[1]}/")
    return page.evaluate(ATTEMPTS, {"target": f"http://127.0.0.1:{port}", "socket": f"ws://127.0.0.1:{port}"})


class AHostilePage:
    # evil.test is another site; 127.0.0.1 and localhost on another port are what somebody develops beside Forklore.
    HOSTS = ("evil.test", "127.0.0.1", "localhost")

    @pytest.mark.parametrize("host", HOSTS)
    def test_gets_all_that_it_wants_without_a_guard(self, attacker, hostile, host):
        site = Careless()
        with served(site) as port:
            got = attack(attacker, hostile, host, port)

        assert got == {"read": "secret", "script": True, "image": True, "opened": "secret"}
        assert site.changed == {"/changed-by-fetch", "/changed-by-form"}

    @pytest.mark.parametrize("host", HOSTS)
    def test_gets_nothing_and_changes_nothing_with_it(self, attacker, hostile, host):
        site = Careless()
        with served(Guard(site, Rules())) as port:
            got = attack(attacker, hostile, host, port)

        assert got == {"read": None, "script": False, "image": False, "opened": None}
        assert site.changed == set()

    def test_of_the_same_origin_is_let_through(self, attacker):
        site = Careless()
        with served(Guard(site, Rules())) as port:
            attacker.goto(f"http://127.0.0.1:{port}/")
            assert attacker.evaluate("fetch('/', {method: 'POST'}).then((answer) => answer.text())") == "secret"
            opened = "new Promise((done) => { new WebSocket('/socket').onmessage = (event) => done(event.data) })"
            assert attacker.evaluate(opened) == "secret"
        assert site.changed == {"/"}

    @pytest.mark.parametrize("guarded", [False, True])
    def test_cannot_frame_the_site_or_keep_hold_of_its_window(self, attacker, hostile, guarded):
        site = Careless()
        with served(Guard(site, Rules()) if guarded else site) as port:
            assert framed_and_held(attacker, hostile, port) == (not guarded, not guarded, not guarded)


def framed_and_held(page, hostile, port):
    """Whether another site shows this one in a frame, keeps hold of its window, and is reached from there."""
    page.goto(f"http://evil.test:{hostile.server_address[1]}/")
    with page.expect_popup() as popup:
        page.evaluate("(url) => { window.held = window.open(url) }", f"http://127.0.0.1:{port}/")
    popup.value.wait_for_load_state()
    page.evaluate(
        "(url) => { document.body.innerHTML = `<iframe src='${url}'></iframe>` }", f"http://127.0.0.1:{port}/"
    )
    page.wait_for_timeout(200)
    framed = [frame for frame in page.frames if frame.url.endswith(f":{port}/") and frame.content().count("secret")]
    held = not page.evaluate("window.held.closed")  # COOP takes the window away
    return bool(framed), held, not popup.value.evaluate("window.opener === null")


class TheHeadersAlone:
    """In a browser that says nothing of where a request comes from, as all did once."""

    @pytest.fixture(params=[True, False], ids=["sent", "not sent"])
    def sent(self, request, monkeypatch):
        monkeypatch.setattr(guard, "_check_site", lambda request: None)
        monkeypatch.setattr(guard.Guard, "_check_origin", lambda self, request: None)
        if not request.param:
            monkeypatch.setattr(guard, "_with_ours", list)
        return request.param

    def test_keep_frames_and_windows_away_and_without_them_they_are_had(self, attacker, hostile, sent):
        with served(Guard(Careless(), Rules())) as port:
            assert framed_and_held(attacker, hostile, port) == (not sent, not sent, not sent)

    def test_keep_readers_scripts_and_images_away_and_without_them_they_are_had(self, attacker, hostile, sent):
        with served(Guard(Careless(), Rules())) as port:
            got = attack(attacker, hostile, "evil.test", port)

        assert (got["read"], got["script"], got["image"]) == ((None, False, False) if sent else ("secret", True, True))


class AReboundName:
    def test_reaches_a_site_without_a_guard(self, attacker):
        with served(Careless()) as port:
            assert attacker.goto(f"http://evil.test:{port}/").text() == "secret"

    def test_reaches_no_address_that_there_is(self, site, attacker):
        """Each of the matrix, as the page that was rebound asks for it, with what its browser lets it send."""
        origin = f"http://evil.test:{site.url.rpartition(':')[2]}"
        about = SimpleNamespace(live=uuid4(), trashed=uuid4(), twin=uuid4(), third=uuid4(), fourth=uuid4(), project="ours", word="apple")  # fmt: skip
        asked = sorted({(ask.method.upper(), put(ask, about)) for ask in ASKS})
        attacker.goto(f"{origin}/enter/")
        statuses = attacker.evaluate(
            """(asked) => Promise.all(asked.map(([method, path]) =>
              fetch(path, {method, headers: {"Content-Type": "application/json"}, body: method === "GET" ? null : "{}"})
                .then((answer) => answer.status)))""",
            asked,
        )
        assert len(asked) > 60
        assert set(statuses) == {421}

    def test_reaches_no_page_file_or_socket_of_this_one(self, site, attacker):
        port = site.url.rpartition(":")[2]
        for path in ("/", "/enter/", "/healthz", "/static/css/site.css", "/admin/", "/no/such/page"):
            answer = attacker.goto(f"http://evil.test:{port}{path}")
            assert answer.status == 421
            assert answer.text().startswith(f"This server does not answer to the host evil.test:{port}.")
        opened = "new Promise((done) => { const wire = new WebSocket('/live/'); wire.onopen = () => done(true); wire.onerror = () => done(false) })"
        assert attacker.evaluate(opened) is False


class TheSite:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/", 200),
            ("/no/such/page/", 404),
            ("/static/js/site.js", 200),
            ("/static/none.js", 404),
            ("/healthz", 200),
            ("/admin/login/", 200),
        ],
    )
    @pytest.mark.parametrize("asked", ["let in", "as nobody", "by another name"])
    def test_gives_every_answer_its_headers(self, site, path, status, asked):
        cookie = site.let_in["storage_state"]["cookies"][0]
        request = Request(site.url + path, headers={"Accept": "text/html", "Origin": site.url})
        if asked == "let in":
            request.add_header("Cookie", f"{cookie['name']}={cookie['value']}")
        if asked == "by another name":
            request.add_header("Host", "evil.test")
        try:
            answer = urlopen(request)
        except HTTPError as error:
            answer = error
        with answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}

        expected = {"let in": status, "as nobody": 200 if path == "/healthz" else 401, "by another name": 421}
        assert answer.status == expected[asked]
        assert {name: headers.get(name) for name in HEADERS} == HEADERS
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["img-src"] == policy["connect-src"] == "'self'"
        assert not [name for name in headers if name.startswith("access-control-")]
        assert len(answer.headers.items()) == len(headers)  # none twice

    @pytest.mark.parametrize(
        ("origin", "let_in", "status"), [("own", True, 101), ("own", False, 403), ("http://evil.test", True, 403)]
    )
    def test_opens_no_socket_for_nobody_or_another_page(self, site, origin, let_in, status):
        cookie = site.let_in["storage_state"]["cookies"][0]
        with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as wire:
            lines = [
                "GET /live/ HTTP/1.1",
                f"Host: {site.url.removeprefix('http://')}",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                f"Origin: {site.url if origin == 'own' else origin}",
                *([f"Cookie: {cookie['name']}={cookie['value']}"] if let_in else []),
            ]
            wire.sendall("\r\n".join([*lines, "", ""]).encode())
            answer = wire.recv(65536).decode()
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert ("A page of another origin" in answer) == (origin != "own")


class TheCookie:
    """Cookies know no ports: what else runs on this machine is sent those of the host name that it shares."""

    def cookies(self, site, browser, hostile, host):
        port = hostile.server_address[1]
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"http://{host}:{site.url.rpartition(':')[2]}/enter/#{site.run(codes.make)}")
            page.wait_for_url("**/")
            hostile.RequestHandlerClass.cookies.clear()
            for name in ("127.0.0.1", "localhost"):
                page.goto(f"http://{name}:{port}/")
        return [
            settings.FORKLORE_COOKIE in cookie
            for cookie in hostile.RequestHandlerClass.cookies
            if "favicon" not in cookie
        ]

    def test_of_the_own_host_is_sent_to_no_other_server(self, site, browser, hostile):
        assert not any(self.cookies(site, browser, hostile, settings.FORKLORE_OWN_HOST))

    def test_of_an_address_is_sent_to_servers_at_that_address(self, site, browser, hostile):
        assert any(self.cookies(site, browser, hostile, "127.0.0.1"))


class AnAddressToGoOnTo:
    AWAY = """addresses => addresses.filter(
      (each) => URL.canParse(each, location) && new URL(each, location).origin !== location.origin)"""

    def test_is_of_this_site_to_a_browser_too(self, site, desktop):
        desktop.goto("/")
        asked = [*ELSEWHERE_BY_ANY_FORM, *ODD_PATHS]
        assert desktop.evaluate(self.AWAY, [enter.own_address(each) for each in asked]) == []
        assert len(desktop.evaluate(self.AWAY, asked)) > 100
