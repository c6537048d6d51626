"""Bytes of a far object, fetched in the order in which they lie there, some requests before they are read."""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context

from application.errors import ProductionCancelled

Range = tuple[int, int]
# Of one request. What lies closer together comes by the same one: a request costs as long as so many bytes.
REQUEST_BYTES = 4 << 20
HOLE_BYTES = 256 << 10
# Requests that are made before somebody asks for their bytes, and bytes that are kept.
AHEAD = 2
KEPT_BYTES = 48 << 20


class TooManyStreams(Exception):
    """More large ranges would be read beside each other than there is place for what was fetched of them."""


class Prefetch:
    """Some ranges of an object whose bytes [start, end) ``read`` gives.

    ``streams`` of them are read at the same time; raises TooManyStreams where they are too many.
    """

    def __init__(self, read: Callable[[int, int], bytes], ranges: Iterable[Range], streams: int) -> None:
        if streams * AHEAD * REQUEST_BYTES > KEPT_BYTES:
            raise TooManyStreams
        self._read = read
        self._requests = list(_requests(sorted(ranges)))
        self._starts = [start for start, _ in self._requests]
        self._fetched: OrderedDict[int, bytes] = OrderedDict()
        self._failed: dict[int, BaseException] = {}
        self._begun: set[int] = set()
        self._over = False
        self._changed = threading.Condition()

    def read(self, start: int, end: int) -> bytes | None:
        """The bytes [start, end); None where they are not in the ranges.

        Raises what their request raised, and ProductionCancelled once it is interrupted.
        """
        pieces = []
        while start < end:
            at = bisect_right(self._starts, start) - 1
            if at < 0 or start >= self._requests[at][1]:
                return None
            first, last = self._requests[at]
            pieces.append(self._of(at)[start - first : end - first])
            start = min(end, last)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def interrupt(self) -> None:
        """Make whoever waits go on, and begin no more; what is asked of storage comes to nothing."""
        with self._changed:
            self._over = True
            self._fetched.clear()
            self._changed.notify_all()

    def _of(self, at: int) -> bytes:
        with self._changed:
            if not self._begin(at):
                # Without a thread to spare.
                self._fetch(at)
            self._changed.wait_for(lambda: self._over or at in self._fetched or at in self._failed)
            if self._over:
                raise ProductionCancelled("The download was cancelled.")
            if at in self._failed:
                raise self._failed[at]
            self._fetched.move_to_end(at)
            data = self._fetched[at]
            # Only now, lest they take the line from what is waited for.
            for place in range(at + 1, min(at + 1 + AHEAD, len(self._requests))):
                self._begin(place)
            return data

    def _begin(self, at: int) -> bool:
        """Ask for the bytes of a request, if nobody has; False where no thread can."""
        if at in self._begun or at in self._fetched or at in self._failed:
            return True
        # In the context of the caller, for its trace. A daemon: one that waits for storage must not keep the
        # process from ending.
        thread = threading.Thread(
            target=copy_context().run, args=(self._fetch, at), name="prefetch", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return False
        self._begun.add(at)
        return True

    def _fetch(self, at: int) -> None:
        """Have the bytes of a request, in place of those that were used longest ago."""
        try:
            data = self._read(*self._requests[at])
        except BaseException as error:  # noqa: BLE001 - whatever it is, who asks for the bytes must learn of it
            with self._changed:
                self._failed[at] = error
                self._changed.notify_all()
            return
        with self._changed:
            self._begun.discard(at)
            if not self._over:
                self._fetched[at] = data
                while sum(map(len, self._fetched.values())) > KEPT_BYTES:
                    self._fetched.popitem(last=False)
            self._changed.notify_all()


def _requests(ranges: Iterable[Range]) -> Iterator[Range]:
    """The ranges, in order, as requests: small ones that are near together joined, large ones in pieces."""
    start = end = -1
    for first, last in ranges:
        if start >= 0 and first - end <= HOLE_BYTES and last - start <= REQUEST_BYTES:
            end = max(end, last)
            continue
        yield from _pieces(start, end)
        start, end = first, last
    yield from _pieces(start, end)


def _pieces(start: int, end: int) -> Iterator[Range]:
    for first in range(start, end, REQUEST_BYTES):
        yield first, min(end, first + REQUEST_BYTES)
