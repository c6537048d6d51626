"""The footers of many objects, read side by side, and kept while their objects are the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from application.datasets.footer import Footer, read_footer
from application.errors import DatasetInvalid
from application.models import ObjectMeta
from application.storage.base import Storage

MOST_AT_ONCE = 64
MOST_BYTES = 64 << 20


class Footers:
    """Reads the footers of one storage's objects; those used last are kept, up to so many bytes."""

    def __init__(self, storage: Storage, most_bytes: int = MOST_BYTES) -> None:
        self._storage = storage
        self._most_bytes = most_bytes
        self._kept: OrderedDict[ObjectMeta, Footer] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def read(self, objects: Sequence[ObjectMeta], name: Callable[[ObjectMeta], str]) -> list[Footer]:
        """The footer of each object, from storage where it is not kept.

        Raises StorageUnavailable, DatasetChanged, and DatasetInvalid for the first object that has none,
        after its ``name``.
        """
        found = [self.kept(meta) for meta in objects]
        missing = [meta for meta, footer in zip(objects, found, strict=True) if footer is None]
        if not missing:
            return [footer for footer in found if footer is not None]
        with ThreadPoolExecutor(min(MOST_AT_ONCE, len(missing)), "footers") as pool:
            # In the context of the caller, for its trace: a copy each, for one is entered once at a time.
            reads = [pool.submit(copy_context().run, self._read, meta, name) for meta in missing]
            try:
                read = iter([future.result() for future in reads])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [next(read) if footer is None else footer for footer in found]

    def kept(self, meta: ObjectMeta) -> Footer | None:
        """An object's footer if it is kept; reads nothing."""
        with self._lock:
            footer = self._kept.get(meta)
            if footer is not None:
                self._kept.move_to_end(meta)
            return footer

    def _read(self, meta: ObjectMeta, name: Callable[[ObjectMeta], str]) -> Footer:
        with self._places:
            try:
                footer = read_footer(self._storage, meta)
            except DatasetInvalid as error:
                raise type(error)(f"{name(meta)}{error}") from error
        with self._lock:
            if meta not in self._kept:
                self._kept[meta] = footer
                self._size += _size(footer)
            while self._size > self._most_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._size -= _size(dropped)
        return footer


def _size(footer: Footer) -> int:
    """About what a footer takes: as it was read, and what was made of it, which is more."""
    return 4 * len(footer.raw)
