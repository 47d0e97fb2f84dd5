"""run.py and `up`: setting up once, finding a port, and staying on this machine."""

import ast
import asyncio
import http.client
import os
import re
import resource
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import run
from sessions_site import serving
from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent
UP = [sys.executable, "manage.py", "up", "--no-browser"]


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has never run Forklore."""
    return user_environment(FORKLORE_DATA=str(tmp_path / "data"))


def refusal(environment: dict[str, str], *options: str) -> str:
    done = subprocess.run([*UP, *options], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    return done.stderr


def seconds_of_children() -> float:
    """Processor time of the processes that ended: what a start takes where nothing else runs, and tests always do."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Up:
    def test_answers_at_the_address_it_prints_and_says_when_it_made_the_database(self, data):
        with Server([*UP, "--port=0"], CHECKOUT, data) as first:
            assert first.said == ["Brought the database up to date.\n"]
            with urllib.request.urlopen(first.url + "/healthz") as answer:
                assert answer.status == 200
                assert "server" not in answer.headers

    def test_says_nothing_and_takes_less_than_two_seconds_at_the_second_start(self, data):
        Server([*UP, "--port=0"], CHECKOUT, data).stop()
        before = seconds_of_children()

        with Server([*UP, "--port=0"], CHECKOUT, data) as again:
            assert again.said == []

        assert seconds_of_children() - before < 2

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
    def test_refuses_to_answer_to_other_machines(self, data, host):
        assert refusal(data, "--host", host).splitlines()[-1] == (
            "CommandError: Forklore answers to this machine only: --host is one of 127.0.0.1, localhost, ::1. "
            "Any other needs FORKLORE_MODE=team."
        )

    def test_takes_no_pattern_for_a_host(self, data):
        assert "FORKLORE_HOSTS names hosts exactly" in refusal({**data, "FORKLORE_HOSTS": "*.example.org"})

    def test_names_a_port_that_is_taken(self, data):
        with serving.listen("127.0.0.1", [0]) as taken:
            port = taken.getsockname()[1]
            assert f"port {port}: Address already in use." in refusal(data, "--port", str(port))

    def test_names_what_a_port_is(self, data):
        assert "A port is a number from 0 to 65535." in refusal(data, "--port", "65536")


def get(url: str, cookie: str = "", token: str = "", host: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url)
    for name, value in {"Cookie": cookie, "Authorization": token and f"Bearer {token}", "Host": host}.items():
        if value:
            request.add_header(name, value)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def managed(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=30)
    return done.stdout if done.returncode == 0 else done.stderr


