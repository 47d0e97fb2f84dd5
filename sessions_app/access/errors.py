"""What is refused when credentials are made or taken away, each in one sentence."""

from sessions_app.errors import StoreError


class InvalidToken(StoreError):
    """A name or a time that no token can have."""


class TokenNotFound(StoreError):
    def __init__(self, name: str):
        super().__init__(f"There is no token named {name}.")


class InvalidRole(StoreError):
    """A role that nobody can have by default."""


class InvalidPerson(StoreError):
    """A name or a password that nobody can have, or a change that would leave no admin."""
