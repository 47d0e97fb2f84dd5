"""Messages that a generator made come back deep-equal from both databases; FORKLORE_LONG=1 makes 100,000 of them."""

import os
import random
import string

from . import storage

pytestmark = storage.SYNC_DOOR
COUNT = 100_000 if os.environ.get("FORKLORE_LONG") == "1" else 2_000
AT_ONCE = 500
CHARACTERS = [
    *string.printable,
    *"äßÉİſﬁ你好世界😀\u0301\u200d\u202e\ufeff\ud83d\ude00\ud800\udfff\0\x7f\x85\u2028",
    "%u0041",
    "\\u0041",
]
NUMBERS = [
    0,
    -0.0,
    1,
    1.0,
    -1,
    0.1,
    1e308,
    5e-324,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**40,
    123456789012345678901234567890,
]
KEYS = ["role", "content", "type", "id", "", "ä", "\0", "\ud800", "a b", "__proto__", "tool_use_id", "text"]


def a_value(order, depth=0):
    kind = order.randrange(8 if depth < 5 else 6)
    if kind == 0:
        return order.choice([None, True, False])
    if kind == 1:
        return order.choice(NUMBERS) if order.random() < 0.5 else order.randint(-(2**70), 2**70)
    if kind == 2:
        return order.uniform(-1, 1) * 10.0 ** order.randrange(-300, 300)
    if kind < 6:
        return "".join(order.choice(CHARACTERS) for _ in range(int(order.expovariate(0.05))))
    if kind == 6:
        return [a_value(order, depth + 1) for _ in range(order.randrange(5))]
    return {order.choice(KEYS) + order.choice(["", "1"]): a_value(order, depth + 1) for _ in range(order.randrange(5))}


def a_message(order):
    message = {"role": order.choice(["user", "assistant", "tool"]), "content": a_value(order)}
    message |= {order.choice(KEYS): a_value(order) for _ in range(order.randrange(4))}
    return dict(order.sample(list(message.items()), len(message)))


def test_come_back_as_they_were(the_store):
    order = random.Random(1)
    for _ in range(COUNT // AT_ONCE):
        messages = [a_message(order) for _ in range(AT_ONCE)]
        session = the_store.create("p", messages[:100])
        the_store.append(session.id, messages[100:])
        # repr tells what == does not: types, the sign of zero, the order of keys.
        assert repr(the_store.get(session.id).messages) == repr(messages)
        assert repr(the_store.get_messages(session.id, 90, 110)) == repr(messages[90:110])