def enter(link: str) -> str:
    """The cookie that a launch link gives."""
    address, _, code = link.partition("#")
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.request("POST", "/enter/", f"code={code}", {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert answer.status == 303
    return answer.headers["Set-Cookie"].partition(";")[0]


class GettingIn:
    def test_goes_by_a_link_a_token_or_not_at_all_and_outlives_a_restart(self, data):
        with Server([*UP, "--port=0"], CHECKOUT, data) as server:
            assert get(server.url)[0] == 401
            cookie = enter(managed(data, "open").strip())
            own = (Path(data["FORKLORE_DATA"]) / "token").read_text().strip()
            made = managed(data, "token", "create", "ci").strip()

            assert [get(server.url, cookie)[0], get(server.url, token=own)[0], get(server.url, token=made)[0]] == [
                200
            ] * 3
            assert get(server.url, cookie, host="evil.test")[0] == 421

            assert managed(data, "token", "list").startswith("ci: read and write, until ")
            assert managed(data, "token", "revoke", "ci") == "Revoked ci.\n"
            assert get(server.url, token=made)[0] == 401

        with Server([*UP, "--port=0"], CHECKOUT, data) as again:
            assert get(again.url, cookie)[0] == 200
            assert managed(data, "token", "revoke", "--browsers") == "Browsers that have to get in anew: 1\n"
            assert get(again.url, cookie)[0] == 401

    def test_is_told_to_wait_for_a_server(self, data):
        assert "Forklore is not running; start it by: python3 run.py" in managed(data, "open")

    def test_finds_the_server_that_was_started_last_and_none_that_was_killed(self, data):
        with Server([*UP, "--port=0"], CHECKOUT, data) as first:
            second = Server([*UP, "--port=0"], CHECKOUT, data)
            assert managed(data, "open").startswith(f"{second.url}/enter/#")
            second.process.kill()
            second.process.wait()
            assert managed(data, "open").startswith(f"{first.url}/enter/#")
            assert re.match(
                r"http://forklore-\w{12}\.localhost:\d+/enter/#\w{26}$", managed(data, "open", "--own-host")
            )

    def test_leaves_files_that_are_their_owners_alone_even_where_others_could_read_them(self, data):
        directory = Path(data["FORKLORE_DATA"])
        directory.mkdir(mode=0o755)
        (directory / "secret-key").touch(mode=0o644)
        (directory / "secret-key").write_text("x" * 50)

        with Server([*UP, "--port=0"], CHECKOUT, data) as server:
            get(server.url)
            assert f"Other users could read {directory} (0755); now only you can (0700).\n" in server.said
            assert directory.stat().st_mode & 0o777 == 0o700
            assert {path.name for path in directory.iterdir()} >= {"token", "forklore.sqlite3", "forklore.sqlite3-wal"}
            assert [path.name for path in directory.iterdir() if path.stat().st_mode & 0o077] == []


class Listening:
    def test_takes_the_next_port_when_the_first_is_taken(self):
        with serving.listen("127.0.0.1", [0]) as first:
            taken = first.getsockname()[1]
            with serving.listen("127.0.0.1", range(taken, taken + 20)) as second:
                assert taken < second.getsockname()[1] < taken + 20

    def test_keeps_the_port_from_the_first_moment(self):
        with serving.listen("127.0.0.1", [0]) as listener:
            socket.create_connection(listener.getsockname(), timeout=1).close()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_sends_every_part_of_an_answer_at_once(self, host):
        """Nagle's algorithm holds the second part back until the first is acknowledged, which takes 40 ms."""

        async def run():
            found = asyncio.get_running_loop().create_future()

            async def answer(reader, writer):
                option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                writer.close()
                found.set_result(option)

            with serving.listen(host, [0]) as listener:
                address = listener.getsockname()
                async with await asyncio.start_server(answer, sock=listener):
                    _, writer = await asyncio.open_connection(*address)
                    writer.close()
                    return await found

        assert asyncio.run(run()) != 0

    def test_fails_when_all_ports_are_taken(self):
        with serving.listen("127.0.0.1", [0]) as listener, pytest.raises(OSError, match="in use"):
            serving.listen("127.0.0.1", [listener.getsockname()[1]])

    @pytest.mark.parametrize(
        ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")]
    )
    def test_gives_an_address_for_a_browser(self, host, shown):
        with serving.listen("127.0.0.1", [0]) as listener:
            assert serving.address(host, listener) == f"http://{shown}:{listener.getsockname()[1]}"


class ABrowser:
    AT_THE_SCREEN = {"DISPLAY": ":0"}

    @pytest.fixture(autouse=True)
    def terminal(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "linux")
        for stream in (sys.stdin, sys.stdout):
            monkeypatch.setattr(stream, "isatty", lambda: True)

    def test_is_opened_for_a_person_at_the_screen(self):
        assert serving.wants_browser(self.AT_THE_SCREEN)
        assert serving.wants_browser({"WAYLAND_DISPLAY": "wayland-0"})

    @pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "CI"])
    def test_is_not_opened_far_away(self, variable):
        assert not serving.wants_browser({**self.AT_THE_SCREEN, variable: "1"})

    def test_is_not_opened_without_a_screen(self):
        assert not serving.wants_browser({})

    @pytest.mark.parametrize("stream", ["stdin", "stdout"])
    def test_is_not_opened_for_a_program(self, monkeypatch, stream):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: False)
        assert not serving.wants_browser(self.AT_THE_SCREEN)


def interrupted(*arguments: object) -> None:
    """What an installation leaves that somebody stopped."""
    directory = next(path for path in arguments if isinstance(path, Path))
    directory.mkdir()
    (directory / "half").touch()
    raise KeyboardInterrupt


