"""Objects to one dataset: what each of them is, and what they are together."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from application.datasets.columns import Found, united_columns
from application.datasets.extents import joined
from application.datasets.folders import folder_values
from application.datasets.footer import Footer, FooterEncrypted
from application.datasets.footers import Footers
from application.engine.metadata import DESCRIBES_COLUMNS
from application.engine.scan import Engine
from application.errors import DatasetInvalid
from application.models import Column, Dataset, ObjectMeta, Part


class Assembler:
    """Makes datasets of their objects; what was known of objects that are still the same is used again."""

    def __init__(self, engine: Engine, footers: Footers) -> None:
        self._engine = engine
        self._footers = footers

    def dataset(self, name: str, objects: Sequence[ObjectMeta], last: Dataset | None) -> Dataset:
        """One dataset of these objects; ``last`` is what it was before, if it was.

        Raises DatasetInvalid where they are no Parquet or do not fit each other, StorageUnavailable and
        DatasetChanged.
        """
        is_folder = "/" in objects[0].path
        try:
            found, fault = self._find(name, objects, last, is_folder)
        except FooterEncrypted as error:
            if is_folder:
                raise
            return _unread(name, objects[0], str(error))
        columns, folders = united_columns(name, found)
        identity = hashlib.sha256()
        for item in found:
            meta = item.meta
            identity.update(repr((meta.path, meta.size, meta.version, item.footer.digest)).encode())
        rows = sum(item.footer.rows for item in found)
        metadata = dict(found[0].footer.schema.metadata or {})
        if columns != found[0].columns:
            # It tells of the first part's columns alone.
            metadata = {key: value for key, value in metadata.items() if key not in DESCRIBES_COLUMNS}
        return Dataset(
            name=name,
            objects=tuple(objects),
            columns=columns,
            metadata=metadata,
            rows=rows,
            row_bytes=sum(item.footer.data_bytes for item in found) // max(rows, 1),
            e_tag=identity.hexdigest(),
            last_modified=max(meta.last_modified for meta in objects),
            is_folder=is_folder,
            extents=joined(item.footer.extents for item in found),
            parts=tuple(
                Part(item.meta, _groups(item.footer), item.footer.data_bytes, item.columns, folder)
                for item, folder in zip(found, folders, strict=True)
            ),
            fault=fault,
        )

    def _find(
        self, name: str, objects: Sequence[ObjectMeta], last: Dataset | None, is_folder: bool
    ) -> tuple[list[Found], str]:
        """What is known of each object, and why nothing can be read of the only one."""

        def named(meta: ObjectMeta) -> str:
            within = meta.path.partition("/")[2]
            return f"Part {within!r} of dataset {name!r} cannot be read: " if is_folder else ""

        footers = self._footers.read(objects, named)
        described = {part.meta: part.columns for part in last.parts} if last else {}
        kinds: dict[bytes, tuple[Column, ...]] = {}
        fault = ""
        for meta, footer in zip(objects, footers, strict=True):
            if meta in described and footer.kind not in kinds:
                kinds[footer.kind] = described[meta]
        for meta, footer in zip(objects, footers, strict=True):
            if footer.kind not in kinds:
                names = Counter(footer.schema.names)
                if twice := [field for field, count in names.items() if count > 1]:
                    # Formats and filters know columns by name: one of the two would be lost.
                    raise DatasetInvalid(f"Dataset {name!r} has more than one column named {twice[0]!r}.")
                try:
                    kinds[footer.kind] = self._engine.describe(meta, footer.schema, footer.traits)
                except DatasetInvalid as error:
                    if is_folder:
                        raise DatasetInvalid(f"{named(meta)}{error}") from error
                    # It can still be had as it is stored.
                    kinds[footer.kind], fault = (), str(error)
        found = [
            Found(meta, footer, kinds[footer.kind], folder_values(meta.path) if is_folder else {})
            for meta, footer in zip(objects, footers, strict=True)
        ]
        return found, fault


def _unread(name: str, meta: ObjectMeta, fault: str) -> Dataset:
    """A dataset of one object, of which nothing but the object itself is known."""
    identity = hashlib.sha256(repr((meta.path, meta.size, meta.version)).encode())
    return Dataset(
        name=name,
        objects=(meta,),
        columns=(),
        metadata={},
        rows=0,
        row_bytes=0,
        e_tag=identity.hexdigest(),
        last_modified=meta.last_modified,
        is_folder=False,
        fault=fault,
    )


def _groups(footer: Footer) -> tuple[int, ...]:
    """The rows of each row group."""
    (groups,) = footer.extents.groups
    return groups
