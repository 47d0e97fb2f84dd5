"""Tells whoever answers for hours that the server is about to stop; nothing else would before it waits for them."""

_stops = False


def tell() -> None:
    global _stops
    _stops = True


def is_set() -> bool:
    return _stops
