"""What no client library would send, by a raw socket to a running server: it is refused, and the server goes on."""

import contextlib
import socket
import urllib.request

import pytest

from sessions_site.guard import NAMELESS_BYTES
from tests.builders import user_environment
from tests.servers import Server
from tests.test_team import CHECKOUT, MANAGE

OUT_OF_BOUNDS = {
    "100,000 headers": [f"x-{number}: y" for number in range(100_000)],
    "a cookie bomb": [f"Cookie: c{number}={'x' * 3900}" for number in range(60)],
    "cookies that a browser would still send": [f"Cookie: a={'x' * 40_000}"],
    "a header of 10 MB": [f"x: {'y' * 10_000_000}"],
    "two hosts": ["Host: evil.test"],
    "a length that is no number": ["Content-Length: x"],
    "two lengths": ["Content-Length: 1", "Content-Length: 2"],
    "a length beside chunks": ["Content-Length: 3", "Transfer-Encoding: chunked"],
}
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    command = [*MANAGE, "up", "--port=0", "--no-browser"]
    with Server(command, CHECKOUT, user_environment(FORKLORE_DATA=str(data))) as server:
        yield server


@pytest.fixture
def host(server) -> str:
    return f"Host: {server.url.removeprefix('http://')}"


def status(server, lines, body=(), method="POST"):
    """Of a request to the address that anybody may ask; 0 where the server hangs up without a word."""
    name, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((name, int(port)), timeout=20) as wire:
        head = "\r\n".join([f"{method} /enter/ HTTP/1.1", *lines])
        with contextlib.suppress(ConnectionError):  # it need not read to the end to refuse
            wire.sendall(f"{head}\r\n\r\n".encode())
            for part in body:
                wire.sendall(part)
        with contextlib.suppress(ConnectionError):
            said = wire.recv(65536).decode("latin-1")
            return int(said.split()[1]) if said else 0
    return 0


def is_well(server) -> bool:
    with urllib.request.urlopen(f"{server.url}/healthz", timeout=20) as answer:
        return answer.status == 200


class ARequest:
    @pytest.mark.parametrize("case", OUT_OF_BOUNDS)
    def test_that_is_out_of_bounds_is_refused(self, server, host, case):
        assert status(server, [host, *OUT_OF_BOUNDS[case]]) in (0, 400, 413, 421, 431)
        assert is_well(server)

    def test_without_a_host_is_refused(self, server):
        assert status(server, []) == 400

    def test_that_is_within_them_is_answered(self, server, host):
        assert status(server, [host, "Content-Length: 0"]) == 403  # no code, so it is told that it is wrong
        assert status(server, [host, *[f"x-{number}: y" for number in range(50)]], method="GET") == 200
        assert status(server, [host, f"Cookie: a={'x' * 8000}"], method="GET") == 200

    def test_that_never_says_how_long_it_is_is_cut(self, server, host):
        chunked = [host, "Transfer-Encoding: chunked", "Content-Type: application/x-www-form-urlencoded"]
        assert status(server, chunked, [b"5\r\ncode=\r\n0\r\n\r\n"]) == 403
        assert status(server, chunked, [CHUNK] * (NAMELESS_BYTES // 0x10000 + 2)) in (0, 413)
        assert is_well(server)
