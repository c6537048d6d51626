"""A bucket that results are written to: whole objects or none, and small notes beside them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from application.errors import StorageUnavailable
from application.storage.base import is_plain
from application.storage.failures import translated, unavailable
from application.storage.s3 import S3Storage

if TYPE_CHECKING:
    from obstore.store import S3Store

# Parts of a multipart upload: S3 takes at most 10,000, so this is good for 160 GB.
_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 2
# S3 may be silent for as long while it puts the parts together.
_SILENCE = timedelta(seconds=30)


class S3ExportStorage(S3Storage):
    """An S3 storage that can be written to."""

    _writer: "S3Store | None" = None

    def write(self, path: str, pieces: Iterator[bytes], attributes: Mapping[str, str]) -> None:
        """Write an object of these pieces with HTTP headers as attributes; it is there only if all came.

        Whatever the pieces raise comes out as it is. S3 compares the SHA-256 of each part.
        """
        import obstore

        failures: list[BaseException] = []

        def guarded() -> Iterator[bytes]:
            try:
                yield from pieces
            except BaseException as error:
                failures.append(error)
                raise

        try:
            with _writing():
                obstore.put(
                    self._writable(path),
                    path,
                    guarded(),
                    attributes=dict(attributes),
                    use_multipart=True,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except Exception:
            # The client's own error for it has lost which it was.
            if failures:
                raise failures[0] from None
            raise

    def note(self, path: str, text: bytes, *, only_if_new: bool = False) -> bool:
        """Write a small object; with ``only_if_new`` False where there is one already.

        Servers without conditional writes replace it: then two who ask at once may both have True.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with _writing():
                obstore.put(self._writable(path), path, text, mode="create" if only_if_new else "overwrite")
        except AlreadyExistsError:
            return False
        except StorageUnavailable as error:
            if isinstance(error.__cause__, AlreadyExistsError):
                return False
            raise
        return True

    def noted(self, path: str) -> bytes | None:
        """A small object's bytes, or None where there is none."""
        import obstore

        try:
            with translated():
                return bytes(obstore.get(self._open(), path).bytes())
        except FileNotFoundError:
            return None

    def remove(self, path: str) -> None:
        """Remove an object, if it is there."""
        import obstore

        try:
            with translated():
                obstore.delete(self._open(), path)
        except FileNotFoundError:
            return

    def _writable(self, path: str) -> "S3Store":
        if not is_plain(path):
            raise ValueError(f"{path!r} is no plain path")
        self._provider.get()
        with self._lock:
            if self._writer is None:
                self._writer = self._make(_SILENCE, "SHA256")
            return self._writer


@contextmanager
def _writing() -> Iterator[None]:
    """Turn the client's errors into StorageUnavailable; what is not found is the bucket."""
    try:
        with translated():
            yield
    except FileNotFoundError as error:
        raise unavailable(error) from error
