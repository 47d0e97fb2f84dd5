"""What a page that is open knows its session by: by how many messages, and by their chained digest.

As long as it holds, messages were at most added, and the page asks for the end alone; where it does not, the page asks
for all that it shows.
"""

from __future__ import annotations

from sessions_app import piece_table
from sessions_app.errors import DamagedMessage
from sessions_app.models import Session
from sessions_app.session_rows import snapshot

PROOF = r"\d{1,9}-(?:[0-9a-f]{32})?"  # as in the address: 41-HEX


def proof_of(session: Session) -> str:
    """Of all its messages, as its row has them: to be made before any of them is read."""
    return f"{session.message_count}-{bytes(session.tail_digest).hex()}"


def holds(session: Session, proof: str) -> bool:
    """Whether the session begins with the messages that it had when the proof was made."""
    count, _, digest = proof.partition("-")
    return _digest_of(session, int(count)) == bytes.fromhex(digest)


def _digest_of(session: Session, count: int) -> bytes | None:
    """The digest of the first messages, from a row of one of them; None where there are not as many."""
    if count == session.message_count:
        return bytes(session.tail_digest)
    if count > session.message_count:
        return None
    try:
        with snapshot():
            of = piece_table.pieces(session.pk, session.message_count, max(count - 1, 0), count)
            return piece_table.tail_at(of, session.pk, count, None).digest
    except DamagedMessage:
        return None
