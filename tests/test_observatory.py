"""The headers of a team's server behind a proxy with TLS, graded by Mozilla's HTTP Observatory itself.

.ci/run installs the program below .ci/observatory; without it these tests are left out, unless FORKLORE_REQUIRE names it.
"""

import datetime
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.builders import user_environment
from tests.servers import Server
from tests.test_run import CHECKOUT
from tests.test_team import MANAGE, StayHere

PROGRAM = Path(os.environ.get("FORKLORE_OBSERVATORY") or CHECKOUT / ".ci" / "observatory")
HERE = shutil.which("node") and (PROGRAM / "node_modules" / "@mdn" / "mdn-http-observatory").is_dir()
REQUIRED = "observatory" in os.environ.get("FORKLORE_REQUIRE", "").split(",")

pytestmark = pytest.mark.skipif(not HERE and not REQUIRED, reason="the Observatory is not here; .ci/run gets it by npm")


def certificate(directory: Path) -> tuple[Path, Path]:
    """Of localhost, and its key, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "certificate.pem", directory / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Proxy(BaseHTTPRequestHandler):
    """As docs/security.md wants one: it ends TLS and says so; what comes without TLS is sent there."""

    behind, secure, weakened = "", 0, False

    def do_GET(self) -> None:
        if not isinstance(self.connection, ssl.SSLSocket):
            self.send_response(301)
            self.send_header("Location", f"https://localhost:{self.secure}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        asked |= {"Host": "forklore.example.org", "X-Forwarded-Proto": "https"}
        request = urllib.request.Request(self.behind + self.path, headers=asked, method=self.command)
        try:
            answer = urllib.request.build_opener(StayHere).open(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if not (self.weakened and name.lower() == "content-security-policy"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


def serving(handler: type[Proxy], tls: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def graded(tmp_path):
    """What the Observatory says, and what it says without our policy."""
    environment = user_environment(
        FORKLORE_DATA=str(tmp_path / "data"),
        FORKLORE_MODE="team",
        FORKLORE_HOSTS="forklore.example.org",
        FORKLORE_PROXY="1",
    )
    chain, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    with Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, environment) as behind:
        Proxy.behind = behind.url
        secure, plain = serving(Proxy, tls), serving(Proxy)
        Proxy.secure = secure.server_port
        try:
            yield lambda weakened: scanned(plain.server_port, secure.server_port, chain, weakened)
        finally:
            for each in (secure, plain):
                each.shutdown()
                each.server_close()


def scanned(http: int, https: int, chain: Path, weakened: bool) -> dict:
    Proxy.weakened = weakened
    done = subprocess.run(
        ["node", str(CHECKOUT / ".ci" / "observatory" / "scan.mjs"), str(PROGRAM), str(http), str(https)],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(chain)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout, file=sys.stderr)
    return json.loads(done.stdout)


def test_the_observatory_gives_an_a_plus(graded):
    found = graded(weakened=False)
    assert found["status"] == 200
    assert (found["grade"], min(modifier for _, modifier in found["tests"].values())) == ("A+", 0), found
    assert graded(weakened=True)["grade"] != "A+"
