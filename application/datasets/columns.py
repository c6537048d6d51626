"""The columns of a dataset's parts together, by name, and those that only their folders' names tell of."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from application.datasets.bounds import read_bounds
from application.datasets.folders import folder_type
from application.datasets.footer import Footer
from application.datasets.union import unite, wider
from application.engine.relation import sql_type
from application.errors import DatasetInvalid
from application.models import Column, ObjectMeta, Traits

MOST_NANOSECONDS = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Found:
    """An object with what its footer and its path say; ``columns`` are its own, as the engine sees them."""

    meta: ObjectMeta
    footer: Footer
    columns: tuple[Column, ...]
    folder: dict[str, str | None]

    @property
    def path(self) -> str:
        """Its path within the dataset's folder."""
        return self.meta.path.partition("/")[2] or self.meta.path


def united_columns(
    name: str, found: Sequence[Found]
) -> tuple[tuple[Column, ...], list[tuple[tuple[str, str | None], ...]]]:
    """The columns of the whole, and for each part the values of those that are its folders' names.

    Raises DatasetInvalid where no columns hold those of all parts.
    """
    kinds: dict[int, Found] = {}
    for item in found:
        kinds.setdefault(id(item.columns), item)
    folder_names = dict.fromkeys(key for item in found for key in item.folder)
    folders: list[dict[str, str | None]] = [{} for _ in found]
    if len(kinds) == 1 and not set(folder_names) - {column.name for column in found[0].columns}:
        return found[0].columns, [() for _ in found]
    schemas = [(item.path, _schema(item)) for item in kinds.values()]
    try:
        schema = unite(schemas, nanoseconds=_fit_nanoseconds(found))
    except DatasetInvalid as error:
        raise DatasetInvalid(f"The parts of dataset {name!r} do not fit each other. {error}") from error
    for key in folder_names:
        # A part's own column is what it says, whatever its folder is named.
        without = [
            place for place, item in enumerate(found) if key not in {column.name for column in item.columns}
        ]
        if without:
            values = [found[place].folder.get(key) for place in without]
            schema = _with_folder(name, schema, key, values, found[without[0]].path)
            for place, value in zip(without, values, strict=True):
                folders[place][key] = value
    return _columns(schema, list(kinds.values())), [tuple(values.items()) for values in folders]


def _with_folder(
    name: str, schema: pa.Schema, key: str, values: Sequence[str | None], path: str
) -> pa.Schema:
    """The schema with a column of folders' values, or with one that holds them, too."""
    kind = folder_type(values)
    place = schema.get_field_index(key)
    if place < 0:
        return schema.append(pa.field(key, kind))
    field = schema.field(place)
    if all(value is None for value in values):
        kind = pa.null()
    elif not pa.types.is_null(field.type) and wider(field.type, pa.string()) is not None:
        kind = pa.string()
    both = wider(field.type, kind)
    if both is None:
        raise DatasetInvalid(
            f"Column {key!r} of dataset {name!r} is {field.type} in some parts, and what the folders of part "
            f"{path!r} say of it is {kind}: no one type holds both without a loss."
        )
    return schema.set(place, field.with_type(both).with_nullable(True))


def _schema(item: Found) -> pa.Schema:
    return pa.schema([column.field for column in item.columns])


def _fit_nanoseconds(found: Sequence[Found]) -> frozenset[str]:
    """The columns of timestamps in unlike units whose values all fit nanoseconds, by their statistics."""
    units: dict[str, set[str]] = {}
    for item in found:
        for column in item.columns:
            if pa.types.is_timestamp(column.field.type):
                units.setdefault(column.name, set()).add(column.field.type.unit)
    mixed = [name for name, seen in units.items() if "ns" in seen and len(seen) > 1]
    return frozenset(name for name in mixed if all(_fits_nanoseconds(item, name) for item in found))


def _fits_nanoseconds(item: Found, name: str) -> bool:
    own = [column.field.type for column in item.columns if column.name == name]
    if not own or not pa.types.is_timestamp(own[0]) or own[0].unit == "ns":
        return True
    bounds = read_bounds(item.footer.raw, name)
    if bounds.has_values is False or not item.footer.rows:
        return True
    if bounds.low is None or bounds.high is None:
        return False
    return bool(bounds.low >= -MOST_NANOSECONDS and bounds.high <= MOST_NANOSECONDS)


def _columns(schema: pa.Schema, kinds: Sequence[Found]) -> tuple[Column, ...]:
    """The columns of the whole, as the engine is to see them: by names that differ by more than case."""
    columns: list[Column] = []
    taken: set[str] = set()
    for field in schema:
        own = [column for item in kinds for column in item.columns if column.name == field.name]
        seen = {column.engine_type for column in own if not pa.types.is_null(column.field.type)}
        is_alike = len(seen) == 1 and all(column.field.type == field.type for column in own)
        engine_type = seen.pop() if is_alike else sql_type(field.type)
        exact = all(column.exact for column in own)
        if not exact and any(
            pa.types.is_nested(column.field.type) and column.field.type != field.type for column in own
        ):
            raise DatasetInvalid(
                f"Column {field.name!r} holds values that cannot be read exactly where parts hold them in "
                "other types."
            )
        engine_name, count = field.name, 0
        while engine_name.lower() in taken:
            count += 1
            engine_name = f"{field.name}_{count}"
        taken.add(engine_name.lower())
        columns.append(Column(field.name, engine_name, engine_type, field, exact, _traits(own)))
    return tuple(columns)


def _traits(own: Sequence[Column]) -> Traits:
    """Those of a column that some parts have so: one that cannot be read, or has INT96, is enough."""
    return Traits(
        int96=any(column.traits.int96 for column in own),
        refusal=next((column.traits.refusal for column in own if column.traits.refusal), ""),
        misplaced=any(column.traits.misplaced for column in own),
        geometry=bool(own) and all(column.traits.geometry for column in own),
    )
