"""What was written last, still in memory: a reader that keeps up takes it there, and waits for no thread."""

# Of a tape, in pieces of at most so many bytes.
LATEST_BYTES = 8 << 20
PIECE_BYTES = 1 << 20


class Latest:
    """The last pieces of a tape, up to so many; one thread adds to them, any thread looks."""

    def __init__(self, most: int) -> None:
        self._most = most
        # Replaced as a whole, so that who looks needs no lock.
        self._pieces: tuple[tuple[int, memoryview], ...] = ()

    def add(self, position: int, data: memoryview) -> None:
        """Hold the bytes of a place, which nobody changes any more, and let go of those of long ago."""
        if self._most:
            self._pieces = (*self._pieces[1 - self._most :], (position, data))

    def find(self, position: int, size: int) -> memoryview | None:
        """At most ``size`` bytes from a place; None where they are not here any more."""
        for start, data in self._pieces:
            if start <= position < start + len(data):
                return data[position - start : position - start + size]
        return None

    def drop(self) -> None:
        """Hold nothing."""
        self._pieces = ()
