"""A folder as storage."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from application.errors import DatasetChanged, StorageUnavailable
from application.models import ObjectMeta
from application.storage.base import CHUNK, EngineAccess, Level, Method, check_range, is_plain

_UNAVAILABLE = "The dataset folder is missing or cannot be read."
_CHANGED = "The dataset was changed or removed while it was read."


class LocalStorage:
    """The files under a folder; hidden files and links that lead out of it do not exist."""

    is_near = True

    def __init__(self, root: str) -> None:
        self._root = os.path.abspath(root)
        self.description = self._root

    def list(self, prefix: str = "") -> Iterator[ObjectMeta]:
        """List the files whose path starts with the prefix, in the order of their UTF-8 bytes."""
        parent = prefix[: prefix.rfind("/") + 1]
        with _unavailable():
            root = self._real_root()
            if parent and not _is_visible(parent[:-1]):
                return iter(())
            real = os.path.realpath(os.path.join(root, parent))
            if not _is_within(real, root) or not os.path.isdir(real):
                return iter(())
            found = sorted(self._walk(parent, root, (real,), prefix), key=lambda meta: meta.path.encode())
        return iter(found)

    def level(self, folder: str = "") -> Level:
        """List what is directly in a folder ("" or "…/"), in the order of UTF-8 bytes."""
        objects: list[ObjectMeta] = []
        folders: list[str] = []
        with _unavailable():
            root = self._real_root()
            full = os.path.join(root, folder)
            if (folder and not _is_visible(folder[:-1])) or not _is_within(os.path.realpath(full), root):
                return Level((), ())
            above = [os.path.realpath(os.path.join(root, part)) for part in _lineage(folder)]
            for name in os.listdir(full) if os.path.isdir(full) else ():
                path = folder + name
                real = os.path.realpath(os.path.join(root, path))
                if not _is_visible(path) or not _is_within(real, root):
                    continue
                if os.path.isdir(real):
                    # A link to a folder that this one is in would go round for ever.
                    if not any(_is_within(folder_above, real) for folder_above in above):
                        folders.append(f"{path}/")
                elif (meta := self.head(path)) is not None:
                    objects.append(meta)
        return Level(
            tuple(sorted(objects, key=lambda meta: meta.path.encode())),
            tuple(sorted(folders, key=str.encode)),
        )

    def head(self, path: str) -> ObjectMeta | None:
        """Return the file's size, time and identity, or None when there is no such file."""
        with _unavailable():
            root = self._real_root()
            full = os.path.join(root, path)
            if not _is_visible(path) or not _is_within(os.path.realpath(full), root):
                return None
            try:
                return _meta(path, os.stat(full))
            except PermissionError:
                raise
            except OSError:
                return None

    def read(self, meta: ObjectMeta, start: int, end: int) -> bytes:
        """Return the bytes [start, end); DatasetChanged when the file is no longer ``meta``."""
        return b"".join(self.chunks(meta, start, end))

    def chunks(self, meta: ObjectMeta, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes [start, end) in pieces of at most 1 MiB, the identity checked around each."""
        check_range(meta, start, end)
        if start == end:
            return
        with _unavailable():
            if not _is_visible(meta.path) or not _is_within(
                os.path.realpath(os.path.join(self._root, meta.path)), os.path.realpath(self._root)
            ):
                raise DatasetChanged(_CHANGED)
            try:
                # Not blocking, lest the file has become a pipe that nobody writes to.
                descriptor = os.open(
                    os.path.join(self._root, meta.path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
                )
            except PermissionError:
                raise
            except OSError as error:
                raise DatasetChanged(_CHANGED) from error
        try:
            for position in range(start, end, CHUNK):
                yield _checked_read(descriptor, meta, position, min(end, position + CHUNK))
        finally:
            os.close(descriptor)

    def engine_access(self) -> EngineAccess:
        """Return the folder: files need neither an extension nor credentials."""
        return EngineAccess(os.path.join(self._root, ""), has_patterns=True)

    def presign(self, path: str, seconds: int, method: Method = "GET") -> str | None:
        """Return None: a file has no URL to hand out."""
        return None

    def _real_root(self) -> str:
        # Resolved each time: a publisher may swap a link to put a new release in place.
        real = os.path.realpath(self._root)
        if not stat.S_ISDIR(os.stat(real).st_mode):
            raise NotADirectoryError(real)
        return real

    def _walk(self, folder: str, root: str, above: tuple[str, ...], prefix: str) -> Iterable[ObjectMeta]:
        """Yield the files under a relative folder ("" or "…/"); ``above`` are the real folders it is in."""
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = folder + entry.name
                within = path.startswith(prefix) or prefix.startswith(path + "/")
                if not within or entry.name.startswith(".") or not is_plain(path):
                    continue
                real = os.path.realpath(entry.path) if entry.is_symlink() else above[-1] + "/" + entry.name
                if not _is_within(real, root):
                    continue
                try:
                    status = entry.stat()
                except PermissionError:
                    raise
                except OSError:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    # A link to a folder that this one is in would go round for ever.
                    if not any(_is_within(folder_above, real) for folder_above in above):
                        yield from self._walk(path + "/", root, (*above, real), prefix)
                elif (meta := _meta(path, status)) is not None:
                    yield meta


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn what the operating system refuses into StorageUnavailable."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(_UNAVAILABLE) from error


def _is_visible(path: str) -> bool:
    return is_plain(path) and not any(part.startswith(".") for part in path.split("/"))


def _lineage(folder: str) -> list[str]:
    """A relative folder ("" or "…/") and all that it is in, the root first."""
    return [folder[:end] for end in range(len(folder) + 1) if end == 0 or folder[end - 1] == "/"]


def _is_within(real: str, root: str) -> bool:
    return real == root or real.startswith(os.path.join(root, ""))


def _identity(status: os.stat_result) -> str:
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join(f"{number:x}" for number in numbers)


def _meta(path: str, status: os.stat_result) -> ObjectMeta | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectMeta(path, status.st_size, modified, _identity(status), f"{status.st_mtime_ns:x}")


def _checked_read(descriptor: int, meta: ObjectMeta, start: int, end: int) -> bytes:
    """Read one piece of an open file, or raise DatasetChanged unless it is ``meta`` before and after."""
    with _unavailable():
        before = _identity(os.fstat(descriptor))
        if before != meta.e_tag:
            raise DatasetChanged(_CHANGED)
        piece = os.pread(descriptor, end - start, start)
        if len(piece) != end - start or _identity(os.fstat(descriptor)) != before:
            raise DatasetChanged(_CHANGED)
        return piece
