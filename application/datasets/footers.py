"""The footers of many objects, read side by side, and kept while their objects are the same."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from application.datasets.footer import Footer, read_footer
from application.errors import DatasetInvalid
from application.models import ObjectMeta
from application.storage.base import Storage
from application.storage.lanes import Lanes

# In all, and for one dataset: of several whose storage stalls, each leaves the others some.
MOST_AT_ONCE, SHARE = 192, 64
MOST_BYTES = 64 << 20


class Footers:
    """Reads the footers of one storage's objects; those used last are kept, up to so many bytes."""

    def __init__(self, storage: Storage, most_bytes: int = MOST_BYTES) -> None:
        self._storage = storage
        self._most_bytes = most_bytes
        self._kept: OrderedDict[ObjectMeta, Footer] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._lanes = Lanes(MOST_AT_ONCE, SHARE)

    def read(self, objects: Sequence[ObjectMeta], name: Callable[[ObjectMeta], str]) -> list[Footer]:
        """The footer of each object of a dataset, from storage where it is not kept.

        Raises StorageUnavailable, DatasetChanged, and DatasetInvalid for the first object that has none,
        after its ``name``.
        """
        found = [self.kept(meta) for meta in objects]
        missing = [meta for meta, footer in zip(objects, found, strict=True) if footer is None]
        if not missing:
            return [footer for footer in found if footer is not None]
        if len(missing) == 1:
            read = iter([self._read(missing[0], name)])
            return [next(read) if footer is None else footer for footer in found]
        dataset = missing[0].path.partition("/")[0]
        reads = [self._lanes.begin(dataset, partial(self._read, meta, name)) for meta in missing]
        try:
            read = iter([future.result() for future in reads])
        finally:
            for future in reads:
                future.cancel()
        return [next(read) if footer is None else footer for footer in found]

    def kept(self, meta: ObjectMeta) -> Footer | None:
        """An object's footer if it is kept; reads nothing."""
        with self._lock:
            footer = self._kept.get(meta)
            if footer is not None:
                self._kept.move_to_end(meta)
            return footer

    def _read(self, meta: ObjectMeta, name: Callable[[ObjectMeta], str]) -> Footer:
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
