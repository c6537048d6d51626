"""What was written last, still in memory: a reader that keeps up takes it there, and waits for no thread."""

# Of a tape, in pieces of at most so many bytes.
PIECES = 8
PIECE_BYTES = 1 << 20
# A piece keeps all that was written in one go: of a larger one nothing is held.
MOST_WRITTEN = 16 << 20
LATEST_BYTES = PIECES * PIECE_BYTES + MOST_WRITTEN


class Latest:
    """The last pieces of a tape, which hold LATEST_BYTES at most; one thread adds, any thread looks."""

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        # Replaced as a whole, so that who looks needs no lock.
        self._pieces: tuple[tuple[int, memoryview], ...] = ()

    def add(self, position: int, data: memoryview, written: int) -> None:
        """Hold the bytes of a place, of so many that were written in one go and that nobody changes any more.

        Those of long ago are let go.
        """
        if not self._is_kept:
            return
        if written > MOST_WRITTEN:
            self.drop()
        else:
            self._pieces = (*self._pieces[1 - PIECES :], (position, data))

    def find(self, position: int, size: int) -> memoryview | None:
        """At most ``size`` bytes from a place; None where they are not here any more."""
        for start, data in self._pieces:
            if start <= position < start + len(data):
                return data[position - start : position - start + size]
        return None

    def drop(self) -> None:
        """Hold nothing."""
        self._pieces = ()
