"""Nothing connects outward: the server is run with every connection of its process written down."""

import re
import socket
import sys
import time
import urllib.request
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests import openid_provider
from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT

# Python tells of each of these whoever asks for it; what a library in C connects to it does not, and none of ours does.
PROGRAM = """
import runpy, sys
told, program, *arguments = sys.argv[1:]
def note(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        with open(told, "a") as file:
            print(event, *given[-1:] if event == "socket.connect" else given[:1], file=file)
    elif event in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"):
        with open(told, "a") as file:
            print(event, given[0], file=file)
sys.addaudithook(note)
sys.argv = [program, *arguments]
runpy.run_path(program, run_name="__main__")
"""
PAGES = ["/", "/?sort=size", "/projects/", "/search/?q=the", "/search/?q=has:forks&rail=1", "/trash/", "/import/"]
PAGES += ["/settings/audit/", "/healthz", "/static/css/site.css", "/sessions/0000/", "/admin/login/", "/no/such/page/"]


@pytest.fixture
def told(tmp_path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def environment(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return user_environment(FORKLORE_DATA=str(tmp_path / "data"), HOME=str(home))


def recorded(told: Path, program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(told), program, *arguments]


def lines(told: Path) -> list[str]:
    return told.read_text().splitlines() if told.exists() else []


class TheServer:
    def test_connects_to_nothing_while_it_imports_and_shows_all_its_pages(self, environment, told, tmp_path):
        with Server(recorded(told, "manage.py", "up", "--port=0", "--no-browser"), CHECKOUT, environment) as server:
            token = (tmp_path / "data" / "token").read_text().strip()
            statuses = {ask(server.url, token, "/import/demo/", b""), ask(server.url, token, "/import/", b"")}
            for _ in range(100):
                if "running" not in read(server.url, token, "/import/"):
                    break
                time.sleep(0.1)
            pages = {path: ask(server.url, token, path) for path in PAGES}
            sessions = transcripts(read(server.url, token, "/"))
            pages |= {path: ask(server.url, token, path) for path in sessions}

        assert statuses == {200}
        assert len(sessions) > 5
        assert {path for path, status in pages.items() if status != 200} <= {"/sessions/0000/", "/no/such/page/"}
        assert lines(told) == []

    def test_that_connected_would_be_found(self, environment, told, tmp_path):
        """The same program with one line more."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            program = tmp_path / "outward.py"
            program.write_text(
                f"import socket, runpy\nsocket.create_connection(('127.0.0.1', {port})).close()\n"
                f"runpy.run_path({str(CHECKOUT / 'manage.py')!r}, run_name='__main__')\n"
            )
            with Server(
                recorded(told, str(program), "up", "--port=0", "--no-browser"),
                CHECKOUT,
                environment | {"PYTHONPATH": str(CHECKOUT)},
            ):
                pass

        assert f"socket.connect ('127.0.0.1', {port})" in lines(told)


def transcripts(home: str) -> list[str]:
    return sorted({part.split('"')[0] for part in home.split('href="') if part.startswith("/sessions/")})


def read(url: str, token: str, path: str) -> str:
    with opened(url, token, path) as answer:
        return answer.read().decode()


def ask(url: str, token: str, path: str, body: bytes | None = None) -> int:
    with opened(url, token, path, body) as answer:
        return answer.status


def opened(url: str, token: str, path: str, body: bytes | None = None):
    request = urllib.request.Request(url + path, body, {"Authorization": f"Bearer {token}", "Accept": "text/html"})
    try:
        return urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        return error


class ATeamWithAnIssuer:
    def test_connects_to_the_issuer_alone_and_only_when_somebody_signs_in(self, environment, told):
        with openid_provider.running() as provider:
            chosen = environment | {
                "FORKLORE_MODE": "team",
                "FORKLORE_HOSTS": "forklore.example.org",
                "FORKLORE_OIDC_ISSUER": provider.url,
                "FORKLORE_OIDC_CLIENT": openid_provider.CLIENT,
                "FORKLORE_OIDC_SECRET": openid_provider.SECRET,
                "FORKLORE_OIDC_ADMIT": "everybody",
            }
            with Server(recorded(told, "manage.py", "up", "--port=0", "--no-browser"), CHECKOUT, chosen) as server:
                assert httpx.get(f"{server.url}/enter/").status_code == 200
                before = lines(told)
                status = sign_in(server.url)
            port = str(provider.server.server_address[1])

        assert status == 303
        assert before == []
        assert {line for line in lines(told) if port not in line and not line.endswith(" 127.0.0.1")} == set()
        assert f"socket.connect ('127.0.0.1', {port})" in lines(told)


def sign_in(url: str) -> int:
    """The status of coming back from the issuer; a client keeps no Secure cookie of http, as a browser does here."""
    page = httpx.post(f"{url}/enter/openid/", data={"next": "/"}, headers={"Origin": url})
    (there,) = re.findall(r'href="(http[^"]+authorize[^"]+)"', page.text)
    form = openid_provider.fields(unescape(there).partition("?")[2])
    back = httpx.post(unescape(there).partition("?")[0], data=form).headers["Location"]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    return httpx.get(back, headers={"Cookie": cookie}).status_code
