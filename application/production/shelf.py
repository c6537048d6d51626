"""Tapes by their keys: those that are being made, and whole ones while there is place for them."""

from collections import OrderedDict
from collections.abc import Collection

from application.spool import Tape


class Shelf:
    """Has one tape for each key, those that are unused for longest first; for who holds the registry's lock.

    Whole ones of up to ``keep_result`` bytes stay while all of them are within ``quota`` bytes and
    ``most_files`` files. Closes none: what it lets go is its caller's to close.
    """

    def __init__(self, keep_result: int, quota: int, most_files: int) -> None:
        self._most_bytes = min(keep_result, quota)
        self._quota = quota
        self._most_files = most_files
        self._tapes: OrderedDict[str, Tape] = OrderedDict()

    @property
    def most_kept(self) -> int:
        """Bytes up to which a tape stays; 0 where none does."""
        return self._most_bytes

    def __contains__(self, key: str) -> bool:
        return key in self._tapes

    def get(self, key: str) -> Tape | None:
        """The tape of that key."""
        return self._tapes.get(key)

    def put(self, key: str, tape: Tape) -> None:
        """Have a tape for that key, as the one that was used last."""
        self._tapes[key] = tape
        self._tapes.move_to_end(key)

    @property
    def whole_keys(self) -> tuple[str, ...]:
        """The keys of the tapes that are whole."""
        return tuple(key for key, tape in self._tapes.items() if tape.done)

    def drop(self, key: str, tape: Tape) -> None:
        """Have that tape no longer."""
        # Another tape has the key when this one lost its start and somebody asked again.
        if self._tapes.get(key) is tape:
            del self._tapes[key]

    def drop_all(self, tapes: Collection[Tape]) -> None:
        """Have none of these any longer."""
        for key in [key for key, tape in self._tapes.items() if tape in tapes]:
            del self._tapes[key]

    def drop_oldest(self) -> Tape | None:
        """Let the whole tape go that is unused for longest, if there is one."""
        key = next(iter(self.whole_keys), None)
        return None if key is None else self._tapes.pop(key)

    def keep(self, key: str, tape: Tape) -> list[Tape]:
        """Keep a tape that is about to be whole, if there is place; returns those that are let go for it.

        Files count as bytes do: each small result has one open.
        """
        dropped = []
        fits = tape.has_start and tape.size <= self._most_bytes and tape.files <= self._most_files
        if self._tapes.get(key) is not tape or not fits:
            self.drop(key, tape)
            dropped.append(tape)
        done = [(name, kept) for name, kept in self._tapes.items() if kept.done or kept is tape]
        size = sum(kept.size for _, kept in done)
        files = sum(kept.files for _, kept in done)
        for name, kept in done:
            if size <= self._quota and files <= self._most_files:
                break
            size, files = size - kept.size, files - kept.files
            dropped.append(self._tapes.pop(name))
        return dropped

    def clear(self) -> None:
        """Have none any longer."""
        self._tapes.clear()
