"""Who reads a tape, how far each is, and whether others may come."""

from typing import Protocol


class Place(Protocol):
    """Where somebody reads a tape."""

    @property
    def position(self) -> int:
        """The place of the next byte."""


class Audience:
    """The readers of one tape; for who holds its lock.

    Nobody is taken in once it ``is_closed``. Its last reader closes it, unless it ``is_held``.
    """

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._has_begun = False
        self.is_held = False
        self.is_closed = False

    @property
    def is_empty(self) -> bool:
        """True while nobody reads."""
        return not self._places

    def enter(self, place: Place) -> bool:
        """Take a reader in; True for the first of all."""
        is_first, self._has_begun = not self._has_begun, True
        self._places.append(place)
        return is_first

    def leave(self, place: Place) -> bool:
        """Let a reader go; False for one that has gone already."""
        if place not in self._places:
            return False
        self._places.remove(place)
        if self.is_empty and not self.is_held:
            self.is_closed = True
        return True

    def slowest(self, size: int) -> int:
        """The least that a reader has read; ``size``, which is all, where nobody reads."""
        return min((place.position for place in self._places), default=size)
