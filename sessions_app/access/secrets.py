"""Random secrets, how they are written, and the digests by which they are known."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib

from django.conf import settings

PREFIX = "forklore_"
ALPHABET = string.digits + string.ascii_letters  # a double click selects a whole token
RANDOM_LENGTH = 43  # 256 bits
CHECK_LENGTH = 6
CODE_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters that are hard to mistake for one another
CODE_LENGTH = 26  # 130 bits


def new_token() -> str:
    """The prefix lets scanners find one that leaked, and the check digits tell it from what only looks like one."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return PREFIX + random + _check_digits(random)


def is_token(text: str) -> bool:
    random, check = text.removeprefix(PREFIX)[:-CHECK_LENGTH], text[-CHECK_LENGTH:]
    whole = text.isascii() and text.startswith(PREFIX) and len(random) == RANDOM_LENGTH
    return whole and check == _check_digits(random)


def new_code() -> str:
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def token_digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def keyed_digest(secret: str) -> str:
    """Of what a new secret key is to make worthless."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.encode(), hashlib.sha256).hexdigest()


def _check_digits(random: str) -> str:
    number, digits = zlib.crc32(random.encode()), ""
    for _ in range(CHECK_LENGTH):
        number, remainder = divmod(number, len(ALPHABET))
        digits = ALPHABET[remainder] + digits
    return digits
