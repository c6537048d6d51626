"""Tapes that threads write and read, in small segments."""

import threading
from collections.abc import Callable

from application.errors import DownloadError
from application.spool import Reader, Tape

SEGMENT = 4096
WINDOW = 4 * SEGMENT
PATIENCE = 10
BYTES = bytes(range(251)) * 1000


def nothing() -> None:
    return


def opened(tape: Tape) -> Reader:
    reader = Reader.of(tape)
    assert reader
    return reader


def produce(tape: Tape, data: bytes = BYTES, piece: int = 1000) -> None:
    try:
        for start in range(0, len(data), piece):
            tape.write(data[start : start + piece])
    except DownloadError as error:
        tape.fail(error)
    else:
        tape.finish()


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return not thread.is_alive()


def settled(tape: Tape) -> int:
    """How far the producer gets before it has to wait."""
    size = -1
    while size != tape.size:
        size = tape.size
        threading.Event().wait(0.05)
    return size


def rest(reader: Reader, size: int = 700) -> bytes:
    return b"".join(iter(lambda: reader.read_blocking(size), b""))
