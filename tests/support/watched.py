"""A storage that tells what is read of it beside the engine, and an engine over it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from application.engine.database import Database
from application.engine.scan import Engine
from application.models import ObjectMeta
from application.storage import open_storage
from application.storage.base import Storage


class Watched:
    """A folder as storage, near or far, that tells what is read of it; the engine reads it by itself."""

    def __init__(self, folder: Path, *, is_near: bool = True) -> None:
        self._storage = open_storage(str(folder), "")
        self.is_near = is_near
        self.read_bytes: list[int] = []
        self.before: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        self.before()
        self.read_bytes.append(end - start)
        return self._storage.read(meta, start, end)


def opened(storage: Storage) -> Engine:
    return Engine(
        storage, Database(storage, memory_limit="512MB", threads=2, temp_directory=None, temp_limit="1GB")
    )
