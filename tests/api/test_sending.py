"""Bytes to clients that are quick, slow, or take nothing for a while, of which little is held meanwhile."""

import asyncio
from typing import Any

import pytest

from application.api import sending
from application.api.sending import PIECE_BYTES, READ_BYTES, Ahead, send_content

DATA = bytes(range(256)) * (5 * READ_BYTES // 512)


class Bytes:
    """A content of ready bytes that notes what is read of it."""

    def __init__(self) -> None:
        self.position = 0
        self.reads: list[tuple[int, int]] = []

    async def look(self, size: int) -> bytes:
        found = DATA[self.position : self.position + size]
        self.reads.append((self.position, len(found)))
        return found

    def move(self, count: int) -> None:
        self.position += count


class Line:
    """A connection that holds so many bytes for its client."""

    unsent = 0


def sent(content: Any, line: Any = Line, turns: int = 0) -> list[bytes]:
    """The pieces that a client gets who takes each after so many turns of the loop."""
    pieces = []

    async def send(message: Any) -> None:
        pieces.append(message["body"])
        for _ in range(turns):
            await asyncio.sleep(0)

    asyncio.run(send_content(content, send, line))
    return pieces


def test_much_is_read_at_once_and_sent_in_pieces() -> None:
    content = Bytes()
    pieces = sent(content)
    assert b"".join(pieces) == DATA
    # A view of what was read would hold all of it where the loop keeps what it could not send.
    assert all(type(piece) is bytes for piece in pieces)
    assert {len(piece) for piece in pieces[:-1]} == {PIECE_BYTES}
    assert len(content.reads) == -(-len(DATA) // READ_BYTES) + 1


def test_what_is_not_taken_soon_is_read_again_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "HELD_SECONDS", 0.0)
    content = Bytes()
    assert b"".join(sent(content, turns=3)) == DATA
    assert [start for start, _ in content.reads] == [*range(0, len(DATA), PIECE_BYTES), len(DATA)]


def test_a_piece_is_made_once_there_is_place_for_it() -> None:
    class Full:
        unsent = 1

    pieces = sent(Bytes(), Full)
    assert b"".join(pieces) == DATA
    assert pieces[1::2] == [b""] * (len(pieces) // 2)


def test_what_is_read_ahead_can_be_read_again_until_it_is_sent() -> None:
    async def twice() -> tuple[bytes, bytes]:
        ahead = Ahead(Bytes())  # type: ignore[arg-type]
        first = await ahead.next(PIECE_BYTES)
        ahead.close()
        again = await ahead.next(PIECE_BYTES)
        ahead.close()
        return first, again

    first, again = asyncio.run(twice())
    assert len(first) == PIECE_BYTES
    assert first == again