class SettingUp:
    @pytest.fixture
    def requirements(self, tmp_path, monkeypatch):
        """A checkout that needs no packages."""
        monkeypatch.setattr(run, "ENVIRONMENTS", tmp_path / ".venv")
        monkeypatch.setattr(run, "REQUIREMENTS", tmp_path)
        (tmp_path / "base.txt").touch()
        return tmp_path / "base.txt"

    def test_starts_over_after_an_interruption_and_then_never_again(self, requirements, capsys, monkeypatch):
        with monkeypatch.context() as patched:
            for installer in ("install_by_uv", "install_by_pip"):
                patched.setattr(run, installer, interrupted)
            with pytest.raises(KeyboardInterrupt):
                run.python_with("base")
        capsys.readouterr()

        python = run.python_with("base")
        assert capsys.readouterr().out.count("\n") == 2  # quiet: what it does, and that it is done
        assert subprocess.run([python, "-c", ""]).returncode == 0
        assert not (python.parent.parent / "half").exists()

        assert run.python_with("base") == python
        assert capsys.readouterr().out == ""

    def test_is_due_again_when_the_requirements_change(self, requirements, monkeypatch):
        made = []
        monkeypatch.setattr(run, "set_up", lambda directory, *rest: made.append(directory.name))
        run.python_with("base")
        requirements.write_text("# another\n")
        run.python_with("base")
        assert len(set(made)) == 2

    def test_is_due_again_when_the_python_it_was_made_with_is_gone(self, tmp_path):
        (tmp_path / run.STAMP).touch()
        (tmp_path / "python").symlink_to(tmp_path / "removed")
        assert not run.is_complete(tmp_path, tmp_path / "python")

    def test_says_what_failed(self, capsys):
        with pytest.raises(SystemExit, match="The set-up failed at"):
            run.run_quietly(sys.executable, "-c", "print('no room'); exit(1)")
        assert "no room" in capsys.readouterr().out


class AnOldPython:
    def test_is_told_what_is_needed(self, monkeypatch):
        monkeypatch.setattr(sys, "version_info", (3, 10, 13))
        with pytest.raises(SystemExit, match=r"Forklore needs Python 3\.11 or newer"):
            run.main([])

    def test_can_read_the_program_that_says_so(self):
        ast.parse((CHECKOUT / "run.py").read_text(), feature_version=(3, 7))


class Debian:
    @pytest.mark.parametrize(("user", "words"), [(1000, "sudo apt-get install python3."), (0, "")])
    def test_gets_or_names_what_venv_lacks(self, monkeypatch, user, words):
        installed = []
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(os.path, "exists", lambda path: True)
        monkeypatch.setattr(run, "apt_install", lambda *packages: installed.extend(packages))
        if words:
            with pytest.raises(SystemExit, match=words):
                run.get_ensurepip()
        else:
            run.get_ensurepip()
            assert installed == [f"python3.{sys.version_info.minor}-venv"]


class Arguments:
    @pytest.mark.parametrize("arguments", [["-n4"], ["-n", "0"], ["--numprocesses=3"], ["--pdb"]])
    def test_choose_the_number_of_processes(self, arguments):
        assert run.workers(arguments) == []

    def test_leave_it_at_two(self):
        assert run.workers(["tests/store", "-k", "name"]) == ["-n", "2"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [([], ["up"]), (["--port", "9"], ["up", "--port", "9"]), (["demo", "--x"], ["demo", "--x"])],
    )
    def test_are_those_of_the_start_unless_they_name_a_command(self, monkeypatch, arguments, words):
        begun = []
        monkeypatch.setattr(run, "python_with", lambda name: "python")
        monkeypatch.setattr(run, "replace_by", lambda *command: begun.extend(command[2:]))
        run.main(arguments)
        assert begun == words

    @pytest.mark.parametrize(("issuer", "name"), [("", "base"), ("https://login.example.org", "oidc")])
    def test_get_what_an_openid_issuer_takes(self, monkeypatch, issuer, name):
        chosen = []
        monkeypatch.setenv("FORKLORE_OIDC_ISSUER", issuer)
        monkeypatch.setattr(run, "python_with", lambda name: chosen.append(name) or "python")
        monkeypatch.setattr(run, "replace_by", lambda *command: None)
        run.main([])
        assert chosen == [name]
