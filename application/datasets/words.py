"""What publishers say of a dataset: each member checked by itself, and a wrong one told and left out."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from application.engine.metadata import DESCRIBES_COLUMNS
from application.geometry.columns import find as find_geometry
from application.models import Column, Dataset, Label, Words
from application.telemetry import logger

# What a source says, by member, as the schema below has it.
Said = Mapping[str, Any]
NOTHING: Said = {}

Line = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$")]
Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}:[^:]+:[^:]+$")]


class _Said(BaseModel):
    # What else is there is for others.
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class ColumnWords(_Said):
    """A column as a publisher describes it."""

    name: str
    description: Text | None = None


class GeometryWords(_Said):
    """The geometry column, and its reference system."""

    column: Line | None = None
    crs: Line | None = None


MEMBERS: dict[str, TypeAdapter[Any]] = {
    "title": TypeAdapter(Line),
    "description": TypeAdapter(Text),
    "licence": TypeAdapter(Line),
    "attribution": TypeAdapter(Line),
    "publisher": TypeAdapter(Line),
    "contact": TypeAdapter(Line),
    "columns": TypeAdapter(list[ColumnWords]),
    "key": TypeAdapter(str),
    "labels": TypeAdapter(dict[str, Place]),
    "text": TypeAdapter(list[str]),
    "geometry": TypeAdapter(GeometryWords),
}
# In a Parquet's key-values these are JSON.
STRUCTURED = frozenset({"columns", "labels", "text", "geometry"})
OTHER_SPELLINGS = {"license": "licence"}
# Members of an answer that no words decide: what was answered may be sent back.
COMPUTED = frozenset(
    {"name", "modified", "e_tag", "rows", "bytes", "formats", "links", "source", "profile", "problem"}
)


def read_members(given: object, where: str) -> Said:
    """What an object says, without what is wrong in it, which is told in the log."""
    if not isinstance(given, dict):
        logger.warning("%s is no JSON object, and is not used", where)
        return NOTHING
    said: dict[str, Any] = {}
    for name, value in given.items():
        member = OTHER_SPELLINGS.get(name, name)
        if member not in MEMBERS:
            if member not in COMPUTED:
                logger.warning("%s: %.60r is no member of a description", where, name)
        elif value not in (None, "", [], {}):
            _add(said, member, value, where)
    return said


def read_key_values(metadata: Mapping[bytes, bytes], where: str) -> Said:
    """What a Parquet's key-values of the same names say; what is wrong in them is told in the log."""
    said: dict[str, Any] = {}
    for name in (*OTHER_SPELLINGS, *MEMBERS):
        raw, member = metadata.get(name.encode()), OTHER_SPELLINGS.get(name, name)
        if not raw:
            continue
        try:
            value = json.loads(raw) if member in STRUCTURED else raw.decode()
        except (ValueError, RecursionError):
            logger.warning("%s: its key-value %r is not readable, and is not used", where, name)
            continue
        _add(said, member, value, where)
    return said


def _add(said: dict[str, Any], member: str, value: object, where: str) -> None:
    try:
        said[member] = MEMBERS[member].validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in (member, *first["loc"]))
        logger.warning("%s: %.200s is not used: %s", where, place, first["msg"])


def merged(*sources: Said) -> Words:
    """Words of several sources: each member of the last that has it, each column's and label's too."""
    said = {name: value for source in sources for name, value in source.items()}
    columns: dict[str, str] = {}
    labels: dict[str, Label] = {}
    geometry: dict[str, str] = {}
    for source in sources:
        columns |= {item.name: item.description for item in source.get("columns", ()) if item.description}
        labels |= {name: Label(*place.split(":")) for name, place in source.get("labels", {}).items()}
        if found := source.get("geometry"):
            geometry |= found.model_dump(exclude_none=True)
    plain: dict[str, str] = {name: said[name] for name in said if name not in STRUCTURED}
    return Words(
        **plain,
        columns=columns,
        labels=labels,
        text=tuple(said.get("text", ())),
        geometry=geometry.get("column", ""),
        crs=geometry.get("crs", ""),
    )


def with_words(dataset: Dataset, words: Words) -> Dataset:
    """The dataset with words, with its binary columns that are text as text, and with its geometry.

    What the words say of columns that are not there, or are no bytes, is told in the log and left out.
    """
    columns = {column.name: column for column in dataset.columns}
    for name in {words.key, *words.labels, *words.columns, *words.text} - {"", *columns}:
        if not dataset.fault:
            logger.warning("The words of dataset %r name a column that it lacks: %.60r", dataset.name, name)
    text = tuple(name for name in words.text if name in columns and _is_bytes(columns[name]))
    for name in set(words.text) & set(columns) - set(text):
        logger.warning("Column %.60r of dataset %r is not binary: it cannot be text", name, dataset.name)
    words = replace(
        words,
        key=words.key if words.key in columns else "",
        labels={name: label for name, label in words.labels.items() if name in columns},
        columns={name: said for name, said in words.columns.items() if name in columns},
        text=text,
    )
    geometry = find_geometry(dataset.columns, dataset.metadata, words.geometry, words.crs)
    if not text:
        return replace(dataset, words=words, geometry=geometry)
    changed = tuple(as_text(column) if column.name in text else column for column in dataset.columns)
    # These say that the columns are binary.
    metadata = {key: value for key, value in dataset.metadata.items() if key not in DESCRIBES_COLUMNS}
    geometry = find_geometry(changed, dataset.metadata, words.geometry, words.crs)
    return replace(dataset, words=words, columns=changed, metadata=metadata, geometry=geometry)


def as_text(column: Column) -> Column:
    """A binary column as the text that its bytes are."""
    return replace(column, as_text=True, engine_type="VARCHAR", field=column.field.with_type(pa.string()))


def _is_bytes(column: Column) -> bool:
    if not column.exact or column.traits.geometry:
        return False
    kind, checks = column.field.type, (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(check(kind) for check in checks) or bool(pa.types.is_fixed_size_binary(kind))
