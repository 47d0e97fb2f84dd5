"""Open sockets: they end with their credential within two seconds, are not many, and take small frames."""

import asyncio
import time

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import override_settings

from sessions_app.access import browsers, sockets, tokens
from sessions_app.access.sockets import ActorsOnly
from sessions_site.guard import FRAME_BYTES, Guard, Rules

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN = 2  # seconds


async def echo(scope, receive, send):
    while True:
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif event["type"] == "websocket.disconnect":
            return
        else:
            await send({"type": "websocket.send", "text": event["text"]})


def a_socket(application=echo, **headers):
    """As a browser or a program opens it, through all that stands before the routes."""
    pairs = {"host": "127.0.0.1:8000", **headers}
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": "/live/",
        "server": ("127.0.0.1", 8000),
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
    }
    return ApplicationCommunicator(Guard(ActorsOnly(application), Rules()), scope)


async def opened(**headers):
    socket = a_socket(**headers)
    await socket.send_input({"type": "websocket.connect"})
    return socket, await socket.receive_output(WITHIN)


async def closed(socket):
    return await socket.receive_output(WITHIN)


def by_token(token):
    return {"authorization": f"Bearer {token}"}


def by_cookie(cookie):
    return {"cookie": f"{settings.FORKLORE_COOKIE}={cookie}", "origin": "http://127.0.0.1:8000"}


def credential(kind):
    """Headers, and what takes them away."""
    if kind == "token":
        return by_token(tokens.create("t")), lambda: tokens.revoke("t")
    if kind == "browser":
        return by_cookie(browsers.let_in()), browsers.revoke_all
    from django.contrib.auth.models import User
    from django.test import Client

    from sessions_app.access import people, user_sessions

    people.create_admin("ada", "a horse of another colour")
    client = Client(HTTP_HOST="127.0.0.1")
    client.post("/enter/", {"name": "ada", "password": "a horse of another colour"})
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    headers = {"cookie": f"{settings.SESSION_COOKIE_NAME}={key}", "origin": "http://127.0.0.1:8000"}
    return headers, lambda: user_sessions.end_all(User.objects.get().pk)


class ASocket:
    @pytest.mark.parametrize("kind", ["token", "browser", "session"])
    def test_is_closed_when_its_credential_is_revoked(self, kind):
        with override_settings(FORKLORE_MODE="team" if kind == "session" else "local"):
            headers, revoke = credential(kind)

            async def run():
                socket, answer = await opened(**headers)
                assert answer["type"] == "websocket.accept"
                await socket.send_input({"type": "websocket.receive", "text": "hello"})
                assert (await socket.receive_output(WITHIN))["text"] == "hello"
                await asyncio.to_thread(revoke)
                return await closed(socket)

            assert asyncio.run(run()) == {"type": "websocket.close", "code": sockets.NOBODY}

    def test_stays_open_while_its_credential_is_good(self, monkeypatch):
        monkeypatch.setattr(sockets, "PAUSE", 0.01)
        looks = []
        found = sockets.finding.find
        monkeypatch.setattr(sockets.finding, "find", lambda *given: looks.append(1) or found(*given))
        headers, _ = credential("token")

        async def run():
            socket, _ = await opened(**headers)
            until = time.monotonic() + WITHIN
            while len(looks) < 4 and time.monotonic() < until:
                await asyncio.sleep(0.01)
            await socket.send_input({"type": "websocket.receive", "text": "still here"})
            answer = await socket.receive_output(WITHIN)
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await socket.wait(WITHIN)
            return answer

        assert asyncio.run(run())["text"] == "still here"
        assert len(looks) >= 4

    def test_asks_no_more_often_for_twenty_pages_of_a_browser_than_for_two(self, monkeypatch):
        looks = []
        found = sockets.finding.find
        headers, _ = credential("browser")

        async def run():
            pairs = [await opened(**headers) for _ in range(sockets.MOST)]
            monkeypatch.setattr(sockets.finding, "find", lambda *given: looks.append(1) or found(*given))
            await asyncio.sleep(2.2 * sockets.PAUSE)
            for socket, _ in pairs:
                await socket.send_input({"type": "websocket.disconnect", "code": 1000})
                await socket.wait(WITHIN)

        asyncio.run(run())
        assert 2 <= len(looks) <= 6

    def test_opens_for_nobody_not_at_all(self):
        async def run():
            return (await opened(**by_cookie("x" * 43)))[1]

        assert asyncio.run(run()) == {"type": "websocket.close", "code": sockets.NOBODY}

    def test_is_closed_by_a_frame_that_is_too_large(self):
        headers, _ = credential("token")

        async def run(size):
            socket, _ = await opened(**headers)
            await socket.send_input({"type": "websocket.receive", "text": "x" * size})
            answer = await socket.receive_output(WITHIN)
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            return answer["type"], answer.get("code")

        assert asyncio.run(run(FRAME_BYTES)) == ("websocket.send", None)
        assert asyncio.run(run(FRAME_BYTES + 1)) == ("websocket.close", sockets.TOO_LARGE)

    def test_is_one_of_twenty_of_an_actor_at_most(self):
        mine, other = by_token(tokens.create("mine")), by_token(tokens.create("other"))

        async def run():
            pairs = [await opened(**mine) for _ in range(sockets.MOST)]
            assert {answer["type"] for _, answer in pairs} == {"websocket.accept"}
            _, refused = await opened(**mine)
            beside, of_another = await opened(**other)
            first = pairs[0][0]
            await first.send_input({"type": "websocket.disconnect", "code": 1000})
            await first.wait(WITHIN)
            again, again_answer = await opened(**mine)
            for socket in [*(socket for socket, _ in pairs[1:]), beside, again]:
                await socket.send_input({"type": "websocket.disconnect", "code": 1000})
                await socket.wait(WITHIN)
            return refused.get("code"), of_another["type"], again_answer["type"]

        assert asyncio.run(run()) == (sockets.TOO_MANY, "websocket.accept", "websocket.accept")
        assert not sockets._open
