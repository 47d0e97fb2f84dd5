"""What is refused when credentials are made or taken away, each in one sentence."""

from sessions_app.errors import StoreError


class InvalidToken(StoreError):
    """A name or a time that no token can have."""


class TokenNotFound(StoreError):
    def __init__(self, name: str):
        super().__init__(f"There is no token named {name}.")


class NotLetIn(StoreError):
    def __init__(self, issuer: str):
        super().__init__(f"{issuer} knows you, and this server does not let you in; ask one of its admins.")


class InvalidRole(StoreError):
    """A role that nobody can have by default."""


class InvalidPerson(StoreError):
    """A name or a password that nobody can have, or a change that would leave no admin."""
